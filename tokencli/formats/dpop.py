"""What goes along with one request where the token is bound to a key (RFC 9449 section 7)."""

from tokencli.errors import UsageError
from tokencli.formats import header
from tokencli.models import TokenSet
from tokencli.oauth import dpop


def render(
    profile: str,
    token: TokenSet,
    now: float,
    *,
    method: str = "GET",
    url: str | None = None,
    nonce: str | None = None,
) -> str:
    """Return the two headers of one request, for `curl -H @-`; each proof is good for one sending.

    Raises:
        UsageError: no request is named, or the token is bound to nothing.
    """
    require_request_url(profile, url)
    if token.dpop_key is None:
        raise UsageError(
            f"the token of profile {profile!r} is bound to no key, so there is nothing to prove",
            fix=f"tokencli get {profile} --format header",
        )
    assert url is not None, "it was just required"
    proof = dpop.create_proof(
        token.dpop_key, method.upper(), url, now, nonce=nonce, token=token.access_token
    )
    return f"{header.render(profile, token, now)}{dpop.PROOF_HEADER}: {proof}\n"


def require_request_url(profile: str, url: str | None) -> None:
    """Raise UsageError unless a request is named that a proof can be for."""
    if url is None:
        raise UsageError(
            "a DPoP proof is for one request, which has to be named", fix=usage_command(profile)
        )
    dpop.htu_of_url(url)


def usage_command(profile: str) -> str:
    """Return how to use a token that is bound to a key."""
    url = "https://api.example.com/…"
    return f"tokencli get {profile} --format dpop --method GET --url {url} | curl -H @- {url}"


def bound_token_warning(profile: str) -> str:
    """Say that the token alone is not enough."""
    return (
        "this token is bound to a key, and opens nothing without a proof for each request:"
        f" {usage_command(profile)}"
    )
