"""Signals at random moments of a refresh, and what they cost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tokencli.sandbox.server import Sandbox
from tokencli.token_store.token_record import parse_record

TRIALS = 20
SPREAD_S = 0.9
"""A refresh takes 0.3 to 0.6 s as a process; signals fall before, inside and after it."""


def stored_refresh_token(sandbox: Sandbox) -> str | None:
    """Return the refresh token in the store; fail if the store is damaged."""
    found = [
        parse_record(path.read_bytes()).token.refresh_token
        for path in (sandbox.directory / "state" / "tokens").iterdir()
        if path.suffix == ".json"
    ]
    assert len(found) == 1, found
    return found[0].reveal() if found[0] else None


def interrupt(
    number: signal.Signals, delay: float, command: Sequence[str] = ("refresh", "groupid")
) -> tuple[int, str]:
    """Start a command, send the signal after `delay` seconds, and return exit code and stderr."""
    with subprocess.Popen(
        [script(), *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        time.sleep(delay)  # the moment is what the test varies; it synchronises nothing
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        return process.returncode, said


@pytest.mark.long
@pytest.mark.requirement(5)
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_maskable_signal_costs_a_refresh_token(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, seed: int
) -> None:
    """60 random moments per signal: the stored refresh token is always the server's current one."""
    moments = random.Random(f"{number}-{seed}")
    with Sandbox(slow=0.1) as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        assert tokencli("get", "groupid").code == 0
        for _ in range(TRIALS):
            code, said = interrupt(number, moments.uniform(0, SPREAD_S))
            # A signal in the interpreter's own first milliseconds is a "Fatal Python error", code 1.
            assert code in (0, -number, 128 + number) or "Fatal Python error" in said, said
            assert stored_refresh_token(sandbox) == sandbox.current_refresh_token("groupid"), said
            assert "/tokencli/" not in said  # a frame of ours; before main() Python prints its own


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_hides_is_no_internal_error(number: signal.Signals) -> None:
    """A C extension may turn a signal's exception into an error of its own, without a cause."""
    code = f"""
import os, sys
from tokencli.commands import run

def hide_signal(argv):
    try:
        os.kill(os.getpid(), {int(number)})
        [None for _ in range(10_000)]
    except BaseException as error:
        hidden = type(error).__name__
    raise ValueError("error building a validator: " + hidden)

run._dispatch_command = hide_signal
sys.exit(run.run_command_line(["get"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 128 + number
    assert "internal error" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_maskable_signal_splits_a_rename(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """The profile has one name afterwards, old or new, and its token is stored under that name only."""
    moments, outcomes = random.Random(f"rename-{number}"), []
    names = ("groupid", "work")
    with Sandbox() as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        token = tokencli("get", "groupid").out
        began = time.monotonic()
        assert tokencli("profiles", "rename", *names).code == 0
        assert tokencli("profiles", "rename", *names[::-1]).code == 0
        duration = (time.monotonic() - began) / 2
        for _ in range(TRIALS):
            command = ["profiles", "rename", *names]
            moment = moments.uniform(0, 1.1 * duration)
            code, said = interrupt(number, moment, command)
            assert code in (0, -number, 128 + number) or "Fatal Python error" in said, said
            is_renamed = f"[profiles.{names[1]}]" in Path(sandbox.config_file).read_text()
            outcomes.append((is_renamed, code))
            names = names[::-1] if is_renamed else names
            assert f"[profiles.{names[1]}]" not in Path(sandbox.config_file).read_text()
            assert stored_refresh_token(sandbox) is not None, said
            assert tokencli("get", names[0]).out == token, said
    assert len({is_renamed for is_renamed, _ in outcomes}) == 2, outcomes


@pytest.mark.long
@pytest.mark.requirement(5)
@pytest.mark.parametrize("seed", range(10))
def test_sigkill_never_corrupts_the_store(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """200 random moments: the old or the new token, never a torn file.

    If the server had committed and nothing was saved, the next run says that a refresh was interrupted.
    """
    moments = random.Random(f"kill-{seed}")
    with Sandbox(slow=0.1) as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        assert tokencli("get", "groupid").code == 0
        for _ in range(TRIALS):
            rotated = sandbox.current_refresh_token("groupid")
            interrupt(signal.SIGKILL, moments.uniform(0, SPREAD_S))
            sandbox.database.wait_for_requests("token", 1)
            stored, current = (
                stored_refresh_token(sandbox),
                sandbox.current_refresh_token("groupid"),
            )
            if stored == current:
                continue
            # The server may still be answering the dead process; either way it has rotated.
            assert stored == rotated
            done = tokencli("refresh", "groupid")
            assert done.code == 0, done.err
            assert "interrupted" in done.err
            assert stored_refresh_token(sandbox) == sandbox.current_refresh_token("groupid")


@pytest.mark.requirement(5)
def test_killed_refresh_is_reported(
    tokencli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the server's commit: the next run names the cause and fetches a token."""
    with Sandbox(slow=5) as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        sandbox.set_faults()
        assert tokencli("get", "groupid").code == 0
        before = sandbox.current_refresh_token("groupid")
        sandbox.set_faults(slow=5)
        with subprocess.Popen(
            [script(), "refresh", "groupid"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            deadline = time.monotonic() + 30
            while sandbox.current_refresh_token("groupid") == before:
                assert time.monotonic() < deadline
            process.kill()
        sandbox.set_faults()
        done = tokencli("get", "groupid", "--force", "--json")
        assert done.code == 0, done.err
        assert "interrupted" in done.err
        assert json.loads(done.out)["access_token"]


@pytest.mark.promise(
    "a process that is killed during a request: the next one gets a token", "Linux"
)
def test_stopped_and_killed_lock_holders(tokencli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP: a timeout names the holder, exit code 8. SIGKILL: the lock is free at once."""
    with Sandbox(slow=20) as sandbox:
        monkeypatch.setenv("TOKENCLI_CONFIG", sandbox.config_file)
        holder = subprocess.Popen(
            [script(), "get", "groupid"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            # The server logs a request when it has answered; what is issued is issued before.
            deadline = time.monotonic() + 30
            while sandbox.current_refresh_token("groupid") is None:
                assert time.monotonic() < deadline
            os.kill(holder.pid, signal.SIGSTOP)
            waited = tokencli("get", "groupid", "--lock-timeout", "3s")
            assert (waited.code, waited.out) == (8, "")
            assert str(holder.pid) in waited.err
        finally:
            holder.kill()
            holder.wait()
        sandbox.set_faults()
        assert tokencli("get", "groupid", "--lock-timeout", "3s").code == 0
