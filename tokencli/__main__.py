"""The entry point of the console script: the fast path, or else the whole command line."""

import os
import sys


def main(words: "list[str] | None" = None) -> None:
    """Run the command line, by default that of this process, and exit with its code."""
    argv = sys.argv[1:] if words is None else words
    try:
        from tokencli.fastpath.reader import fast_path_output

        if argv[:1] == ["exec"]:
            from tokencli.fastpath.launcher import launch_with_cached_tokens

            launch_with_cached_tokens(argv, os.environ)
        text = fast_path_output(argv, os.environ)
        if text is None or not _write_and_exit(text):
            import gc

            # Imports and a large configuration make many objects, and few of them are in cycles.
            gc.set_threshold(50_000, 50)
            from tokencli.commands.run import run_command_line

            code = run_command_line(argv)
            # Windows has exit statuses of 32 bits, e.g. 0xC000013A; to Python, they have a sign.
            sys.exit(code - (1 << 32) if code >= 1 << 31 else code)
    except KeyboardInterrupt:  # while modules were being imported
        sys.exit(130)
    except RuntimeError as error:  # the same during a class statement of Python 3.11
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        sys.exit(130)


def docker_credential_helper() -> None:
    """Run as `docker-credential-tokencli`, the name by which Docker calls a helper."""
    main(["docker-credential", *sys.argv[1:]])


def keyring_credential_helper() -> None:
    """Run as `keyring-tokencli`, for which pip and uv need a link with the name `keyring`."""
    main(["keyring-credential", *sys.argv[1:]])


def _write_and_exit(text: str) -> bool:
    """Print the text and end the process; return False if nothing could be printed."""
    stream = sys.stdout
    if stream is not sys.__stdout__ or stream is None:
        return False
    try:
        unwritten = text.encode(stream.encoding)
        while unwritten:
            unwritten = unwritten[os.write(1, unwritten) :]
    except (OSError, ValueError):
        return False  # the full program fails as well, and reports it
    if "atexit" not in sys.modules:
        # No exit handlers: skipping the interpreter's cleanup saves a fifth of the whole run.
        os._exit(0)
    return True


if __name__ == "__main__":
    # `python -m` puts the working directory first on the import path; a requests.py or keyring.py
    # there must not be imported by this program.
    del sys.path[0]
    main()
