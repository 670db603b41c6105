"""`Sandbox`: server, systems, scenario and workspace, started and stopped together.

`Router` decides which system answers, and injects faults.
"""

import os
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from tokencli.errors import StorageError, UsageError
from tokencli.problems import did_you_mean
from tokencli.sandbox.api import Api
from tokencli.sandbox.certificates import create_bad_certificate, create_certificates
from tokencli.sandbox.faults import parse_faults
from tokencli.sandbox.http_messages import OAuthError, Request, Response, json_response
from tokencli.sandbox.https_server import HOST, HttpsServer
from tokencli.sandbox.oauth2 import PUBLIC_CLIENT_ID, OAuth2
from tokencli.sandbox.scenarios import Scenario, find_scenario
from tokencli.sandbox.settings import Settings, User, parse_settings, read_settings
from tokencli.sandbox.system import (
    SYSTEMS,
    FakeSystem,
    SandboxContext,
    SigningKeys,
    TomlValue,
    load_system,
)
from tokencli.sandbox.token_db import IssuedToken, RequestLogEntry, TokenDatabase
from tokencli.sandbox.workspace import Workspace, write_private_file
from tokencli.sandbox.world import StagingIssuer, World

if TYPE_CHECKING:
    import trustme

FOLLOW_REDIRECTS = (
    "__import__('urllib.request').request.build_opener("
    "__import__('urllib.request').request.ProxyHandler({}))"
    ".open(__import__('sys').argv[1]).read()"
)
"""A browser for users who are signed in without a page: Python without the characters `:` and `;`,
which separate the browsers in $BROWSER.
"""
CAPTIVE_PORTAL_PAGE = b"""<!doctype html>
<html><head><title>Welcome</title></head>
<body><h1>Welcome to the guest network</h1><p>Please accept the terms of use.</p></body></html>
"""


class Sandbox:
    """Run an authorization server in a `with` block; the options are those of `FAULT_OPTIONS`.

    `users` is a file as `read_settings` reads it, or its content as a mapping. The user `sign_in`
    is signed in without a page, in a browser and on other devices. `scenario` is a row of SCENARIOS.

    Raises:
        UsageError: an option is invalid, or the port is in use.
        ConfigError: `users` is invalid.
        StorageError: the temporary directory can't be written.
    """

    url: str
    """Base URL, without a trailing slash."""
    directory: Path
    """The workspace, removed at the end."""
    config_file: str
    """The path of a configuration with a profile for each system."""
    ca_file: str
    """The path of the CA's certificate, in PEM form."""

    def __init__(
        self,
        *,
        port: int = 0,
        users: str | PathLike[str] | Mapping[str, Any] | None = None,
        sign_in: str | None = None,
        scenario: str | None = None,
        now: Callable[[], float] = time.time,
        **faults: object,
    ) -> None:
        if not isinstance(port, int) or not 0 <= port <= 65535:
            raise UsageError(f"--port {str(port)[:64]}: must be a number from 0 to 65535")
        self._port = port
        self._faults = parse_faults(faults, ("port", "users", "sign_in", "scenario"))
        self.scenario = find_scenario(str(scenario)) if scenario is not None else None
        if self.scenario is not None:
            sign_in = sign_in or self.scenario.sign_in
        self._settings = _load_settings(users, sign_in)
        self._scenario_variables: dict[str, str] = {}
        self.database = TokenDatabase(now)

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            with _storage_errors():
                workspace = Workspace()
                undo.callback(workspace.delete_files)
                authority, tls = create_certificates(workspace)
            server = _open_server(self._port, tls)
            undo.callback(server.stop)
            self.url = f"https://{HOST}:{server.server_port}"
            self.directory = workspace.directory
            self.config_file = str(workspace.config_file)
            self.ca_file = str(workspace.ca_file)
            self._context = SandboxContext(
                self.url, self.database, SigningKeys(), self._faults, self._settings
            )
            self._workspace = workspace
            with _storage_errors():
                profiles = self.scenario.list_profiles() if self.scenario is not None else {}
                workspace.write_files(self._context, authority.cert_pem.bytes(), profiles)
            router = Router(self._context, self.scenario)
            server.start(router.handle_request, self._context.now)
            if self.scenario is not None:
                self._prepare_scenario(self.scenario, router, authority, undo)
            self._exit_stack = undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exit_stack.close()

    def _prepare_scenario(
        self, scenario: Scenario, router: "Router", authority: "trustme.CA", undo: ExitStack
    ) -> None:
        """Let what happens first in the scenario happen."""
        api = router.api
        assert api is not None  # created for scenarios
        closed = undo.enter_context(socket.socket())  # a port on which nothing listens
        closed.bind((HOST, 0))
        urls = {
            "url": self.url,
            "plain_url": self._context.plain_url,
            "closed_url": f"https://{HOST}:{closed.getsockname()[1]}",
        }
        if scenario.certificate is not None:
            with _storage_errors():
                tls = create_bad_certificate(self._workspace, authority, scenario.certificate)
            other = _open_server(0, tls)
            undo.callback(other.stop)
            other.start(router.handle_request, self._context.now)
            urls["other_url"] = f"https://{HOST}:{other.server_port}"
        self._scenario_variables = {
            "SANDBOX_PROFILE": scenario.profile,
            "SANDBOX_API": scenario.api_url.format(**urls),
        }
        world = World(api, self.build_environ)
        for step in scenario.steps:
            step(world)
        if scenario.token_file is not None:
            path = self.directory / "token.txt"
            write_private_file(path, scenario.token_file(api.issuer.last_response))
            self._scenario_variables["SANDBOX_TOKEN_FILE"] = str(path)
        self._scenario_variables |= {
            name: value.format(**urls) for name, value in scenario.variables.items()
        }

    @property
    def users(self) -> Mapping[str, User]:
        """Return the users who can sign in, by name."""
        return self._settings.users

    @property
    def profiles(self) -> tuple[str, ...]:
        """Return the names of the profiles in the configuration."""
        scenario = self.scenario.list_profiles() if self.scenario is not None else ()
        names = (*SYSTEMS, *_list_more_profiles(), *scenario, *self._settings.clients)
        return tuple(dict.fromkeys(names))

    @property
    def issued_tokens(self) -> tuple[IssuedToken, ...]:
        """Return the access tokens that were issued so far, oldest first."""
        return self.database.issued_tokens

    @property
    def requests(self) -> tuple[RequestLogEntry, ...]:
        """Return the requests that were answered so far, oldest first."""
        return self.database.request_log

    def set_faults(self, **faults: object) -> None:
        """Replace the injected faults."""
        self._context.set_faults(parse_faults(faults))

    def render_config(
        self,
        changes: Mapping[str, Mapping[str, TomlValue | None]] | None = None,
        *,
        state_dir: str | None = None,
    ) -> str:
        """Return a configuration with a profile for each system; see `Workspace.render_config`."""
        return self._workspace.render_config(changes, state_dir=state_dir)

    def build_environ(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for commands that use this sandbox."""
        inherited = {name: value for name, value in environ.items() if name != "TOKENCLI_PROFILE"}
        return inherited | self.variables

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables that point programs at this sandbox.

        If a user is signed in without a page, `BROWSER` is a program that follows redirects.
        """
        variables = {
            "TOKENCLI_CONFIG": self.config_file,
            "SANDBOX_URL": self.url,
            "SANDBOX_CA_FILE": self.ca_file,
        }
        if self._settings.sign_in is not None:
            variables["BROWSER"] = f'{quote(sys.executable)} -I -c "{FOLLOW_REDIRECTS}" %s'
        return variables | self._scenario_variables

    def is_family_active(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still active."""
        return self.database.is_family_active(refresh_token)

    def current_refresh_token(self, system: str) -> str | None:
        """Return the current refresh token of the family that the system used last."""
        return self.database.current_refresh_token(system)


def _list_more_profiles() -> list[str]:
    """Return the names of the profiles in the configuration that are not called like a system."""
    return [name for system in SYSTEMS for name in load_system(system).more_profiles]


def _load_settings(
    users: str | PathLike[str] | Mapping[str, Any] | None, sign_in: str | None
) -> Settings:
    """Read and check `users` and `sign_in`."""
    reserved = (*SYSTEMS, *_list_more_profiles(), *OAuth2.client_secrets, PUBLIC_CLIENT_ID)
    if users is None:
        settings = Settings()
    elif isinstance(users, Mapping):
        settings = parse_settings(users, reserved_names=reserved)
    elif isinstance(users, str | PathLike):
        settings = read_settings(os.fspath(users), reserved)
    else:
        raise UsageError(f"users: must be a file or a mapping, not {type(users).__name__}")
    if sign_in is not None and sign_in not in settings.users:
        raise UsageError(
            f"--sign-in {str(sign_in)[:64]}: there is no such user",
            cause=did_you_mean(str(sign_in), settings.users),
        )
    return replace(settings, sign_in=sign_in)


@contextmanager
def _storage_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"can't write the sandbox's temporary directory: {error.strerror}",
            cause="free some space there, or set TMPDIR to another directory",
        ) from error


def _open_server(port: int, tls: ssl.SSLContext) -> HttpsServer:
    try:
        return HttpsServer(port, tls)
    except OSError as error:
        raise UsageError(
            f"can't listen on {HOST}:{port}: {error.strerror}",
            fix="tokencli sandbox",
        ) from error


class Router:
    """Answer requests, and log each one before its response is sent."""

    def __init__(self, context: SandboxContext, scenario: Scenario | None = None) -> None:
        self.context = context
        self.systems: dict[str, FakeSystem] = {name: load_system(name)(context) for name in SYSTEMS}
        self.api: Api | None = None
        """The API of the scenario."""
        if scenario is not None:
            self.systems[StagingIssuer.name] = StagingIssuer(context)
            issuer = self.systems[OAuth2.name]
            assert isinstance(issuer, OAuth2)
            self.api = Api(context, issuer, scenario.rules)
        self._routes = {
            path: route
            for system in self.systems.values()
            for path, route in system.routes().items()
        }

    def handle_request(self, request: Request) -> Response:
        """Answer one request."""
        system, kind = self._find_system(request.path), "other"
        if self.api is not None and self.api.serves(request):
            kind, response = "resource", self.api.handle_request(request)
        elif system is None:
            response = _not_found_response()
        elif (route := self._routes.get(request.path)) is None:
            response = system.error_response(404)
        else:
            kind, answer = route
            if not request.over_tls and kind != "authorization":
                response = system.error_response(400, "invalid_request", "use https")
            elif kind == "token":
                response = self._handle_token_request(system, request)
            else:
                response = answer(request)
        grant_type = ""
        if system is not None and kind == "token" and request.method == "POST":
            grant_type = _loggable_grant_type(system, request)
        self._record_request(request, kind, system, grant_type, response)
        return response

    def _find_system(self, path: str) -> FakeSystem | None:
        """Return the system whose path prefix matches, if any."""
        for system in self.systems.values():
            if path.startswith(system.path_prefixes):
                return system
        return None

    def _handle_token_request(self, system: FakeSystem, request: Request) -> Response:
        """Answer a token request, with the faults injected."""
        faults = self.context.faults
        if faults.fail is not None and self.context.fault_applies("fail", faults.fail[1]):
            return replace(system.error_response(faults.fail[0]), delay_s=faults.slow)
        drop = None
        if faults.drop is not None and self.context.fault_applies("drop", faults.drop[1]):
            drop = faults.drop[0]
        if drop == "before":
            return Response(0, b"", drop_connection=True)
        if faults.redirect is not None:
            status, target = faults.redirect
            return Response(status, b"", headers={"Location": target})
        if faults.html:
            return Response(200, CAPTIVE_PORTAL_PAGE, "text/html; charset=utf-8")
        response = system.handle_token_request(request)
        return replace(response, delay_s=faults.slow, drop_connection=drop == "after")

    def _record_request(
        self,
        request: Request,
        kind: str,
        system: FakeSystem | None,
        grant_type: str,
        response: Response,
    ) -> None:
        self.context.database.record_request(
            RequestLogEntry(
                at=self.context.database.now(),
                kind=kind,
                system=system.name if system is not None else "-",
                method=request.method,
                path=request.path,
                grant_type=grant_type,
                status=0 if response.drop_connection else response.status,
                error=response.error_code,
                issued=response.token_issued,
            )
        )


def _loggable_grant_type(system: FakeSystem, request: Request) -> str:
    """Return the grant type for the log: `?` if unknown, since it could be a misplaced secret."""
    try:
        grant_type = request.parse_form().get("grant_type", "?")
    except OAuthError:
        return "?"
    return grant_type if system.supports_grant(grant_type) else "?"


def _not_found_response() -> Response:
    return json_response(404, {"error": "not_found", "systems": list(SYSTEMS)}, error="not_found")
