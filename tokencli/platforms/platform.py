"""The decisions that depend on the operating system."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from tokencli.platforms.file_access import FilePlatform

if TYPE_CHECKING:
    from socket import socket
    from subprocess import Popen

_REMOTE_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")


class SignalTable(NamedTuple):
    """The names of the signals that matter to tokencli, each as it is called in the module `signal`."""

    termination: tuple[str, ...]
    """They end the process from outside, in the usual way; SIGINT, from the keyboard, is not here."""
    deferred: tuple[str, ...]
    """Those that end or stop the process, and wait until a reply is stored."""
    shared: tuple[str, ...]
    """Those that a terminal sends to a child as well as to this process."""
    forwarded: tuple[str, ...]
    """Those that are passed on to a child, which wouldn't get them otherwise."""


class ProcessGroup(Protocol):
    """A child with everything that it has started."""

    def terminate(self) -> None:
        """Ask it to end; where nothing can be asked, end it."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class ProxySettings(NamedTuple):
    """The system's own proxy settings, as far as they are about https."""

    url: str
    """The proxy's URL, or host and port; empty if none is set."""
    exceptions: tuple[str, ...] = ()
    """Hosts that are reached without it, with `*` for any characters, and networks."""
    excludes_plain_names: bool = False
    """Whether hosts whose name has no dot are reached without it."""


class Platform(FilePlatform, ABC):
    """One operating system. Platforms differ only in what is declared here.

    A class gets the system calls that the others don't have as an argument, so that tests run it
    anywhere with a fake of them.
    """

    name: ClassVar[str]
    """The name in messages, e.g. `macOS`."""
    browser_opener: ClassVar[Sequence[str]] = ()
    """The command that opens the URL that follows it; empty if Python's `webbrowser` finds one."""

    pipe_encoding: ClassVar[str | None] = None
    """The encoding of stdout and stderr in pipes and files; None if it is the locale's."""

    uses_xdg_directories: ClassVar[bool] = False
    """Whether files are where the XDG Base Directory Specification says."""
    has_memory_directories: ClassVar[bool] = False
    """Whether a directory can be recognized as the user's own and in memory only."""
    has_descriptor_paths: ClassVar[bool]
    """Whether a program can open a descriptor that it got from its parent as /dev/fd/N."""

    @abstractmethod
    def list_state_dirs(self) -> list[str]:
        """Return where the user's state may be, best first; the last is used whatever it is.

        They come from the user database, not from the environment: all of the user's processes
        must find the same.
        """

    @abstractmethod
    def is_process_running(self, process_id: int) -> bool:
        """Tell whether there is such a process; yes if that can't be told."""

    @abstractmethod
    def find_user(self, environ: Mapping[str, str]) -> tuple[list[str], str]:
        """Return the paths of the user's home directory, and the user's name; empty if unknown."""

    @abstractmethod
    def describe_session(self, environ: Mapping[str, str]) -> Iterator[str]:
        """Yield what is unusual about this session, each as a sentence without a full stop."""

    def is_clock_synchronized(self) -> bool | None:
        """Tell whether the system says that its clock is right; None if it doesn't say."""
        return None

    @abstractmethod
    def clock_command(self) -> str | None:
        """Return the command that sets the clock right, or None if the user can't do that here."""

    def read_proxy_settings(self) -> ProxySettings:
        """Return the proxy settings that the system's own programs use; read anew each time."""
        return ProxySettings("")

    def find_proxy_script(self) -> str | None:
        """Return the URL of the script that chooses proxies (PAC), if one is set. It isn't run."""
        return None

    keyring_name: ClassVar[str]
    """The system's keyring in messages."""
    has_secret_service: ClassVar[bool] = False
    """Whether the keyring is a service on the session bus (freedesktop.org Secret Service API)."""
    has_credential_manager: ClassVar[bool] = False
    """Whether the keyring is the Credential Manager of Windows."""

    @abstractmethod
    def find_keyring_config(self, environ: Mapping[str, str]) -> str:
        """Return the path of the keyring library's own configuration; empty without a home directory.

        It is `keyring.util.platform_.config_root`, without importing the library.
        """

    keyring_item_limit: ClassVar[int | None] = None
    """UTF-16 units of one item of the system's keyring; None if nothing that is stored is too long."""
    keyring_deletes_before_adding: ClassVar[bool] = False
    """Whether the keyring library replaces an item in two steps, between which there is none."""
    keyring_lists_items: ClassVar[bool] = True
    """Whether the keyring library finds the items of a service without their user names."""

    keyring_survives_fork: ClassVar[bool] = True
    """Whether a child that was forked after the keyring's libraries were loaded can use them."""

    @abstractmethod
    def keyring_delete_command(self, service: str, username: str) -> list[str]:
        """Return the words of the command that deletes a keyring item; the user name may be empty."""

    @abstractmethod
    def has_screen(self, environ: Mapping[str, str]) -> bool:
        """Tell whether a window can be expected to open on the user's screen."""

    @abstractmethod
    def can_keyring_prompt(self, environ: Mapping[str, str], *, is_interactive: bool) -> bool:
        """Tell whether a call of the OS keyring may wait for the user, who sees its dialog.

        `is_interactive` tells whether the program may ask the user for anything.
        """

    @abstractmethod
    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        """Return the clipboards that the user may paste from, best first; see `terminal/clipboard.py`."""

    @abstractmethod
    def prepare_listener(self, listener: "socket") -> None:
        """Set the option, before `bind`, by which a port is free again at once and can't be shared."""

    @abstractmethod
    def split_command(self, text: str) -> list[str]:
        """Split a command line into its arguments as this system's shell or programs do.

        Raises:
            ValueError: a quotation mark is unmatched.
        """

    @abstractmethod
    def detach_options(self) -> dict[str, Any]:
        """Return the arguments of `Popen` for a process that outlives this one and its terminal."""

    signals: ClassVar[SignalTable]
    max_wait_s: ClassVar[float]
    """Seconds that one wait for a lock or an event may take: a signal is handled only between two."""
    has_windows_shells: ClassVar[bool] = False
    """Whether the user's shell may be PowerShell or cmd.exe, which no variable names."""
    shell: ClassVar[str | None]
    """The shell that runs an executable text without `#!`, as execvp does; None if there is none."""
    replaces_processes: ClassVar[bool]
    """Whether a process can be replaced by another program (execve), for which its parent then waits."""
    end_of_input: ClassVar[str]
    """The keys that end what is typed at a terminal."""
    needs_term: ClassVar[bool]
    """Whether a terminal without the variable TERM is taken for one that can't move its cursor."""
    has_terminal_modes: ClassVar[bool]
    """Whether a terminal has the modes of termios(3), and its input can be waited for by `select`."""

    @abstractmethod
    def is_terminal(self, descriptor: int) -> bool:
        """Tell whether a user is at the other end; raises OSError if the descriptor is closed."""

    def is_terminal_stream(self, stream: Any) -> bool:
        """Tell whether a stream, which may be None or closed, is a terminal."""
        try:
            return self.is_terminal(stream.fileno())
        except (AttributeError, OSError, ValueError):
            return False

    @abstractmethod
    def enable_escapes(self, descriptor: int) -> bool:
        """Let a terminal interpret escape sequences, if that has to be turned on; tell whether it does."""

    @abstractmethod
    def has_line_editor(self) -> bool:
        """Tell whether prompt_toolkit can write at the terminal, wherever stdout goes."""

    @abstractmethod
    def is_foreground(self, descriptor: int) -> bool:
        """Tell whether this process may use a terminal now: not while it is another job's."""

    def read_typed(self, seconds: float) -> str:
        """Return what is typed within so many seconds, as `WindowsCalls` describes it."""
        raise NotImplementedError("a terminal is read by its descriptor")

    @abstractmethod
    def read_terminal_modes(self, descriptor: int) -> Any:
        """Return what changes when a program turns the terminal's echo off; None if it is unknown."""

    @abstractmethod
    def is_echo_off(self, descriptor: int) -> bool:
        """Tell whether the terminal is known not to echo what is typed, e.g. Ctrl-C as ^C."""

    @abstractmethod
    def claim_terminal(self, descriptor: int) -> bool:
        """Lock a terminal against the wait lines of other processes; False if one of them has it.

        Where there are no such locks, several lines are drawn.
        """

    @abstractmethod
    def release_terminal(self, descriptor: int) -> None:
        """Release that lock; no error if it isn't held."""

    @abstractmethod
    def is_signaled_by_terminal(self) -> bool:
        """Tell whether the terminal sends its signals to this process, and so to its children."""

    @abstractmethod
    def is_same_output(self, first: int, second: int) -> bool:
        """Tell whether two descriptors write to the same file or terminal."""

    @abstractmethod
    def is_reader_gone(self, error: OSError) -> bool:
        """Tell whether a write failed because the pipe no longer has a reader."""

    @abstractmethod
    def watch_console(self) -> None:
        """Let the end of the console or the session be one of the signals in `signals.termination`."""

    @abstractmethod
    def list_candidates(self, name: str, path: str | None) -> list[str]:
        """Return the files that a command's name stands for, in order, whether they exist or not.

        `path` is the variable PATH of the command; None if it isn't set.
        """

    @abstractmethod
    def launch_options(self, words: Sequence[str], program: str) -> dict[str, Any]:
        """Return the arguments of `Popen` that run the file `program` with these words.

        Raises:
            OSError: the program can't be given these words.
        """

    @abstractmethod
    def group_options(self) -> dict[str, Any]:
        """Return the arguments of `Popen` for a child that can be ended with all it starts."""

    @abstractmethod
    def open_group(self, process: "Popen[bytes]", *, is_own: bool = True) -> ProcessGroup:
        """Return the group of a child; `is_own` if it was started with `group_options`."""

    @abstractmethod
    def tie_to_us(self, process: "Popen[bytes]") -> None:
        """Let a child end with this process, if the system doesn't tell it by a signal."""

    @abstractmethod
    def send_signal(self, process: "Popen[bytes]", number: int) -> None:
        """Send a signal to a child, if the terminal doesn't."""

    @abstractmethod
    def end_by_signal(self, number: int) -> None:
        """End this process by the signal that ended a child, if this system has such signals."""

    @abstractmethod
    def describe_exit(self, status: int) -> str:
        """Say how a process ended that returned this status other than 0, e.g. `exited with code 3`."""

    @abstractmethod
    def lock_file(self, descriptor: int) -> None:
        """Lock an open file against other processes until it is closed.

        Raises:
            BlockingIOError, PermissionError: it is locked now. OSError: its file system has no locks.
        """

    @abstractmethod
    def wait_for_reader(self, descriptor: int, seconds: float) -> bool:
        """Wait for so long, or until the pipe has no reader any more; tell whether it has one."""

    @abstractmethod
    def sync_file(self, descriptor: int) -> None:
        """Write an open file through to the disk, so that it survives a power cut; raises OSError."""

    @abstractmethod
    def sync_dir(self, path: str) -> None:
        """Write the names in a directory through to the disk; raises OSError if the disk fails."""


def is_remote(environ: Mapping[str, str]) -> bool:
    """Tell whether this is an SSH session."""
    return any(environ.get(name) for name in _REMOTE_VARIABLES)


def has_display(environ: Mapping[str, str]) -> bool:
    """Tell whether there is an X11 or Wayland display, which SSH may have forwarded."""
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
