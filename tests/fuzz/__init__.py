"""Fuzzing of the parsers of untrusted input: `python -m tests.fuzz reply --seconds 60`."""
