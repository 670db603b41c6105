"""What Linux and macOS have in common."""

import sys

assert sys.platform != "win32"  # for mypy, which checks for Windows as well

import errno
import os
import pathlib
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from tokencli.platforms.platform import Platform, ProcessGroup, SignalTable
from tokencli.platforms.posix_files import PosixFiles

if TYPE_CHECKING:
    from subprocess import Popen

_NO_SYNC_OF_DIRECTORIES = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What file systems say that can't sync a directory; the last two differ on macOS."""


class Posix(PosixFiles, Platform, ABC):
    """A POSIX system."""

    signals = SignalTable(
        termination=("SIGTERM", "SIGHUP"),
        deferred=("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP"),
        shared=("SIGINT", "SIGQUIT"),
        forwarded=("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"),
    )
    max_wait_s = 86_400.0
    shell = "/bin/sh"
    replaces_processes = True
    end_of_input = "Enter and Ctrl-D"
    needs_term = True
    has_terminal_modes = True

    def is_terminal(self, descriptor: int) -> bool:
        return os.isatty(descriptor)

    def enable_escapes(self, descriptor: int) -> bool:
        return True

    def has_line_editor(self) -> bool:
        return True

    def is_foreground(self, descriptor: int) -> bool:
        try:
            return os.tcgetpgrp(descriptor) == os.getpgrp()
        except OSError:  # it is not our controlling terminal
            return True

    def read_terminal_modes(self, descriptor: int) -> Any:
        import termios

        try:
            return termios.tcgetattr(descriptor)
        except (termios.error, OSError, ValueError):
            return None

    def is_echo_off(self, descriptor: int) -> bool:
        import termios

        modes = self.read_terminal_modes(descriptor)
        return modes is not None and not modes[3] & termios.ECHO

    def claim_terminal(self, descriptor: int) -> bool:
        """Use a lock of the process's (POSIX): the processes have stderr in common."""
        import fcntl

        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        except OSError:
            return True
        return True

    def release_terminal(self, descriptor: int) -> None:
        import fcntl

        with suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_UN)

    def is_signaled_by_terminal(self) -> bool:
        try:
            terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        except OSError:
            return False
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        except OSError:
            return False
        finally:
            os.close(terminal)

    def is_same_output(self, first: int, second: int) -> bool:
        return os.path.sameopenfile(first, second)

    def is_reader_gone(self, error: OSError) -> bool:
        return error.errno == errno.EPIPE

    def watch_console(self) -> None:
        """Do nothing: the system sends SIGHUP."""

    def list_candidates(self, name: str, path: str | None) -> list[str]:
        if os.sep in name or not name:
            return [name]
        folders = (os.defpath if path is None else path).split(os.pathsep)
        return [os.path.join(folder or os.curdir, name) for folder in folders]  # noqa: PTH118 - strings

    def launch_options(self, words: Sequence[str], program: str) -> dict[str, Any]:
        return {"args": list(words), "executable": program}

    def group_options(self) -> dict[str, Any]:
        return {"start_new_session": True}

    def open_group(self, process: "Popen[bytes]", *, is_own: bool = True) -> ProcessGroup:
        return _Group(process, is_own=is_own)

    def tie_to_us(self, process: "Popen[bytes]") -> None:
        """Do nothing: signals are forwarded to it."""

    def send_signal(self, process: "Popen[bytes]", number: int) -> None:
        process.send_signal(number)

    def end_by_signal(self, number: int) -> None:
        import resource
        import signal

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the child has dumped its own
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def describe_exit(self, status: int) -> str:
        return f"was killed by signal {-status}" if status < 0 else f"exited with code {status}"

    has_descriptor_paths = True
    state_parent = ".local/state"
    """The directory for the state of programs, in the home directory."""

    def find_home(self) -> str | None:
        """Return the home directory of the user database, if it exists."""
        import pwd

        try:
            home = pwd.getpwuid(os.geteuid()).pw_dir
        except KeyError:  # e.g. an arbitrary uid in a container
            return None
        return home if home.startswith("/") and pathlib.Path(home).is_dir() else None

    def list_state_dirs(self) -> list[str]:
        """Add one in /tmp, for a home directory that is missing or read-only.

        It is checked like any other before it is used.
        """
        home = self.find_home()
        usual = [] if home is None else [f"{home}/{self.state_parent}/tokencli"]
        return [*usual, f"/tmp/tokencli-{os.geteuid()}"]  # noqa: S108 - see above

    def is_process_running(self, process_id: int) -> bool:
        try:
            os.kill(process_id, 0)
        except PermissionError:
            return True
        except (OSError, OverflowError):
            return False
        return True

    def find_keyring_config(self, environ: Mapping[str, str]) -> str:
        home = os.path.expanduser("~")  # noqa: PTH111  # start-up cost
        root = environ.get("XDG_CONFIG_HOME") or (home != "~" and f"{home}/.config")
        return f"{root}/python_keyring/keyringrc.cfg" if root else ""

    def find_user(self, environ: Mapping[str, str]) -> tuple[list[str], str]:
        import pwd

        homes, name = [environ.get("HOME", "")], ""
        with suppress(KeyError):  # e.g. an arbitrary uid in a container
            entry = pwd.getpwuid(os.geteuid())
            homes, name = [*homes, entry.pw_dir], entry.pw_name
        return homes, name

    def describe_session(self, environ: Mapping[str, str]) -> Iterator[str]:
        if environ.get("HOME", "").startswith("/"):
            return
        if self.find_user(environ)[1]:
            yield "HOME is not set, so the home directory is that of the user database"
        else:
            yield f"HOME is not set, and the user database has no entry for uid {os.geteuid()}"

    def lock_file(self, descriptor: int) -> None:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def wait_for_reader(self, descriptor: int, seconds: float) -> bool:
        import select

        poll = select.poll()
        poll.register(descriptor, 0)  # only errors
        gone = select.POLLERR | select.POLLHUP
        return not any(flags & gone for _, flags in poll.poll(seconds * 1000))

    def prepare_listener(self, listener: Any) -> None:
        import socket

        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

    def split_command(self, text: str) -> list[str]:
        import shlex

        return shlex.split(text)

    def detach_options(self) -> dict[str, Any]:
        return {"start_new_session": True}

    def sync_file(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_dir(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync_file(descriptor)
        except OSError as error:
            if error.errno not in _NO_SYNC_OF_DIRECTORIES:
                raise
        finally:
            os.close(descriptor)


class _Group(NamedTuple):
    """A child, and its process group if that is its own."""

    process: "Popen[bytes]"
    is_own: bool

    def terminate(self) -> None:
        self._send("SIGTERM")

    def kill(self) -> None:
        self._send("SIGKILL")

    def _send(self, name: str) -> None:
        import signal

        number = signal.Signals[name]
        try:
            if self.is_own:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except ProcessLookupError:
            pass
