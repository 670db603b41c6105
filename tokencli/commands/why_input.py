"""What `tokencli why` is asked: the profile, the token and the call, from arguments, stdin and files."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from tokencli.app import App
from tokencli.commands.token_input import read_stdin
from tokencli.core.inspect import CLIENT_CLAIMS
from tokencli.core.pasted_token import decode_input
from tokencli.core.stored_token import find_stored_token
from tokencli.diagnosis.api_call import OWN_HEADERS, ApiCall, list_carriers
from tokencli.diagnosis.investigation import TIME_LIMIT_S, Investigation
from tokencli.diagnosis.pasted_call import read_curl_request, read_saved_reply
from tokencli.diagnosis.token_facts import TokenText, read_raw_token, read_token_text
from tokencli.errors import ConfigError, CredentialsError, TokencliError, UsageError
from tokencli.importers.saved_reply import parse_saved_replies
from tokencli.jwt.decode import decode_token, strings_of_claim
from tokencli.models import Profile, Secret
from tokencli.oauth.discovery import matches_issuer
from tokencli.providers.endpoint_urls import check_endpoint_url, get_url_origin
from tokencli.providers.redaction import SECRET_NAME_PATTERN
from tokencli.shell_words import join, user_shell

MAX_INPUT_BYTES = 1 << 22
MAX_PROFILES = 50
"""Profiles that are compared with the token and the URL."""
_URL_LIKE = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:/\S*)?")
_METHOD = re.compile(r"[A-Za-z]{1,20}")
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?)?[ \t]*"
)
_ON_STDIN = "-"


@dataclass(frozen=True, slots=True)
class WhyArguments:
    """The arguments and options of one run."""

    first: str | None = None
    second: str | None = None
    profile: str | None = None
    method: str | None = None
    headers: Sequence[str] = ()
    data: str | None = None
    curl: str | None = None
    """File with a curl command, or `-`."""
    response: str | None = None
    """File with a saved reply, or `-`."""
    offline: bool = False
    introspect: bool = False
    resend: bool = False

    @property
    def file(self) -> str | None:
        """Return the file that has the call, or `-`."""
        return self.curl if self.response is None else self.response


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the arguments name."""

    profile: str | None = None
    has_token_on_stdin: bool = False
    url: str | None = None


def build_investigation(app: App, given: WhyArguments) -> Investigation:
    """Return what is to be found out. Notes on stderr say what was chosen.

    Raises:
        UsageError: the arguments can't be understood, or contain a secret. ConfigError: there is no
            such profile.
    """
    subject = _tell_arguments_apart(app, given)
    _check_combination(given, subject)
    profiles = _Profiles(app)
    investigation = Investigation(
        offline=given.offline,
        introspect=given.introspect,
        may_change=given.resend or given.curl is None,
        seconds=app.options.timeout or TIME_LIMIT_S,
    )
    if given.curl is not None:
        investigation = _add_curl_command(app, investigation, given.curl, profiles, subject)
    elif given.response is not None:
        investigation = _add_saved_reply(app, investigation, given.response, profiles, subject)
    else:
        pasted = error = None
        if subject.has_token_on_stdin:
            text, mangling = read_raw_token(_read_bytes(app, _ON_STDIN, "the token"))
            pasted = read_token_text(text)
            pasted = replace(pasted, mangling=(*mangling, *pasted.mangling))
            if not pasted.token:
                error, pasted = CredentialsError("there is no token on stdin"), None
        investigation = replace(
            investigation,
            profile=_choose_profile(app, profiles, subject, pasted),
            pasted=pasted,
            token_error=error,
            call=None if subject.url is None else _build_call(app, given, subject.url),
        )
    profile = investigation.profile
    others = (each for each in profiles.values() if profile is None or each.name != profile.name)
    return replace(
        investigation,
        other_profiles=tuple(others),
        command=_repeat_command(given, subject, profile, app.options.config),
    )


def _check_combination(given: WhyArguments, subject: _Subject) -> None:
    """Raise UsageError if arguments contradict each other."""
    details = given.method or given.headers or given.data is not None
    if given.curl is not None and given.response is not None:
        raise UsageError("--curl and --response can't be combined")
    if given.file is not None and (details or subject.has_token_on_stdin):
        option = "--curl" if given.curl is not None else "--response"
        raise UsageError(
            f"-, -X, -H and -d can't be combined with {option}, which has the whole call"
        )
    if given.curl is not None and subject.url is not None:
        raise UsageError("the curl command has the URL, so none can be given beside --curl")
    if details and subject.url is None:
        raise UsageError("-X, -H and -d are about a call, and no URL was given")


def _add_curl_command(
    app: App, investigation: Investigation, source: str, profiles: "_Profiles", subject: _Subject
) -> Investigation:
    """Return the investigation of the call that a curl command makes."""
    from tokencli.importers.curl import parse_curl

    text = _read_text(app, source, "the curl command")
    requests = parse_curl(text, with_credentials=True)
    if len(requests) > 1:
        app.terminal.print_note(f"the first of {len(requests)} requests is examined")
    pasted = read_curl_request(requests[0], text, app.environ)
    _check_url(pasted.call.url)
    for note in pasted.notes:
        app.terminal.print_note(f"left out: {note}")
    needs_stored = pasted.variable is not None or not pasted.call.carries_token
    named = replace(subject, profile=subject.profile or pasted.profile, url=pasted.call.url)
    profile: Profile | None = None
    error: TokencliError | None = None
    if needs_stored and named.profile is None:
        error = CredentialsError(
            f"the command takes the token from {_describe_source(pasted.variable)}",
            cause="the variable isn't exported; --profile can name the profile that the token is from"
            if _is_name(pasted.variable)
            else "tokencli doesn't run it; --profile can name the profile that the token is from",
            fix=user_shell().export_variable(pasted.variable)
            if pasted.variable is not None and _is_name(pasted.variable)
            else None,
        )
    elif pasted.token is None and not needs_stored:
        error = CredentialsError("the command sends no token")
    if named.profile is not None or pasted.token is not None:
        profile = _choose_profile(app, profiles, named, pasted.token)
    elif (fitting := find_profile_of_url(profiles, pasted.call.url)) is not None:
        profile = _load_profile(app, fitting[0])
    return replace(
        investigation, profile=profile, pasted=pasted.token, call=pasted.call, token_error=error
    )


def _is_name(variable: str | None) -> bool:
    return variable is not None and variable.isidentifier()


def _describe_source(variable: str | None) -> str:
    if _is_name(variable):
        return f"the variable {variable}, whose value isn't known"
    return "another command, whose output isn't known"


def _add_saved_reply(
    app: App, investigation: Investigation, source: str, profiles: "_Profiles", subject: _Subject
) -> Investigation:
    """Return the investigation of a saved reply, whose request may be saved as well."""
    exchanges = parse_saved_replies(_read_text(app, source, "the reply"))
    url = subject.url or exchanges[-1].url or None
    profile: Profile | None = None
    if subject.profile is not None:
        profile = _load_profile(app, subject.profile)
    carriers = () if profile is None else list_carriers(profile, None)
    carrier = carriers[0] if carriers else "Authorization: Bearer"
    saved, pasted = read_saved_reply(exchanges, url, carrier)
    if profile is None and pasted is not None:
        profile = _choose_profile(app, profiles, replace(subject, url=url), pasted)
    elif profile is None and (fitting := find_profile_of_url(profiles, url or "")) is not None:
        app.terminal.print_note(f"profile {fitting[0]}, because {fitting[1]}")
        profile = _load_profile(app, fitting[0])
    return replace(investigation, profile=profile, pasted=pasted, saved=saved)


def _tell_arguments_apart(app: App, given: WhyArguments) -> _Subject:
    """Tell the profile (or `-`) from the URL; either may be left out."""
    subject = _Subject(profile=given.profile)
    for argument in (given.first, given.second):
        if argument is None:
            continue
        if not argument:
            raise UsageError("an argument is empty", cause="a variable in the command may be unset")
        if decode_token(argument).kind != "opaque" or argument.startswith("eyJ"):
            raise UsageError(
                "a token on the command line can be seen by other users and stays in the shell's history",
                cause="it can be passed on stdin instead",
                fix="tokencli why -",
            )
        url = _complete_path(app, subject.profile, argument) or _complete_url(app, argument)
        if url is not None:
            if subject.url is not None:
                raise UsageError(f"two URLs were given: {given.first!r} and {given.second!r}")
            subject = replace(subject, url=url)
        elif argument == _ON_STDIN:
            subject = replace(subject, has_token_on_stdin=True)
        elif subject.profile not in (None, argument):
            raise UsageError(
                f"two different profiles were given: {subject.profile!r} and {argument!r}"
            )
        else:
            subject = replace(subject, profile=argument)
    return subject


def _complete_path(app: App, profile_name: str | None, argument: str) -> str | None:
    """Return a path behind a profile as a URL of its API; None if it may be a server or a profile.

    Raises:
        ConfigError: the profile doesn't exist or has no `api_url`.
    """
    start = re.split("[/?#]", argument, maxsplit=1)[0]
    if profile_name is None or argument in (profile_name, _ON_STDIN) or start == "localhost":
        return None
    if re.search(r"[.:\[]", start) or argument in app.config.profile_names():
        return None
    from tokencli.core.api_request import resolve_api_url

    return resolve_api_url(app.get_profile(profile_name, anew=None), argument)


def _complete_url(app: App, argument: str) -> str | None:
    """Return the argument as a URL; None if it is a profile or `-`."""
    if "://" in argument:
        return argument
    if not re.search(r"[./:]", argument) or not _URL_LIKE.fullmatch(argument):
        return None
    try:
        if argument in app.config.profile_names():
            return None
    except ConfigError:
        pass
    return f"https://{argument}"


def _check_url(url: str) -> None:
    """Raise UsageError if nothing can be sent to the URL; that it is http is no reason yet."""
    encrypted = re.sub(r"(?i)^http://", "https://", url)
    try:
        check_endpoint_url(encrypted.partition("#")[0])
    except ConfigError as error:
        raise UsageError(f"can't use the URL: {error.message}") from None


def _build_call(app: App, given: WhyArguments, url: str) -> ApiCall:
    _check_url(url)
    headers = []
    for line in given.headers:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise UsageError(
                f"not a header: {line.partition(':')[0][:60]!r}", cause="write it as NAME: VALUE"
            )
        name = match[1]
        if re.search(rf"(?i){SECRET_NAME_PATTERN}", name.replace("-", "_")):
            raise UsageError(
                f"a header like {name} doesn't belong on the command line, where other users can see it",
                cause="the token comes from the profile or from stdin; a whole request can be pasted",
                fix="tokencli why --curl -",
            )
        if name.lower() in OWN_HEADERS:
            raise UsageError(f"the header {name} can't be set, because it follows from the request")
        headers.append((name, match[2] or ""))
    body = _read_data(app, given.data)
    method = given.method or ("POST" if given.data is not None else "GET")
    if not _METHOD.fullmatch(method):
        raise UsageError(f"not a method: {method[:20]!r}")
    if body and not any(name.lower() == "content-type" for name, _ in headers):
        is_json = body.lstrip()[:1] in (b"{", b"[")
        media_type = "application/json" if is_json else "application/x-www-form-urlencoded"
        headers.append(("Content-Type", media_type))
    return ApiCall(url, method.upper(), tuple(headers), body)


def _read_data(app: App, data: str | None) -> bytes:
    """Return the body: the text itself, or with `@FILE` what is in the file."""
    if data is None or not data.startswith("@"):
        return (data or "").encode()
    return _read_bytes(app, data[1:], "the body")


def _read_bytes(app: App, source: str, what: str) -> bytes:
    """Return the content of a file, or of stdin for `-`."""
    if source != _ON_STDIN:
        try:
            with Path(source).open("rb") as file:
                return file.read(MAX_INPUT_BYTES)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not a file name"
            raise UsageError(f"can't read the file '{source}': {reason}") from None
    return read_stdin(what, MAX_INPUT_BYTES, app)


def _read_text(app: App, source: str, what: str) -> str:
    return decode_input(_read_bytes(app, source, what)).token


class _Profiles(Mapping[str, Profile]):
    """The valid profiles, without a request to any server; loaded when they are first needed."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._loaded: dict[str, Profile] | None = None

    def __getitem__(self, name: str) -> Profile:
        return self._load()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    def _load(self) -> dict[str, Profile]:
        if self._loaded is None:
            self._loaded = {}
            try:
                names = self._app.config.profile_names()
            except ConfigError:
                names = ()
            for name in names[:MAX_PROFILES]:
                try:
                    profile = self._app.config.get_profile_ignoring_top_level(name)
                    self._loaded[name] = self._app.with_cached_endpoints(profile)
                except ConfigError:
                    continue
        return self._loaded


def _choose_profile(
    app: App, profiles: Mapping[str, Profile], subject: _Subject, pasted: TokenText | None
) -> Profile | None:
    """Return the profile that is named, or else the one that fits the token or the URL.

    A stored token needs a profile, so without any that fits it is the default one.
    """
    if subject.profile is not None:
        return _load_profile(app, subject.profile)
    if pasted is not None:
        names, reason = _find_profiles_of_token(app, profiles, pasted)
        found = (names[0], reason) if names and _are_alike(profiles, names) else None
        if found is None and subject.url is not None:
            found = find_profile_of_url(profiles, subject.url)
        if found is None:
            if names:
                app.terminal.print_note(
                    f"several profiles fit the token, so its issuer isn't asked: {', '.join(names)};"
                    " --profile names the right one"
                )
            elif profiles:
                app.terminal.print_note(
                    "no profile fits the token, so its issuer isn't asked; --profile names one"
                )
            return None
        app.terminal.print_note(f"profile {found[0]}, because {found[1]}")
        return _load_profile(app, found[0])
    if subject.url is not None and len(profiles) > 1:
        fitting = find_profile_of_url(profiles, subject.url)
        if fitting is not None:
            name, reason = fitting
            app.terminal.print_note(f"profile {name}, because {reason}")
            return _load_profile(app, name)
    profile = _load_profile(app, None)
    if subject.url is not None and len(profiles) > 1:
        app.terminal.print_note(f"profile {profile.name}, the default one; no other fits the URL")
    return profile


def _load_profile(app: App, name: str | None) -> Profile:
    """Return the profile with endpoints from cached metadata; they are fetched only if there is none."""
    profile = app.with_cached_endpoints(app.get_profile(name, anew=None))
    if profile.token_url == profile.issuer:
        try:
            return app.with_endpoints(profile)
        except TokencliError:  # its probe says why
            return profile
    return profile


def _are_alike(profiles: Mapping[str, Profile], names: Sequence[str]) -> bool:
    """Tell whether profiles ask the same server as the same client, so that any of them will do."""
    first, *others = (
        (each.token_url, each.issuer, each.values.get("client_id"), each.client_auth)
        for each in (profiles[name] for name in names)
    )
    return all(each == first for each in others)


def _find_profiles_of_token(
    app: App, profiles: Mapping[str, Profile], pasted: TokenText
) -> tuple[list[str], str]:
    """Return the profile that has stored the token, or those of its issuer and client, and why."""
    claims, secret = decode_token(pasted.token).claims, Secret(pasted.token)
    fitting = []
    for name, profile in profiles.items():
        with suppress(TokencliError):
            found = find_stored_token(profile, app)
            if found is not None and secret in (
                found.token.access_token,
                found.token.id_token,
                found.token.refresh_token,
            ):
                return [name], "it has stored this token"
        if _is_of_issuer(profile, claims):
            fitting.append(name)
    clients = {claims.get(name) for name in CLIENT_CLAIMS}
    exact = [name for name in fitting if profiles[name].values.get("client_id") in clients]
    return exact or fitting, "the token is of its issuer"


def _is_of_issuer(profile: Profile, claims: Mapping[str, object]) -> bool:
    """Tell whether the token's issuer is the profile's, or at least on the same server."""
    issuer = claims.get("iss")
    if profile.issuer is not None:
        return issuer is not None and matches_issuer(profile, claims)
    with suppress(ConfigError):  # not a URL
        return get_url_origin(str(issuer)) == get_url_origin(profile.token_url)
    return False


def find_profile_of_url(profiles: Mapping[str, Profile], url: str) -> tuple[str, str] | None:
    """Return the profile whose audience or server fits an API's URL best, and why; None if several do."""
    try:
        origin, host = get_url_origin(url), urlsplit(url).hostname or ""
    except (ConfigError, ValueError):
        return None
    ranked: dict[int, list[tuple[str, str]]] = {}
    for name, profile in profiles.items():
        for value in (profile.params.get("audience", ()), profile.params.get("resource", ())):
            for audience in strings_of_claim(list(value) if isinstance(value, tuple) else value):
                if url.startswith(audience.rstrip("/")) and "://" in audience:
                    ranked.setdefault(0, []).append((name, f"its audience is {audience}"))
                elif host in (audience, urlsplit(audience).hostname):
                    ranked.setdefault(1, []).append((name, f"its audience is {audience}"))
        try:
            if origin == get_url_origin(profile.token_url):
                ranked.setdefault(2, []).append((name, "its token endpoint is on the same server"))
        except ConfigError:
            continue
        if host in profile.values.values():
            ranked.setdefault(2, []).append((name, "it names the same host"))
    for _, found in sorted(ranked.items()):
        names = dict(found)
        return found[0] if len(names) == 1 else None
    return None


def _repeat_command(
    given: WhyArguments, subject: _Subject, profile: Profile | None, config: str | None
) -> str | None:
    """Return the command that asks the same again, as far as nothing in it may be secret."""
    words = ["tokencli", "why"]
    options = ["--config", config] if config is not None else []
    if given.curl is not None:
        words += [*([subject.profile] if subject.profile else []), "--curl", given.curl]
        return join([*words, *options])
    if subject.has_token_on_stdin:
        words.append(_ON_STDIN)
    elif profile is not None:
        words.append(profile.name)
    if subject.url is not None:
        from tokencli.diagnosis.api_call import describe_url

        if describe_url(subject.url) != subject.url.partition("#")[0]:
            return None
        words.append(subject.url)
    if subject.has_token_on_stdin and profile is not None:
        words += ["--profile", profile.name]
    if given.method is not None:
        words += ["-X", given.method]
    for line in given.headers:
        words += ["-H", line]
    if given.data is not None:
        words += ["-d", given.data]
    return join([*words, *options])
