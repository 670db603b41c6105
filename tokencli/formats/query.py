"""The query parameters that carry the token, for APIs that accept it in the URL (RFC 6750 section 2.3)."""

from collections.abc import Mapping
from urllib.parse import quote

from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import build_headers_and_query


def render(profile: str, token: TokenSet, now: float) -> str:  # noqa: ARG001 - one signature for all
    """Return `access_token=…`, percent-encoded, and a newline."""
    return f"access_token={quote(token.access_token.reveal(), safe='')}\n"


def render_as_used(
    profile: Profile, token: TokenSet, now: float, secrets: Mapping[str, Secret]
) -> str:
    """Return the parameters in which the provider sends its token, joined by `&`."""
    _, query = build_headers_and_query(profile, token, secrets, now)
    if not query:
        return render(profile.name, token, now)
    return "&".join(f"{name}={value}" for name, value in query) + "\n"
