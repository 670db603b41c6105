"""A canary secret goes through every failure and is never shown."""

import os
import subprocess
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.conftest import script
from tokencli.sandbox.server import Sandbox

CANARY = "canary/secret+7f3a %&"
FORMS = {CANARY, quote(CANARY, safe=""), quote_plus(CANARY), b64encode(CANARY.encode()).decode()}
LOUD = {
    "PYTHONDEVMODE": "1",
    "TYPER_STANDARD_TRACEBACK": "1",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONWARNINGS": "default",
}
FAILURES = {
    "refused": {},
    "503": {"fail": "503"},
    "html": {"html": True},
    "broken-json": {"broken_json": True},
    "no-token": {"no_token": True},
    "redirect": {"redirect": "307:https://other.example/steal"},
    "dropped": {"drop": "before"},
    "slow": {"slow": "5s"},
}
COMMANDS = (
    ["get", "groupid"],
    ["get", "groupid", "--json"],
    ["refresh", "groupid"],
    ["export", "groupid"],
    ["profiles", "show", "groupid"],
    ["profiles"],
    ["profiles", "test", "groupid"],
    ["login", "groupid"],
    ["inspect", "groupid"],
)


def cmdlines() -> str:
    """Return the command lines of all processes."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                found.append((place / "cmdline").read_bytes().decode(errors="replace"))
            except OSError:
                continue
    return "\n".join(found)


@pytest.mark.long
@pytest.mark.requirement(15)
@pytest.mark.parametrize("failure", FAILURES)
def test_no_failure_shows_a_secret(
    failure: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With -vvv and in development mode, it is in no stdout, stderr, file or argv."""
    secret = tmp_path / "canary.secret"
    secret.write_text(CANARY + "\n")
    secret.chmod(0o600)
    with Sandbox(**FAILURES[failure]) as sandbox:  # type: ignore[arg-type]
        config = tmp_path / "config.toml"
        place = {"file": str(secret)}
        changes = {"password": place, "client_secret": place, "timeout": 2}
        config.write_text(sandbox.render_config({"groupid": changes}))
        config.chmod(0o600)
        monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
        for command in COMMANDS:
            with subprocess.Popen(
                [script(), *command, "-vvv"],
                env={**os.environ, **LOUD},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ) as process:
                listed = cmdlines()
                out, err = process.communicate(timeout=60)
            shown = out + err + listed
            assert [form for form in FORMS if form in shown] == [], (command, err)
            assert "Traceback" not in err, (command, err)
        assert sandbox.database.token_requests > 0 or failure == "dropped"
    for path in tmp_path.rglob("*"):
        if path.is_file() and path != secret:
            assert not any(form.encode() in path.read_bytes() for form in FORMS), path


@pytest.mark.requirement(15)
def test_no_option_takes_a_secret_as_its_value() -> None:
    """No --password VALUE or --client-secret VALUE, since other users can read argv."""
    for command in (["get"], ["login"], ["profiles", "add"], ["profiles", "edit"], ["export"]):
        done = subprocess.run(
            [script(), *command, "--help"], capture_output=True, text=True, check=True
        )
        for option in ("--password ", "--client-secret ", "--secret-value", "--token "):
            assert option not in done.stdout, command
