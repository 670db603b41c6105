"""Readers of what others wrote, fed with bytes of any kind: `python -m tests.fuzz reply --seconds 60`."""
