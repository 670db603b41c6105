"""What Linux and macOS have in common."""

import errno
import os
from abc import ABC
from typing import Any

from tokencli.platforms.platform import Platform

_NO_SYNC_OF_DIRECTORIES = (errno.EINVAL, errno.EOPNOTSUPP)
"""What file systems say that can't sync a directory."""


class Posix(Platform, ABC):
    """A POSIX system."""

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
