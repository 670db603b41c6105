"""Secrets from variables, files, commands and people: what is read, and what is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes import FakeTerminal
from tokencli.errors import CredentialsError, LoginRequiredError
from tokencli.models import Secret, SecretRef
from tokencli.secret_sources import open_secret_source
from tokencli.secret_sources.command import CommandSource
from tokencli.secret_sources.normalize import MAX_SECRET_BYTES, normalize_secret

CANARY = "canary-password-7f3a"
PEM = "-----BEGIN PRIVATE KEY-----\ncanary\tkey\n-----END PRIVATE KEY-----"


def read(kind: str, *target: str, terminal: FakeTerminal | None = None) -> Secret | None:
    """Read a secret of that kind from that place."""
    source = open_secret_source(kind, environ=os.environ, terminal=terminal or FakeTerminal())
    return source.read(SecretRef(kind, "password", "p", target))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (CANARY, CANARY),
        (CANARY + "\n", CANARY),
        (CANARY + "\r\n", CANARY),
        (CANARY.encode() + b"\n", CANARY),
        (b"\xef\xbb\xbf" + CANARY.encode(), CANARY),
        (" pass word ", " pass word "),
        ("pässwörd €", "pässwörd €"),
        (PEM + "\n", PEM),
        ('{\n"kty": "EC"}', '{\n"kty": "EC"}'),
        ("", None),
        ("\n", None),
        (b"", None),
    ],
)
def test_one_trailing_newline_is_taken_off(raw: bytes | str, secret: str | None) -> None:
    """One newline at the end is not part of a secret; everything else is."""
    found = normalize_secret(raw, "it")
    assert (found.reveal() if found else None) == secret


@pytest.mark.parametrize(
    "raw",
    [
        "a\nb",
        CANARY + "\n\n",
        "a\x00b",
        "a\tb",
        "a\x1b[1m",
        "a\x7f",
        "a\x9b",
        "a\ud800",
        b"\xff\xfea",
    ],
)
def test_control_characters_inside_are_refused(raw: bytes | str) -> None:
    """Line breaks, NUL, escapes and what is not UTF-8 end in an error that does not quote them."""
    with pytest.raises(CredentialsError) as caught:
        normalize_secret(raw, "the file x")
    assert caught.value.message.startswith("the file x ")
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(("value", "found"), [(CANARY, True), ("", False), (None, False)])
def test_an_empty_variable_is_a_missing_one(
    value: str | None, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set to nothing holds no secret."""
    if value is not None:
        monkeypatch.setenv("PW", value)
    assert read("env", "PW") == (Secret(CANARY) if found else None)


def test_a_file_is_read_through_links(tmp_path: Path) -> None:
    """Kubernetes hands secrets out as symbolic links, and they are followed."""
    (tmp_path / "real").write_text(CANARY + "\n")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    terminal = FakeTerminal()
    assert read("file", str(tmp_path / "link"), terminal=terminal) == Secret(CANARY)
    assert terminal.messages == []


def test_a_file_in_the_home_folder_is_meant_by_a_tilde() -> None:
    """`~` is the home folder."""
    (Path(os.environ["HOME"]) / "pw").write_text(CANARY)
    assert read("file", "~/pw") == Secret(CANARY)


def test_an_open_file_is_read_and_warned_about(tmp_path: Path) -> None:
    """A file that every user can reach and read is used, with a warning and the mend."""
    place = Path("/dev/shm") / f"tokencli-test-{os.getpid()}"
    try:
        place.write_text(CANARY)
        place.chmod(0o644)
        terminal = FakeTerminal()
        assert read("file", str(place), terminal=terminal) == Secret(CANARY)
        assert [f"chmod 600 {place}" in said for said in terminal.messages] == [True]
    finally:
        place.unlink()
    inside = tmp_path / "closed"
    inside.mkdir(mode=0o700)
    (inside / "pw").write_text(CANARY)
    (inside / "pw").chmod(0o644)
    quiet = FakeTerminal()
    assert read("file", str(inside / "pw"), terminal=quiet) == Secret(CANARY)
    assert quiet.messages == []


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A FIFO without a writer, a folder, a device, a huge or a missing file: an error, no waiting."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    start = time.monotonic()
    for name in ("fifo", "huge", "missing", "", "/dev/zero", "a\0b"):
        with pytest.raises(CredentialsError) as caught:
            read("file", str(tmp_path / name) if name != "/dev/zero" else name)
        assert caught.value.fix
    assert time.monotonic() - start < 5


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """What would be special to a shell is an argument like any other."""
    print_it = "import sys; print(sys.argv[1])"
    odd = "$HOME `id` ; *"
    assert read("command", sys.executable, "-c", print_it, odd) == Secret(odd)


def test_a_commands_output_goes_nowhere_else(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout is the secret and is shown to nobody; stderr is the command's to talk on."""
    talk = f"import sys; print('{CANARY}'); print('unlocking', file=sys.stderr)"
    assert read("command", sys.executable, "-c", talk) == Secret(CANARY)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == "unlocking\n"


def test_a_command_without_a_person_reads_nothing() -> None:
    """Where nobody is there, the command's stdin is empty, so that it can't wait for input."""
    ask = "import sys; print(repr(sys.stdin.read()))"
    assert read("command", sys.executable, "-c", ask) == Secret("''")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("no-such-command-here",), "is not there"),
        (("/",), "can't be run"),
        (("a\0b",), "can't be run"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"), "signal 15"),
        ((sys.executable, "-c", "print('canary' * 100000)"), "too much"),
        (("cat", "/dev/zero"), "too much"),
        ((sys.executable, "-c", "print('a\\nb')"), "line break"),
    ],
)
def test_a_command_that_fails_is_named(argv: tuple[str, ...], words: str) -> None:
    """Each failure says what happened and to which secret; the output is never quoted."""
    with pytest.raises(CredentialsError, match=words) as caught:
        read("command", *argv)
    assert "canary" not in caught.value.message


def test_a_command_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    """After the limit the command and its children are gone, also if only a child kept stdout."""
    noted = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(noted)!r}, 'w').write(str(child.pid))\n"
    )
    source = CommandSource(environ=os.environ, terminal=FakeTerminal(), limit=2.0)
    start = time.monotonic()
    with pytest.raises(CredentialsError, match="did not end within 2 s"):
        source.read(SecretRef("command", "password", "p", (sys.executable, "-c", code)))
    assert time.monotonic() - start <= 3
    end = time.monotonic() + 5
    while alive(int(noted.read_text())):
        assert time.monotonic() < end, "the child outlived the command"


def alive(pid: int) -> bool:
    """Tell whether a process is there and is not a zombie."""
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("_", range(6))
def test_ctrl_c_during_a_command_ends_it(tmp_path: Path, _: int) -> None:
    """An interrupted run leaves no command behind, not even one that has only just been started."""
    noted = tmp_path / "pid"
    slow = (
        f"import os, time; f = open({str(noted)!r}, 'w'); f.write(str(os.getpid())); f.close();"
        " time.sleep(600)"
    )
    code = (
        "import os, sys\n"
        "from tests.fakes import FakeTerminal\n"
        "from tokencli.models import SecretRef\n"
        "from tokencli.secret_sources.command import CommandSource\n"
        f"ref = SecretRef('command', 'password', 'p', (sys.executable, '-c', {slow!r}))\n"
        "CommandSource(environ=os.environ, terminal=FakeTerminal()).read(ref)\n"
    )
    root = Path(__file__).parents[3]
    run = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL, cwd=root)
    end = time.monotonic() + 20
    while not (noted.exists() and noted.read_text()):
        assert time.monotonic() < end
    run.send_signal(signal.SIGINT)
    run.wait(20)
    while alive(int(noted.read_text())):
        assert time.monotonic() < end + 20


def test_a_person_is_asked_and_nobody_else() -> None:
    """The prompt source asks where somebody is, and says `login needed` where nobody is."""
    assert read("prompt", terminal=FakeTerminal([CANARY], interactive=True)) == Secret(CANARY)
    with pytest.raises(LoginRequiredError) as caught:
        read("prompt")
    # The exact place to name instead (requirement 31): there is no option for a secret.
    assert 'password = { env = "P_PASSWORD" }' in str(caught.value.fix)
    assert "tokencli profiles edit p" in str(caught.value.fix)
    assert "option" not in str(caught.value.fix)
    with pytest.raises(CredentialsError, match="control character"):
        read("prompt", terminal=FakeTerminal(["a\x1b[A"], interactive=True))
