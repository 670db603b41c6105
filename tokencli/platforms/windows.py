"""Windows, written by its documentation and run under Wine."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tokencli.platforms.platform import (
    Platform,
    ProcessGroup,
    ProxySettings,
    SignalTable,
    is_remote,
)
from tokencli.platforms.windows_files import FileCalls, WindowsFiles

if TYPE_CHECKING:
    from subprocess import Popen

_CREATE_NO_WINDOW = 0x08000000
"""See "Process Creation Flags" of CreateProcess."""
_EXCLUSIVE = ~4
"""SO_EXCLUSIVEADDRUSE of Winsock: the complement of SO_REUSEADDR, which lets anyone take the port."""
_ECHO_INPUT = 0x0004
"""ENABLE_ECHO_INPUT of SetConsoleMode."""
CLOSING_EVENTS = (2, 5, 6)
"""CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT and CTRL_SHUTDOWN_EVENT of SetConsoleCtrlHandler."""
CLOSING_S = 30.0
"""Seconds that the handler of these events waits; the system ends the process after 5, or 20."""
_DEFAULT_EXTENSIONS = ".COM;.EXE;.BAT;.CMD"
_BATCH_EXTENSIONS = (".bat", ".cmd")
_SAFE_IN_BATCH = frozenset("#$*+-./:?@\\_")
"""The punctuation that needs no quotation marks in an argument of a batch file."""


_OWN_SERVICE = "tokencli:"


def is_own_keyring_service(service: str) -> bool:
    """Tell whether the items of a service are tokencli's own, rather than named in a profile."""
    return service.startswith(_OWN_SERVICE)


def name_credential(service: str) -> str:
    """Return the name of a service's item in the Credential Manager.

    Windows compares names without regard to case, and profiles `corp` and `Corp` are two. So each
    letter that isn't a small one follows a `+`, which no name of a profile contains.
    """
    if not is_own_keyring_service(service):
        return service
    return "".join(f"+{char}" if char != char.lower() else char for char in service)


class WindowsCalls(FileCalls, Protocol):
    """The functions of Windows that tokencli calls; tests have a fake of them."""

    def get_console_mode(self, descriptor: int) -> int | None:
        """Return the mode of a console (GetConsoleMode); None if it isn't one, or closed."""
        ...

    def enable_escapes(self, descriptor: int) -> bool:
        """Turn ENABLE_VIRTUAL_TERMINAL_PROCESSING on, and tell whether the console has it."""
        ...

    def read_typed(self, seconds: float) -> str:
        """Return what is typed at the console within so many seconds, as soon as something is.

        It is UTF-16, without an echo. Keys that type nothing are left out. It raises OSError if the
        console is gone.
        """
        ...

    def handle_console_events(self, handler: Callable[[int], bool]) -> None:
        """Let a thread of the system call `handler` with each event (SetConsoleCtrlHandler)."""
        ...

    def open_job(self, process_id: int, *, ends_with_us: bool) -> int:
        """Put a process into a new job object and return its handle; raises OSError.

        What the process starts from now on is in the job as well, unless the job `ends_with_us`.
        """
        ...

    def lock_byte(self, descriptor: int, position: int) -> None:
        """Lock a byte of an open file (LockFile by `_locking`); raises PermissionError if it is locked."""
        ...

    def end_job(self, job: int) -> None:
        """End the processes in a job (TerminateJobObject)."""
        ...

    def read_internet_settings(self) -> Mapping[str, object]:
        """Return the values of the registry's key `Internet Settings`; empty if it can't be read.

        It is the machine's key if the policy `ProxySettingsPerUser` says so, else the user's.
        """
        ...


def load_windows_api() -> WindowsCalls:
    """Return the functions of the system itself."""
    if sys.platform == "win32":
        from tokencli.platforms.windows_api import WindowsApi

        return WindowsApi()
    raise OSError("the functions of Windows exist only there")


class Windows(WindowsFiles, Platform):
    """Windows; its functions are loaded when one is first called."""

    name = "Windows"
    pipe_encoding = "utf-8"
    keyring_name = "Credential Manager"
    has_credential_manager = True
    keyring_item_limit = 1280
    """2560 bytes, CRED_MAX_CREDENTIAL_BLOB_SIZE in wincred.h."""

    def __init__(self, calls: WindowsCalls | None = None) -> None:
        self._calls = calls

    @property
    def calls(self) -> WindowsCalls:
        """The functions of Windows."""
        if self._calls is None:
            self._calls = load_windows_api()
        return self._calls

    signals = SignalTable(
        termination=("SIGTERM", "SIGBREAK"),
        deferred=("SIGINT", "SIGTERM", "SIGBREAK"),
        shared=("SIGINT", "SIGBREAK"),
        forwarded=(),
    )
    max_wait_s = 0.2
    has_windows_shells = True
    shell = None
    replaces_processes = False
    end_of_input = "Enter, Ctrl-Z and Enter"
    needs_term = False
    has_terminal_modes = False

    def is_terminal(self, descriptor: int) -> bool:
        """Ask for a console: `isatty` is true for NUL as well."""
        return os.isatty(descriptor) and self.calls.get_console_mode(descriptor) is not None

    def enable_escapes(self, descriptor: int) -> bool:
        return self.calls.enable_escapes(descriptor)

    def has_line_editor(self) -> bool:
        """Ask whether stdout is the console, to which prompt_toolkit writes by its handle."""
        try:
            return self.is_terminal(1)
        except OSError:
            return False

    def is_foreground(self, descriptor: int) -> bool:
        return True

    def read_typed(self, seconds: float) -> str:
        return self.calls.read_typed(seconds)

    def read_terminal_modes(self, descriptor: int) -> Any:
        """Read those of stdin, which has the echo."""
        return self.calls.get_console_mode(0)

    def is_echo_off(self, descriptor: int) -> bool:
        mode = self.calls.get_console_mode(0)
        return mode is not None and not mode & _ECHO_INPUT

    def claim_terminal(self, descriptor: int) -> bool:
        return True

    def release_terminal(self, descriptor: int) -> None:
        """Do nothing."""

    def is_signaled_by_terminal(self) -> bool:
        """Say yes: Ctrl-C and Ctrl-Break go to every process of the console."""
        return True

    def is_same_output(self, first: int, second: int) -> bool:
        """Treat all consoles as one. Pipes have no number that identifies them."""
        if self.is_terminal(first) and self.is_terminal(second):
            return True
        return os.fstat(first).st_ino != 0 and os.path.sameopenfile(first, second)

    def is_reader_gone(self, error: OSError) -> bool:
        """Ask for EINVAL as well, to which the C library turns ERROR_NO_DATA."""
        return error.errno in (errno.EPIPE, errno.EINVAL)

    def watch_console(self) -> None:
        """Raise SIGBREAK when the console is closed, and at a logoff or shutdown.

        The system ends the process when the handler returns, so it doesn't.
        """
        import signal

        def handle(event: int) -> bool:
            if event not in CLOSING_EVENTS:
                return False
            signal.raise_signal(signal.Signals["SIGBREAK"])
            time.sleep(CLOSING_S)
            return True

        self.calls.handle_console_events(handle)

    def list_candidates(self, name: str, path: str | None) -> list[str]:
        """Complete the name by PATHEXT. Unlike CreateProcess, don't look in the working directory."""
        import ntpath

        if not name:
            return [name]
        extensions = [
            each.lower()
            for each in os.environ.get("PATHEXT", _DEFAULT_EXTENSIONS).split(";")
            if each.startswith(".")
        ]
        is_complete = ntpath.splitext(name)[1].lower() in extensions
        names = [*([name] if is_complete else []), *(name + each for each in extensions)]
        if ntpath.dirname(name) or ntpath.splitdrive(name)[0]:
            return names
        folders = [each.strip('"') for each in (path or "").split(";")]
        return [ntpath.join(folder, each) for folder in folders if folder for each in names]

    def launch_options(self, words: Sequence[str], program: str) -> dict[str, Any]:
        """Run a batch file by cmd.exe, whose rules for arguments differ from those of all programs.

        Windows would start cmd.exe itself, with arguments that can end the command and begin another
        one: CVE-2024-24576, CVE-2024-1874.
        """
        if not program.lower().endswith(_BATCH_EXTENSIONS):
            return {"args": list(words), "executable": program}
        import ntpath

        system = os.environ.get("SystemRoot", r"C:\Windows")  # noqa: SIM112 - its name
        shell = ntpath.join(system, "System32", "cmd.exe")
        arguments = "".join(f" {quote_for_batch(word)}" for word in words[1:])
        command = f'cmd.exe /e:ON /v:OFF /d /s /c ""{program}"{arguments}"'
        return {"args": command, "executable": shell}

    def group_options(self) -> dict[str, Any]:
        return {}

    def open_group(self, process: "Popen[bytes]", *, is_own: bool = True) -> ProcessGroup:
        """Put the child into a job; what it has started before that is not ended with it."""
        try:
            job = self.calls.open_job(process.pid, ends_with_us=False)
        except OSError:  # it has ended, or is in a job that allows no other
            job = None
        return _Job(process, job, self)

    def tie_to_us(self, process: "Popen[bytes]") -> None:
        """Let the system end it: a process that is ended from outside gets no signal."""
        try:
            self.calls.open_job(process.pid, ends_with_us=True)
        except OSError:
            return

    def send_signal(self, process: "Popen[bytes]", number: int) -> None:
        """End it: only a console sends signals."""
        process.terminate()

    def end_by_signal(self, number: int) -> None:
        """Do nothing: the exit status tells everything."""

    def describe_exit(self, status: int) -> str:
        """Show an NTSTATUS, which is how the system ends processes, as it is documented."""
        shown = f"0x{status:08X}" if status >= 0x80000000 else str(status)
        return f"exited with code {shown}"

    has_descriptor_paths = False

    def list_state_dirs(self) -> list[str]:
        import platformdirs

        return [platformdirs.user_data_dir("tokencli", appauthor=False)]

    def is_process_running(self, process_id: int) -> bool:
        """Say yes: signal 0, which asks elsewhere, would end it."""
        return True

    def find_user(self, environ: Mapping[str, str]) -> tuple[list[str], str]:
        return [environ.get("USERPROFILE", "")], environ.get("USERNAME", "")

    def describe_session(self, environ: Mapping[str, str]) -> Iterator[str]:
        yield from ()

    def clock_command(self) -> str:
        return "w32tm /resync"

    def read_proxy_settings(self) -> ProxySettings:
        """Read the registry, as WinINet does; of a proxy per protocol, the one for https counts."""
        values = self.calls.read_internet_settings()
        if not values.get("ProxyEnable"):
            return ProxySettings("")
        servers = dict[str, str]()
        for entry in str(values.get("ProxyServer") or "").replace(";", " ").split():
            protocol, separator, server = entry.partition("=")
            if separator:
                servers[protocol.lower()] = server
            else:
                servers.setdefault("https", entry)
        url = servers.get("https", "")
        if not url and (socks := servers.get("socks")):
            url = socks if "://" in socks else f"socks4://{socks}"
        exceptions = str(values.get("ProxyOverride") or "").replace(";", " ").split()
        return ProxySettings(
            url,
            tuple(entry for entry in exceptions if not entry.startswith("<")),
            excludes_plain_names="<local>" in map(str.lower, exceptions),
        )

    def find_proxy_script(self) -> str | None:
        return str(self.calls.read_internet_settings().get("AutoConfigURL") or "") or None

    def find_keyring_config(self, environ: Mapping[str, str]) -> str:
        root = environ.get("LOCALAPPDATA") or environ.get("ProgramData")
        return f"{root}\\Python Keyring\\keyringrc.cfg" if root else ""

    def keyring_delete_command(self, service: str, username: str) -> list[str]:
        name = name_credential(service)
        if not service.endswith(":token"):
            return ["cmdkey", f"/delete:{name}"]
        script = (  # each token has its own item
            f"cmdkey /list | Select-String -SimpleMatch -CaseSensitive 'target={name}:' |"
            " ForEach-Object { cmdkey /delete:$(($_ -split 'target=', 2)[1]) }"
        )
        return ["powershell", "-NoProfile", "-Command", script]

    def has_screen(self, environ: Mapping[str, str]) -> bool:
        """Say no over SSH: pages open on the screen of this machine, even if SSH forwards a display."""
        return not is_remote(environ)

    def can_keyring_prompt(self, environ: Mapping[str, str], *, is_interactive: bool) -> bool:
        """Never: the Credential Manager is open for as long as the user is signed in."""
        return False

    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        return ("windows",)

    def prepare_listener(self, listener: Any) -> None:
        import socket

        listener.setsockopt(socket.SOL_SOCKET, _EXCLUSIVE, 1)

    def split_command(self, text: str) -> list[str]:
        r"""Split as the C runtime does, where `\` is special only before `"`, and `""` in quotes is `"`."""
        arguments: list[str] = []
        word: list[str] | None = None
        is_quoted = False
        position = 0
        while position < len(text):
            character = text[position]
            if character == "\\":
                end = position
                while text[end : end + 1] == "\\":
                    end += 1
                count = end - position
                is_before_quote = text[end : end + 1] == '"'
                word = [*(word or ()), "\\" * (count // 2 if is_before_quote else count)]
                if is_before_quote and count % 2:
                    word.append('"')
                    end += 1
                position = end
                continue
            if character == '"':
                if is_quoted and text[position + 1 : position + 2] == '"':
                    word = [*(word or ()), '"']
                    position += 1
                else:
                    is_quoted = not is_quoted
                    word = word or []
            elif character in " \t" and not is_quoted:
                if word is not None:
                    arguments.append("".join(word))
                word = None
            else:
                word = [*(word or ()), character]
            position += 1
        if is_quoted:
            raise ValueError("No closing quotation")
        return arguments if word is None else [*arguments, "".join(word)]

    def detach_options(self) -> dict[str, Any]:
        return {"creationflags": _CREATE_NO_WINDOW}

    def lock_file(self, descriptor: int) -> None:
        """Lock one byte far behind the content, because a locked byte can't be read."""
        self.calls.lock_byte(descriptor, 1 << 30)

    def wait_for_reader(self, descriptor: int, seconds: float) -> bool:
        """Wait: only a write tells that the reader has gone."""
        time.sleep(seconds)
        return True

    def sync_file(self, descriptor: int) -> None:
        """Call FlushFileBuffers, as `os.fsync` does."""
        os.fsync(descriptor)

    def sync_dir(self, path: str) -> None:
        """Do nothing: NTFS writes names by its journal, and a directory can't be opened to flush it."""


class _Job(NamedTuple):
    """A child and its job object, if it could be given one."""

    process: "Popen[bytes]"
    job: int | None
    platform: Windows

    def terminate(self) -> None:
        self.kill()

    def kill(self) -> None:
        if self.job is not None:
            self.platform.calls.end_job(self.job)
        self.process.kill()


def quote_for_batch(argument: str) -> str:
    r"""Return an argument that cmd.exe passes to a batch file as one, as Rust's library does it.

    Inside quotation marks cmd.exe takes everything literally but `"`, which is doubled, and `%`. In
    front of that stands a variable that is always empty, so that it can't begin the name of another.
    `\` is doubled only before a quotation mark.

    Raises:
        OSError: it contains a line break or a null character, which nothing can quote.
    """
    if any(char in argument for char in "\r\n\0"):
        problem = "a batch file can't be given an argument with a line break or a null character"
        raise OSError(errno.EINVAL, problem)
    is_plain = all(
        (char.isascii() and char.isalnum()) or char in _SAFE_IN_BATCH or char > "\x9f"
        for char in argument
    )
    if is_plain and argument and not argument.endswith("\\"):
        return argument
    quoted, backslashes = "", 0
    for char in argument:
        if char == '"':
            quoted += "\\" * backslashes + '"'
        elif char == "%":
            quoted += "%%cd:~,"
        backslashes = backslashes + 1 if char == "\\" else 0
        quoted += char
    return f'"{quoted}{chr(92) * backslashes}"'
