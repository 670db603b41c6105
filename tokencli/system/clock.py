"""The system clock, and the time of a server whose clock differs."""

import time


class SystemClock:
    """The machine's time."""

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes backwards."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        from tokencli.system.timeout import iter_waits  # start-up cost

        for piece in iter_waits(seconds):
            time.sleep(piece)


class ServerClock(SystemClock):
    """The time of a server: `skew` seconds behind this computer's."""

    def __init__(self, skew: float) -> None:
        self._skew = skew

    def now(self) -> float:
        """Return seconds since the epoch."""
        return super().now() - self._skew
