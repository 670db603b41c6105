"""What the systems of one sandbox have in common: address, clock, keys, books and faults."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock

from tokencli.sandbox.faults import Faults
from tokencli.sandbox.keys import SigningKeys
from tokencli.sandbox.token_db import TokenDatabase


@dataclass(slots=True)
class SandboxContext:
    """Hold what every system needs."""

    url: str
    database: TokenDatabase
    signing_keys: SigningKeys
    faults: Faults = field(default_factory=Faults)
    _fault_counts: Counter[str] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def now(self) -> float:
        """Return what the server believes is the time, in seconds since the epoch."""
        return self.database.now() + self.faults.clock_skew

    def set_faults(self, faults: Faults) -> None:
        """Let other things go wrong from now on, counted from the start."""
        with self._lock:
            self.faults = faults
            self._fault_counts.clear()

    def fault_applies(self, name: str, times: int | None) -> bool:
        """Tell whether a fault of the first `times` requests meets this one too, and count it."""
        with self._lock:
            self._fault_counts[name] += 1
            return times is None or self._fault_counts[name] <= times
