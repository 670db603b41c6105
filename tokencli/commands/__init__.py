"""The command line: one file per command, options in one place, errors in one boundary."""
