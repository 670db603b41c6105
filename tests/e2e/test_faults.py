"""The table of faults, end to end: every one ends in time, with a clear message and no leaked secret."""

import os
import re
import subprocess
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from tests.conftest import script
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import running
from tests.faults.table import FAULTS, Fault, Served, serve
from tokencli.net.transport import MAX_TRIES

DEADLINE_S = 2.0
SLACK_S = 1.0
PASSWORD = "canary/password+7f3a%&"
CLIENT_SECRET = "canary/client+secret:91be"
ISSUED = "canary-issued-7f3a"
FORMS = {
    form
    for secret in (PASSWORD, CLIENT_SECRET)
    for form in (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(secret.encode()).decode().rstrip("="),
        b64encode(f"batch:{quote_plus(secret)}".encode()).decode().rstrip("="),
    )
}
SECRETS = {"CANARY_P": PASSWORD, "CANARY_C": CLIENT_SECRET}
CONFIG = """\
[profiles.batch]
provider = "oauth2"
grant = "client_credentials"
client_id = "batch"
client_secret = {{ env = "CANARY_C" }}
token_url = "{url}"
ca_file = "{ca}"
timeout = {deadline}
store = "none"
{more}

[profiles.person]
provider = "groupid"
token_url = "{url}"
username = "jdoe"
client_id = "batch"
identity_store_id = "1"
password = {{ env = "CANARY_P" }}
client_secret = {{ env = "CANARY_C" }}
ca_file = "{ca}"
timeout = {deadline}
store = "none"
"""


@dataclass(frozen=True)
class Ended:
    """The result of a run and its total duration in seconds."""

    code: int
    out: str
    err: str
    took: float


def configured(url: str, folder: Path, ca: Path | None = None, more: str = "") -> Path:
    """Write a configuration with a retryable profile, `batch`, and one that isn't, `person`."""
    path = folder / "config.toml"
    path.write_text(CONFIG.format(url=url, ca=ca or ca_file(), deadline=DEADLINE_S, more=more))
    path.chmod(0o600)
    return path


def get(config: Path, profile: str, environ: Mapping[str, str] | None = None) -> Ended:
    """Run `tokencli get` as a process."""
    started = time.monotonic()
    done = subprocess.run(
        [script(), "get", profile, "--config", str(config)],
        env={**os.environ, **SECRETS, **(environ or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> "Baseline":
    """Return what measures the duration of a run without faults."""
    return Baseline(tmp_path_factory.mktemp("baseline"))


class Baseline:
    """A run against a server that responds at once, which takes only the program's own time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def took(self) -> float:
        """Return the seconds that such a run takes now."""
        with running(b.says(b.message("200 OK", b.TOKEN))) as server:
            done = get(configured(f"https://127.0.0.1:{server.port}/t", self._folder), "batch")
        assert (done.code, done.out, done.err) == (0, f"{ISSUED}\n", "")
        return done.took


def check(fault: Fault, served: Served, ended: Ended, own: float) -> None:
    """Check a run against the fault's row; `own` is the program's own time in seconds."""
    assert ended.took <= own + DEADLINE_S + SLACK_S
    assert ended.code == fault.exit_code, ended.err
    assert "Traceback" not in ended.err
    if served.other:
        assert served.other.counters.connections == 0
    assert not any(form in ended.out + ended.err for form in FORMS)
    if fault.exit_code == 0:
        assert ended.out == f"{ISSUED}\n"
        said = "127.0.0.1:[0-9]+ sent a token, but (?!127).*"
        assert re.fullmatch(rf"tokencli: warning: {said}\n" if fault.readable else "", ended.err)
        assert fault.says in ended.err or not fault.readable
        return
    assert ended.out == ""
    assert ISSUED not in ended.err
    said = ended.err.splitlines()
    labels = [line.split(": ")[1] for line in said]
    if labels == ["error", "cause"]:
        hints = ("try again", "wait", "administrators", "in the profile", "the profile ")
        assert any(hint in said[1] for hint in hints), (
            "the cause says what helps, if no command does"
        )
    else:
        assert labels in (["error", "fix"], ["error", "cause", "fix"])
    assert fault.says in "\n".join(said[:2]), "the error or its cause"
    assert "127.0.0.1" in said[0] or "idp.example" in said[0]
    assert all(line.isprintable() and len(line) < 1400 for line in said)


@pytest.mark.long
@pytest.mark.requirement(8)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_every_fault_ends_in_time(fault: Fault, tmp_path: Path, baseline: Baseline) -> None:
    """Client credentials: in time, right exit code, two clear lines, no secret, few requests."""
    own = baseline.took() if fault.error and fault.error.code == "timeout" else GENEROUS_S
    with serve(fault) as served:
        config = configured(served.url, tmp_path, served.ca_file)
        check(fault, served, get(config, "batch", served.environ), own)
        assert len(served.counters.requests) <= (MAX_TRIES if fault.passing else fault.requests)


GENEROUS_S = 5.0
"""Seconds for a start of the program, where the fault itself takes no time."""
PASSING = [fault for fault in FAULTS if fault.passing or fault.read_as]


@pytest.mark.long
@pytest.mark.requirement(9)
@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_password_is_sent_once(fault: Fault, tmp_path: Path) -> None:
    """Password grant: no second request after one that may have arrived."""
    with serve(fault) as served:
        config = configured(served.url, tmp_path, served.ca_file)
        check(fault, served, get(config, "person", served.environ), GENEROUS_S)
        assert len(served.counters.requests) <= fault.requests


@pytest.mark.requirement(30)
def test_wrong_password_is_not_retried(tmp_path: Path) -> None:
    """A wrong password is reported, not sent again, so no account gets locked."""
    refusal = b.message("400 No", b'{"error": "invalid_grant"}')
    for status in (refusal, b.message("503 Busy", b"", "Retry-After: 0"), b.message("401 No")):
        with running(b.says(status)) as server:
            config = configured(f"https://127.0.0.1:{server.port}/t", tmp_path)
            ended = get(config, "person")
            assert (ended.code, len(server.counters.requests)) == (5, 1), ended.err


ADVICE = {
    "unknown CA": ("ca_file", str(ca_file())),
    "self-signed": ("ca_file",),
    "307 to another host": ("https://localhost:", "token_url", "tokencli profiles show batch"),
    "308 to http": ("not https",),
    "refused": ("the server is down", "tokencli profiles show batch"),
    "body drip": ("profiles edit batch --set timeout=60s",),
    "expired": ("the clock is at least 2 days ahead",),
    "not valid yet": ("the clock is at least 1 day 23 hours behind",),
}


@pytest.mark.requirement(8)
@pytest.mark.parametrize("name", ADVICE)
def test_message_names_the_fix(name: str, tmp_path: Path) -> None:
    """It names the CA file, variable or host, or how far off the clock must be."""
    (fault,) = [fault for fault in FAULTS if fault.name == name]
    with serve(fault) as served:
        ended = get(configured(served.url, tmp_path, served.ca_file), "batch", served.environ)
    for words in ADVICE[name]:
        assert words in ended.err


@pytest.mark.requirement(33)
def test_dead_proxy_is_named(tmp_path: Path) -> None:
    """The error names the proxy and its variable, but not its password."""
    with serve(next(fault for fault in FAULTS if fault.name == "refused")) as served:
        port = served.url.split(":")[2].split("/")[0]
        proxy = f"http://user:{quote(PASSWORD, safe='')}@127.0.0.1:{port}"
        config = configured("https://idp.example/t", tmp_path)
        ended = get(config, "batch", {"HTTPS_PROXY": proxy})
    assert ended.code == 6
    assert f"127.0.0.1:{port}" in ended.err
    assert "HTTPS_PROXY" in ended.err
    assert not any(form in ended.err for form in FORMS)


@pytest.mark.requirement(10)
def test_missing_ca_file_is_named(tmp_path: Path) -> None:
    """Nothing is sent, and the error names the file and the key."""
    ended = get(configured("https://127.0.0.1:9/t", tmp_path, tmp_path / "gone.pem"), "batch")
    assert (ended.code, ended.out) == (3, "")
    assert str(tmp_path / "gone.pem") in ended.err
    assert "ca_file" in ended.err


@pytest.mark.requirement(8)
@pytest.mark.parametrize(
    ("days", "words"), [(-1, "1 day ahead of"), (3, "3 days behind"), (0, None)]
)
def test_refusal_states_the_clock_skew(days: int, words: str | None, tmp_path: Path) -> None:
    """If the server's Date differs from our clock, a refusal states the difference."""
    from email.utils import formatdate

    date = formatdate(time.time() + days * 86400 + (30 if days >= 0 else -30), usegmt=True)
    reply = b.message("401 No", b'{"error": "invalid_client"}', f"Date: {date}")
    with running(b.says(reply)) as server:
        config = configured(f"https://127.0.0.1:{server.port}/t", tmp_path)
        ended = get(config, "batch")
    assert ended.code == 5
    assert (f"this computer's clock is {words}" if words else "refused") in ended.err
    assert ("this computer's clock" in ended.err) is (words is not None)


@pytest.mark.parametrize("behaviour", [b.silent_after_reading, b.drips(b.LONG, b" ")])
def test_a_limit_on_the_command_line_is_not_the_profiles(
    behaviour: b.Behaviour, tmp_path: Path
) -> None:
    """A longer timeout in the profile would not help while --timeout is given."""
    with running(behaviour) as server:
        config = configured(f"https://127.0.0.1:{server.port}/token", tmp_path)
        command = [script(), "get", "person", "--config", str(config), "--timeout", "1s"]
        done = subprocess.run(
            command,
            env={**os.environ, **SECRETS},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 6
    assert "cause: --timeout allows 1 s\n" in done.stderr
    assert "fix:" not in done.stderr
