"""Signed assertions at the sandbox: client authentication and a grant (RFC 7523)."""

import json
from collections.abc import Callable, Collection
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OctKey

MAX_CLOCK_DIFFERENCE_S = 60.0
ALGORITHMS = ["ES256", "HS256", "HS384", "HS512"]
"""Algorithms of assertions; the metadata lists them. The key decides which of them fit."""


def shared_key(secret: str) -> "OctKey":
    """Return a client secret as the key of `client_secret_jwt`."""
    from joserfc import jwk

    raw = secret.encode()
    return jwk.OctKey(raw, raw)  # import_key warns of short secrets


class AssertionChecker:
    """Checks assertions for one server, each of which is accepted once."""

    def __init__(self, audiences: Collection[str]) -> None:
        self._audiences = audiences
        self._used_ids: set[tuple[str, str]] = set()
        self._lock = Lock()

    def check_assertion(
        self, assertion: str, find_key: Callable[[str], "ECKey | OctKey | None"], now: float
    ) -> dict[str, Any]:
        """Return the claims (section 3); `find_key` returns the key of an issuer, if it has one.

        Raises:
            ValueError: the assertion is not valid; the message says why.
        """
        claims = self._verify_signature(assertion, find_key)
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if not any(each in self._audiences for each in audiences):
            raise ValueError(f"its aud must be {' or '.join(self._audiences)}")
        expires_at, begins_at = claims.get("exp"), claims.get("nbf", 0)
        if not isinstance(expires_at, int | float) or expires_at + MAX_CLOCK_DIFFERENCE_S < now:
            raise ValueError("it has no exp, or has expired")
        if not isinstance(begins_at, int | float) or begins_at - MAX_CLOCK_DIFFERENCE_S > now:
            raise ValueError("it is not valid yet")
        if not isinstance(claims.get("sub"), str):
            raise ValueError("it has no sub")
        used_id = (claims["iss"], str(claims.get("jti", "")))
        with self._lock:
            if not used_id[1] or used_id in self._used_ids:
                raise ValueError("it has no jti, or was used before")
            self._used_ids.add(used_id)
        return claims

    def _verify_signature(
        self, assertion: str, find_key: Callable[[str], "ECKey | OctKey | None"]
    ) -> dict[str, Any]:
        from joserfc import jws, jwt
        from joserfc.errors import JoseError

        try:
            claims = json.loads(jws.extract_compact(assertion.encode()).payload)
            key = find_key(claims["iss"])
            if key is None:
                raise ValueError("its issuer has no key here")
            jwt.decode(assertion, key, algorithms=ALGORITHMS)
        except (JoseError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError("it can't be read or verified") from error
        return dict(claims)
