"""Fixtures for every test: a hermetic environment, and the program as a process."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import keyring_session, long_suites
from tests.keyring_session import (
    keyring_env,
    locked_keyring_env,
    pytest_sessionfinish,
    pytest_sessionstart,
)

__all__ = ["keyring_env", "locked_keyring_env", "pytest_sessionfinish", "pytest_sessionstart"]

# A loaded machine is slow, which says nothing about the code; `long` is for fuzzing by hand:
# pytest -m "" -k fuzz --hypothesis-profile=long
settings.register_profile(
    "usual", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("long", settings.get_profile("usual"), max_examples=200_000)
settings.load_profile("usual")

# Whoever runs this in the background has some signals ignored, and children inherit that: here
# they mean what they mean at a terminal.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
    if signal.getsignal(number) is signal.SIG_IGN:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)

FOREIGN = ("TOKENCLI_", "REQUESTS_CA", "CURL_CA", "SSL_CERT", "AWS_CA", "PYTHON", "XDG_", "DBUS_")
"""Prefixes of variables that would reach into a test from outside."""
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
ALONE = (
    "CI",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "CLICOLOR",
    "COLUMNS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "NETRC",
)
IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
"""Whether this run must not leave anything out."""


@pytest.fixture(autouse=True)
def hermetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the test its own home, without the machine's proxies, CAs and settings."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.upper() in PROXIES or name in ALONE:
            monkeypatch.delenv(name)
    for name, place in {
        "HOME": "home",
        "XDG_CONFIG_HOME": "home/.config",
        "XDG_DATA_HOME": "home/.local/share",
        "XDG_STATE_HOME": "home/.local/state",
        "XDG_CACHE_HOME": "home/.cache",
        "XDG_RUNTIME_DIR": "run",
    }.items():
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        (tmp_path / place).chmod(0o700)
        monkeypatch.setenv(name, str(tmp_path / place))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    memory = sys.modules.get("tokencli.token_store.memory")
    if memory is not None:  # the store `none` is shared by the whole process
        for shared in (memory._STORED_TOKENS, memory._STARTED_REFRESHES, memory._CREDENTIAL_LOCKS):
            shared.clear()


@dataclass(frozen=True)
class Result:
    """The result of a finished process."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def tokencli() -> Run:
    """Run the console script as a process: `tokencli("get", "groupid", env={…})`."""

    def run(
        *args: str,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> Result:
        done = subprocess.run(
            [script(), *args],
            env={**os.environ, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


def script() -> str:
    """Return the console script of the running interpreter."""
    return str(Path(sys.executable).with_name("tokencli"))


@pytest.fixture
def write_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Write a configuration file and point TOKENCLI_CONFIG at it."""

    def write(text: str) -> Path:
        path = tmp_path / "config.toml"
        path.write_text(text)
        path.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(path))
        return path

    return write


def name_apis(config: str, urls: Mapping[str, str]) -> str:
    """Return a configuration with these profiles' `api_url`, and that of no other."""
    config = re.sub(r"(?m)^api_url = .*\n", "", config)
    for name, url in urls.items():
        config = config.replace(f"[profiles.{name}]", f'[profiles.{name}]\napi_url = "{url}"')
    return config


def lines(text: str) -> Sequence[str]:
    """Return the non-empty lines of a text."""
    return [line for line in text.splitlines() if line]


def pytest_configure(config: pytest.Config) -> None:
    """Add the hooks of the long suites."""
    config.pluginmanager.register(long_suites)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in one line each what was left out, and how to run it."""
    from tests import powershell
    from tests.servers import chromium, oidc_provider
    from tests.windows import wine

    for line in (
        keyring_session.summary(),
        oidc_provider.summary(),
        chromium.summary(),
        powershell.summary(),
        wine.summary(),
        long_suites.summary(config),
    ):
        if line:
            terminalreporter.write_line(line)
