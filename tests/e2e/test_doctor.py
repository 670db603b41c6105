"""Every check of `doctor`: break what it looks at, see it fail, and repair it by the suggested fix."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import Run, script
from tests.faults import behaviours as b
from tests.faults.authority import ca_file
from tests.faults.server import Peer, Server, running
from tests.keyring_session import lock
from tokencli.diagnosis.checks import CHECKS
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.server import Sandbox

NAME = f"doctor-{os.getpid()}"
"""A name of this process's own, because locks are those of the user."""
SECRET = OAuth2.secrets["client_secret"]
NOT_SHELL = ("_", "SHLVL", "PWD", "OLDPWD")

Check = Mapping[str, object]


@dataclass
class Clinic:
    """A profile that can be broken, and `doctor`."""

    run: Run
    directory: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.config = self.directory / "config.toml"
        self.state = self.directory / "state"
        self.environ |= {"TOKENCLI_CONFIG": str(self.config), "CANARY_SECRET": SECRET}

    def write(self, **keys: object) -> None:
        """Write the profile. A key that is None is left out."""
        table = {
            "provider": "oauth2",
            "grant": "client_credentials",
            "client_id": "batch",
            "client_secret": {"env": "CANARY_SECRET"},
            "token_url": "https://127.0.0.1:9/token",
            "store": "file",
            **keys,
        }
        lines = [f"{key} = {_to_toml(value)}" for key, value in table.items() if value is not None]
        text = "\n".join((f'state_dir = "{self.state}"', "", f"[profiles.{NAME}]", *lines, ""))
        self.config.write_text(text)
        self.config.chmod(0o600)

    def examine(self, *args: str) -> tuple[int, dict[str, Check]]:
        """Run `doctor --json`; return its exit code, and the checks by their ids."""
        done = self.run("doctor", *args, "--json", env=self.environ)
        assert done.err == ""
        assert SECRET not in done.out
        return done.code, {check["id"]: check for check in json.loads(done.out)["checks"]}

    def expect(self, failing: str, code: int, *args: str, words: str = "") -> Check:
        """Run it, and return the check that fails before any other."""
        found, checks = self.examine(*args)
        failures = [name for name, check in checks.items() if check["ok"] is False]
        assert (failures[:1], found) == ([failing], code), checks
        assert checks[failing]["exit_code"] == code
        assert words in str(checks[failing]["detail"])
        return checks[failing]

    def apply(self, fix: object, *, stdin: str = "") -> None:
        """Run a fix as a user would paste it; what it exports stays."""
        assert isinstance(fix, str)
        exported = self.directory / "exported"
        path = f"{Path(script()).parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", f"{fix} || exit; env -0 > {shlex.quote(str(exported))}"],
            env={**os.environ, "PATH": path, **self.environ},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (fix, done.stderr)
        for entry in exported.read_text().split("\0") if exported.exists() else ():
            name, _, value = entry.partition("=")
            if name and name not in NOT_SHELL:
                self.environ[name] = value


def _to_toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json.dumps(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)


@pytest.fixture
def clinic(tokencli: Run, tmp_path: Path) -> Clinic:
    """A valid profile whose server doesn't exist."""
    made = Clinic(tokencli, tmp_path)
    made.write()
    return made


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A sandbox, which knows the profile's client."""
    with Sandbox() as made:
        yield made


def sandbox_keys(sandbox: Sandbox) -> dict[str, object]:
    """Return the keys of a profile of the sandbox."""
    return {
        "token_url": None,
        "issuer": f"{sandbox.url}/oauth2",
        "ca_file": sandbox.ca_file,
    }


@contextmanager
def server(tls: str = "good", skew: float = 0.0) -> Iterator[Server]:
    """Run a server that presents itself so, and replies to anything."""

    def reply(peer: Peer) -> None:
        date = formatdate(time.time() + skew, usegmt=True)
        b.says(b.message("404 Not Found", b"{}", f"Date: {date}"))(peer)

    with running(reply, tls) as made:
        yield made


def test_everything_is_well(clinic: Clinic, sandbox: Sandbox) -> None:
    """No check fails, the exit code is 0, and each row of the table has one result."""
    clinic.write(**sandbox_keys(sandbox))
    code, checks = clinic.examine()
    assert code == 0, checks
    assert list(checks) == list(CHECKS)
    for name in ("configuration", "secrets", "lock", "store", "tls", "clock", "discovery"):
        assert checks[name]["ok"] is True, checks[name]
    assert "made-up token" in str(checks["client_auth"]["detail"])
    assert checks["dns"]["ok"] is None
    assert sandbox.database.token_requests == 0


@pytest.mark.parametrize(
    ("broken", "words", "repair"),
    [
        ("provider = ", "is not valid TOML", "s/^provider = $/provider = \"oauth2\"/"),
        ("hots = 1\nprovider = \"oauth2\"", "hots", "/^hots/d"),
    ],
)  # fmt: skip
def test_invalid_configuration(clinic: Clinic, broken: str, words: str, repair: str) -> None:
    """The check names the problem with its line, and the fix opens the file in an editor."""
    text = clinic.config.read_text().replace('provider = "oauth2"', broken)
    clinic.config.write_text(text)
    failure = clinic.expect("configuration", 3, words=words)
    assert "line 4" in str(failure["detail"])
    editor = clinic.directory / "editor"
    editor.write_text(f"#!/bin/sh\nsed -i '{repair}' \"$@\"\n")
    editor.chmod(0o755)
    clinic.environ["EDITOR"] = str(editor)
    assert _run_in_terminal(str(failure["fix"]), clinic) == 0
    assert clinic.examine()[1]["configuration"]["ok"] is True


def _run_in_terminal(command: str, clinic: Clinic) -> int:
    """Run a command that needs a terminal and asks nothing; return its exit code."""
    code = (
        "import os, pty, sys\n"
        "sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', sys.argv[1]])))"
    )
    environ = {**os.environ, **clinic.environ}
    environ["PATH"] = f"{Path(script()).parent}:{environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-c", code, command],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=60,
    ).returncode


@pytest.mark.parametrize(("mode", "code"), [(0o606, 3), (0o660, 0)])
def test_file_that_others_can_change(clinic: Clinic, mode: int, code: int) -> None:
    """It is a failure if everyone can change it, and a warning if the group can; the fix restricts access."""
    clinic.config.chmod(mode)
    found, checks = clinic.examine()
    check = checks["configuration"]
    assert (check["ok"], check["warning"]) == ((False, False) if code else (True, True))
    assert found == code or code == 0
    clinic.apply(check["fix"])
    again = clinic.examine()[1]["configuration"]
    assert (again["ok"], again["warning"]) == (True, False)


def test_wrong_name_of_the_table(clinic: Clinic) -> None:
    """A file whose only profile is written wrongly isn't one without profiles."""
    clinic.config.write_text(clinic.config.read_text().replace("[profiles.", "[profile."))
    for args in ((), (NAME,)):
        failure = clinic.expect("configuration", 3, *args, words=f"write [profiles.{NAME}]")
        assert failure["fix"] != "tokencli profiles add"


def test_no_profile_yet(clinic: Clinic) -> None:
    """A missing file is a failure of the configuration, and the checks of the machine are made."""
    clinic.config.unlink()
    clinic.environ["TOKENCLI_CONFIG"] = ""
    assert clinic.expect("configuration", 3)["fix"] == "tokencli profiles add"
    assert clinic.expect("configuration", 3, NAME)["fix"] == "tokencli profiles add"


def test_state_directory_that_others_can_write(clinic: Clinic) -> None:
    """Nothing in it is safe; the fix closes it."""
    clinic.state.mkdir(mode=0o700)
    clinic.state.chmod(0o777)
    failure = clinic.expect("permissions", 8, words="other users can write")
    clinic.apply(failure["fix"])
    assert clinic.examine()[1]["permissions"]["ok"] is True


def test_state_directory_beside_cached_metadata(clinic: Clinic, sandbox: Sandbox) -> None:
    """The checks are made although the issuer's cached metadata can't be read."""
    clinic.write(**sandbox_keys(sandbox))
    assert clinic.run("get", env=clinic.environ).code == 0
    clinic.state.chmod(0o777)
    failure = clinic.expect("permissions", 8, words="other users can write")
    clinic.apply(failure["fix"])
    assert clinic.examine()[0] == 0


def test_token_file_that_others_can_read(clinic: Clinic, sandbox: Sandbox) -> None:
    """The token is not used; the fix closes the file."""
    clinic.write(**sandbox_keys(sandbox))
    assert clinic.run("get", env=clinic.environ).code == 0
    (file,) = (clinic.state / "tokens").iterdir()
    file.chmod(0o644)
    failure = clinic.expect("token", 8, words="other users")
    clinic.apply(failure["fix"])
    assert "expires in" in str(clinic.examine()[1]["token"]["detail"])


def test_missing_secret(clinic: Clinic, keyring_env: dict[str, str], sandbox: Sandbox) -> None:
    """Nothing is stored in the keyring; the fix stores it."""
    clinic.write(**sandbox_keys(sandbox), client_secret=None)
    failure = clinic.expect("secrets", 4, words="has no client_secret")
    assert failure["fix"] == f"tokencli login {NAME}"
    clinic.apply(f"{failure['fix']} --stdin", stdin=f"{SECRET}\n")
    try:
        code, checks = clinic.examine()
        assert (code, checks["secrets"]["ok"]) == (0, True), checks
        assert "stored, read and deleted" in str(checks["keyring"]["detail"])
    finally:
        clinic.run("logout", NAME, "--secrets", "--force", env=clinic.environ)


@pytest.mark.parametrize("kind", ["env", "file"])
def test_missing_secret_at_a_terminal(clinic: Clinic, kind: str) -> None:
    """The fix asks for the secret, as that of `get` does.

    Without a terminal here, a variable set in another one would not help, but a file would.
    """
    target = {"env": "CLINIC_SECRET", "file": str(clinic.directory / "secret")}[kind]
    clinic.write(client_secret={kind: target})
    assert (clinic.expect("secrets", 4)["fix"] is None) == (kind == "env")
    report = clinic.directory / "report.json"
    assert _run_in_terminal(f"tokencli doctor --json > {report}", clinic) == 4
    checks = {check["id"]: check for check in json.loads(report.read_text())["checks"]}
    assert "read -r" in checks["secrets"]["fix"] and target in checks["secrets"]["fix"]


def test_locked_keyring(clinic: Clinic, keyring_env: dict[str, str]) -> None:
    """The fix unlocks it with the password on stdin."""
    clinic.write(client_secret=None)
    lock(keyring_env)
    failure = clinic.expect("keyring", 4, words="locked")
    clinic.apply(failure["fix"], stdin="scratch-keyring-password\n")
    assert clinic.examine()[1]["keyring"]["ok"] is True


def test_locked_keyring_on_a_desktop(clinic: Clinic, keyring_env: dict[str, str]) -> None:
    """The desktop can unlock it, so nothing says that there is no session."""
    clinic.write(client_secret=None)
    lock(keyring_env)
    clinic.environ["DISPLAY"] = ":9"
    failure = clinic.expect("keyring", 4, words="locked")
    assert "no desktop session" not in str(failure["detail"])
    assert "the desktop asks for its password" in str(failure["cause"])


def test_no_keyring(clinic: Clinic) -> None:
    """It is a failure only if the profile needs one; the fix takes the secret from elsewhere."""
    checks = clinic.examine()[1]
    assert (checks["keyring"]["ok"], checks["keyring"]["warning"]) == (True, True)
    clinic.write(client_secret=None)
    assert "no OS keyring" in str(clinic.expect("keyring", 4)["detail"])
    secrets = clinic.examine()[1]["secrets"]
    assert secrets["ok"] is False
    assert "profiles edit" in str(secrets["fix"])


@pytest.mark.parametrize(("store", "failing"), [("keyring", "store"), ("runtime", "lock")])
def test_store_that_is_not_there(
    clinic: Clinic, sandbox: Sandbox, store: str, failing: str
) -> None:
    """The fix stores the tokens in files."""
    clinic.write(**sandbox_keys(sandbox), store=store)
    clinic.environ["XDG_RUNTIME_DIR"] = ""
    check = clinic.examine()[1][failing]
    assert check["ok"] is False
    clinic.apply(check["fix"])
    code, checks = clinic.examine()
    assert (code, checks["store"]["detail"]) == (0, "file")


def test_event_log_that_others_can_read(clinic: Clinic, sandbox: Sandbox) -> None:
    """The fix closes the file."""
    clinic.write(**sandbox_keys(sandbox))
    assert clinic.run("get", env=clinic.environ).code == 0
    (file,) = (clinic.state / "event_log").glob("*.jsonl")
    file.chmod(0o644)
    clinic.apply(clinic.expect("event_log", 8)["fix"])
    assert "1 event" in str(clinic.examine()[1]["event_log"]["detail"])


def test_keyring_that_nobody_needs(clinic: Clinic, sandbox: Sandbox) -> None:
    """A broken backend is a warning, and the fix helps."""
    clinic.write(**sandbox_keys(sandbox))
    clinic.environ["PYTHON_KEYRING_BACKEND"] = "nosuch.Backend"
    code, checks = clinic.examine()
    assert (code, checks["keyring"]["warning"]) == (0, True)
    assert checks["keyring"]["fix"] == "unset PYTHON_KEYRING_BACKEND"


def test_host_that_does_not_exist(clinic: Clinic) -> None:
    """The name has no address, and what depends on it is skipped and says why."""
    clinic.write(token_url="https://nosuch.invalid/token")
    failure = clinic.expect("dns", 6, words="nosuch.invalid")
    checks = clinic.examine()[1]
    for name in ("connect", "tls", "http", "clock", "discovery", "client_auth"):
        assert (checks[name]["ok"], checks[name]["detail"]) == (None, "dns failed")
    clinic.apply(failure["fix"])


def test_nothing_listens(clinic: Clinic) -> None:
    """The connection is refused."""
    clinic.expect("connect", 6, words="refused the connection")


def test_dead_proxy(clinic: Clinic) -> None:
    """The check names the variable; the fix goes around the proxy."""
    clinic.write(token_url="https://nosuch.invalid/token")
    clinic.environ["HTTPS_PROXY"] = "http://someone:canary-proxy-password@127.0.0.1:9"
    failure = clinic.expect("proxy", 6, words="HTTPS_PROXY")
    assert "canary-proxy-password" not in json.dumps(failure)
    clinic.apply(failure["fix"])
    repaired = clinic.examine()[1]["proxy"]
    assert (repaired["ok"], repaired["detail"]) == (True, "none: NO_PROXY lists the server")


def test_dead_proxy_of_the_profile(clinic: Clinic) -> None:
    """The fix is an edit of the profile."""
    clinic.write(token_url="https://nosuch.invalid/token", proxy="http://127.0.0.1:9")
    clinic.apply(clinic.expect("proxy", 6, words="proxy of the profile")["fix"])
    assert clinic.examine()[1]["proxy"]["ok"] is True


def test_untrusted_certificate(clinic: Clinic) -> None:
    """The check says what the certificate was checked against; naming the CA repairs it."""
    with server() as good:
        clinic.write(token_url=f"https://127.0.0.1:{good.port}/token")
        failure = clinic.expect("tls", 6, words="not trusted")
        assert "operating system's trust store" in str(failure["cause"])
        clinic.apply(str(failure["fix"]).replace("/path/to/ca.pem", str(ca_file())))
        checks = clinic.examine()[1]
        assert checks["tls"]["ok"] is True
        assert f"checked against {ca_file()} (ca_file of the profile)" in str(
            checks["tls"]["detail"]
        )
        clinic.write(token_url=f"https://127.0.0.1:{good.port}/token")
        clinic.environ["SSL_CERT_FILE"] = str(ca_file())
        assert "(SSL_CERT_FILE)" in str(clinic.examine()[1]["tls"]["detail"])
        clinic.environ["SSL_CERT_FILE"] = "/nosuch.pem"
        clinic.expect("tls", 3, words="SSL_CERT_FILE")


@pytest.mark.parametrize(
    ("tls", "words"),
    [("expired", "has expired (2 days"), ("early", "not valid yet"), ("other name", "not for this address"),
     ("old", "older than 1.2")],
)  # fmt: skip
def test_bad_certificate(clinic: Clinic, tls: str, words: str) -> None:
    """The check says what is wrong with it, and who can fix it."""
    with server(tls) as bad:
        clinic.write(token_url=f"https://127.0.0.1:{bad.port}/token", ca_file=str(ca_file()))
        failure = clinic.expect("tls", 6, words=words)
        assert failure["fix"] or "administrators" in str(failure["cause"])


def test_certificate_that_expires_soon(clinic: Clinic) -> None:
    """It is a warning 30 days before."""
    with server("expiring") as made:
        clinic.write(token_url=f"https://127.0.0.1:{made.port}/token", ca_file=str(ca_file()))
        code, checks = clinic.examine()
    assert (code, checks["tls"]["ok"], checks["tls"]["warning"]) == (0, True, True)
    assert "expires in 9 days" in str(checks["tls"]["detail"])


@pytest.mark.parametrize(
    ("skew", "words"), [("-3h", "3 hours ahead of"), ("3h", "3 hours behind")]
)  # fmt: skip
def test_wrong_clock(clinic: Clinic, sandbox: Sandbox, skew: str, words: str) -> None:
    """The check says by how much, and in which direction."""
    clinic.write(**sandbox_keys(sandbox))
    sandbox.set_faults(clock_skew=skew)
    assert clinic.expect("clock", 9, words=words)["cause"]
    sandbox.set_faults(clock_skew="40s")
    code, checks = clinic.examine()
    assert (code, checks["clock"]["warning"]) == (0, True)


def test_wrong_issuer(clinic: Clinic, sandbox: Sandbox) -> None:
    """The metadata belong to another issuer."""
    clinic.write(**{**sandbox_keys(sandbox), "issuer": f"{sandbox.url}/oauth2/"})
    failure = clinic.expect("discovery", 7)
    assert "another issuer" in str(failure["detail"]) or "no usable metadata" in str(
        failure["detail"]
    )


def test_wrong_client_secret(clinic: Clinic, sandbox: Sandbox) -> None:
    """The server refuses the client, without a token request."""
    clinic.write(**sandbox_keys(sandbox))
    clinic.environ["CANARY_SECRET"] = "canary-wrong-1f3b"
    clinic.expect("client_auth", 5)
    assert sandbox.database.token_requests == 0
    clinic.environ["CANARY_SECRET"] = SECRET
    assert clinic.examine("--request-token")[1]["client_auth"]["ok"] is True
    assert sandbox.database.token_requests == 1


def test_made_up_token_is_not_recorded(clinic: Clinic, sandbox: Sandbox) -> None:
    """Where only revocation is there to try the client, the event log has no revocation of it."""
    urls = {
        key: f"{sandbox.url}/oauth2/{path}"
        for key, path in (("token_url", "token"), ("revocation_url", "revoke"))
    }
    clinic.write(ca_file=sandbox.ca_file, **urls)
    assert "its revocation endpoint" in str(clinic.examine()[1]["client_auth"]["detail"])
    clinic.environ["CANARY_SECRET"] = "canary-wrong-1f3b"
    clinic.expect("client_auth", 5)
    assert clinic.run("log", "--json", env=clinic.environ).out == ""


def test_no_program_is_run(clinic: Clinic, sandbox: Sandbox) -> None:
    """A program that supplies the secret could ask the user, so it is run only with the option."""
    program = clinic.directory / "program"
    program.write_text(f"#!/bin/sh\ntouch {clinic.directory}/ran\necho {SECRET}\n")
    program.chmod(0o755)
    clinic.write(**sandbox_keys(sandbox), client_secret={"command": [str(program)]})
    code, checks = clinic.examine()
    assert (code, checks["client_auth"]["ok"]) == (0, None)
    assert not (clinic.directory / "ran").exists()
    command = str(checks["client_auth"]["detail"]).partition("token request: tokencli doctor ")[2]
    code, checks = clinic.examine(*command.split())
    assert (code, checks["client_auth"]["ok"]) == (0, True), checks["client_auth"]["detail"]
    assert (clinic.directory / "ran").exists()


def test_sign_in_needed(clinic: Clinic) -> None:
    """Without a stored token, an interactive grant needs the user."""
    with Sandbox(sign_in="alice") as sandbox:
        clinic.environ |= sandbox.variables
        failure = clinic.expect("token", 4, "corp", words="needs a sign-in")
        clinic.apply(failure["fix"])
        code, checks = clinic.examine("corp")
        assert (code, checks["token"]["ok"]) == (0, True), checks


def test_lock_is_held(clinic: Clinic, sandbox: Sandbox) -> None:
    """The check names the process; the fix lets a stopped one continue."""
    clinic.write(**sandbox_keys(sandbox))
    assert clinic.run("get", env=clinic.environ).code == 0
    (path,) = (clinic.state / "locks").iterdir()
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import fcntl, os, signal, sys, time\n"
         "f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX)\n"
         "f.write(str(os.getpid())); f.flush(); print('held', flush=True)\n"
         "os.kill(os.getpid(), signal.SIGSTOP)\n", str(path)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    try:
        failure = clinic.expect("lock", 8, words=f"process {holder.pid}")
        assert failure["fix"] == f"kill -CONT {holder.pid}"
        clinic.apply(failure["fix"])
        holder.wait(10)
        assert clinic.examine()[0] == 0
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


def test_server_that_never_answers(clinic: Clinic) -> None:
    """All checks together end in time, and the local ones are made nevertheless."""
    with running(b.silent, None) as hanging:
        clinic.write(token_url=f"https://127.0.0.1:{hanging.port}/token", ca_file=str(ca_file()))
        started = time.monotonic()
        clinic.expect("tls", 6, "--timeout", "2s", words="did not finish the TLS handshake")
        assert time.monotonic() - started < 10
        assert clinic.examine("--timeout", "2s")[1]["store"]["ok"] is True


def test_profiles_of_one_server(clinic: Clinic) -> None:
    """One connection answers for all of them, and each failure has a fix for its own profile."""
    with running(b.silent, None) as hanging:
        clinic.write(token_url=f"https://127.0.0.1:{hanging.port}/token")
        table = clinic.config.read_text().partition("[profiles.")[2].partition("]")[2]
        with clinic.config.open("a") as file:
            file.writelines(f"\n[profiles.p{number}]{table}" for number in range(20))
        done = clinic.run("doctor", "--all", "--json", "--timeout", "3s", env=clinic.environ)
        checks = [c for c in json.loads(done.out)["checks"] if c["id"] == "tls"]
        assert len({check["detail"] for check in checks}) == 1 and len(checks) == 21
        assert hanging.counters.connections == 1
    with server() as untrusted:
        clinic.config.write_text(
            clinic.config.read_text().replace(f":{hanging.port}/", f":{untrusted.port}/")
        )
        done = clinic.run("doctor", "--all", "--json", env=clinic.environ)
        checks = [c for c in json.loads(done.out)["checks"] if c["id"] == "tls"]
        names = [NAME, *(f"p{number}" for number in range(20))]
        edits = [" ".join(check["fix"].split()[:4]) for check in checks]
        assert edits == [f"tokencli profiles edit {name}" for name in names]


def test_different_servers_are_probed_side_by_side(clinic: Clinic) -> None:
    """One that hangs doesn't take the time of the others."""
    with running(b.silent, None) as first, running(b.silent, None) as second:
        clinic.write(token_url=f"https://127.0.0.1:{first.port}/token")
        table = clinic.config.read_text().partition("[profiles.")[2].partition("]")[2]
        table = table.replace(f":{first.port}/", f":{second.port}/")
        with clinic.config.open("a") as file:
            file.write(f"\n[profiles.second]{table}")
        done = clinic.run("doctor", "--all", "--json", "--timeout", "4s", env=clinic.environ)
    details = [c["detail"] for c in json.loads(done.out)["checks"] if c["id"] == "tls"]
    seconds = [float(detail.split()[-2]) for detail in details]
    assert len(seconds) == 2 and min(seconds) > 1, details


def test_slow_reply(clinic: Clinic) -> None:
    """The fix raises the limit that ended it: the time of all checks, or the profile's timeout."""
    with running(b.silent) as slow:
        clinic.write(token_url=f"https://127.0.0.1:{slow.port}/token", ca_file=str(ca_file()))
        failure = clinic.expect("http", 6, "--timeout", "2s")
        assert failure["fix"] == f"tokencli doctor {NAME} --timeout 60s"
        clinic.write(
            token_url=f"https://127.0.0.1:{slow.port}/token", ca_file=str(ca_file()), timeout="1s"
        )
        failure = clinic.expect("http", 6)
    assert failure["fix"] == f"tokencli profiles edit {NAME} --set timeout=60s"


def test_address_of_ipv6(clinic: Clinic) -> None:
    """It is recognized as an address, and shown as it is."""
    clinic.write(token_url="https://[::1]:9/token")
    _, checks = clinic.examine()
    assert checks["dns"]["detail"] == "the host is the address ::1"


def test_secret_file_that_others_can_read(clinic: Clinic, sandbox: Sandbox) -> None:
    """The check warns of it, as `get` does."""
    with TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        secret = Path(directory, "secret")
        secret.write_text(SECRET)
        secret.chmod(0o644)
        clinic.write(**sandbox_keys(sandbox), client_secret={"file": str(secret)})
        check = clinic.examine()[1]["secrets"]
        assert check["warning"] is True and f"chmod 600 {secret}" in str(check["detail"])
        secret.chmod(0o600)
        assert clinic.examine()[1]["secrets"]["warning"] is False


def test_verbose_describes_the_requests(clinic: Clinic, sandbox: Sandbox) -> None:
    """With -v, stderr has each request, without secrets."""
    clinic.write(**sandbox_keys(sandbox))
    done = clinic.run("doctor", "-v", env=clinic.environ)
    assert f"HEAD {sandbox.url}/" in done.err and "introspect" in done.err
    assert SECRET not in done.err


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_old_completion(clinic: Clinic, shell: str) -> None:
    """The fix replaces the script."""
    file = {
        "bash": Path(os.environ["XDG_DATA_HOME"], "bash-completion/completions/tokencli"),
        "fish": Path(os.environ["XDG_CONFIG_HOME"], "fish/completions/tokencli.fish"),
    }[shell]
    clinic.environ["SHELL"] = f"/usr/bin/{shell}"
    check = clinic.examine()[1]["completion"]
    assert "not installed" in str(check["detail"])
    assert not file.parent.exists()
    clinic.apply(f"{check['fix']} && test -s {shlex.quote(str(file))}")
    file.write_text("# of 0.1\n")
    check = clinic.examine()[1]["completion"]
    assert (check["ok"], check["warning"]) == (True, True)
    clinic.apply(check["fix"])
    assert clinic.examine()[1]["completion"]["warning"] is False


@pytest.mark.parametrize(
    ("shell", "file"),
    [("bash", ".bashrc"), ("zsh", ".zshrc"), ("fish", ".config/fish/config.fish")],
)
def test_hook(clinic: Clinic, shell: str, file: str) -> None:
    """A hook in the startup file is found, and one that is loaded says its version."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    clinic.environ["SHELL"] = f"/bin/{shell}"
    check = clinic.examine()[1]["hook"]
    assert check["ok"] is None
    clinic.apply(check["fix"])
    assert file in str(clinic.examine()[1]["hook"]["detail"])
    load = "tokencli hook fish | source" if shell == "fish" else f'eval "$(tokencli hook {shell})"'
    hooked = subprocess.run(
        [shell, "-c", f"{load}; tokencli doctor --json"],
        env={
            **os.environ,
            **clinic.environ,
            "PATH": f"{Path(script()).parent}:{os.environ['PATH']}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {check["id"]: check for check in json.loads(hooked.stdout)["checks"]}
    assert "has loaded it" in checks["hook"]["detail"]
    old = clinic.examine("--hook", "0.1.0")[1]["hook"]
    assert (old["warning"], old["fix"]) == (True, f"exec {shell}")


def test_empty_environment(clinic: Clinic) -> None:
    """Without HOME and everything else, the checks are made, and one says what is different."""
    done = subprocess.run(
        [script(), "doctor", "--json", "--config", str(clinic.config)],
        env={},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    checks = {check["id"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 4, done.stdout  # the secret's variable is missing
    assert "HOME is not set" in checks["environment"]["detail"]
    assert checks["hook"]["ok"] is None


def test_all_profiles(clinic: Clinic) -> None:
    """Every profile is checked, including one with problems."""
    with clinic.config.open("a") as file:
        file.write('\n[profiles.second]\nprovider = "nosuch"\n')
    done = clinic.run("doctor", "--all", "--json", env=clinic.environ)
    checks = json.loads(done.out)["checks"]
    assert {check["profile"] for check in checks} == {None, NAME, "second"}
    (second,) = [c for c in checks if c["profile"] == "second" and c["id"] == "profile"]
    assert second["ok"] is False
    assert done.code == 3
    ambiguous = clinic.run("doctor", env=clinic.environ)
    assert "tokencli doctor --all" in ambiguous.out or ambiguous.code == 3


def test_fix_names_the_configuration(clinic: Clinic) -> None:
    """With --config, the fix has it as well."""
    clinic.write(token_url="https://nosuch.invalid/token")
    failure = clinic.expect("dns", 6, "--config", str(clinic.config))
    assert failure["fix"] == f"tokencli profiles show {NAME} --config {clinic.config}"
