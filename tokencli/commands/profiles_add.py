"""`tokencli profiles add`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import CommonOptions, common_options
from tokencli.commands.profiles_edit import (
    GivenKeys,
    find_provider,
    key_options,
    list_providers,
)
from tokencli.commands.providers_add import install_providers, read_sections
from tokencli.core.profile_status import suggest_next_commands
from tokencli.errors import TlsError, TokencliError, UnreachableError, UsageError
from tokencli.models import Profile
from tokencli.oauth.grants import required_secrets
from tokencli.problems import list_names
from tokencli.protocols import Choice
from tokencli.shell_words import join, quote, user_shell

if TYPE_CHECKING:
    from tokencli.core.profile_form import ProfileForm
    from tokencli.provider_schema import Provider

ANY_PROVIDER = "oauth2"
PROVIDER_HELP = (
    "The kind of server that issues the token. If yours is none of these and supports OAuth or OpenID"
    " Connect, choose oauth2: it asks for a URL and finds the rest. For any other, choose the last one."
)
OWN_LOGIN = Choice("none of these", "None of these: a login that isn't OAuth")


@common_options()
@key_options
def add(
    common: CommonOptions,
    given: GivenKeys,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Name of the new profile.")
    ] = None,
    from_url: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="URL",
            help="Discover the provider and its settings from the URL of an issuer, a token endpoint or"
            " an API.",
        ),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", "-y", help="Add a provider file without asking for confirmation."),
    ] = False,
) -> None:
    """Add a profile to the configuration.

    In a terminal, you are asked for what is missing. When asked for a host, you can paste a URL. If
    the server's certificate is from a private CA, you are asked for that CA's certificate. Secrets
    are stored by `tokencli login`.

    \b
    tokencli profiles add groupid
    tokencli profiles add corp --from https://login.example.com/realms/acme --client-id cli
    tokencli profiles add work --provider acme.toml
    tokencli profiles add ci --provider oauth2 --no-input \\
        --token-url https://id.example.com/token --client-id batch --client-secret-env CI_SECRET
    """
    app = App(common)
    if name is not None:
        _check_is_new(name, app)
    if given.provider is not None and _is_provider_file(given.provider, app):
        given = replace(given, provider=_add_provider_of_file(given.provider, app, yes=yes))
    provider = find_provider(given.provider, app) if given.provider is not None else None
    if provider is None and from_url is None:
        provider = _choose_provider(name, given, app)
    form = _begin_form(name, provider, given, app)
    profile = None
    with _resumable(form, given, app, from_url):
        if from_url is not None:
            _discover(form, from_url, given, app)
        if form.is_complete and form.name:
            form.raise_if_invalid()
            form.allow_plain_http()
            _write_profile(form, app)
            return
        if not app.terminal.interactive:
            raise form.draft.missing_options_error()
        if not form.name:
            form.name = _ask_name(form.provider.name, app)
        form.ask()
        _show_summary(form, app)
        if app.terminal.ask_yes_no("Add this profile?", default=True):
            profile = _write_profile(form, app, announce=False)
        else:
            _print_resume_command(form, given, app, from_url)
    if profile is not None:
        _finish(profile, app)


def _is_provider_file(text: str, app: App) -> bool:
    """Return whether --provider names a file: by its path, its suffix, or because it exists."""
    if text in app.config.provider_names():
        return False
    return (
        text == "-"
        or text.endswith(".toml")
        or os.sep in text
        or "/" in text
        or Path(text).is_file()
    )


def _add_provider_of_file(file: str, app: App, *, yes: bool) -> str:
    """Add the only provider of a file to the configuration, after confirmation; return its name."""
    from tokencli.config.provider_file import read_provider_text  # loads pydantic

    sections = read_sections(read_provider_text(file), file)
    if len(sections) > 1:
        raise UsageError(
            f"{file} has several providers: {list_names([each.name for each in sections])}",
            cause="a profile uses one of them; add them first, and name one",
            fix=None if file == "-" else f"tokencli providers add {quote(file)}",
        )
    command = None if file == "-" else join(["tokencli", "providers", "add", file])
    install_providers(app, sections, command, yes=yes, replace=False, announce_next=False)
    app.reload_config()
    return sections[0].name


def _check_is_new(name: str, app: App) -> None:
    if name in app.config.profile_names():
        raise UsageError(
            f"profile {name!r} already exists", fix=f"tokencli profiles edit {name} --set KEY=VALUE"
        )


# Which provider


def _choose_provider(name: str | None, given: GivenKeys, app: App) -> "Provider":
    """Ask for the provider; one whose name begins the profile's name is suggested.

    Raises:
        UsageError: there is no terminal to ask at. The message names all missing options.
    """
    names = app.config.provider_names()
    likely = [each for each in names if name is not None and name.casefold().startswith(each)]
    if app.terminal.interactive:
        chosen = app.terminal.ask_choice(
            "System that issues the token",
            [*list_providers(app), OWN_LOGIN],
            default=likely[0] if likely else None,
            help=PROVIDER_HELP,
        )
        if chosen == OWN_LOGIN.value:
            raise UsageError(
                "that endpoint has to be described first",
                cause="the description is drafted from your answers, or with --from-curl - from a curl"
                " command that works",
                fix=f"tokencli providers new {name + ' ' if name else ''}--add",
            )
        return app.config.get_provider(chosen)
    form = _begin_form(
        name, app.config.get_provider(likely[0] if likely else ANY_PROVIDER), given, app
    )
    error = form.draft.missing_options_error() if not form.is_complete else None
    also = error.message.partition("also requires ")[2] if error else ""
    raise UsageError(
        f"a new profile requires {'' if name else 'NAME and '}--provider or --from URL"
        + (f"; with --provider {form.provider.name}, it also requires {also}" if also else ""),
        cause="there is no terminal to ask at",
        fix=error.fix if error else form.draft.add_command(),
    )


def _ask_name(default: str, app: App) -> str:
    from tokencli.config.resolve import check_profile_name_and_type

    names = app.config.profile_names()

    def find_problem(text: str) -> str | None:
        if text in names:
            return "there is a profile of that name"
        problems = check_profile_name_and_type(text, {})
        return problems[0].suggestion if problems else None

    return app.terminal.ask_line(
        "Name of the profile",
        default=None if default in names else default,
        validate=find_problem,
        help="You choose it. It is what you type in: tokencli get NAME",
    )


# The form, and what it is made of


def _begin_form(
    name: str | None, provider: "Provider | None", given: GivenKeys, app: App
) -> "ProfileForm":
    """Return the form with the keys of the command line, as far as the provider is known."""
    from tokencli.core.profile_form import ProfileForm  # loads pydantic

    form = ProfileForm(name or "", app, provider or app.config.get_provider(ANY_PROVIDER))
    if provider is None:  # its keys are parsed once it is known; these are needed before
        pairs = (text.partition("=") for text in given.assignments)
        form.keys = {key: value for key, _, value in pairs if key in ("ca_file", "proxy")}
        return form
    form.is_provider_given = given.provider is not None
    _apply_given_keys(form, given)
    return form


def _apply_given_keys(form: "ProfileForm", given: GivenKeys) -> None:
    command = f"tokencli profiles add {form.name or 'NAME'} --provider {form.provider.name}"
    keys = given.parse(form.provider, command)
    keys.pop("provider", None)
    form.keys |= keys
    form.resolve_ca_path()
    form.split_urls()


def _discover(form: "ProfileForm", text: str, given: GivenKeys, app: App) -> None:
    """Fill in what follows from the URL of `--from`."""
    from tokencli.core.server_discovery import complete_url

    url = complete_url(text)
    form.resolve_ca_path()
    if app.terminal.interactive:
        form.discover_or_ask(url)
    else:
        form.discover(url)
    if not form.is_provider_given:
        _apply_given_keys(form, given)
    known = dict(form.keys)
    form.choose_defaults()
    if app.terminal.interactive and not form.is_complete:
        form.keys = known  # the form asks for them


@contextmanager
def _resumable(
    form: "ProfileForm", given: GivenKeys, app: App, from_url: str | None
) -> Iterator[None]:
    """Say how to continue if the user cancels, or if something fails after an answer."""
    answers_before = dict(form.keys)
    try:
        yield
    except UnreachableError as error:
        if from_url is not None:
            error.fix = _without_server(form, given, app, from_url, error)
        raise
    except KeyboardInterrupt:
        _print_resume_command(form, given, app, from_url)
        raise
    except TokencliError:
        if app.terminal.interactive and form.keys != answers_before:
            _print_resume_command(form, given, app, from_url)
        raise


def _print_resume_command(
    form: "ProfileForm", given: GivenKeys, app: App, from_url: str | None
) -> None:
    """Print the command that continues with what was answered so far."""
    if from_url is not None and not form.is_discovered:
        source = f"{_provider_option(form)}--from {quote(from_url)}"
        command = _given_command(form, given, app, source)
    else:
        command = _with_config(form.draft.add_command(), app)
    if command is None:
        app.terminal.print_note("nothing was added")
        return
    app.terminal.print_note("nothing was added; this command continues with your answers:")
    app.terminal.print_note(command, whole=True)


def _without_server(
    form: "ProfileForm", given: GivenKeys, app: App, from_url: str, error: UnreachableError
) -> str | None:
    """Return the command that helps if the server of `--from` can't be asked."""
    from tokencli.core.server_discovery import complete_url, is_token_url

    url = quote(complete_url(from_url))
    if not isinstance(error, TlsError):
        option = f"--token-url {url}" if is_token_url(from_url) else f"--set issuer={url}"
        return _given_command(form, given, app, f"--provider {form.provider.name} {option}")
    if error.untrusted_issuer is None:
        return None
    source = f"{_provider_option(form)}--from {url} --ca-file {user_shell().example_path('ca.pem')}"
    return _given_command(form, given, app, source)


def _provider_option(form: "ProfileForm") -> str:
    return f"--provider {form.provider.name} " if form.is_provider_given else ""


def _given_command(form: "ProfileForm", given: GivenKeys, app: App, options: str) -> str | None:
    """Return the command as it was given, with other `options` for the server and its CA.

    None if a key can't be parsed: its value may be a secret, which isn't repeated.
    """
    from tokencli.core.partial_profile import show_assignment

    try:
        given.parse(form.provider, "")
    except TokencliError:
        return None
    kept = [text for text in given.assignments if not text.startswith("ca_file=")]
    words = [option for text in kept for option in show_assignment(*text.partition("=")[::2])]
    words += [f"--secret {quote(text)}" for text in given.secret_sources]
    command = " ".join(("tokencli profiles add", form.name or "NAME", *words, options))
    return _with_config(command, app)


def _with_config(command: str, app: App) -> str:
    path = app.options.config
    return f"{command} --config {quote(path)}" if path else command


def _show_summary(form: "ProfileForm", app: App) -> None:
    """Show what will be written, and which secrets are asked for later."""
    from tokencli.config.profile_assignments import nest_keys
    from tokencli.config.resolve import resolve_new_profile
    from tokencli.toml_writer import format_key_path, format_toml_table

    terminal = app.terminal
    table = {"provider": form.provider.name, **nest_keys(form.keys)}
    profile = resolve_new_profile(form.name, form.provider, nest_keys(form.keys))
    terminal.show_message(f"this will be added to {app.config.path}:")
    for line in (
        f"[{format_key_path(('profiles', form.name))}]",
        *format_toml_table(table).splitlines(),
    ):
        terminal.show_message(f"  {line}")
    if isinstance(profile, Profile):
        names = [
            name for name in required_secrets(profile) if profile.secrets[name].kind == "keyring"
        ]
        if names:
            terminal.show_message(f"login asks for: {', '.join(names)}")


def _write_profile(form: "ProfileForm", app: App, *, announce: bool = True) -> Profile:
    """Write the profile, and say where; with `announce`, also say what to run next."""
    from tokencli.config.edit import add_profile  # loads tomlkit
    from tokencli.config.profile_assignments import nest_keys
    from tokencli.providers.catalog import BUILTIN_NAMES
    from tokencli.providers.origins import list_request_origins

    table = {"provider": form.provider.name, **nest_keys(form.keys)}
    with app.locked_config() as current:
        config = add_profile(current, form.name, table)
    app.terminal.print_note(f"added profile {form.name} to {config.path}")
    profile = config.get_profile_ignoring_top_level(form.name)
    if profile.provider.name not in BUILTIN_NAMES:
        for row in list_request_origins(profile.provider, profile):
            app.terminal.print_note(f"provider {profile.provider.name} sends to {row.describe()}")
    if announce:
        _print_commands(suggest_next_commands(profile), app)
    return profile


def _print_commands(commands: Sequence[str], app: App) -> None:
    for command in commands:
        app.terminal.print_note(f"next: {command}")


def _finish(profile: Profile, app: App) -> None:
    """Log in if the user wants to, and show the two commands of daily use."""
    daily: tuple[str, ...] = (
        f"tokencli get {profile.name}",
        user_shell().load_variables(profile.name),
    )
    needs_login = len(suggest_next_commands(profile)) > 1
    if needs_login and app.terminal.ask_yes_no("Log in now?", default=True):
        from tokencli.commands.login import run_login

        run_login(App(app.options), profile.name)
    elif needs_login:
        daily = (f"tokencli login {profile.name}", *daily)
    _print_commands(daily, app)
