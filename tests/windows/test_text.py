"""Text under Wine: UTF-8 whatever the code page, advice for the shell that was used, and cmd.exe."""

import codecs
import json
from pathlib import Path

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox
from tokencli.shell_words import CmdShell

PYTHON = "import sys; sys.stdout.buffer.write(ascii(sys.argv[1:]).encode())"
WORDS = (
    "two words",
    "",
    "it's",
    'say "x"',
    "a&b|c<d>e",
    "$HOME",
    "(x)",
    "a;b,c=d",
    "C:\\x y\\",
    "^x",
)
"""Without `%`, which a batch file, unlike a prompt, replaces."""
POWERSHELL = {"PSModulePath": "C:\\Users\\Zoë\\Documents\\WindowsPowerShell\\Modules"}
CODE_PAGES = ("utf-8", "cp850")
RUN = """\
import os, subprocess, sys
folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
done = subprocess.run(
    ["C:/Python311/Scripts/tokencli.exe", "sandbox", "--", "tokencli", "get", "groupid"],
    env={**os.environ, "TEMP": folder, "TMP": folder},
    stdin=subprocess.DEVNULL, capture_output=True,
)
print(done.returncode, done.stdout.count(b"\\n"), b"\\r" in done.stdout, done.stderr)
"""
BATCH = """\
@echo off
set "A="
for /f "delims=" %%t in ('tokencli get groupid') do set "A=%%t"
if not defined A exit /b 1
for /f "delims=" %%i in ('"C:\\Python311\\Scripts\\tokencli.exe" export groupid --shell cmd --var B') do call %%i
if "%A%"=="%B%" echo same
tokencli get groupid | findstr /r "^ey" > nul
echo found %errorlevel%
for /f "delims=" %%i in ('tokencli export nosuch --shell cmd 2^> nul') do call %%i
echo failed %errorlevel%
"""


@pytest.mark.promise("sandbox for a user `Zoë Müller` and in a directory `Łódź`", "Wine")
def test_names_outside_the_code_page(windows: Windows) -> None:
    """The sandbox's files, and what tokencli prints, are as anywhere; nobody is warned or told of chmod.

    The code page (1252) has the letters of the first name, in other bytes than UTF-8, and lacks two of
    the second.
    """
    done = windows.run("python", "-c", RUN, "C:\\Zoë Müller\\Łódź")
    assert (done.code, done.out) == (0, "0 1 False b''\n"), done


@pytest.mark.promise("UTF-8 to pipes whatever the code page; no character ends in an error", "Wine")
def test_output_in_any_encoding(windows: Windows) -> None:
    """A pipe gets UTF-8 or what PYTHONIOENCODING says, with escapes for what that lacks."""
    script = (
        "import os, subprocess, sys\n"
        "for name in sys.argv[1:]:\n"
        "    found = subprocess.run(['C:/Python311/Scripts/tokencli.exe', 'help', 'platforms'],\n"
        "        env={**os.environ, **({'PYTHONIOENCODING': name} if name != 'utf-8' else {})},\n"
        "        stdin=subprocess.DEVNULL, capture_output=True, check=True)\n"
        "    text = found.stdout.decode(name)\n"
        "    print(name, '\\u2026' in text, '\\\\u2026' in text, found.stderr)\n"
    )
    done = windows.run("python", "-c", script, *CODE_PAGES)
    assert done.out == "utf-8 True False b''\ncp850 False True b''\n", done


@pytest.mark.promise("byte order marks and CRLF in the configuration and in secrets", "Wine")
def test_byte_order_marks_and_line_ends(windows: Windows, sandbox: Sandbox) -> None:
    """The configuration and files with secrets, as editors of Windows write them."""
    env = windows.configure(sandbox, "file")
    config = windows.work / "config.toml"
    original = codecs.BOM_UTF8 + config.read_bytes().replace(b"\n", b"\r\n")
    for line in original.decode("utf-8-sig").splitlines():
        if line.startswith(("client_secret = { file", "password = { file")):
            name = line.split('"')[1].removeprefix("Z:")
            copy = windows.work / Path(name).name
            content = codecs.BOM_UTF8 + Path(name).read_bytes().replace(b"\n", b"\r\n")
            copy.write_bytes(content)
            copy.chmod(0o600)
            original = original.replace(
                f'"Z:{name}"'.encode(), json.dumps(windows.path(copy)).encode()
            )
    config.write_bytes(original)
    got = windows.tokencli("get", "groupid", env=env)
    assert (got.code, got.err) == (0, ""), got


@pytest.mark.promise("advice in the syntax of cmd.exe or PowerShell", "Wine")
def test_advice_is_for_the_shell(windows: Windows) -> None:
    """A configuration in UTF-16 is converted by what each shell has; paths are quoted as it does."""
    config = windows.work / "Zoë's.toml"
    config.write_bytes("x = 1\r\n".encode("utf-16"))
    path = windows.path(config)
    starts = {
        "cmd": ({}, 'powershell -NoProfile -Command "[IO.File]::'),
        "powershell": (POWERSHELL, "[IO.File]::WriteAllText('"),
    }
    for variables, start in starts.values():
        done = windows.tokencli("get", env={"TOKENCLI_CONFIG": path, **variables})
        assert done.code == 3, done
        assert f"fix: {start}" in done.err
        assert "chmod" not in done.err


@pytest.mark.promise("hook scripts for bash and fish", "Wine")
def test_scripts_for_shells(windows: Windows) -> None:
    """They are printed although Windows has no user IDs and no directory in memory."""
    for command, shell in (("hook", "bash"), ("hook", "fish")):
        done = windows.tokencli(command, shell)
        assert (done.code, done.err) == (0, ""), done
        assert "tokencli_unhook" in done.out
        assert done.out.isascii()


@pytest.mark.promise(
    "cmd.exe: `for /f` over `get` and `export`, pipes, and words quoted for it", "Wine"
)
def test_cmd(windows: Windows) -> None:
    """A batch file has the token in variables, sees a failure, and passes on the words of advice."""
    batch = windows.work / "a b.bat"
    quoted = " ".join(map(CmdShell().quote, WORDS))
    call = f'"C:\\Python311\\python.exe" -c {CmdShell().quote(PYTHON)} {quoted}\n'
    batch.write_text(BATCH + call, encoding="ascii", newline="\r\n")
    done = windows.tokencli("sandbox", "--", "cmd", "/c", batch.name)
    assert done.out.splitlines() == ["same", "found 0", "failed 1", ascii([*WORDS])], done
