"""What the systems of one sandbox have in common: address, clock, keys, books and faults."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from tokencli.sandbox.faults import Faults
from tokencli.sandbox.keys import Keys
from tokencli.sandbox.state import State


@dataclass(slots=True)
class Site:
    """Hold what every system needs."""

    url: str
    state: State
    keys: Keys
    faults: Faults = field(default_factory=Faults)
    _done: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def now(self) -> float:
        """Return what the server believes is the time, in seconds since the epoch."""
        return self.state.now() + self.faults.clock_skew

    def change(self, faults: Faults) -> None:
        """Let other things go wrong from now on, counted from the start."""
        with self._lock:
            self.faults = faults
            self._done.clear()

    def due(self, name: str, times: int | None) -> bool:
        """Tell whether a fault of the first `times` requests meets this one too, and count it."""
        with self._lock:
            self._done[name] += 1
            return times is None or self._done[name] <= times
