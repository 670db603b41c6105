"""The console script's entry point: the hot path, else the command line."""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        from tokencli.fastpath.reader import fast_path_output

        text = fast_path_output(sys.argv[1:], os.environ)
        if text is None or not _write_and_exit(text):
            from tokencli.commands.run import run_command_line

            sys.exit(run_command_line(sys.argv[1:]))
    except KeyboardInterrupt:  # while modules were still being loaded
        sys.exit(130)
    except RuntimeError as error:  # the same, where Python 3.11 was in a class statement
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        sys.exit(130)


def _write_and_exit(text: str) -> bool:
    """Print the text and end the process; False where that can't be done, and nothing was printed."""
    stream = sys.stdout
    if stream is not sys.__stdout__ or stream is None:
        return False
    try:
        rest = text.encode(stream.encoding)
        while rest:
            rest = rest[os.write(1, rest) :]
    except (OSError, ValueError):
        return False  # the long way fails as well, and knows how to say it
    if "atexit" not in sys.modules:
        # Nobody asked to be called at the end: tidying up would take a fifth of the whole run.
        os._exit(0)
    return True


if __name__ == "__main__":
    # `python -m` puts the working directory first on the import path; a requests.py or keyring.py
    # that lies there must not become part of this program.
    del sys.path[0]
    main()
