"""Windows, by its documentation and under Wine."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tokencli.platforms.platform import Platform, has_display, is_remote

_CREATE_NO_WINDOW = 0x08000000
"""See "Process Creation Flags" of CreateProcess."""
_EXCLUSIVE = ~4
"""SO_EXCLUSIVEADDRUSE of Winsock: the complement of SO_REUSEADDR, which lets anyone take the port."""


class WindowsCalls(Protocol):
    """The functions of Windows that tokencli calls; tests have a fake of them."""


def load_windows_api() -> WindowsCalls:
    """Return the functions of the system itself."""
    if sys.platform == "win32":
        from tokencli.platforms.windows_api import WindowsApi

        return WindowsApi()
    raise OSError("the functions of Windows exist only there")


class Windows(Platform):
    """Windows; its functions are loaded when one is first called."""

    name = "Windows"
    pipe_encoding = "utf-8"

    def __init__(self, calls: WindowsCalls | None = None) -> None:
        self._calls = calls

    @property
    def calls(self) -> WindowsCalls:
        """The functions of Windows."""
        if self._calls is None:
            self._calls = load_windows_api()
        return self._calls

    def has_screen(self, environ: Mapping[str, str]) -> bool:
        return has_display(environ) or not is_remote(environ)

    def list_clipboards(self, environ: Mapping[str, str]) -> Sequence[str]:
        return ("windows",)

    def prepare_listener(self, listener: Any) -> None:
        import socket

        listener.setsockopt(socket.SOL_SOCKET, _EXCLUSIVE, 1)

    def split_command(self, text: str) -> list[str]:
        r"""Split by the rules of CommandLineToArgvW, which leave `\` alone unless it precedes `"`."""
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

    def sync_file(self, descriptor: int) -> None:
        """Call FlushFileBuffers, as `os.fsync` does."""
        os.fsync(descriptor)

    def sync_dir(self, path: str) -> None:
        """Do nothing: NTFS writes names by its journal, and a directory can't be opened to flush it."""
