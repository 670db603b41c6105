"""Evidence records for the tests of the causes, built from one healthy case."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokencli.diagnosis.evidence import (
    BodyKind,
    CallFacts,
    Evidence,
    IssuerFacts,
    NetworkFailure,
    ProfileFacts,
    TokenFacts,
)
from tokencli.errors import TokencliError
from tokencli.oauth.www_authenticate import parse_challenges

NOW = 1_700_000_000.0
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
ISSUER = "https://id.example.com"
API = "https://api.example.com/orders"
AUDIENCE = "https://api.example.com"


def token(**changes: Any) -> TokenFacts:
    """Return a healthy JWT of the profile, half an hour old, valid for another half."""
    healthy = TokenFacts(
        kind="jwt",
        length=1200,
        fingerprint="f1",
        header={"alg": "RS256", "kid": "k1", "typ": "at+jwt"},
        claims={"iss": ISSUER, "sub": "u-1", "aud": AUDIENCE},
        role="access",
        issued_at=NOW - 30 * MINUTE,
        expires_at=NOW + 30 * MINUTE,
        issuer=ISSUER,
        subject="u-1",
        client="batch",
        audience=(AUDIENCE,),
        scopes=("orders:read",),
        signature="valid",
        stored=True,
    )
    return replace(healthy, **changes)


def opaque(**changes: Any) -> TokenFacts:
    """Return an opaque token, of which only the length is known."""
    return replace(TokenFacts(kind="opaque", length=64, fingerprint="f2", stored=True), **changes)


def call(
    status: int | None = 401,
    *,
    challenge: str | None = None,
    text: str | None = None,
    code: str | None = None,
    url: str = API,
    server_ahead: float = 0.0,
    body_kind: BodyKind = "json",
    headers: Mapping[str, str] | None = None,
    carrier: str | None = "Authorization: Bearer",
    failure: NetworkFailure | None = None,
    **changes: Any,
) -> CallFacts:
    """Return a call; its reply carries the time, unless there was a failure."""
    challenges = parse_challenges(challenge) if challenge else ()
    if code is None and challenges:
        code = next((c.params["error"] for c in challenges if "error" in c.params), None)
    if text is None and challenges:
        text = next(
            (c.params["error_description"] for c in challenges if "error_description" in c.params),
            None,
        )
    answered = failure is None
    return replace(
        CallFacts(
            method="GET",
            url=url,
            carrier=carrier,
            status=status if answered else None,
            headers=headers or {},
            challenges=challenges,
            body_kind=body_kind,
            error_code=code,
            error_text=text,
            server_time=NOW + server_ahead if answered else None,
            received_at=NOW if answered else None,
            failure=failure,
            failure_error=None if answered else TokencliError(f"can't reach {url}"),
        ),
        **changes,
    )


def bare(status: int = 401, **changes: Any) -> CallFacts:
    """Return the call without a token."""
    return call(
        status, carrier=None, **({"challenge": "Bearer"} if status == 401 else {}) | changes
    )


def profile(**changes: Any) -> ProfileFacts:
    """Return what the profile of the healthy token expects."""
    healthy = ProfileFacts(
        name="orders",
        provider="oauth2",
        grant="client_credentials",
        token_host="id.example.com",
        command_line_name="orders",
        issuer=ISSUER,
        client_id="batch",
        scopes=("orders:read",),
        carriers=("Authorization: Bearer",),
    )
    return replace(healthy, **changes)


def issuer(**changes: Any) -> IssuerFacts:
    """Return what the issuer of the healthy token says."""
    healthy = IssuerFacts(
        issuer=ISSUER,
        key_ids=("k1",),
        jwks_url=f"{ISSUER}/jwks",
        server_time=NOW,
        received_at=NOW,
    )
    return replace(healthy, **changes)


def evidence(**changes: Any) -> Evidence:
    """Return the evidence about the healthy token, without a call."""
    healthy = Evidence(now=NOW, token=token(), profile=profile(), issuer=issuer())
    return replace(healthy, **changes)
