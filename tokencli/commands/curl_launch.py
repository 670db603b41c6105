"""Run curl with a token that is neither in its arguments nor in its environment.

curl reads the token from a descriptor, as a configuration file (curl(1), option --config).
"""

import re
from collections.abc import Sequence

from tokencli import platforms
from tokencli.app import App
from tokencli.commands.child_launch import run_in_place
from tokencli.commands.error_report import is_repeatable, report_error
from tokencli.core.api_request import (
    WrongSchemeError,
    check_api_origin,
    check_scheme,
    load_client_certificate,
)
from tokencli.core.get_token import get_token
from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.curl import render_headers_and_query, render_option
from tokencli.importers.curl import CurlOption, complete_url, list_options
from tokencli.models import Profile, Secret
from tokencli.oauth.token_usage import build_headers_and_query
from tokencli.providers.endpoint_urls import check_endpoint_url, is_plain_http
from tokencli.shell_words import join, quote
from tokencli.system.child_process import (
    build_start_error,
    exit_status_of,
    open_filled_pipe,
)

UNREADABLE_OPTIONS = {
    "config": "there may be other URLs in its file",
    "variable": "a variable may be part of a URL",
    "next": "curl forgets the token at --next; run curl once for each part",
    "location-trusted": "it would send the token along a redirect to any server",
    "trace": "the token is in what curl would trace; -v shows the headers, without the token",
    "trace-ascii": "the token is in what curl would trace; -v shows the headers, without the token",
    "libcurl": "curl would write the token to that file",
}
"""Option -> why it can't be used together with a token."""
_TRUST_OPTIONS = frozenset(("cacert", "capath", "ca-native", "insecure", "pinnedpubkey"))
_PROXY_OPTIONS = frozenset(("proxy", "preproxy", "noproxy", "socks4", "socks4a", "socks5", "socks5-hostname",
                            "proxy1.0"))  # fmt: skip
_REDIRECT_OPTIONS = frozenset(("location", "follow"))
_STRIPPED_AT_REDIRECTS = ("authorization", "cookie")
"""Headers that curl doesn't send along a redirect to another server, even if `-H` sets them."""


def launch_curl(
    app: App,
    *profiles: str,
    command: Sequence[str] = (),
    min_ttl: float | None = None,
    anywhere: bool = False,
) -> int:
    """Run curl in place of this process, with what carries the token of the profile.

    Without a URL, as in `curl --version`, curl gets no token. If it may print the token, as with
    `-v`, it is a child, and the token is hidden in its output.

    Return:
        The exit status of curl, or that of a shell if curl can't be run, which is reported.

    Raises:
        UsageError, ConfigError: the token could get to another server, or into a file. TokencliError:
            there is no token.
    """
    profile = app.get_profile(*profiles[:1])
    options = _read_options(command, anywhere=anywhere)
    urls = _check_urls(profile, options, command, anywhere=anywhere)
    words = ["curl", *command]
    masked: tuple[Secret, ...] = ()
    if urls or anywhere:
        if profile.dpop:
            raise _bound_token_error(profile, command)
        if not platforms.current().has_descriptor_paths:
            raise UsageError(
                f"tokencli curl needs descriptors with a path, which {platforms.current().name}"
                " doesn't have",
                fix="send the request with tokencli request",
            )
        token = get_token(profile, app, min_ttl=min_ttl)
        if token.save_error is not None:
            report_error(token.save_error)
        secrets = resolve_usage_secrets(profile, app)
        headers, query = build_headers_and_query(profile, token.token, secrets, app.clock.now())
        _check_carriers(profile, headers, query, options)
        if _may_print_token(options, has_parameter=bool(query)):
            masked = (token.token.access_token, *secrets.values())
        text = render_headers_and_query(headers, query)
        text += _render_connection(app, profile, options, urls)
        words[1:1] = ["--config", _hand_over(text)]
        if command and re.match("-q|--disable$", command[0]):  # counts only as the first option
            words.insert(1, "-q")
    try:
        if masked:
            from tokencli.commands.output_mask import run_masked

            return run_masked(words, app.environ, lambda: [secret.reveal() for secret in masked])
        return run_in_place(words, dict(app.environ))
    except OSError as error:
        report_error(build_start_error("curl", error, app.environ.get("PATH")))
        return exit_status_of(error)


def _read_options(command: Sequence[str], *, anywhere: bool) -> list[CurlOption]:
    """Return curl's options; with `anywhere`, as far as they are known.

    Raises:
        UsageError: the token isn't safe with one of them, or one is unknown.
    """
    try:
        options = list_options(command)
    except ConfigError as error:
        if anywhere:
            return []
        raise UsageError(error.message, cause=error.cause) from None
    for option in options:
        reason = UNREADABLE_OPTIONS.get(option.name)
        if reason is not None and not (anywhere and option.name in ("config", "variable", "next")):
            raise UsageError(f"curl's {option.spelling} can't be used with a token", cause=reason)
    names = [option.name for option in options]
    if names.count("verbose") > 1:
        raise UsageError(
            "curl's -v can't be used twice with a token",
            cause="curl 8.10 and later would print the token in pieces",
        )
    if "verbose" in names and "stderr" in names:
        raise UsageError(
            "curl's -v and --stderr can't be used together with a token",
            cause="curl would write the token to that file",
            fix="redirect stderr with 2>FILE, without the token",
        )
    return options


def _may_print_token(options: list[CurlOption], *, has_parameter: bool) -> bool:
    """Tell whether curl's own messages may have the token; options that aren't known may cause any."""
    names = {option.name for option in options}
    if has_parameter and "write-out" in names:  # which can print the URL
        return True
    return not names or bool(names & {"verbose", "trace-config", "config", "variable"})


def _check_urls(
    profile: Profile, options: list[CurlOption], command: Sequence[str], *, anywhere: bool
) -> list[str]:
    """Return the URLs that curl requests, all of which may get the token."""
    schemes = [option.value for option in options if option.name == "proto-default"]
    urls = []
    for option in options:
        if option.name != "url":
            continue
        url = option.value
        try:
            url = complete_url(url, schemes[-1] if schemes else "http").partition("#")[0]
            if not anywhere:
                check_scheme(profile, url)
            check_endpoint_url(url)
        except WrongSchemeError as error:
            words = [error.url if word == option.value else word for word in command]
            if error.url in words and is_repeatable(words):
                error.fix = join(["tokencli", "curl", profile.name, "--", *words])
            raise
        except ConfigError as error:
            if "://" not in option.value:
                raise _missing_server_error(profile, option.value, command) from None
            raise UsageError(f"can't use the URL: {error.message}", fix=error.fix) from None
        check_api_origin(profile, url, anywhere=anywhere)
        urls.append(url)
    return urls


def _missing_server_error(profile: Profile, url: str, command: Sequence[str]) -> UsageError:
    is_path = profile.api_url is not None and not re.match(r"[^/?#]*[.:]", url)
    return UsageError(
        "can't use the URL: curl takes whole URLs, which begin with https://",
        cause="tokencli request takes a path as well, which is appended to the profile's api_url",
        fix=f"tokencli request {profile.name} {quote(url)}"
        if is_path and list(command) == [url] and is_repeatable(command)
        else None,
    )


def _bound_token_error(profile: Profile, command: Sequence[str]) -> UsageError:
    is_plain = len(command) == 1 and is_repeatable(command)
    return UsageError(
        f"the token of profile {profile.name!r} is bound to a key, so each request needs its own proof",
        cause="curl can't make one (RFC 9449); tokencli request does",
        fix=f"tokencli request {profile.name} {quote(command[0])}" if is_plain else None,
    )


def _check_carriers(
    profile: Profile,
    headers: Sequence[tuple[str, str]],
    query: Sequence[tuple[str, str]],
    options: list[CurlOption],
) -> None:
    """Check that the headers and query parameters that carry the token are safe with these options.

    Raises:
        UsageError: curl would send a header along a redirect to any server, or store a parameter with
            a file, or a header on the command line would replace the token.
    """
    names = {option.name for option in options}
    for name, _ in headers:
        if names & _REDIRECT_OPTIONS and name.lower() not in _STRIPPED_AT_REDIRECTS:
            raise UsageError(
                f"curl's -L can't be used with profile {profile.name!r}",
                cause=f"curl would send its header {name} along a redirect to any server",
            )
    if query and "xattr" in names:
        raise UsageError(
            f"curl's --xattr can't be used with profile {profile.name!r}",
            cause="curl would store the URL, which has the token, with the file",
        )
    carriers = {name.lower() for name, _ in headers}
    for option in options:
        name = option.value.partition(":")[0] if option.name == "header" else ""
        if option.name == "oauth2-bearer":
            name = "Authorization"
        if name.lower() in carriers:
            raise UsageError(
                f"the header {name} can't be set, because the token of profile {profile.name!r} is sent"
                " in it"
            )


def _render_connection(
    app: App, profile: Profile, options: list[CurlOption], urls: list[str]
) -> str:
    """Return curl's configuration for what the profile says about connections.

    Options on the command line take precedence, because curl reads them later.
    """
    given = {option.name for option in options}
    # Of ~/.curlrc, nothing that prints the token or sends it along a redirect counts.
    lines = ["no-location-trusted\n", "no-verbose\n"]
    connection, certificate = profile.connection, load_client_certificate(profile, app)
    if connection.insecure and not given & _TRUST_OPTIONS:
        lines.append("insecure\n")
    elif connection.ca_file and not given & _TRUST_OPTIONS:
        lines.append(render_option("cacert", connection.ca_file))
    if certificate is not None and not given & {"cert", "key"}:
        lines.append(render_option("cert", certificate.cert_file.replace(":", "\\:")))
        lines.append(render_option("key", certificate.key_file))
        if certificate.passphrase is not None:
            lines.append(render_option("pass", certificate.passphrase.reveal()))
    if any(map(is_plain_http, urls)) or (connection.proxy == "none" and not given & _PROXY_OPTIONS):
        lines.append(render_option("noproxy", "*"))
    elif connection.proxy and connection.proxy != "none" and not given & _PROXY_OPTIONS:
        lines.append(render_option("proxy", connection.proxy))
    if "connect-timeout" not in given:
        lines.append(f"connect-timeout = {connection.timeout:g}\n")
    if given & _REDIRECT_OPTIONS and "proto-redir" not in given:
        lines.append(render_option("proto-redir", "=https"))
    return "".join(lines)


def _hand_over(text: str) -> str:
    """Return the path of a pipe with the text, which is open in the program that replaces this process."""
    data = text.encode()
    pipe = open_filled_pipe(data)
    if pipe is None:
        raise ConfigError(f"the token is too long for a pipe: {len(data)} bytes with its options")
    return f"/dev/fd/{pipe}"
