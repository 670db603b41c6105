"""A computer whose clock is wrong: tokens are judged by the server's time, and the user is told."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Run
from tokencli.sandbox.server import Sandbox

HOURS = 3600.0


def configure(sandbox: Sandbox, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands use the sandbox."""
    path.write_text(sandbox.render_config())
    path.chmod(0o600)
    monkeypatch.setenv("TOKENCLI_CONFIG", str(path))


@pytest.mark.parametrize(
    ("skew", "words"), [("-3h", "3 hours ahead"), ("3h", "3 hours behind"), ("40s", "behind")]
)
@pytest.mark.parametrize("profile", ["groupid", "socialid"])
def test_everything_is_judged_by_the_servers_time(
    tokencli: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    skew: str,
    words: str,
    profile: str,
) -> None:
    """A JWT and an opaque token are fresh; `get`, `profiles`, `inspect` and the hook say by which clock."""
    with Sandbox() as sandbox:
        configure(sandbox, tmp_path / "c.toml", monkeypatch)
        sandbox.set_faults(clock_skew=skew)
        first = tokencli("get", profile)
        assert first.code == 0
        assert "this computer's clock is" in first.err and words in first.err
        again = tokencli("get", profile, "-v")
        assert (again.out, again.code) == (first.out, 0)
        assert "by the server's clock" in again.err and words in again.err
        listed = tokencli("profiles")
        assert f"{profile}: the expiry is by the server's clock" in listed.err
        shown = tokencli("profiles", "show", profile)
        assert "token: expires in" in shown.out and words in shown.out
        status = json.loads(tokencli("profiles", "show", profile, "--json").out)["token"]
        assert status["state"] == "fresh" and abs(status["clock_skew_s"]) >= 39
        inspected = tokencli("inspect", profile, "--json")
        assert inspected.code == 0, inspected.err
        state = json.loads(inspected.out)
        assert (state["state"], state["life_used"] < 0.5) == ("valid", True)
        assert any("by the server's clock" in remark for remark in state["remarks"])
        now = time.time()
        renewed = tokencli("hook", "bash", "--renew", profile)
        assert first.out.strip() in renewed.out
        assert int(renewed.out.partition("_tokencli_next=")[2].split(";")[0]) > now + 60
        assert sandbox.database.token_requests == 1


def test_a_right_clock_is_not_mentioned(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is 20 s off changes nothing."""
    with Sandbox() as sandbox:
        configure(sandbox, tmp_path / "c.toml", monkeypatch)
        sandbox.set_faults(clock_skew="-20s")
        for command in (["get"], ["profiles"], ["inspect"]):
            done = (
                tokencli(*command, "groupid") if command != ["profiles"] else tokencli("profiles")
            )
            assert done.code == 0
            assert "clock" not in done.err + done.out


def test_a_clock_that_was_set_right_since(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the clock was set back, `inspect` judges by it, and `get` fetches a new token."""
    faked = (
        "import sys, time\n"
        "real = time.time\n"
        "time.time = lambda: real() + 3 * 3600\n"
        "from tokencli.__main__ import main\n"
        "sys.argv = ['tokencli', 'get', 'groupid']\n"
        "sys.exit(main())\n"
    )
    with Sandbox() as sandbox:
        configure(sandbox, tmp_path / "c.toml", monkeypatch)
        first = subprocess.run(
            [sys.executable, "-c", faked], capture_output=True, text=True, timeout=60, check=True
        )
        assert "3 hours ahead" in first.stderr
        inspected = tokencli("inspect", "groupid", "--json")
        assert json.loads(inspected.out)["state"] == "valid"
        assert inspected.code == 0
        renewed = tokencli("get", "groupid")
        assert renewed.code == 0 and renewed.out != first.stdout
