"""The protocol of git's credential helpers (gitcredentials(7), git-credential(1)), without Typer."""

import sys
from collections.abc import Sequence
from math import floor

from tokencli.app import App
from tokencli.commands import output
from tokencli.core.get_token import get_token
from tokencli.core.helper_credential import (
    choose_username,
    expire_refused_token,
    list_receiving_origins,
    require_plain_token,
)
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.errors import ConfigError, TokencliError, UsageError
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query
from tokencli.oauth.www_authenticate import parse_challenges
from tokencli.providers.endpoint_urls import check_endpoint_url, check_host_port, get_url_origin
from tokencli.shell_words import user_shell

MAX_INPUT_BYTES = 1 << 20
Attributes = dict[str, list[str]]
"""Name -> values in order. A name that ends with `[]` can have several."""


def answer_git(
    app: App,
    *words: str,
    servers: Sequence[str] = (),
    username: str | None = None,
    min_ttl: float | None = None,
) -> None:
    """Perform an operation of git's: `get`, `store` or `erase`, the last of the words.

    The word before it is the profile, and `servers` are those that it is for. Git ignores the exit
    code, so if there is no token for a server that the profile is for, `quit=1` keeps git from asking
    the user for a password instead.

    Raises:
        UsageError: the input isn't attributes, or git can't use the token. TokencliError: there is
            no token.
    """
    profile_name, operation = (words[0] if len(words) == 2 else None), words[-1]
    if operation not in ("get", "erase"):
        is_git = profile_name is not None or operation in ("store", "capability")
        if not is_git and operation in app.list_profile_names():
            raise UsageError(
                "the operation is missing: get, store or erase",
                cause="git adds it to the command of a credential helper",
                fix="tokencli help git",
            )
        return  # gitcredentials(7): an operation that a helper doesn't know is ignored
    attributes = read_attributes()
    profile = app.get_profile(profile_name, anew=None)
    receiving = list_receiving_origins(profile, servers)
    try:
        origin = _read_origin(attributes)
    except ConfigError as error:
        if operation == "get":
            app.terminal.print_note(f"git gets no token from tokencli: {error.message}", whole=True)
        return
    if origin not in receiving:
        if operation == "get":
            _explain_other_server(app, profile, origin)
    elif operation == "erase":
        refused = [
            Secret(value)
            for name in ("password", "credential")
            for value in attributes.get(name, ())
        ]
        if expire_refused_token(profile, app, refused):
            app.terminal.print_detail(
                f"{profile.name}: git's server refused the token; the next one is new"
            )
    else:
        try:
            answer = _build_answer(app, profile, attributes, username, min_ttl)
        except TokencliError:
            output.write_stdout("quit=1\n")
            raise
        output.write_stdout(answer)


def read_attributes() -> Attributes:
    """Read the attributes on stdin, up to an empty line or the end.

    Raises:
        UsageError: a line has no `=`, or the input is not text or too long.
    """
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1) if sys.stdin else b""
    attributes: Attributes = {}
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise _input_error("it is not UTF-8") from None
    if len(data) > MAX_INPUT_BYTES:
        raise _input_error("it is longer than 1 MiB")
    for number, line in enumerate(lines, 1):
        if not line.removesuffix("\r"):
            break
        name, equals, value = line.partition("=")
        if not equals:
            raise _input_error(f"line {number} has no =")
        if name.endswith("[]"):
            # An empty value clears what came before.
            attributes[name] = [*attributes.get(name, ()), value] if value else []
        else:
            attributes[name] = [value]
    return attributes


def _input_error(problem: str) -> UsageError:
    return UsageError(
        f"the input is not what git sends to a credential helper: {problem}",
        cause="git-credential(1) defines one attribute per line, as name=value",
    )


def _last(attributes: Attributes, name: str) -> str:
    return attributes.get(name, [""])[-1]


def _read_origin(attributes: Attributes) -> str:
    """Return the origin of the server that git asks about.

    Raises:
        ConfigError: git names no server, or one that no token can be sent to.
    """
    protocol, host = _last(attributes, "protocol"), _last(attributes, "host")
    if not protocol or not host:
        raise ConfigError("its request names no server; that takes the lines protocol= and host=")
    url = f"{protocol}://{host}"
    try:
        origin = get_url_origin(check_endpoint_url(url))
        check_host_port(host)  # a host with a path could be another one to git
    except ConfigError as error:
        raise ConfigError(f"it asks about {url[:200]!r}, but {error.message}") from None
    return origin


def _build_answer(
    app: App,
    profile: Profile,
    attributes: Attributes,
    username: str | None,
    min_ttl: float | None,
) -> str:
    """Return a Bearer credential if git and the server can use one, else a user name and password."""
    profile = app.with_token_endpoint(profile)
    result = get_token(profile, app, min_ttl=min_ttl)
    require_plain_token(profile, result.token, "git")
    scheme, credential = _find_authorization(app, profile, result.token)
    if username is None and _accepts_scheme(attributes, scheme):
        lines = [
            "capability[]=authtype",
            f"authtype={scheme}",
            f"credential={credential}",
            "ephemeral=1",
        ]
    else:
        name = choose_username(profile, username, _last(attributes, "username"))
        credential = result.token.access_token.reveal()
        lines = [f"username={name}", f"password={credential}"]
        if not name.isprintable():
            raise UsageError("git can't be given this user name: it contains a control character")
    if not credential.isprintable():
        raise UsageError("git can't be given this token: it contains a control character")
    if result.token.known_expiry is not None:
        lines.append(f"password_expiry_utc={floor(result.token.known_expiry)}")
    if result.save_error is not None:
        app.terminal.print_warning(result.save_error.message)
    return "".join(f"{line}\n" for line in lines)


def _find_authorization(app: App, profile: Profile, token: TokenSet) -> tuple[str, str]:
    """Return the scheme and credential of the Authorization header, which is all that git can send.

    Raises:
        UsageError: the provider sends the token in another way.
    """
    secrets = resolve_usage_secrets(profile, app)
    headers, query = build_headers_and_query(profile, token, secrets, app.clock.now())
    value = headers[0][1] if len(headers) == 1 and headers[0][0].lower() == "authorization" else ""
    scheme, _, credential = value.partition(" ")
    if query or not credential:
        names = [name for name, _ in headers] + [f"?{name}=" for name, _ in query]
        raise UsageError(
            f"git can't use the token of profile {profile.name!r}: provider"
            f" {profile.provider.name!r} sends it as {', '.join(names)}",
            cause="a credential helper can supply only an Authorization header",
        )
    return scheme, credential


def _accepts_scheme(attributes: Attributes, scheme: str) -> bool:
    """Tell whether git can send a header of that scheme (since 2.46), and the server didn't ask for Basic.

    Git passes on the server's WWW-Authenticate headers since 2.41.
    """
    if "authtype" not in attributes.get("capability[]", ()):
        return False
    headers = attributes.get("wwwauth[]", ())
    offered = {each.scheme for header in headers for each in parse_challenges(header)}
    return scheme.lower() in offered or "basic" not in offered


def _explain_other_server(app: App, profile: Profile, origin: str) -> None:
    """Say on stderr why git gets no token for this server; other helpers may have one."""
    url = origin.removesuffix(":443")
    server = url.removeprefix("https://")
    shell = user_shell()
    key = shell.quote(f"credential.{url}.helper")
    helper = shell.quote(f"!tokencli git-credential {profile.name} --host {server}")
    commands = shell.chain(
        f"git config --global --replace-all {key} {shell.quote('')}",
        f"git config --global --add {key} {helper}",
    )
    app.terminal.print_note(
        f"profile {profile.name!r} is not for {server}, so git gets no token from it. If it is, name"
        f" the server: {commands}",
        whole=True,
    )
