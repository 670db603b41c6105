"""What a scenario can change: the issuer, another issuer, the API, and what happened before."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tokencli.errors import TokencliError
from tokencli.sandbox.api import Api
from tokencli.sandbox.http_messages import Request, Response
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.system import SandboxContext, SigningKeys

SETUP_TIMEOUT_S = 60.0
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


@dataclass(frozen=True, slots=True)
class World:
    """What a scenario can change."""

    context: SandboxContext
    issuer: OAuth2
    api: Api


def run_earlier(
    commands: Iterable[Sequence[str]], environ: Mapping[str, str], ago_s: float
) -> None:
    """Run commands of tokencli whose clock is `ago_s` seconds behind.

    Raises:
        TokencliError: one of them failed.
    """
    for words in commands:
        done = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-P", "-c", _RUN_EARLIER, str(ago_s), *words],
            env=dict(environ),
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
