"""The grants and tokens that a sandbox has issued, and its request log; thread-safe."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition
from typing import Literal


class InvalidRefreshTokenError(Exception):
    """The refresh token is unknown, revoked, or was used before; the message says which."""


@dataclass(frozen=True, slots=True)
class AuthorizationGrant:
    """An authorization that tokens are issued for."""

    system: str
    client_id: str
    subject: str
    scope: str
    refreshable: bool = True
    """Whether a refresh token is issued for it."""
    user: str | None = None
    """The user who signed in, or None if the client acts on its own behalf."""
    audience: str | None = None
    nonce: str | None = None
    """The nonce of the authorization request, for the ID token."""
    signed_in_at: float | None = None
    """Epoch seconds at which the user signed in with a browser or on another device."""
    acr: str | None = None
    """The authentication context that the request asked for (OpenID Connect Core section 2)."""
    exchanged: bool = False
    """Whether it was exchanged for another token (RFC 8693)."""
    actor: str | None = None
    """The subject of the actor token (RFC 8693 section 4.1)."""
    key_thumbprint: str | None = None
    """The thumbprint of the DPoP key that the tokens are bound to (RFC 9449 section 6)."""
    certificate_thumbprint: str | None = None
    """The thumbprint of the client certificate that they are bound to (RFC 8705 section 3.1)."""


@dataclass(slots=True)
class _RefreshTokenFamily:
    """All refresh tokens of one grant; one of them is current."""

    grant: AuthorizationGrant
    current: str
    previous: str | None = None
    rotated_at: float = 0.0
    active: bool = True
    expires_at: float = math.inf


@dataclass(slots=True)
class _AccessTokenRecord:
    grant: AuthorizationGrant
    issued_at: float
    expires_at: float
    family: _RefreshTokenFamily | None
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """An access token that the sandbox has issued, and its state at the time of the call."""

    token: str = field(repr=False)
    system: str
    client_id: str
    subject: str
    scope: str
    issued_at: float
    """Epoch seconds, like `expires_at`."""
    expires_at: float
    state: Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class RequestLogEntry:
    """One request and its response, without secrets."""

    at: float
    kind: str
    """`token`, `resource`, `keys`, `metadata`, `authorization`, `pushed`, `device`,
    `introspection`, `revocation`, `userinfo` or `other`."""
    system: str
    """The system that answered, or `-`."""
    method: str
    path: str
    grant_type: str
    """As sent; `?` if the system doesn't know it; empty for other requests than token requests."""
    status: int
    """0 if the connection was dropped instead."""
    error: str | None = None
    issued: bool = False

    def __str__(self) -> str:
        what = f" grant_type={self.grant_type}" if self.grant_type else ""
        end = "connection dropped" if self.status == 0 else str(self.status)
        return f"{self.method} {self.path[:200]}{what} -> {end}{f' {self.error}' if self.error else ''}"


@dataclass(slots=True)
class TokenDatabase:
    """Grants, tokens and the request log; every method may be called from any thread."""

    now: Callable[[], float] = time.time
    """Returns the time, in seconds since the epoch."""
    on_request_logged: Callable[[RequestLogEntry], None] | None = None
    """Called with each log entry, in the thread that handles the request."""
    _condition: Condition = field(default_factory=Condition)
    _families: dict[str, _RefreshTokenFamily] = field(default_factory=dict)
    _latest_families: dict[str, _RefreshTokenFamily] = field(default_factory=dict)
    _access_tokens: dict[str, _AccessTokenRecord] = field(default_factory=dict)
    _request_log: list[RequestLogEntry] = field(default_factory=list)

    def add_family(
        self, grant: AuthorizationGrant, refresh_token: str, lifetime: float = math.inf
    ) -> None:
        """Start a family of refresh tokens, all of which expire after `lifetime` seconds."""
        with self._condition:
            family = _RefreshTokenFamily(grant, refresh_token, expires_at=self.now() + lifetime)
            self._families[refresh_token] = self._latest_families[grant.system] = family

    def rotate_refresh_token(
        self,
        spent: str,
        generate: Callable[[AuthorizationGrant], str],
        *,
        system: str,
        client_id: str,
        grace: float = 0.0,
        keep: bool = False,
    ) -> tuple[AuthorizationGrant, str]:
        """Spend a refresh token; return its grant and the new current token.

        Reuse of a spent token revokes its family, including access tokens (RFC 9700 section
        4.14.2), unless it is the previous token and was spent less than `grace` seconds ago.
        With `keep` the token is not rotated.

        Raises:
            InvalidRefreshTokenError: the refresh token is unknown, revoked or was used before.
        """
        with self._condition:
            family = self._families.get(spent)
            if family is None or (family.grant.system, family.grant.client_id) != (
                system,
                client_id,
            ):
                raise InvalidRefreshTokenError("the refresh token is unknown")
            if not family.active:
                raise InvalidRefreshTokenError("the refresh token is revoked")
            if self.now() >= family.expires_at:
                raise InvalidRefreshTokenError("the refresh token has expired")
            if spent != family.current:
                if spent == family.previous and self.now() - family.rotated_at < grace:
                    return family.grant, family.current
                family.active = False
                raise InvalidRefreshTokenError(
                    "the refresh token was used before, so its whole family is revoked"
                )
            if not keep:
                family.current = generate(family.grant)
                family.previous, family.rotated_at = spent, self.now()
                self._families[family.current] = family
            self._latest_families[system] = family
            return family.grant, family.current

    def add_access_token(
        self,
        access_token: str,
        grant: AuthorizationGrant,
        lifetime: float,
        refresh_token: str | None,
    ) -> None:
        """Add an access token that lives for `lifetime` seconds to the refresh token's family."""
        with self._condition:
            family = self._families.get(refresh_token) if refresh_token is not None else None
            now = self.now()
            self._access_tokens[access_token] = _AccessTokenRecord(
                grant, now, now + lifetime, family
            )

    def check_access_token(
        self, access_token: str, system: str
    ) -> AuthorizationGrant | Literal["unknown", "expired", "revoked"]:
        """Return the access token's grant, or why the token is not valid."""
        with self._condition:
            access = self._access_tokens.get(access_token)
            if access is None or access.grant.system != system:
                return "unknown"
            state = self._access_token_state(access)
            return access.grant if state == "active" else state

    def check_refresh_token(self, refresh_token: str, system: str) -> AuthorizationGrant | None:
        """Return the grant of a refresh token that could be used now, or None."""
        with self._condition:
            family = self._families.get(refresh_token)
            if family is None or family.grant.system != system or family.current != refresh_token:
                return None
            return family.grant if family.active and self.now() < family.expires_at else None

    def revoke_token(self, token: str, *, system: str, client_id: str) -> None:
        """Revoke an access token, or a refresh token with its whole family (RFC 7009 section 2.1).

        A token that is unknown or belongs to another client is left alone.
        """
        owner = (system, client_id)
        with self._condition:
            family, access = self._families.get(token), self._access_tokens.get(token)
            if family is not None and (family.grant.system, family.grant.client_id) == owner:
                family.active = False
            if access is not None and (access.grant.system, access.grant.client_id) == owner:
                access.revoked = True

    def revoke_grant(self, grant: AuthorizationGrant) -> None:
        """Revoke all tokens of one authorization (RFC 6749 section 4.1.2)."""
        with self._condition:
            for family in self._families.values():
                family.active = family.active and family.grant is not grant
            for access in self._access_tokens.values():
                access.revoked = access.revoked or access.grant is grant

    def revoke_all(self, system: str) -> None:
        """Revoke all tokens of a system."""
        with self._condition:
            for family in self._families.values():
                family.active = family.active and family.grant.system != system
            for access in self._access_tokens.values():
                access.revoked = access.revoked or access.grant.system == system

    @property
    def issued_tokens(self) -> tuple[IssuedToken, ...]:
        """Return all access tokens that were issued so far, oldest first."""
        with self._condition:
            return tuple(
                IssuedToken(
                    token,
                    access.grant.system,
                    access.grant.client_id,
                    access.grant.subject,
                    access.grant.scope,
                    access.issued_at,
                    access.expires_at,
                    self._access_token_state(access),
                )
                for token, access in self._access_tokens.items()
            )

    def _access_token_state(
        self, access: _AccessTokenRecord
    ) -> Literal["active", "expired", "revoked"]:
        if access.revoked or (access.family is not None and not access.family.active):
            return "revoked"
        return "active" if self.now() < access.expires_at else "expired"

    def is_family_active(self, refresh_token: str) -> bool:
        """Tell whether the family of a refresh token, spent or not, is still active."""
        with self._condition:
            family = self._families.get(refresh_token)
            return family is not None and family.active

    def current_refresh_token(self, system: str) -> str | None:
        """Return the current refresh token of the family that the system used last."""
        with self._condition:
            family = self._latest_families.get(system)
            return family.current if family is not None and family.active else None

    def record_request(self, entry: RequestLogEntry) -> None:
        """Add an entry to the log."""
        with self._condition:
            self._request_log.append(entry)
            self._condition.notify_all()
        if self.on_request_logged is not None:
            self.on_request_logged(entry)

    @property
    def request_log(self) -> tuple[RequestLogEntry, ...]:
        """Return all requests so far, in the order of their responses."""
        with self._condition:
            return tuple(self._request_log)

    @property
    def token_requests(self) -> int:
        """Count the requests to token endpoints."""
        return self.count_requests("token")

    @property
    def tokens_issued(self) -> int:
        """Count the access tokens issued, even if the response was dropped."""
        return self.count_requests("issued")

    def count_requests(
        self, kind: str, *, system: str | None = None, grant_type: str | None = None
    ) -> int:
        """Count requests of a kind: `token`, `resource`, `keys`, `other`, or `issued`, `refused`."""
        return sum(
            1
            for entry in self.request_log
            if _matches_kind(entry, kind)
            and system in (None, entry.system)
            and grant_type in (None, entry.grant_type)
        )

    def wait_for_requests(self, kind: str, number: int = 1, timeout: float = 30.0) -> bool:
        """Wait until `number` requests of a kind are logged; return False after `timeout` seconds."""
        with self._condition:
            return self._condition.wait_for(
                lambda: sum(_matches_kind(entry, kind) for entry in self._request_log) >= number,
                timeout,
            )


def _matches_kind(entry: RequestLogEntry, kind: str) -> bool:
    match kind:
        case "issued":
            return entry.issued
        case "refused":
            return entry.kind == "token" and not entry.issued
        case _:
            return entry.kind == kind
