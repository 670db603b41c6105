"""The outside world, one room per thing: HTTP, the terminal, the browser, the clock, signals."""
