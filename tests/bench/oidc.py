"""The fastest peer, if installed: `oidc-token` of oidc-agent, a C program with a daemon."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import requests

from tests.servers.oidc_provider import (
    PASSWORD,
    PLAIN_ID,
    PLAIN_SECRET,
    USER,
    OidcProvider,
    summary,
)

INSTALL = "apt-get install oidc-agent-cli, and node with npm for a server that it accepts"
SCOPE = "openid offline_access"
LONG = 86_400
"""Seconds that the agent's token lives: all that is measured are answers from its memory."""


class Peer(NamedTuple):
    """A command that prints a token from an agent's memory."""

    command: list[str]
    environ: dict[str, str]


@contextmanager
def loaded_agent() -> Iterator[Peer | None]:
    """Run an agent with an account at a local server; None if it is not installed."""
    if summary() or not all(map(shutil.which, ("oidc-agent", "oidc-gen", "oidc-token"))):
        yield None
        return
    with TemporaryDirectory(prefix="tokencli-oidc-") as scratch:
        folder = Path(scratch)
        (folder / "server").mkdir()
        with OidcProvider(folder / "server", lifetime=LONG) as server:
            socket, configuration = folder / "agent.sock", folder / "agent"
            configuration.mkdir(mode=0o700)
            (configuration / "issuer.config").touch()
            environ = {
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": scratch,
                "OIDC_CONFIG_DIR": str(configuration),
                "OIDC_SOCK": str(socket),
            }
            agent = subprocess.Popen(
                ["oidc-agent", "--console", "--no-autoload", "-a", str(socket)],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                while not socket.exists():
                    assert agent.poll() is None, "oidc-agent ended at once"
                    time.sleep(0.01)
                _load(server, environ)
                yield Peer(["oidc-token", "bench"], environ)
            finally:
                agent.terminate()
                agent.wait()


def _load(server: OidcProvider, environ: dict[str, str]) -> None:
    """Add an account to the agent by a refresh token."""
    reply = requests.post(
        server.url("token"),
        data={"grant_type": "password", "username": USER, "password": PASSWORD, "scope": SCOPE},
        auth=(PLAIN_ID, PLAIN_SECRET),
        verify=server.ca_file,
        timeout=30,
    )
    words = {
        "--iss": f"{server.issuer}/",
        "--client-id": PLAIN_ID,
        "--client-secret": PLAIN_SECRET,
        "--redirect-uri": "http://localhost:8080",
        "--cp": server.ca_file,
        "--scope": SCOPE,
        "--rt-env": "REFRESH_TOKEN",
        "--flow": "refresh",
        "--pw-env": "PASSPHRASE",
        "--prompt": "none",
    }
    options = [f"{name}={value}" for name, value in words.items()]
    own = {"REFRESH_TOKEN": reply.json()["refresh_token"], "PASSPHRASE": "canary-passphrase"}
    done = subprocess.run(
        ["oidc-gen", "bench", *options, "--confirm-default", "--manual", "--no-save"],
        env=environ | own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
