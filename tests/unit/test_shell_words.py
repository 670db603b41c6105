"""Commands in messages: each shell passes on exactly the words that were quoted for it."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import list2cmdline

import pytest

from tests import powershell
from tokencli.platforms import select_platform
from tokencli.shell_words import CmdShell, PosixShell, PowerShell, find_shell, join_arguments

WORDS = (
    "plain", "two words", "", "it's", 'say "x"', "$HOME", "`id`", "$(id)", "a&b|c<d>e", "100%", "%PATH%",
    "a;b", "a,b", "@x", "@-", "{x}", "(x)", "*", "~", "#x", "!x", "^x", "--set", "-a.b", "-p:x", "key=va lue",
    "C:\\certs\\ca.pem", "C:\\My Files\\", "C:\\x\\", 'tail\\"', "\u201csmart\u201d", "\u2018x\u2019", "Zoë Łódź",
    'params.claims={"id_token":{"acr":{"values":["a b"]}}}', "https://x.example/?a=1&b=%20",
)  # fmt: skip
PRINT_WORDS = "import sys; sys.stdout.buffer.write(ascii(sys.argv[1:]).encode())"


@pytest.mark.promise("words of advice reach a program as they are", "Linux")
@pytest.mark.parametrize("program", ["sh", "bash", "zsh", "fish", "dash"])
def test_words_reach_a_program_from_a_posix_shell(program: str) -> None:
    """One command line with every word, in each shell that reads POSIX quoting."""
    shell = PosixShell()
    line = " ".join(map(shell.quote, (sys.executable, "-c", PRINT_WORDS, *WORDS)))
    done = subprocess.run([program, "-c", line], capture_output=True, check=True)
    assert done.stdout.decode() == ascii([*WORDS])


@pytest.mark.promise("words of advice reach a program as they are", "PowerShell 7 on Linux")
def test_words_reach_a_program_from_powershell() -> None:
    """One command line with every word, its program first, in a real PowerShell 7."""
    shell = PowerShell()
    words = ["-c", PRINT_WORDS, *WORDS]
    line = " ".join((shell.quote_program(sys.executable), *map(shell.quote, words)))
    done = subprocess.run(
        [powershell.require(), "-NoProfile", "-Command", line], capture_output=True, check=True
    )
    assert done.stdout.decode().strip() == ascii([*WORDS])


def test_windows_powershell_gets_what_it_passes_on_unescaped() -> None:
    """5.1 adds quotation marks around spaces, and escapes nothing: the line it builds is the right one.

    By its documentation, as it can't be run here.
    """
    shell = PowerShell(is_legacy=True)
    for word in WORDS:
        quoted = shell.quote(word)
        value = quoted
        if quoted.startswith("'"):
            value = quoted[1:-1]
            for mark in "'\u2018\u2019\u201a\u201b":
                value = value.replace(mark * 2, mark)
        elif quoted.startswith('"'):
            value = quoted[1:-1]
        built = f'"{value}"' if " " in value else value
        assert select_platform("win32").split_command(f"x.exe {built}")[1:] == [word]


@pytest.mark.parametrize("name", ["linux", "win32"])
def test_a_command_in_a_value_is_divided_again(name: str) -> None:
    """The value of `--set secrets.password.command=…` is divided by the platform, not by the shell."""
    text = join_arguments(WORDS, is_windows=name == "win32")
    assert select_platform(name).split_command(text) == [*WORDS]


def test_cmd_passes_on_what_is_quoted() -> None:
    """Outside quotes, `^` takes the meaning from what follows; the program then sees C's own quoting."""
    shell = CmdShell()
    for word in WORDS:
        quoted = shell.quote(word)
        if "^" in quoted.replace('"', "") and "^" not in word:
            seen = quoted.replace("^", "")
            assert seen == list2cmdline([f"{word} "])[:-2] + '"'
        assert select_platform("win32").split_command(quoted.replace("^", "")) == [
            word.replace("^", "")
        ]


def test_a_chain_stops_at_a_failure_in_powershell() -> None:
    """Also where a command assigns a variable, which `&&` would make the rest a part of."""
    shell = PowerShell()
    chain = shell.chain(shell.set_variable("X", "it's"), "Write-Output $env:X", "false", "echo no")
    done = subprocess.run(
        [powershell.require(), "-NoProfile", "-Command", chain], capture_output=True, text=True
    )
    assert done.stdout.strip() == "it's"
    assert shell.chain("a") == "a"


def test_variables_in_powershell() -> None:
    """Set, appended to, changed in place and removed, whatever the value is."""
    shell = PowerShell()
    script = ";".join(
        (
            shell.set_variable("X", "a#b'c$d"),
            shell.append_to_variable("X", ",", "e.example"),
            str(shell.replace_in_variable("X", {"#": "%23", "'": "%27"})),
            "Write-Output $env:X",
            shell.unset_variable("X"),
            "Test-Path Env:X",
        )
    )
    done = subprocess.run(
        [powershell.require(), "-NoProfile", "-Command", script], capture_output=True, text=True
    )
    assert done.stdout.split() == ["a%23b%27c$d,e.example", "False"]


@pytest.mark.parametrize("encoding", ["windows-1252", "UTF-16"])
def test_a_file_is_converted_to_utf8_in_powershell(encoding: str, tmp_path: Path) -> None:
    """From the encodings that Windows editors write, and the command line is the one that is suggested."""
    file = tmp_path / "Zoë's.toml"
    file.write_bytes('name = "Müller"\r\n'.encode(encoding))
    command = PowerShell().convert_to_utf8(str(file), encoding)
    subprocess.run([powershell.require(), "-NoProfile", "-Command", command], check=True)
    assert file.read_bytes().decode() == 'name = "Müller"\r\n'


SYSTEM_MODULES = (
    r"C:\Program Files\WindowsPowerShell\Modules;"
    r"C:\WINDOWS\system32\WindowsPowerShell\v1.0\Modules;"
    r"C:\Program Files (x86)\Microsoft SQL Server\150\Tools\PowerShell\Modules"
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, CmdShell),
        ({"PSModulePath": SYSTEM_MODULES}, CmdShell),
        ({"PSModulePath": f"C:\\Users\\Zoë\\Documents\\PowerShell\\Modules;{SYSTEM_MODULES}"}, PowerShell),
        ({"PSModulePath": f"\\\\nas\\zoe\\WindowsPowerShell\\Modules;{SYSTEM_MODULES}"}, PowerShell),
        ({"MSYSTEM": "MINGW64", "PSModulePath": SYSTEM_MODULES}, PosixShell),
    ],
)  # fmt: skip
def test_the_shell_is_known_by_its_environment(
    environ: Mapping[str, str], expected: type[PosixShell]
) -> None:
    """Services and programs that add modules for all users don't count as PowerShell."""
    system = {"ProgramFiles": "C:\\Program Files", "SystemRoot": "C:\\Windows"}
    found = find_shell({**system, **environ}, is_windows=True)
    assert type(found) is expected
    if isinstance(found, PowerShell):
        assert found.is_legacy == ("nas" in environ["PSModulePath"])
    assert type(find_shell({**system, **environ}, is_windows=False)) is PosixShell


@pytest.mark.parametrize("shell", [CmdShell(), PowerShell(), PowerShell(is_legacy=True)])
def test_windows_shells_get_no_unix_programs(shell: PosixShell) -> None:
    """Nothing that such a shell suggests names chmod, export, or another program that is not there."""
    lines = [
        shell.list_path("C:\\a b"), shell.remove_file("C:\\a b"), shell.move_file("C:\\a b", "C:\\c"),
        shell.create_private_directory("C:\\a b"), shell.set_variable("X", "1"), shell.unset_variable("X"),
        shell.append_to_variable("X", ",", "y"), shell.chain("a", "b"), shell.run_privately("openssl x"),
        shell.convert_to_utf8("C:\\a b", "UTF-16"), shell.example_path("ca.pem"), shell.load_variables("p"),
        str(shell.export_variable("X")), str(shell.read_file("x")), str(shell.ask_variable("X", "secret")),
        str(shell.replace_in_variable("X", {"#": "%23"})), shell.remove_link("C:\\a b"),
    ]  # fmt: skip
    for line in lines:
        words = line.replace("tokencli export", "").replace("(", " ").split()
        assert not {"chmod", "export", "unset", "ls", "rm", "mv", "umask", "stty", "sed", "cat"} & {
            *words
        }
    assert shell.remove_link("C:\\a b") == 'rmdir "C:\\a b"'  # not `del`, which follows it
    assert f"{shell.curl} -H {shell.quote('@-')}" in ('curl.exe -H "@-"',)
