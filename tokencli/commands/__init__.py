"""The command line: one module per command, listed in `registry` and run by `run`."""
