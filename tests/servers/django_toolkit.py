"""django-oauth-toolkit on loopback HTTPS: its password grant, and refresh with a grace period.

`with DjangoToolkit(folder, grace=…) as server:` runs one. It has its own virtual environment,
outside the checkout, created once.
"""

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import TracebackType

import pytest
from filelock import FileLock

from tests.servers.keys import Keys
from tests.servers.oidc_provider import CACHE, IN_CI, PASSWORD, USER

HERE = Path(__file__).parent / "django"
SECRET = "canary-client-secret-5d20:/+ %"
CLIENTS = {"by-password": "password", "by itself:/+": "client-credentials"}
"""Client id -> the one grant that it may use, beside refreshing."""


def installed() -> Path:
    """Return the interpreter of the server's virtual environment, created the first time.

    If that fails the test is skipped with a reason; in CI it fails.
    """
    wanted = (HERE / "requirements.txt").read_bytes()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    place = CACHE / f"django-{version}-{sha256(wanted).hexdigest()[:16]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    python = place / "bin" / "python"
    with FileLock(CACHE / "django.lock"):
        if not (place / "complete").exists():
            make = [sys.executable, "-m", "venv", "--clear", str(place)]
            fill = [str(python), "-m", "pip", "install", "-q", "-r", str(HERE / "requirements.txt")]
            for command in (make, fill):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    _left_out(done.stderr)
            (place / "complete").touch()
    return python


def _left_out(why: str) -> None:
    line = (
        "left out: the tests against django-oauth-toolkit; to have them, let pip reach its index:"
        f" {' '.join(why.split())[-200:]}"
    )
    if IN_CI:
        pytest.fail(line)
    pytest.skip(line)


@dataclass
class DjangoToolkit:
    """One server process with two workers, as in production."""

    folder: Path
    grace: int = 0
    """Seconds for which a refresh token that was spent is still taken."""
    lifetime: int = 3600
    url: str = ""
    """The token endpoint."""

    @property
    def ca_file(self) -> str:
        return str(self._keys.ca_file)

    def __enter__(self) -> "DjangoToolkit":
        python = installed()
        self._keys = Keys.made_in(self.folder)
        settings = self.folder / "settings.json"
        settings.write_text(
            json.dumps(
                {
                    "folder": str(self.folder),
                    "grace": self.grace,
                    "lifetime": self.lifetime,
                    "users": {USER: PASSWORD},
                    "clients": CLIENTS,
                    "secret": SECRET,
                }
            )
        )
        for name, secret in {"client_secret": SECRET, "password": PASSWORD}.items():
            (self.folder / name).write_text(secret + "\n")
            (self.folder / name).chmod(0o600)
        environ = {**os.environ, "TOOLKIT_SETTINGS": str(settings), "PYTHONPATH": str(HERE)}
        environ["PYTHONDONTWRITEBYTECODE"] = "1"
        subprocess.run([str(python), str(HERE / "toolkit.py")], env=environ, check=True)
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            (self.folder / "log.txt").open("w") as log,
        ):
            self.url = f"https://127.0.0.1:{listener.getsockname()[1]}/o/token/"
            self._process = subprocess.Popen(
                [
                    *(str(python), "-m", "gunicorn", "toolkit:application"),
                    *("--bind", f"fd://{listener.fileno()}", "--workers", "2"),
                    *("--certfile", str(self._keys.server_cert)),
                    *("--keyfile", str(self._keys.server_key)),
                ],
                env=environ,
                pass_fds=[listener.fileno()],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        return self  # the socket listens already: who connects early waits

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

    def profile(self, name: str, *, grant: str, method: str = "client_secret_basic") -> str:
        """Return a profile's TOML text; secrets come from files."""
        wanted = grant.replace("_", "-")
        client_id = next(client for client, allowed in CLIENTS.items() if allowed == wanted)
        lines = {
            "provider": '"oauth2"',
            "grant": f'"{grant}"',
            "token_url": f'"{self.url}"',
            "revocation_url": f'"{self.url.replace("/token/", "/revoke_token/")}"',
            "introspection_url": f'"{self.url.replace("/token/", "/introspect/")}"',
            "client_id": f'"{client_id}"',
            "client_auth": f'"{method}"',
            "client_secret": f'{{ file = "{self.folder / "client_secret"}" }}',
            "ca_file": f'"{self.ca_file}"',
            "store": '"file"',
            "scope": '"read"',
        }
        if grant == "password":
            lines |= {
                "username": f'"{USER}"',
                "password": f'{{ file = "{self.folder / "password"}" }}',
                "allow_password_grant": "true",
            }
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        return f"[profiles.{name}]\n{text}"
