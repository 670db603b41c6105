"""`tokencli status` as a process: table, JSON, OpenMetrics and exit code."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from time import sleep, time

import pytest

from tests.conftest import Run
from tokencli.sandbox.server import Sandbox

KEYS = {
    "name", "state", "reason", "expires_at", "expires_at_epoch", "remaining_s", "lifetime_s",
    "refresh_due_at", "refresh_due_at_epoch", "person_needed", "person_needed_at",
    "person_needed_at_epoch", "person_needed_forecast", "person_needed_because", "last_success_at",
    "last_success_at_epoch", "failures_since_success", "failing_since", "failing_since_epoch",
    "refreshes_7d", "rotations_7d", "failures_7d", "last_error",
}  # fmt: skip


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


def test_all_usable(tokencli: Run, sandbox: Sandbox) -> None:
    """A fresh token and one that `get` can obtain are both fine; nothing is sent."""
    tokencli("get", "oauth2")
    sent = len(sandbox.database.request_log)
    done = tokencli("status", "oauth2", "groupid")
    assert (done.code, done.err) == (0, "")
    head, groupid, oauth2 = done.out.splitlines()
    assert head.split() == ["NAME", "TOKEN", "LEFT", "RENEWED", "PERSON", "NEEDED"]
    assert groupid.split() == ["groupid", "none", "-", "-", "never"]
    assert oauth2.split()[:5] == ["oauth2", "fresh", "==========", "59", "minutes"]
    assert len(sandbox.database.request_log) == sent


def test_a_person_is_needed(tokencli: Run, sandbox: Sandbox) -> None:
    """The exit code is 4, and the fix signs in."""
    done = tokencli("status")
    assert done.code == 4
    assert "tokencli: error: a person is needed for corp, tv, on-behalf" in done.err
    assert "fix: tokencli login corp\n" in done.err
    assert "corp: a person is needed, because authorization_code needs a sign-in" in done.out


def test_a_person_is_needed_for_the_token_that_is_exchanged(
    tokencli: Run, sandbox: Sandbox
) -> None:
    """A profile that exchanges another's token needs a person when that one does, also by itself."""
    done = tokencli("status", "on-behalf")
    assert done.code == 4
    assert "tokencli: error: a person is needed for on-behalf" in done.err
    assert "it exchanges the token of corp: authorization_code needs a sign-in" in done.err
    assert "fix: tokencli login corp\n" in done.err


@pytest.mark.parametrize(
    ("source", "reason"),
    [("nobody", "there is no such profile"), ("second", "that is circular")],
)
def test_no_token_to_exchange(
    tokencli: Run, write_config: Callable[[str], Path], source: str, reason: str
) -> None:
    """`get` can't work before someone corrects the configuration."""
    exchange = (
        'provider = "oauth2"\ngrant = "token_exchange"\ntoken_url = "https://id.example.com/token"\n'
        'client_id = "c"\nclient_auth = "none"\n'
    )
    write_config(
        f'[profiles.first]\n{exchange}subject_token = {{profile = "second"}}\n'
        f'[profiles.second]\n{exchange}subject_token = {{profile = "{source}"}}\n'
    )
    done = tokencli("status", "first")
    assert done.code == 4
    assert "it exchanges the token of second: " in done.err and reason in done.err


def test_json(tokencli: Run, sandbox: Sandbox) -> None:
    """Each profile has the same keys, and times are RFC 3339 and epoch seconds."""
    tokencli("get", "oauth2")
    done = tokencli("status", "--json")
    assert done.code == 4 and done.out.isascii()
    profiles = {each["name"]: each for each in json.loads(done.out)["profiles"]}
    assert all(set(each) == KEYS for each in profiles.values())
    found = profiles["oauth2"]
    assert (found["state"], found["person_needed"]) == ("fresh", False)
    assert 3500 < found["expires_at_epoch"] - time() <= 3600
    assert (found["lifetime_s"], found["failures_since_success"]) == (3600, 0)
    assert found["last_success_at_epoch"] <= time()
    assert (profiles["corp"]["state"], profiles["corp"]["person_needed"]) == ("none", True)
    assert json.loads(done.err)["error"]["exit_code"] == 4


def test_expired_and_failing(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After the last attempt failed, the exit code is 9, and the error is shown."""
    with Sandbox(lifetime=1) as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        assert tokencli("get", "oauth2").code == 0
        sleep(1.1)
        assert tokencli("status", "oauth2").code == 0, "the next `get` may succeed"
        config = _copy_sandbox(running, tmp_path / "copy")
    monkeypatch.setenv("TOKENCLI_CONFIG", str(config))
    for _ in range(2):
        assert tokencli("get", "oauth2").code == 6
    done = tokencli("status", "oauth2")
    assert done.code == 9, done
    assert "expired" in done.out and "failed 2 times in" in done.out
    assert "oauth2: last error" in done.out
    assert "fix: tokencli get oauth2\n" in done.err
    (found,) = json.loads(tokencli("status", "oauth2", "--json").out)["profiles"]
    assert (found["state"], found["failures_since_success"]) == ("expired", 2)
    assert found["last_error"]["error"] and found["failing_since_epoch"] <= time()


def _copy_sandbox(running: Sandbox, folder: Path) -> Path:
    """Copy the files of a sandbox, so that they are there without it, and return the configuration."""
    config = Path(running.config_file)
    copytree(config.parent, folder)
    copy = folder / config.name
    text = copy.read_text(encoding="utf-8").replace(str(config.parent), str(folder))
    copy.write_text(text, encoding="utf-8")
    return copy


def test_open_metrics(tokencli: Run, sandbox: Sandbox) -> None:
    """The text is valid for parsers of OpenMetrics and of Prometheus's own format."""
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
    from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

    tokencli("get", "oauth2")
    done = tokencli("status", "--format", "openmetrics")
    assert done.code == 4 and done.out.endswith("\n# EOF\n")
    for read in (parse, parse_prometheus):
        metrics = {metric.name: metric for metric in read(done.out)}
        assert all(metric.type == "gauge" for metric in metrics.values())
        samples = {
            sample.labels["profile"]: sample.value
            for sample in metrics["tokencli_token_fresh"].samples
        }
        assert (samples["oauth2"], samples["corp"]) == (1, 0)
        (expiry,) = metrics["tokencli_token_expiry_timestamp_seconds"].samples
        assert expiry.labels == {"profile": "oauth2"}
        assert 3500 < expiry.value - time() <= 3600


def test_invalid_profile(tokencli: Run, write_config: Callable[[str], Path]) -> None:
    """It is in the list, and the exit code is 3."""
    write_config(
        '[profiles.good]\nprovider = "oauth2"\ngrant = "client_credentials"\nclient_id = "a"\n'
        'token_url = "https://id.example/token"\nstore = "file"\n'
        'client_secret = { env = "UNSET_SECRET" }\n'
        '[profiles.bad]\nprovider = "oauth2"\ngrant = "client_credentials"\nclientid = "a"\n'
    )
    done = tokencli("status", "--json")
    states = {each["name"]: each["state"] for each in json.loads(done.out)["profiles"]}
    assert (done.code, states) == (3, {"good": "none", "bad": "invalid"})
    missing = tokencli("status", "good")
    assert missing.code == 4
    assert "the client_secret is not set (env UNSET_SECRET)" in missing.err
    assert "fix:" not in missing.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--format", "xml"), 2),
        (("--json", "--watch"), 2),
        (("--json", "--format", "openmetrics"), 2),
        (("--watch",), 2),
        (("nonexistent",), 3),
    ],
)
def test_wrong_command_lines(
    tokencli: Run, sandbox: Sandbox, arguments: tuple[str, ...], code: int
) -> None:
    """Options that exclude each other, no terminal, and no such profile."""
    done = tokencli("status", *arguments)
    assert (done.code, done.out) == (code, "")


def test_no_profiles(tokencli: Run, write_config: Callable[[str], Path]) -> None:
    """Without a profile there is nothing to show, and the error says what to do."""
    write_config("")
    done = tokencli("status")
    assert (done.code, done.out) == (3, "")
    assert json.loads(tokencli("status", "--json").out) == {"profiles": []}
