"""How fast it is, against others, side by side in one run: `python -m tests.bench`."""
