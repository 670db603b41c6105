"""Secrets from variables, files, commands and prompts: what is read, and what is refused."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.fakes import FakeTerminal
from tokencli.errors import CredentialsError, LoginRequiredError
from tokencli.models import Secret, SecretRef
from tokencli.secret_sources import MAX_SECRET_BYTES, file, normalize_secret, open_secret_source
from tokencli.secret_sources.command import CommandSource

CANARY = "canary-password-7f3a"
PEM = "-----BEGIN PRIVATE KEY-----\ncanary\tkey\n-----END PRIVATE KEY-----"


def read(kind: str, *target: str, terminal: FakeTerminal | None = None) -> Secret | None:
    """Read a secret from a source of that kind."""
    source = open_secret_source(kind, environ=os.environ, terminal=terminal or FakeTerminal())
    return source.read(SecretRef(kind, "password", "p", target))


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
def test_one_trailing_newline_is_removed(raw: bytes | str, secret: str | None) -> None:
    """One newline at the end is not part of the secret; everything else is."""
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
def test_control_characters_are_refused(raw: bytes | str) -> None:
    """Line breaks, NUL, escapes and invalid UTF-8 end in an error that does not quote them."""
    with pytest.raises(CredentialsError) as caught:
        normalize_secret(raw, "the file x")
    assert caught.value.message.startswith("the file x ")
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(("value", "found"), [(CANARY, True), ("", False), (None, False)])
def test_an_empty_variable_counts_as_missing(
    value: str | None, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is empty holds no secret."""
    if value is not None:
        monkeypatch.setenv("PW", value)
    assert read("env", "PW") == (Secret(CANARY) if found else None)


def test_symbolic_links_to_a_file_are_followed(tmp_path: Path) -> None:
    """Kubernetes provides secrets as symbolic links."""
    (tmp_path / "real").write_text(CANARY + "\n")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    terminal = FakeTerminal()
    assert read("file", str(tmp_path / "link"), terminal=terminal) == Secret(CANARY)
    assert terminal.messages == []


def test_a_tilde_is_the_home_directory() -> None:
    """`~` is expanded in a file's path."""
    (Path(os.environ["HOME"]) / "pw").write_text(CANARY)
    assert read("file", "~/pw") == Secret(CANARY)


def test_a_world_readable_file_causes_a_warning(tmp_path: Path) -> None:
    """A file that every user can reach and read is used, with a warning that says how to fix it."""
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


def test_world_readable_file_of_a_read_only_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There chmod is impossible: its mode is set where the volume is defined, e.g. in Kubernetes."""
    monkeypatch.setattr(file, "_is_world_reachable", lambda _: True)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=os.ST_RDONLY))
    (tmp_path / "pw").write_text(CANARY)
    (tmp_path / "pw").chmod(0o644)
    terminal = FakeTerminal()
    assert read("file", str(tmp_path / "pw"), terminal=terminal) == Secret(CANARY)
    (said,) = terminal.messages
    assert "defaultMode: 0400" in said and "chmod" not in said


def test_anything_but_a_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    """A FIFO without a writer, a directory, a device, a huge or a missing file is an error at once."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "huge").write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    terminal = FakeTerminal(interactive=True)
    start = time.monotonic()
    for name in ("fifo", "huge", "missing", "", "/dev/zero", "a\0b"):
        with pytest.raises(CredentialsError) as caught:
            read("file", str(tmp_path / name) if name != "/dev/zero" else name, terminal=terminal)
        assert caught.value.fix
    assert time.monotonic() - start < 5


def test_a_command_is_run_without_a_shell(tmp_path: Path) -> None:
    """Characters that are special to a shell are passed on unchanged."""
    print_it = "import sys; print(sys.argv[1])"
    odd = "$HOME `id` ; *"
    assert read("command", sys.executable, "-c", print_it, odd) == Secret(odd)


def test_a_commands_stdout_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout is the secret and is not shown; the command may write to stderr."""
    talk = f"import sys; print('{CANARY}'); print('unlocking', file=sys.stderr)"
    assert read("command", sys.executable, "-c", talk) == Secret(CANARY)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == "unlocking\n"


def test_stdin_is_empty_if_no_user_is_there() -> None:
    """Without a terminal the command's stdin is empty, so it can't wait for input."""
    ask = "import sys; print(repr(sys.stdin.read()))"
    assert read("command", sys.executable, "-c", ask) == Secret("''")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("no-such-command-here",), "does not exist"),
        (("/",), "can't be run"),
        (("a\0b",), "can't be run"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "exited with code 3"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 15)"), "signal 15"),
        ((sys.executable, "-c", "print('canary' * 100000)"), "too much"),
        (("cat", "/dev/zero"), "too much"),
        ((sys.executable, "-c", "print('a\\rb')"), "line break"),
    ],
)
def test_a_command_that_fails_is_named(argv: tuple[str, ...], words: str) -> None:
    """Each failure says what happened and to which secret; the output is never quoted."""
    with pytest.raises(CredentialsError, match=words) as caught:
        read("command", *argv)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize("has_argument", [False, True])
def test_an_unquoted_path_with_spaces_is_named(tmp_path: Path, has_argument: bool) -> None:
    """The fix quotes it, unless there are arguments, which may hold a secret."""
    program = tmp_path / "My Tools" / "get it"
    program.parent.mkdir()
    program.touch(0o700)
    words = (*str(program).split(" "), *(["canary"] if has_argument else []))
    with pytest.raises(CredentialsError) as caught:
        read("command", *words)
    assert caught.value.cause == f"{program} has spaces, so it must be in double quotation marks"
    assert (caught.value.fix is None) is has_argument
    assert has_argument or f'command:"{program}"' in str(caught.value.fix)


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """After the timeout the command and its children are gone, even if only a child holds stdout."""
    noted = tmp_path / "pid"
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(noted)!r}, 'w').write(str(child.pid))\n"
    )
    source = CommandSource(environ=os.environ, terminal=FakeTerminal(), timeout=2.0)
    start = time.monotonic()
    with pytest.raises(CredentialsError, match="did not end within 2 s"):
        source.read(SecretRef("command", "password", "p", (sys.executable, "-c", code)))
    assert time.monotonic() - start <= 3
    end = time.monotonic() + 5
    while alive(int(noted.read_text())):
        assert time.monotonic() < end, "the child outlived the command"


def alive(pid: int) -> bool:
    """Tell whether a process exists and is not a zombie."""
    try:
        return b") Z" not in Path(f"/proc/{pid}/stat").read_bytes()
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("_", range(6))
def test_ctrl_c_kills_the_command(tmp_path: Path, _: int) -> None:
    """An interrupted run leaves no command behind, not even one that has only just started."""
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


def test_the_prompt_needs_a_terminal() -> None:
    """The prompt source asks at a terminal; without one it raises LoginRequiredError."""
    assert read("prompt", terminal=FakeTerminal([CANARY], interactive=True)) == Secret(CANARY)
    with pytest.raises(LoginRequiredError) as caught:
        read("prompt")
    # A command that works without a terminal (requirement 31); no option takes the secret itself.
    assert caught.value.fix == "tokencli profiles edit p --secret password=env:P_PASSWORD"
    typed_again = FakeTerminal(["a\x1b[A", "", CANARY], interactive=True)
    assert read("prompt", terminal=typed_again) == Secret(CANARY)
    assert "control character" in typed_again.messages[1]


@pytest.mark.parametrize(
    ("variables", "cause"),
    [
        ({}, "the script or service that runs tokencli must set and export NOPE"),
        ({"CI": "true"}, "the job must set it, e.g. from a secret variable NOPE of the project"),
        (
            {"CI": "true", "GITHUB_ACTIONS": "true"},
            "the step must set it: env: { NOPE: ${{ secrets.NOPE }} }",
        ),
    ],
)
def test_what_must_set_a_missing_variable(variables: dict[str, str], cause: str) -> None:
    """Without a terminal a variable can't be typed in; a file can be written in another, except in CI."""
    terminal = FakeTerminal(interactive=False)
    source = open_secret_source("env", environ=variables, terminal=terminal)
    assert source.explain_missing(SecretRef("env", "password", "p", ("NOPE",))) == (cause, None)
    file = open_secret_source("file", environ=variables, terminal=terminal)
    cause_of_file, fix = file.explain_missing(SecretRef("file", "password", "p", ("/nope",)))
    if variables:
        assert "must be created before" in (cause_of_file or "") and fix is None
    else:
        assert cause_of_file == "to create it, run this in a terminal"
        assert (fix or "").startswith("sh -c ") and "> /nope" in (fix or "")


def test_only_what_everybody_can_do_is_said(tmp_path: Path) -> None:
    """A file that everybody can read isn't reported as one that everybody can write."""
    file = tmp_path / "secret"
    file.write_text(CANARY)
    for mode, access in ((0o644, "read"), (0o602, "write"), (0o606, "read and write")):
        file.chmod(mode)
        terminal = FakeTerminal()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("tokencli.secret_sources.file._is_world_reachable", lambda _: True)
            read("file", str(file), terminal=terminal)
        assert f"every user of this machine can {access} {file}" in "".join(terminal.messages)


@pytest.mark.parametrize(
    "output", [f"{CANARY}\n", f"{CANARY}\nuser: alice\nurl: x\n", f"{CANARY}\r\nuser: alice\r\n"]
)
def test_first_line_of_a_command_is_the_secret(output: str) -> None:
    """`pass show` prints remarks on further lines."""
    assert read("command", sys.executable, "-c", f"print({output!r}, end='')") == Secret(CANARY)


def test_an_empty_first_line_is_no_secret() -> None:
    """What follows it is a remark, not the secret."""
    assert read("command", sys.executable, "-c", "print('\\ncanary')") is None


BAG = "Bag Attributes\n    friendlyName: k\nKey Attributes: <No Attributes>\n"


@pytest.mark.parametrize(
    "before", ["", "\n\n", "# the key of p\n", BAG, "\r\n; comment\r\n", "\ufeff"]
)
@pytest.mark.parametrize("kind", ["file", "command"])
def test_pem_with_text_above_it_is_a_key(kind: str, before: str, tmp_path: Path) -> None:
    """OpenSSL writes bag attributes above a key, and people write comments."""
    path = tmp_path / "key"
    path.write_bytes(f"{before}{PEM}\n".encode())
    path.chmod(0o600)
    target = (str(path),) if kind == "file" else ("cat", str(path))
    assert read(kind, *target) == Secret(f"{before}{PEM}".removeprefix("\ufeff"))


@pytest.mark.parametrize(
    "arguments", [["pkcs12", "-export", "-passout", "pass:"], ["pkey", "-outform", "DER"]]
)
def test_a_key_in_a_binary_format_is_named(arguments: list[str], tmp_path: Path) -> None:
    """The message names the format, and the fix converts the file."""
    made, key = tmp_path / "key.bin", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-subj", "/CN=x", "-keyout", key, "-out", tmp_path / "cert.pem"], check=True, capture_output=True)  # fmt: skip
    with_cert = (
        ["-inkey", key, "-in", tmp_path / "cert.pem"] if "-export" in arguments else ["-in", key]
    )
    subprocess.run(
        ["openssl", *arguments, *with_cert, "-out", made], check=True, capture_output=True
    )
    made.chmod(0o600)
    with pytest.raises(CredentialsError) as caught:
        read("file", str(made))
    assert ("PKCS#12" if "-export" in arguments else "DER") in caught.value.message
    assert str(made) in (caught.value.fix or "")
