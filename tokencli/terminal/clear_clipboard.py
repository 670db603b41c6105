"""The helper that clears the clipboard later, if it still holds the text that tokencli put there.

It is run as a script, without the rest of the package, because it stays in memory. Its stdin is a JSON
object: `text`, `seconds`, and the command lines `read` and `clear`.
"""

import json
import signal
import subprocess
import sys
import time

COMMAND_TIMEOUT_S = 10


def main() -> None:
    """Wait, and clear the clipboard; at once if the session ends."""
    task = json.loads(sys.stdin.buffer.read())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        wait(task["seconds"])
    finally:
        if read(task["read"]) == task["text"]:
            subprocess.run(  # noqa: S603 - tokencli's own table of commands
                task["clear"],
                input=b"",
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                check=False,
                start_new_session=True,
            )


def wait(seconds: float) -> None:
    """Sleep until so much time has passed, also while the machine was suspended."""
    end, monotonic_end = time.time() + seconds, time.monotonic() + seconds
    while (left := min(end - time.time(), monotonic_end - time.monotonic())) > 0:
        time.sleep(min(left, 1.0))


def read(command: list[str]) -> str | None:
    """Return the text on the clipboard, or None if it can't be read."""
    try:
        done = subprocess.run(  # noqa: S603 - tokencli's own table of commands
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    main()
