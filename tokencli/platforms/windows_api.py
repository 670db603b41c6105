"""The functions of Windows that tokencli calls; see `WindowsCalls` in `platforms/windows.py`.

It needs Windows to be imported, as `windows_file_api.py` does.
"""

import sys

assert sys.platform == "win32"

import ctypes
import msvcrt
import os
import winreg
from collections.abc import Callable
from ctypes import wintypes
from time import monotonic
from typing import Any

from tokencli.platforms.windows_file_api import WindowsFileApi

_VIRTUAL_TERMINAL = 0x0004
_PROCESS_TERMINATE_AND_SET_QUOTA = 0x0101
_EXTENDED_LIMIT_INFORMATION = 9
_KILL_ON_JOB_CLOSE, _SILENT_BREAKAWAY = 0x2000, 0x1000
_KEY_EVENT, _ALT_KEY = 1, 0x12
_SIGNALED, _TIMED_OUT = 0, 0x102
_CONTROL_HANDLER = ctypes.WINFUNCTYPE(wintypes.BOOL, wintypes.DWORD)


class _BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = (
        ("process_time", wintypes.LARGE_INTEGER),
        ("job_time", wintypes.LARGE_INTEGER),
        ("flags", wintypes.DWORD),
        ("min_working_set", ctypes.c_size_t),
        ("max_working_set", ctypes.c_size_t),
        ("active_processes", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority_class", wintypes.DWORD),
        ("scheduling_class", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("basic", _BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("memory_limits", ctypes.c_size_t * 4),
    )


class _KeyEvent(ctypes.Structure):
    """KEY_EVENT_RECORD."""

    _fields_ = (
        ("is_down", wintypes.BOOL),
        ("repeat_count", wintypes.WORD),
        ("virtual_code", wintypes.WORD),
        ("scan_code", wintypes.WORD),
        ("char", wintypes.WCHAR),
        ("control_keys", wintypes.DWORD),
    )


class _InputRecord(ctypes.Structure):
    """INPUT_RECORD, of which a key's is the longest."""

    _fields_ = (("kind", wintypes.WORD), ("key", _KeyEvent))


def _declare(library: ctypes.WinDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


_KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)
_HANDLE, _BOOL, _DWORD, _POINTER = wintypes.HANDLE, wintypes.BOOL, wintypes.DWORD, ctypes.c_void_p
_get_console_mode = _declare(_KERNEL, "GetConsoleMode", _BOOL, _HANDLE, _POINTER)
_set_console_mode = _declare(_KERNEL, "SetConsoleMode", _BOOL, _HANDLE, _DWORD)
_read_input = _declare(_KERNEL, "ReadConsoleInputW", _BOOL, _HANDLE, _POINTER, _DWORD, _POINTER)
_wait_for = _declare(_KERNEL, "WaitForSingleObject", _DWORD, _HANDLE, _DWORD)
_set_control_handler = _declare(_KERNEL, "SetConsoleCtrlHandler", _BOOL, _CONTROL_HANDLER, _BOOL)
_open_process = _declare(_KERNEL, "OpenProcess", _HANDLE, _DWORD, _BOOL, _DWORD)
_close_handle = _declare(_KERNEL, "CloseHandle", _BOOL, _HANDLE)
_create_job = _declare(_KERNEL, "CreateJobObjectW", _HANDLE, _POINTER, wintypes.LPCWSTR)
_limit_job = _declare(
    _KERNEL, "SetInformationJobObject", _BOOL, _HANDLE, ctypes.c_int, _POINTER, _DWORD
)
_assign_to_job = _declare(_KERNEL, "AssignProcessToJobObject", _BOOL, _HANDLE, _HANDLE)
_terminate_job = _declare(_KERNEL, "TerminateJobObject", _BOOL, _HANDLE, wintypes.UINT)


def _require(result: int | None) -> int:
    """Return a result other than zero; otherwise raise the OSError of the call."""
    if not result:
        raise ctypes.WinError(ctypes.get_last_error())
    return result


_SETTINGS = r"SOFTWARE\{}Microsoft\Windows\CurrentVersion\Internet Settings"


def _read_values(root: int, key: str) -> dict[str, object]:
    """Return the values of a key of the registry; none if it can't be read."""
    try:
        with winreg.OpenKey(root, key) as opened:
            count = winreg.QueryInfoKey(opened)[1]
            return {
                name: value
                for name, value, _ in (winreg.EnumValue(opened, n) for n in range(count))
            }
    except OSError:
        return {}


class WindowsApi(WindowsFileApi):
    """Calls the functions themselves."""

    def read_internet_settings(self) -> dict[str, object]:
        """Return the machine's values if the policy says so, else the user's."""
        policy = _read_values(winreg.HKEY_LOCAL_MACHINE, _SETTINGS.format("Policies\\"))
        is_per_user = policy.get("ProxySettingsPerUser") != 0
        root = winreg.HKEY_CURRENT_USER if is_per_user else winreg.HKEY_LOCAL_MACHINE
        return _read_values(root, _SETTINGS.format(""))

    def __init__(self) -> None:
        super().__init__()
        self._control_handlers: list[object] = []
        """The system may call them at any time, so they are never collected."""

    def get_console_mode(self, descriptor: int) -> int | None:
        mode = wintypes.DWORD()
        try:
            handle = msvcrt.get_osfhandle(descriptor)
        except OSError:
            return None
        return mode.value if _get_console_mode(handle, ctypes.byref(mode)) else None

    def enable_escapes(self, descriptor: int) -> bool:
        mode = self.get_console_mode(descriptor)
        if mode is None or mode & _VIRTUAL_TERMINAL:
            return mode is not None
        handle = msvcrt.get_osfhandle(descriptor)
        return bool(_set_console_mode(handle, mode | _VIRTUAL_TERMINAL))

    def read_typed(self, seconds: float) -> str:
        console, end = msvcrt.get_osfhandle(0), monotonic() + seconds
        record, count = _InputRecord(), wintypes.DWORD()
        while True:
            result = _wait_for(console, max(int(1000 * (end - monotonic())), 0))
            if result == _TIMED_OUT:
                return ""
            if result != _SIGNALED:
                raise ctypes.WinError(ctypes.get_last_error())
            _require(_read_input(console, ctypes.byref(record), 1, ctypes.byref(count)))
            key = record.key
            is_typed = key.is_down or key.virtual_code == _ALT_KEY  # a character by its number
            if record.kind == _KEY_EVENT and is_typed and key.char != "\0":
                return str(key.char * max(key.repeat_count, 1))

    def handle_console_events(self, handler: Callable[[int], bool]) -> None:
        callback = _CONTROL_HANDLER(handler)
        if _set_control_handler(callback, True):
            self._control_handlers.append(callback)

    def open_job(self, process_id: int, *, ends_with_us: bool) -> int:
        process = _require(_open_process(_PROCESS_TERMINATE_AND_SET_QUOTA, False, process_id))
        job = None
        try:
            job = _require(_create_job(None, None))
            if ends_with_us:
                limits = _ExtendedLimits()
                limits.basic.flags = _KILL_ON_JOB_CLOSE | _SILENT_BREAKAWAY
                size = ctypes.sizeof(limits)
                _require(_limit_job(job, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size))
            _require(_assign_to_job(job, process))
        except OSError:
            if job is not None:
                _close_handle(job)
            raise
        finally:
            _close_handle(process)
        return job

    def lock_byte(self, descriptor: int, position: int) -> None:
        os.lseek(descriptor, position, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if error.errno:
                raise
            raise PermissionError(13, "Permission denied") from None  # Wine sets no number

    def end_job(self, job: int) -> None:
        _terminate_job(job, 1)
