"""What a sandbox has issued and what it was asked, in one thread-safe place."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import Literal


class Spent(Exception):
    """The refresh token is unknown, revoked, or was used before; the text says which."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What somebody may do: the thing that tokens stand for."""

    system: str
    client_id: str
    subject: str
    scope: str
    refreshable: bool = True
    """Whether a refresh token comes with it."""


@dataclass(slots=True)
class _Family:
    """All refresh tokens that descend from one grant; one of them is current."""

    grant: Grant
    current: str
    previous: str | None = None
    rotated_at: float = 0.0
    alive: bool = True


@dataclass(frozen=True, slots=True)
class _Access:
    grant: Grant
    expires_at: float
    family: _Family | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and how it was answered, without a secret in it."""

    at: float
    kind: str
    """`token`, `resource`, `keys` or `other`."""
    system: str
    """The system that answered, or `-`."""
    method: str
    path: str
    grant_type: str
    """As it was sent, `?` where it is none that the system knows, empty at other places."""
    status: int
    """0 where the connection was dropped instead."""
    error: str | None = None
    issued: bool = False

    def __str__(self) -> str:
        what = f" grant_type={self.grant_type}" if self.grant_type else ""
        end = "connection dropped" if self.status == 0 else str(self.status)
        return f"{self.method} {self.path[:200]}{what} -> {end}{f' {self.error}' if self.error else ''}"


@dataclass(slots=True)
class State:
    """Keep grants, tokens and the log; every method may be called from any thread."""

    now: Callable[[], float] = time.time
    """Tell the time, in seconds since the epoch."""
    listener: Callable[[Entry], None] | None = None
    """Called with each log entry, in the thread that answers."""
    _changed: Condition = field(default_factory=Condition)
    _families: dict[str, _Family] = field(default_factory=dict)
    _newest: dict[str, _Family] = field(default_factory=dict)
    _tokens: dict[str, _Access] = field(default_factory=dict)
    _log: list[Entry] = field(default_factory=list)

    def start(self, grant: Grant, refresh_token: str) -> None:
        """Begin a family of refresh tokens."""
        with self._changed:
            family = _Family(grant, refresh_token)
            self._families[refresh_token] = self._newest[grant.system] = family

    def rotate(
        self,
        spent: str,
        mint: Callable[[Grant], str],
        *,
        system: str,
        client_id: str,
        grace: float = 0.0,
        keep: bool = False,
    ) -> tuple[Grant, str]:
        """Spend a refresh token; return its grant and the token that is current from now on.

        A token that was spent before kills its family, access tokens included (RFC 9700 section
        4.14.2), unless it is the one before the current and was spent less than `grace` seconds
        ago. With `keep` the token stays good.

        Raises:
            Spent: the refresh token is no good.
        """
        with self._changed:
            family = self._families.get(spent)
            if family is None or (family.grant.system, family.grant.client_id) != (
                system,
                client_id,
            ):
                raise Spent("the refresh token is unknown")
            if not family.alive:
                raise Spent("the refresh token is revoked")
            if spent != family.current:
                if spent == family.previous and self.now() - family.rotated_at < grace:
                    return family.grant, family.current
                family.alive = False
                raise Spent("the refresh token was used before: its whole family is revoked")
            if not keep:
                family.current = mint(family.grant)
                family.previous, family.rotated_at = spent, self.now()
                self._families[family.current] = family
            self._newest[system] = family
            return family.grant, family.current

    def keep(
        self, access_token: str, grant: Grant, lifetime: float, refresh_token: str | None
    ) -> None:
        """Remember an access token for `lifetime` seconds, as one of the refresh token's family."""
        with self._changed:
            family = self._families.get(refresh_token) if refresh_token is not None else None
            self._tokens[access_token] = _Access(grant, self.now() + lifetime, family)

    def check(
        self, access_token: str, system: str
    ) -> Grant | Literal["unknown", "expired", "revoked"]:
        """Return what the access token stands for, or why it stands for nothing."""
        with self._changed:
            access = self._tokens.get(access_token)
            if access is None or access.grant.system != system:
                return "unknown"
            if access.family is not None and not access.family.alive:
                return "revoked"
            return access.grant if self.now() < access.expires_at else "expired"

    def family_alive(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still good."""
        with self._changed:
            family = self._families.get(refresh_token)
            return family is not None and family.alive

    def current_refresh_token(self, system: str) -> str | None:
        """Return the one good refresh token of the family that the system served last."""
        with self._changed:
            family = self._newest.get(system)
            return family.current if family is not None and family.alive else None

    def record(self, entry: Entry) -> None:
        """Add to the log."""
        with self._changed:
            self._log.append(entry)
            self._changed.notify_all()
        if self.listener is not None:
            self.listener(entry)

    @property
    def log(self) -> tuple[Entry, ...]:
        """Return every request so far, in the order in which they were answered."""
        with self._changed:
            return tuple(self._log)

    @property
    def token_requests(self) -> int:
        """Count the requests to token endpoints."""
        return self.count("token")

    @property
    def tokens_issued(self) -> int:
        """Count the access tokens issued, whether or not they arrived."""
        return self.count("issued")

    def count(self, kind: str, *, system: str | None = None, grant_type: str | None = None) -> int:
        """Count requests of a kind: `token`, `resource`, `keys`, `other`, or `issued`, `refused`."""
        return sum(
            1
            for entry in self.log
            if _is(entry, kind)
            and system in (None, entry.system)
            and grant_type in (None, entry.grant_type)
        )

    def wait_for(self, kind: str, number: int = 1, timeout: float = 30.0) -> bool:
        """Wait until that many requests of a kind were answered; tell whether they were."""
        with self._changed:
            return self._changed.wait_for(
                lambda: sum(_is(entry, kind) for entry in self._log) >= number, timeout
            )


def _is(entry: Entry, kind: str) -> bool:
    match kind:
        case "issued":
            return entry.issued
        case "refused":
            return entry.kind == "token" and not entry.issued
        case _:
            return entry.kind == kind
