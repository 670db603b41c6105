"""Put together the loopback proxy of `tokencli proxy` and `tokencli exec --proxy`."""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote as percent_encode

from tokencli.app import App
from tokencli.commands.child_launch import require_command, strip_old_tokens
from tokencli.commands.error_report import report_error
from tokencli.core.request_credentials import RequestCredentials
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.token_keeper import TokenKeeper
from tokencli.errors import ConfigError, ReplyError, TokencliError, UnreachableError, UsageError
from tokencli.models import Profile, Secret
from tokencli.net.connection import FailureContext
from tokencli.net.errors import translate_exception
from tokencli.net.proxy import Proxy, select_proxy
from tokencli.net.request_guard import RequestTarget, parse_target
from tokencli.net.tls_context import (
    TrustConfig,
    build_tls_context,
    load_client_certificate,
    resolve_trust_config,
)
from tokencli.oauth.client_authentication import tls_client_certificate
from tokencli.providers.endpoint_urls import check_api_is_named, check_endpoint_url, is_loopback_url
from tokencli.system.child_process import build_start_error, exit_status_of, run_command

REPORT_INTERVAL_S = 10.0
"""Seconds until the same failure of the API is reported again."""
SECRET_BYTES = 32
URL_VARIABLE = "TOKENCLI_PROXY_URL"
"""The variable with the base URL for a command."""
FORWARD_PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
"""Variables by which the command would send its requests to another proxy."""


@contextmanager
def open_loopback_proxy(
    app: App,
    profile_name: str | None,
    *,
    to: str | None = None,
    scope: str | None = None,
    port: int = 0,
    socket_path: Path | None = None,
    needs_secret: bool = True,
) -> Iterator[str]:
    """Run a proxy to the API at `to`, by default the profile's `api_url`; yield its base URL.

    It listens on loopback addresses, or on the Unix socket at `socket_path` instead.

    Raises:
        TokencliError: there is no token, the URL is not allowed, or the proxy can't listen.
    """
    try:
        from tokencli.proxy.addresses import Api, Gate
        from tokencli.proxy.failures import find_flaw_of_reply, find_plain_failure
        from tokencli.proxy.listeners import listen_on_loopback, listening_on_unix_socket
        from tokencli.proxy.server import ProxySettings, running_proxy
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tokencli"):
            raise
        from tokencli.system.optional_packages import build_package_command  # start-up cost

        raise ConfigError(
            f"the proxy requires the package {error.name}, which is not installed",
            cause="it comes with tokencli[proxy]; see `tokencli help proxy`",
            fix=build_package_command("aiohttp"),
        ) from None
    profile = app.get_profile(profile_name, scope=scope)
    url = _select_api_url(profile, to)
    target = parse_target(url)
    trust = resolve_trust_config(profile.connection, app.environ)
    egress = select_proxy(target, profile.connection, app.environ)
    options = _build_request_options(app, profile, target, trust, egress)
    keeper = TokenKeeper(lambda: app.get_profile(profile_name, scope=scope), app)
    credentials = RequestCredentials(keeper, app)
    kept = credentials.get()  # now, because it may have to prompt, and its failure is ours
    credentials.build_headers_and_query(kept, "GET", url)
    # Later the terminal may be the command's, and Ctrl-C must end the proxy, not a prompt.
    silent = App(replace(app.options, no_input=True), app.environ)
    keeper.continue_with(lambda: silent.get_profile(profile_name, scope=scope), silent)

    def explain(failure: BaseException) -> TokencliError:
        if (flaw := find_flaw_of_reply(failure)) is not None:
            return ReplyError(f"{target.authority} sent a malformed reply: {flaw}")
        stage, plain = find_plain_failure(failure)
        context = FailureContext(
            target,
            profile.connection,
            trust,
            egress,
            stage,
            request_sent=stage in ("wait", "read"),
            elapsed_s=profile.connection.timeout,
            has_client_certificate=profile.client_cert is not None,
        )
        return _explain_failure(plain, context)

    with ExitStack() as stack:
        secret = Secret(secrets.token_urlsafe(SECRET_BYTES)) if needs_secret else None
        authorities = frozenset[str]()
        if socket_path is not None:
            secret = None  # the socket's mode keeps others out
            listeners = [stack.enter_context(listening_on_unix_socket(socket_path))]
            base_url = f"http+unix://{percent_encode(str(socket_path.absolute()), safe='')}"
        else:
            listeners = [stack.enter_context(closing(each)) for each in listen_on_loopback(port)]
            port = listeners[0].getsockname()[1]
            if target.is_loopback and target.port == port:
                raise UsageError(
                    f"the proxy can't forward to itself: {target.authority} is its own address",
                    cause="the API doesn't listen there, and the proxy was told to",
                )
            authorities = _list_authorities(port)
            base_url = f"http://127.0.0.1:{port}"
        settings = ProxySettings(
            gate=Gate(Api.of_url(url), secret, authorities),
            supply=credentials,
            connect_timeout=profile.connection.timeout,
            request_options=options,
            explain=explain,
            report=_build_reporter(),
            log=app.terminal.print_detail if app.options.verbose else None,
        )
        stack.enter_context(running_proxy(settings, listeners))
        yield base_url if secret is None else f"{base_url}/{secret.reveal()}"


def run_behind_proxy(
    app: App, profiles: Sequence[str], *, command: Sequence[str], to: str, scope: str | None = None
) -> int:
    """Run a command with the base URL of a proxy to the API at `to`, and end the proxy with it.

    The token is neither in its environment nor on its command line.

    Return:
        The exit status of the command, 128+n for signal n; or that of a shell for a command that can't
        be run, which is reported.

    Raises:
        UsageError: there is no command, or more than one profile. TokencliError: as for
            `open_loopback_proxy`.
    """
    require_command(app, profiles, command)
    if len(profiles) > 1:
        raise UsageError("a proxy adds the token of one profile; with --proxy, name only one")
    name = profiles[0] if profiles else None
    environ = strip_old_tokens(app, [app.get_profile(name, scope=scope)])
    with open_loopback_proxy(app, name, to=to, scope=scope) as base_url:
        environ[URL_VARIABLE] = base_url
        if any(environ.get(variable) for variable in FORWARD_PROXY_VARIABLES):
            for variable in ("NO_PROXY", "no_proxy"):
                excluded = environ.get(variable) or environ.get(variable.swapcase())
                if excluded != "*":  # which excludes every host only if it is alone
                    environ[variable] = ",".join(filter(None, (excluded, "127.0.0.1")))
        try:
            return run_command(command, environ)
        except OSError as error:
            report_error(build_start_error(command[0], error, environ.get("PATH")))
            return exit_status_of(error)


def _select_api_url(profile: Profile, to: str | None) -> str:
    """Return the URL that requests are forwarded to."""
    if to is None:
        if profile.api_url is None:
            raise UsageError(
                f"--to is required, because profile {profile.name!r} has no api_url",
                fix=f"tokencli proxy {profile.command_line_name} --to https://api.example.com",
            )
        check_api_is_named(profile)
        to = profile.api_url
    if "?" in to or "#" in to:
        raise UsageError(
            "can't forward to this URL: it has a query or a fragment",
            cause="the paths of the requests are appended to it",
        )
    try:
        check_endpoint_url(to)
        if to.startswith("http:") and not is_loopback_url(to):
            raise ConfigError("http would send the token unencrypted", fix="write https:// instead")
    except ConfigError as error:
        raise UsageError(f"can't forward to this URL: {error.message}", fix=error.fix) from None
    return to


def _build_request_options(
    app: App,
    profile: Profile,
    target: RequestTarget,
    trust: TrustConfig,
    egress: Proxy | None,
) -> dict[str, Any]:
    """Return the options of aiohttp for TLS and for the proxy to the API."""
    options: dict[str, Any] = {}
    if target.scheme == "https":
        options["ssl"] = context = build_tls_context(trust, profile.connection)
        if profile.client_cert is not None:
            resolver = SecretResolver(profile, app, may_prompt=True)
            passphrase = resolver.resolve("key_passphrase", optional=True)
            certificate = tls_client_certificate(profile, passphrase)
            assert certificate is not None, "the profile has one"
            load_client_certificate(certificate, context, profile.connection)
        if not trust.verify_certificates:
            app.terminal.print_warning(
                f"the certificate of {target.authority} is not verified, because the profile sets"
                " insecure = true: anyone on the network path can read the requests and the token"
            )
    if egress is not None:
        if egress.is_socks:
            raise UsageError(
                f"can't reach {target.authority} through the SOCKS proxy {egress.authority} (from"
                f" {egress.configured_by})",
                cause="tokencli proxy supports only HTTP proxies",
            )
        scheme = egress.url.reveal().partition("://")[0]
        options["proxy"] = f"{scheme}://{egress.authority}"
        if (header := egress.proxy_authorization_header()) is not None:
            options["proxy_headers"] = {"Proxy-Authorization": header}
    return options


def _explain_failure(failure: BaseException, context: FailureContext) -> TokencliError:
    """Return the error that says why the API could not be reached."""
    try:
        error, _ = translate_exception(failure, context)
    except TokencliError:
        raise
    except BaseException as other:  # noqa: BLE001 - not a network failure after all
        return UnreachableError(f"the request to {context.server} failed ({type(other).__name__})")
    if error.fix == context.connection.show_command():  # the URL isn't the profile's
        error.fix = context.probe_command
    return error


def _list_authorities(port: int) -> frozenset[str]:
    """Return the values of Host that name this computer and port."""
    hosts = ("127.0.0.1", "localhost", "[::1]")
    names = [f"{host}:{port}" for host in hosts]
    return frozenset((*names, *hosts) if port == 80 else names)


def _build_reporter() -> Callable[[TokencliError], None]:
    """Return a function that prints an error, but the same one at most every REPORT_INTERVAL_S."""
    last: dict[str, float] = {}

    def report(error: TokencliError) -> None:
        now = time.monotonic()
        if now - last.get(error.message, -REPORT_INTERVAL_S) >= REPORT_INTERVAL_S:
            last[error.message] = now
            report_error(error)

    return report
