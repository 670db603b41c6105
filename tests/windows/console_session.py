"""Run a program in its own console, type into it, and report what it showed.

It is run by Python for Windows. Its argument is the path of a JSON object: `command`, `steps` (each
a text to wait for and the keys that are typed then), and `redirect`, the descriptors that are files
instead of the console. It prints a JSON object: `screen`, `exit`, and what was written to the files.
"""

import contextlib
import ctypes
import json
import msvcrt
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from ctypes import wintypes
from pathlib import Path
from typing import Any

KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]  # only Windows has it
HANDLE, DWORD, POINTER = wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p
PSEUDO_CONSOLE = 0x00020016
EXTENDED_STARTUP_INFO = 0x00080000
LIMIT_S = 60
CTRL_C = "<Ctrl-C>"


class Coord(ctypes.Structure):
    _fields_ = (("x", ctypes.c_short), ("y", ctypes.c_short))


class StartupInfo(ctypes.Structure):
    _fields_ = (
        ("size", DWORD),
        ("names", wintypes.LPWSTR * 3),
        ("numbers", DWORD * 8),
        ("show", wintypes.WORD),
        ("reserved_size", wintypes.WORD),
        ("reserved", POINTER),
        ("handles", HANDLE * 3),
        ("attributes", POINTER),
    )


class ProcessInformation(ctypes.Structure):
    _fields_ = (("process", HANDLE), ("thread", HANDLE), ("ids", DWORD * 2))


def declare(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of Windows."""
    function = getattr(KERNEL, name)
    function.restype, function.argtypes = result, arguments
    return function


def open_pipe() -> tuple[Any, Any]:
    """Return the ends of a pipe."""
    reader, writer = HANDLE(), HANDLE()
    assert KERNEL.CreatePipe(ctypes.byref(reader), ctypes.byref(writer), None, 0)
    return reader, writer


def start_in_console(command_line: str) -> tuple[Any, int, int]:
    """Return the process, and descriptors of what its console shows and of its keys."""
    create = declare("CreatePseudoConsole", ctypes.c_long, Coord, HANDLE, HANDLE, DWORD, POINTER)
    initialize = declare(
        "InitializeProcThreadAttributeList", wintypes.BOOL, POINTER, DWORD, DWORD, POINTER
    )
    update = declare(
        "UpdateProcThreadAttribute",
        wintypes.BOOL,
        POINTER, DWORD, ctypes.c_size_t, POINTER, ctypes.c_size_t, POINTER, POINTER,
    )  # fmt: skip
    start = declare(
        "CreateProcessW",
        wintypes.BOOL,
        wintypes.LPCWSTR, wintypes.LPWSTR, POINTER, POINTER, wintypes.BOOL, DWORD, POINTER,
        wintypes.LPCWSTR, POINTER, POINTER,
    )  # fmt: skip
    keys_reader, keys_writer = open_pipe()
    screen_reader, screen_writer = open_pipe()
    console = HANDLE()
    assert create(Coord(100, 30), keys_reader, screen_writer, 0, ctypes.byref(console)) == 0
    size = ctypes.c_size_t()
    initialize(None, 1, 0, ctypes.byref(size))
    attributes = ctypes.create_string_buffer(size.value)
    assert initialize(attributes, 1, 0, ctypes.byref(size))
    assert update(attributes, 0, PSEUDO_CONSOLE, console, ctypes.sizeof(console), None, None)
    info = StartupInfo(size=ctypes.sizeof(StartupInfo))
    info.attributes = ctypes.cast(attributes, POINTER).value
    started = ProcessInformation()
    assert start(
        None, ctypes.create_unicode_buffer(command_line), None, None, False,
        EXTENDED_STARTUP_INFO, None, None, ctypes.byref(info), ctypes.byref(started),
    )  # fmt: skip
    screen = msvcrt.open_osfhandle(screen_reader.value, os.O_RDONLY)
    keys = msvcrt.open_osfhandle(keys_writer.value, os.O_WRONLY)
    msvcrt.setmode(screen, os.O_BINARY)
    msvcrt.setmode(keys, os.O_BINARY)
    return started.process, screen, keys


def read_all(descriptor: int, shown: bytearray) -> None:
    """Read until the console is closed."""
    with contextlib.suppress(OSError):
        while piece := os.read(descriptor, 4096):
            shown.extend(piece)


def read_text(shown: bytearray) -> str:
    """Return what is shown, without escape sequences."""
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", bytes(shown)).decode("utf-8", "replace")


def run(task_path: Path) -> dict[str, Any]:
    """Run the task and return the report."""
    task = json.loads(task_path.read_text(encoding="utf-8"))
    inner = [sys.executable, __file__, str(task_path), "inner"]
    process, screen, keys = start_in_console(subprocess.list2cmdline(inner))
    shown = bytearray()
    threading.Thread(target=read_all, args=(screen, shown), daemon=True).start()
    end, seen = time.monotonic() + LIMIT_S, 0
    for text, typed in task["steps"]:
        while text not in read_text(shown)[seen:]:
            if time.monotonic() > end:
                return {"screen": read_text(shown), "exit": None, "missing": text}
            time.sleep(0.05)
        seen = len(read_text(shown))
        time.sleep(0.3)  # a secret is read from what is typed after its prompt
        if typed == CTRL_C:
            task_path.with_suffix(".interrupt").touch()
        else:
            os.write(keys, typed.encode())
    KERNEL.WaitForSingleObject(process, int(1000 * max(end - time.monotonic(), 0)))
    time.sleep(1.0)  # until all that it wrote is shown
    report = json.loads(task_path.with_suffix(".report").read_text(encoding="utf-8"))
    return {**report, "screen": read_text(shown)}


def run_inner(task_path: Path) -> None:
    """Run the command with the console's own handles, since those of this process are pipes.

    Wine has no key for Ctrl-C here, so its event is generated.
    """
    task = json.loads(task_path.read_text(encoding="utf-8"))
    arguments = (wintypes.LPCWSTR, DWORD, DWORD, POINTER, DWORD, DWORD, HANDLE)
    open_file = declare("CreateFileW", HANDLE, *arguments)
    ends = [
        msvcrt.open_osfhandle(open_file(name, 0xC0000000, 3, None, 3, 0, None), 0)  # type: ignore[attr-defined]  # only Windows has it
        for name in ("CONIN$", "CONOUT$", "CONOUT$")
    ]
    files = {}
    for number in task["redirect"]:
        files[number] = task_path.with_suffix(f".{number}").open("w+b", buffering=0)
        ends[number] = files[number].fileno()
    child = subprocess.Popen(task["command"], stdin=ends[0], stdout=ends[1], stderr=ends[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end = time.monotonic() + LIMIT_S
    while child.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
        with contextlib.suppress(OSError):
            task_path.with_suffix(".interrupt").unlink()
            KERNEL.GenerateConsoleCtrlEvent(0, 0)
    report: dict[str, Any] = {"exit": child.poll()}
    for number, file in files.items():
        file.seek(0)
        report[str(number)] = file.read().decode("utf-8", "replace")
    task_path.with_suffix(".report").write_text(json.dumps(report), encoding="utf-8")
    if child.poll() is None:
        child.kill()


if __name__ == "__main__":
    if len(sys.argv) > 2:
        run_inner(Path(sys.argv[1]))
    else:
        print(json.dumps(run(Path(sys.argv[1]))), flush=True)  # noqa: T201
    os._exit(0)
