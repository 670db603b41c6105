"""npm's oidc-provider, a certified OpenID Provider, on loopback HTTPS.

`with OidcProvider(folder) as server:` runs one; the fixture `oidc_provider` runs one for the whole
session. Its clients are in `registrations`, the keys and certificates that they use in `Keys`.
The npm package is installed once, in a folder outside the checkout.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from filelock import FileLock

from tests.servers.keys import PASSPHRASE, Keys

CACHE = Path.home() / ".cache" / "tokencli-tests"
"""Where counterparts are installed; read before any test is given a home of its own."""
NODE = Path(__file__).parent / "node"
INSTALL = "apt-get install -y --no-install-recommends nodejs npm"
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")

USER = "jdoe"
PASSWORD = "canary-password-7f3a"
SECRET = "canary-client-secret-91be: %&+/=with reserved characters"
"""Every client's secret; as long as HS256 wants it (RFC 7518 section 3.2)."""
CLIENT_IDS = {
    "client_secret_basic": "basic client:+/%&=",
    "client_secret_post": "post",
    "client_secret_jwt": "secret-jwt",
    "private_key_jwt": "key-jwt",
    "tls_client_auth": "tls",
    "none": "public",
}
"""Client authentication method -> id of the client that uses it."""
PLAIN_ID, PLAIN_SECRET = "plain", "canary-plain-secret-91be"
"""A client for programs that don't encode what they put into HTTP Basic."""
REDIRECTS = ("http://127.0.0.1/callback", "http://127.0.0.1/", "http://[::1]/callback")
"""Registered for every client, on any port (RFC 8252 section 7.3)."""
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS = (
    *("client_credentials", "password", "refresh_token", "authorization_code"),
    *(DEVICE_CODE, TOKEN_EXCHANGE, JWT_BEARER),
)


def summary() -> str | None:
    """Return one line about the tests that are left out and how to install what they need, or None."""
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    if not absent:
        return None
    return f"left out: the tests against oidc-provider, for want of {absent[0]}; to have them: {INSTALL}"


def require() -> None:
    """Skip the test if node is not installed; in CI, fail it."""
    if line := summary():
        if IN_CI:
            pytest.fail(line)
        pytest.skip(line)


def installed(packages: Path = NODE) -> Path:
    """Return the folder that holds node_modules of `packages`, installing them the first time."""
    lock_file = packages / "package-lock.json"
    place = CACHE / f"node-{sha256(lock_file.read_bytes()).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "node.lock"):
        if not (place / "complete").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            for name in ("package.json", "package-lock.json"):
                shutil.copy(packages / name, place)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (place / "complete").touch()
    return place


def registrations(keys: Keys) -> list[dict[str, Any]]:
    """Return the clients: one per authentication method, and some with special requirements."""
    plain: dict[str, Any] = {
        "application_type": "native",
        "redirect_uris": list(REDIRECTS),
        "response_types": ["code"],
        "grant_types": list(GRANTS),
        "scope": "openid offline_access email profile read write",
    }
    by_method: dict[str, dict[str, Any]] = {
        "client_secret_basic": {"client_secret": SECRET},
        "client_secret_post": {"client_secret": SECRET},
        "client_secret_jwt": {"client_secret": SECRET},
        "private_key_jwt": {"jwks": keys.public_jwks()},
        "tls_client_auth": {"tls_client_auth_san_dns": keys.CLIENT_NAME},
        "none": {"grant_types": [name for name in GRANTS if name != "client_credentials"]},
    }
    found = [
        {**plain, "client_id": CLIENT_IDS[method], "token_endpoint_auth_method": method, **more}
        for method, more in by_method.items()
    ]
    public = {**plain, "token_endpoint_auth_method": "none", **by_method["none"]}
    return [
        *found,
        {**plain, "client_id": PLAIN_ID, "client_secret": PLAIN_SECRET},
        {**public, "client_id": "par", "require_pushed_authorization_requests": True},
        {**public, "client_id": "dpop", "dpop_bound_access_tokens": True},
        {
            **plain,
            "client_id": "bound",
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_dns": keys.CLIENT_NAME,
            "tls_client_certificate_bound_access_tokens": True,
        },
    ]


@dataclass
class OidcProvider:
    """One server process; `issuer` is known once it runs."""

    folder: Path
    lifetime: int = 3600
    """Seconds that an access token lives."""
    device_code_lifetime: int = 600
    dpop_nonce: bool = True
    """Whether a DPoP proof must carry the server's nonce (RFC 9449 section 8)."""
    routes: Mapping[str, str] = field(default_factory=dict)
    """Endpoint paths that differ from the usual, such as {"token": "/connect/token"}."""
    pages: bool = False
    """Whether users see a page for each step, instead of being signed in at once."""
    issuer: str = ""

    @property
    def ca_file(self) -> str:
        """The CA of the server's and the clients' certificates."""
        return str(self.keys.ca_file)

    def __enter__(self) -> "OidcProvider":
        self.keys = Keys.made_in(self.folder)
        self._log = self.folder / "events.jsonl"
        self._log.touch()
        settings = self.folder / "settings.json"
        settings.write_text(json.dumps(self._settings()))
        with (self.folder / "stderr.txt").open("w") as stderr:
            self._process = subprocess.Popen(
                ["node", str(NODE / "server.mjs"), str(settings), str(installed())],
                stdin=subprocess.PIPE,  # whose end is the server's end, whatever becomes of us
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.__exit__(None, None, None)
            raise AssertionError((self.folder / "stderr.txt").read_text()[-4000:])
        self.issuer = json.loads(line)["issuer"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def events(self) -> list[dict[str, Any]]:
        """Return the server's events so far: granted token requests, and errors of any endpoint."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def url(self, endpoint: str) -> str:
        """Return an endpoint's URL by oidc-provider's name for it: token, revocation, me, …"""
        usual = {
            "authorization": "/auth",
            "pushed_authorization_request": "/request",
            "device_authorization": "/device/auth",
            "code_verification": "/device",
            "userinfo": "/me",
            "introspection": "/token/introspection",
            "revocation": "/token/revocation",
        }
        return self.issuer + self.routes.get(endpoint, usual.get(endpoint, f"/{endpoint}"))

    def profile(self, name: str, *, method: str, grant: str, **more: object) -> str:
        """Return a profile's TOML text for one of the clients.

        Secrets come from files, so that no keyring is needed; `more` holds TOML values as text.
        """
        lines: dict[str, object] = {
            "provider": '"oauth2"',
            "grant": f'"{grant}"',
            "token_url": f'"{self.url("token")}"',
            "client_id": f'"{CLIENT_IDS[method]}"',
            "client_auth": f'"{method}"',
            "ca_file": f'"{self.ca_file}"',
            "store": '"file"',
            **self._credentials(method),
            **more,
        }
        text = "".join(f"{key} = {value}\n" for key, value in lines.items() if value is not None)
        return f"[profiles.{name}]\n{text}"

    def _credentials(self, method: str) -> dict[str, object]:
        keys = self.keys
        match method:
            case "client_secret_basic" | "client_secret_post" | "client_secret_jwt":
                return {"client_secret": f'{{ file = "{self.folder / "client_secret"}" }}'}
            case "private_key_jwt":
                return {"private_key": f'{{ file = "{keys.path("ES256")}" }}'}
            case "tls_client_auth":
                return {
                    "client_cert": f'"{keys.client_cert}"',
                    "client_key": f'"{keys.encrypted_client_key}"',
                    "key_passphrase": f'{{ file = "{self.folder / "passphrase"}" }}',
                }
            case _:
                return {}

    def _settings(self) -> dict[str, Any]:
        for name, secret in {
            "client_secret": SECRET,
            "password": PASSWORD,
            "passphrase": PASSPHRASE,
        }.items():
            (self.folder / name).write_text(secret + "\n")
            (self.folder / name).chmod(0o600)
        return {
            "key": str(self.keys.server_key),
            "cert": str(self.keys.server_cert),
            "ca": self.ca_file,
            "log": str(self._log),
            "clients": registrations(self.keys),
            "jwks": self.keys.private_jwks(),
            "assertionJwks": self.keys.public_jwks(),
            "users": {USER: PASSWORD},
            "lifetime": self.lifetime,
            "deviceCodeLifetime": self.device_code_lifetime,
            "dpopNonce": self.dpop_nonce,
            "routes": dict(self.routes),
            "pages": self.pages,
        }


@pytest.fixture(scope="session")
def oidc_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    """Run one oidc-provider for the whole session."""
    require()
    with OidcProvider(tmp_path_factory.mktemp("oidc-provider")) as server:
        yield server


if __name__ == "__main__":  # to play with: python -m tests.servers.oidc_provider FOLDER
    with OidcProvider(Path(sys.argv[1])) as running:
        sys.stdout.write(f"{running.issuer}  CA: {running.ca_file}\nEnter ends it. ")
        sys.stdout.flush()
        sys.stdin.readline()
