"""Commands that messages suggest, written for the shell that they are pasted into."""

import os
from collections.abc import Iterable, Mapping

_PLAIN = "-+=:./\\_"
"""The characters, besides letters and digits, that no shell of Windows treats specially."""
_SMART_SINGLE_QUOTES = "\u2018\u2019\u201a\u201b"
_SMART_DOUBLE_QUOTES = "\u201c\u201d\u201e"
_CMD_SPECIALS = '()%!^"<>&|'


class PosixShell:
    """sh, bash and zsh; fish and Git Bash read what is written here in the same way."""

    has_unix_tools = True
    """Whether `sh`, `stty` and `umask` can be used."""
    usual_editor = "nano"
    curl = "curl"
    """The name that runs curl."""
    legacy_encoding = ("Latin-1", "LATIN1")
    """The encoding, other than UTF-8, that a text of this system is most likely in, and iconv's name."""

    def quote(self, word: str) -> str:
        """Return a word so that the shell passes exactly this to a program."""
        from shlex import quote  # start-up cost

        quoted = quote(word)
        if "\\\\" in quoted or "\\'" in quoted:  # in fish, an escape even inside quotes
            return quoted.replace("\\", "'\\\\'")
        return quoted

    def quote_program(self, path: str) -> str:
        """Return a program's path so that it can begin a command."""
        return self.quote(path)

    def set_variable(self, name: str, value: str) -> str:
        """Return the command that sets an environment variable in this shell."""
        return f"export {name}={self.quote(value)}"

    def export_variable(self, name: str) -> str | None:
        """Return the command that makes a variable of the shell one of the environment."""
        return f"export {name}"

    def unset_variable(self, name: str) -> str:
        """Return the command that removes an environment variable from this shell."""
        return f"unset {name}"

    def replace_in_variable(self, name: str, replacements: Mapping[str, str]) -> str | None:
        """Return the command that replaces characters in an environment variable; None if there is none."""
        script = "; ".join(f"s/[{char}]/{new}/g" for char, new in replacements.items())
        return f'export {name}="$(printf %s "${name}" | sed \'{script}\')"'

    def append_to_variable(self, name: str, separator: str, value: str) -> str:
        """Return the command that appends a value of plain characters to an environment variable."""
        return f'export {name}="${name}{separator}{value}"'

    def chain(self, *commands: str) -> str:
        """Return commands of which each runs only if those before it succeeded."""
        return " && ".join(commands)

    def list_path(self, path: str, options: str = "-l") -> str:
        """Return the command that shows what is at a path; `options` are those of ls."""
        return f"ls {options} {self.quote(path)}"

    def remove_file(self, path: str) -> str:
        """Return the command that deletes a file."""
        return f"rm {self.quote(path)}"

    def remove_link(self, path: str) -> str:
        """Return the command that deletes a link to a directory."""
        return self.remove_file(path)

    def move_file(self, path: str, target: str) -> str:
        """Return the command that renames a file."""
        return f"mv {self.quote(path)} {self.quote(target)}"

    def create_private_directory(self, path: str) -> str:
        """Return the command that creates a directory, and those above it, for this user only."""
        return f"mkdir -p -m 700 {self.quote(path)}"

    def load_variables(self, profile: str) -> str:
        """Return the command that sets the variables which `export` prints."""
        return f'eval "$(tokencli export {profile})"'

    def run_privately(self, command: str) -> str:
        """Return a command that lets another one create files for this user only."""
        return f"(umask 077; {command})"

    def read_file(self, path: str) -> str | None:
        """Return an argument that is a file's content; None if there is no such syntax."""
        return f'"$(cat {self.quote(path)})"'

    def convert_to_utf8(self, path: str, encoding: str) -> str:
        """Return the command that converts a text file to UTF-8, in place."""
        file, draft = self.quote(path), self.quote(f"{path}.utf8")
        return (
            f"iconv -f {encoding} -t UTF-8 {file} > {draft} && cat {draft} > {file} && rm {draft}"
        )

    def ask_variable(self, name: str, label: str, login_shell: str = "") -> str | None:
        """Return the command that asks for a variable's value without echo; None if there is none.

        `login_shell` is the name of the shell, if it is known. The label has plain characters.
        """
        if login_shell == "fish":
            return f"read -gxs -P '{label}: ' {name}"
        if login_shell in ("bash", "zsh"):
            return f"printf '{label}: ' && read -rs {name} && echo && export {name}"
        return (
            f"printf '{label}: ' && stty -echo && read -r {name} && stty echo && echo"
            f" && export {name}"
        )

    def example_path(self, name: str) -> str:
        """Return a path that stands for one that the user has to fill in."""
        return f"/path/to/{name}"


class _WindowsShell(PosixShell):
    """What cmd.exe and PowerShell have in common."""

    has_unix_tools = False
    usual_editor = "notepad"
    curl = "curl.exe"  # in Windows PowerShell, `curl` is another command
    legacy_encoding = ("the code page of Western Europe", "windows-1252")

    def export_variable(self, name: str) -> str | None:  # noqa: ARG002 - for other shells
        """Return None: what the syntax of another shell means isn't known here."""
        return None

    def run_privately(self, command: str) -> str:
        """Return the command as it is: files inherit the access list of their directory."""
        return command

    def list_path(self, path: str, options: str = "-l") -> str:  # noqa: ARG002 - ls's
        """Return the command that shows what is at a path."""
        return f"dir {self.quote(path)}"

    def remove_file(self, path: str) -> str:
        """Return the command that deletes a file."""
        return f"del {self.quote(path)}"

    def remove_link(self, path: str) -> str:
        """Return the command that deletes a link to a directory; `del` would delete the files there."""
        return f"rmdir {self.quote(path)}"

    def move_file(self, path: str, target: str) -> str:
        """Return the command that renames a file."""
        return f"move {self.quote(path)} {self.quote(target)}"

    def create_private_directory(self, path: str) -> str:
        """Return the command that creates a directory, and those above it.

        It inherits its access list. Where tokencli looks for private directories, that list is private.
        """
        return f"mkdir {self.quote(path)}"

    def example_path(self, name: str) -> str:
        """Return a path that stands for one that the user has to fill in."""
        return f"C:\\path\\to\\{name}"


class CmdShell(_WindowsShell):
    """cmd.exe at its prompt; programs split the line by the rules of Microsoft's C library."""

    def quote(self, word: str) -> str:
        """Return a word so that the shell passes exactly this to a program."""
        if _is_plain(word):
            return word
        quoted = f'"{_escape_quotes(word)}"'
        if '"' not in word and "%" not in word:
            return quoted
        # cmd.exe doesn't know \", and replaces %NAME% inside quotes: no quote is one to it.
        return "".join(f"^{char}" if char in _CMD_SPECIALS else char for char in quoted)

    def set_variable(self, name: str, value: str) -> str:
        """Return the command that sets an environment variable in this shell."""
        return f'set "{name}={value}"'

    def unset_variable(self, name: str) -> str:
        """Return the command that removes an environment variable from this shell."""
        return f'set "{name}="'

    def append_to_variable(self, name: str, separator: str, value: str) -> str:
        """Return the command that appends a value of plain characters to an environment variable."""
        if not os.environ.get(name):  # %NAME% would stay as it is
            return self.set_variable(name, value)
        return f'set "{name}=%{name}%{separator}{value}"'

    def load_variables(self, profile: str) -> str:
        """Return the command that sets the variables which `export` prints."""
        return f"for /f \"delims=\" %i in ('tokencli export {profile} --shell cmd') do @call %i"

    def replace_in_variable(self, name: str, replacements: Mapping[str, str]) -> str | None:  # noqa: ARG002 - for other shells
        """Return None: cmd.exe can't replace every character."""
        return None

    def read_file(self, path: str) -> str | None:  # noqa: ARG002 - for other shells
        """Return None: cmd.exe has no such syntax."""
        return None

    def convert_to_utf8(self, path: str, encoding: str) -> str:
        """Return the command that converts a text file to UTF-8, in place."""
        command = PowerShell().convert_to_utf8(path, encoding)
        return f'powershell -NoProfile -Command "{command}"'

    def ask_variable(self, name: str, label: str, login_shell: str = "") -> str | None:  # noqa: ARG002 - for other shells
        """Return None: `set /p` would show what is typed."""
        return None


class PowerShell(_WindowsShell):
    """PowerShell 7 or, if it `is_legacy`, Windows PowerShell 5.1."""

    def __init__(self, *, is_legacy: bool = False) -> None:
        self.is_legacy = is_legacy

    def quote(self, word: str) -> str:
        """Return a word so that the shell passes exactly this to a program."""
        if _is_plain(word) and not (word[0] == "-" and {".", ":"} & set(word)):
            return word
        if self.is_legacy:  # it puts words with spaces in quotes, but doesn't escape those inside
            word = _escape_quotes(word) if " " in word or '"' in word else word or '""'
        if not set(word) & {'"', "$", "`", *_SMART_DOUBLE_QUOTES}:
            return f'"{word}"'
        return self._quote_literally(word)

    def quote_program(self, path: str) -> str:
        """Return a program's path so that it can begin a command."""
        quoted = self.quote(path)
        return quoted if quoted == path else f"& {quoted}"  # else it is a text

    def _quote_literally(self, text: str) -> str:
        for quote in ("'", *_SMART_SINGLE_QUOTES):
            text = text.replace(quote, quote * 2)
        return f"'{text}'"

    def set_variable(self, name: str, value: str) -> str:
        """Return the command that sets an environment variable in this shell."""
        return f"$env:{name} = {self._quote_literally(value)}"

    def unset_variable(self, name: str) -> str:
        """Return the command that removes an environment variable from this shell."""
        return f"Remove-Item Env:{name}"

    def append_to_variable(self, name: str, separator: str, value: str) -> str:
        """Return the command that appends a value of plain characters to an environment variable."""
        return f"$env:{name} += '{separator}{value}'"

    def load_variables(self, profile: str) -> str:
        """Return the command that sets the variables which `export` prints."""
        return f"tokencli export {profile} --shell powershell | Out-String | Invoke-Expression"

    def replace_in_variable(self, name: str, replacements: Mapping[str, str]) -> str | None:
        """Return the command that replaces characters in an environment variable."""
        calls = "".join(
            f".Replace({self._quote_literally(char)}, {self._quote_literally(new)})"
            for char, new in replacements.items()
        )
        return f"$env:{name} = $env:{name}{calls}"

    def read_file(self, path: str) -> str | None:
        """Return an argument that is a file's content."""
        return f"(Get-Content -Raw {self.quote(path)})"

    def convert_to_utf8(self, path: str, encoding: str) -> str:
        """Return the command that converts a text file to UTF-8, in place."""
        file = self._quote_literally(path)
        decoder = f"[Text.Encoding]::GetEncoding('{encoding.lower()}')"
        return f"[IO.File]::WriteAllText({file}, [IO.File]::ReadAllText({file}, {decoder}))"

    def chain(self, *commands: str) -> str:
        """Return commands of which each runs only if those before it succeeded."""
        first, *others = commands
        # Windows PowerShell has no &&, and after `$x = a` it would belong to what is assigned.
        return f"{first}; if ($?) {{ {self.chain(*others)} }}" if others else first

    def ask_variable(self, name: str, label: str, login_shell: str = "") -> str | None:  # noqa: ARG002 - for other shells
        """Return the command that asks for a variable's value without echo."""
        if not self.is_legacy:
            return f"$env:{name} = Read-Host -MaskInput '{label}'"
        read = f"Read-Host -AsSecureString '{label}'"
        return f"$env:{name} = [Net.NetworkCredential]::new('', ({read})).Password"


def _is_plain(word: str) -> bool:
    return bool(word) and all(
        char.isascii() and (char.isalnum() or char in _PLAIN) for char in word
    )


def _escape_quotes(word: str) -> str:
    """Escape quotation marks, and backslashes before one or at the end, as in a C program's argument."""
    escaped, backslashes = "", 0
    for char in word:
        if char == '"':
            escaped += "\\" * (backslashes + 1)
        backslashes = backslashes + 1 if char == "\\" else 0
        escaped += char
    return escaped + "\\" * backslashes


def find_shell(environ: Mapping[str, str], *, is_windows: bool) -> PosixShell:
    """Return the shell that tokencli was probably started from.

    Git Bash and other shells of MSYS2 set MSYSTEM. PowerShell puts the user's own folder into
    PSModulePath. A cmd.exe that was started from PowerShell inherits it and is not recognized.
    """
    if not is_windows or environ.get("MSYSTEM"):
        return PosixShell()
    system = [
        environ.get(name, default).lower()
        for name, default in (("ProgramFiles", r"C:\Program Files"), ("SystemRoot", r"C:\Windows"))
    ]
    folders = [
        folder.rstrip("\\").rpartition("\\")[0].rpartition("\\")[2]
        for folder in environ.get("PSModulePath", "").lower().split(";")
        if folder and not folder.startswith(tuple(filter(None, system)))
    ]
    if "powershell" in folders:
        return PowerShell()
    return PowerShell(is_legacy=True) if "windowspowershell" in folders else CmdShell()


def user_shell() -> PosixShell:
    """Return the shell of the user who runs this process."""
    return find_shell(os.environ, is_windows=os.name == "nt")


def quote(word: str) -> str:
    """Return a word so that the user's shell passes exactly this to a program."""
    return user_shell().quote(word)


def join(words: Iterable[str]) -> str:
    """Return a command line of the user's shell that passes exactly these words."""
    return " ".join(map(user_shell().quote, words))


def join_arguments(words: Iterable[str], *, is_windows: bool = os.name == "nt") -> str:
    """Return a command as one text, which the platform's `split_command` divides again."""
    if is_windows:
        from subprocess import list2cmdline  # start-up cost

        return list2cmdline(words)
    import shlex  # likewise

    return shlex.join(words)
