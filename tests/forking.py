"""Run the program in forks of one process that has imported it, so that many runs cost little.

`Forks` is the test's end. The other end is this module run as a script: for each request it forks;
the child sets the requested environment and streams and runs the program to its end.
"""

import json
import os
import pwd
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any, Self

from tests.conftest import Result

ROOT = Path(__file__).parent.parent
NOWHERE = "/nonexistent"


class Forks:
    """A process that runs `tokencli` on request."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()

    def run(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        *,
        long: bool = False,
        stdout: str = "file",
        later: float = 0.0,
        home: str = NOWHERE,
    ) -> Result:
        """Run one command line; `long` skips the fast path, `later` moves the clock (seconds).

        `home` is the home directory in the user database; the real one is never read.
        """
        return self.at_once([argv], environ, long=long, stdout=stdout, later=later, home=home)[0]

    def at_once(
        self,
        commands: Sequence[Sequence[str]],
        environ: Mapping[str, str],
        *,
        long: bool = False,
        stdout: str = "file",
        later: float = 0.0,
        home: str = NOWHERE,
    ) -> list[Result]:
        """Run all command lines at the same time."""
        assert self._process.stdin and self._process.stdout
        request = {
            "commands": [list(argv) for argv in commands],
            "environ": dict(environ),
            "long": long,
            "stdout": stdout,
            "later": later,
            "home": home,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return [Result(**one) for one in json.loads(self._process.stdout.readline())]


def _serve() -> None:
    # Everything that a run may import is loaded once, here.
    import tokencli.commands.registry
    import tokencli.config.load  # noqa: F401
    import tokencli.core.export  # noqa: F401
    import tokencli.fastpath.token_cache  # noqa: F401
    import tokencli.net.transport  # noqa: F401
    import tokencli.token_store.file  # noqa: F401

    tokencli.commands.registry.build_cli()
    for line in sys.stdin:
        request = json.loads(line)
        children = [_fork(argv, request) for argv in request["commands"]]
        sys.stdout.write(json.dumps([_harvest(*child) for child in children]) + "\n")
        sys.stdout.flush()


def _fork(argv: list[str], request: dict[str, Any]) -> tuple[int, int, int]:
    out, err = (os.memfd_create(name) for name in ("out", "err"))
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = _child(argv, request, out, err)
        finally:
            os._exit(code)
    return child, out, err


def _child(argv: list[str], request: dict[str, Any], out: int, err: int) -> int:
    os.environ.clear()
    os.environ.update(request["environ"])
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(err, 2)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    match request["stdout"]:
        case "file":
            os.dup2(out, 1)
        case "full":
            os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        case "gone":
            reader, writer = os.pipe()
            os.close(reader)
            os.dup2(writer, 1)
        case "closed":
            os.close(1)
    closed = request["stdout"] == "closed"
    sys.stdout = None if closed else os.fdopen(1, "w", encoding="utf-8")  # type: ignore[assignment]
    sys.__stdout__ = sys.stdout  # type: ignore[misc]
    pwd.getpwuid = lambda uid: SimpleNamespace(pw_dir=request["home"], pw_name="jdoe")  # type: ignore[assignment,return-value]  # a part of an entry
    real, later = time.time, request["later"]
    time.time = lambda: real() + later  # type: ignore[assignment]
    try:
        if request["long"]:
            from tokencli.commands.run import run_command_line

            return run_command_line(argv)
        from tokencli.__main__ import main

        sys.argv = ["tokencli", *argv]
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def _harvest(child: int, out: int, err: int) -> dict[str, Any]:
    _, status = os.waitpid(child, 0)
    texts = []
    for fd in (out, err):
        size = os.fstat(fd).st_size
        texts.append(os.pread(fd, size, 0).decode())
        os.close(fd)
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    _serve()
