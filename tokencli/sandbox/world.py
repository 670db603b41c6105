"""The world of a scenario, and the steps that bring it about."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Literal

from tokencli.errors import TokencliError
from tokencli.sandbox.api import Api
from tokencli.sandbox.http_messages import Request, Response
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.system import SandboxContext, SigningKeys

SETUP_TIMEOUT_S = 60.0
HOUR_S = 3600.0
_RUN_EARLIER = """\
import sys, time
ago, sys.argv = float(sys.argv[1]), ["tokencli", *sys.argv[2:]]
real = time.time
time.time = lambda: real() - ago
from tokencli.__main__ import main
sys.exit(main())
"""


class StagingIssuer(OAuth2):
    """Another issuer with the same clients and its own keys."""

    name = "staging"
    issuer_path = "/staging"
    path_prefixes = ("/staging/",)
    token_path = "/staging/token"
    resource_path = "/staging/resource"
    jwks_path = "/staging/keys"
    introspection_path = "/staging/introspect"
    revocation_path = "/staging/revoke"
    userinfo_path = "/staging/userinfo"
    metadata_paths = ("/staging/.well-known/openid-configuration",)
    resource_metadata_path = "/staging/.well-known/oauth-protected-resource"

    def __init__(self, context: SandboxContext) -> None:
        super().__init__(context)
        self.signing_keys = SigningKeys()

    def routes(self) -> dict[str, tuple[str, Callable[[Request], Response]]]:
        """Return the routes without those for signing in, which only the other issuer has."""
        return {
            path: route
            for path, route in super().routes().items()
            if path.startswith(self.path_prefixes)
        }


class World:
    """What a scenario can change, and its clock."""

    def __init__(
        self, api: Api, build_environ: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> None:
        self.context, self.issuer, self.api = api.context, api.issuer, api
        self._build_environ = build_environ
        self._real_now = self.context.database.now
        self._ago_s = 0.0

    def go_back(self, ago_s: float) -> None:
        """Set all clocks back by so many seconds; 0 is the present."""
        self._ago_s = ago_s
        self.context.database.now = lambda: self._real_now() - ago_s

    def run_tokencli(self, *words: str) -> None:
        """Run a command of tokencli by the clock of this world.

        Raises:
            TokencliError: it failed.
        """
        done = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-P", "-c", _RUN_EARLIER, str(self._ago_s), *words],
            env=dict(self._build_environ(os.environ)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=SETUP_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise TokencliError(
                f"can't prepare the scenario: tokencli {' '.join(words)} failed",
                cause=done.stderr.decode(errors="replace").strip()[-500:],
            )


Step = Callable[[World], None]
"""Something that happens in a world."""


def run(*words: str) -> Step:
    """Run a command of tokencli."""
    return lambda world: world.run_tokencli(*words)


def go_back(ago_s: float) -> Step:
    """Set all clocks back by so many seconds; 0 is the present."""
    return lambda world: world.go_back(ago_s)


def shift_server_clock(seconds: float) -> Step:
    """Set the server's clock ahead."""

    def change(world: World) -> None:
        world.context.clock_skew = seconds

    return change


def add_claims(**claims: object) -> Step:
    """Add claims to all access tokens that are issued from now on."""

    def change(world: World) -> None:
        world.issuer.more_claims = claims

    return change


def start_in_an_hour(world: World) -> None:
    """Issue tokens that are valid only in an hour."""
    world.issuer.more_claims = {"nbf": int(world.context.now() + HOUR_S)}


def start_now(world: World) -> None:
    """Issue tokens that say that they are valid from now on."""
    world.issuer.more_claims = {"nbf": int(world.context.now())}


def issue_opaque_tokens(world: World) -> None:
    """Issue tokens that aren't JWTs."""
    world.issuer.issues_opaque_tokens = True


def bind_to_certificates(world: World) -> None:
    """Bind tokens to client certificates (RFC 8705)."""
    world.issuer.binds_certificates = True


def fill_key_cache(world: World) -> None:
    """Let the API read the issuer's keys."""
    world.api.fetch_keys()


def rotate_keys(world: World) -> None:
    """Replace the issuer's keys."""
    world.issuer.signing_keys = SigningKeys()


def replace_key(world: World) -> None:
    """Replace the issuer's keys, but not their IDs."""
    world.issuer.signing_keys = SigningKeys(key_id=world.issuer.signing_keys.key_id)


def fail_keys(how: Literal["status", "drop"]) -> Step:
    """Let requests for the issuer's keys fail: with 503, or with a closed connection."""

    def change(world: World) -> None:
        world.issuer.keys_failure = how

    return change


def revoke_tokens(world: World) -> None:
    """Revoke all tokens, and end all sessions."""
    world.context.database.revoke_all(world.issuer.name)


def put_before_api(front: Callable[[Request, str], Response | None]) -> Step:
    """Let something else answer requests for the API; it gets the request and the API's URL."""

    def change(world: World) -> None:
        world.api.front = lambda request: front(request, world.api.audience)

    return change
