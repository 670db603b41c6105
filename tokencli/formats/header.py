"""The header that carries the token, for `curl -H` (RFC 6750 section 2.1)."""

from collections.abc import Mapping

from tokencli.errors import UsageError
from tokencli.formats.value_checks import require_one_word
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import AUTH_SCHEMES as AUTH_SCHEMES
from tokencli.oauth.token_usage import build_headers_and_query


def render(profile: str, token: TokenSet, now: float) -> str:  # noqa: ARG001 - one signature for all
    """Return `Authorization: Bearer …` and a newline."""
    value = token.access_token.reveal()
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    if token.token_type.lower() == "n_a":
        raise UsageError(
            f"what profile {profile!r} traded for is no access token, so no header carries it"
            " (RFC 8693 section 2.2.1)",
            fix=f"tokencli get {profile}",
        )
    require_one_word(value, "token")
    require_one_word(scheme, "token type")
    return f"Authorization: {scheme} {value}\n"


def render_as_used(
    profile: Profile, token: TokenSet, now: float, beside: Mapping[str, Secret]
) -> str:
    """Return the headers by which the provider says that its token is used, a line each."""
    headers, _ = build_headers_and_query(profile, token, beside, now)
    if not headers:
        raise UsageError(
            f"no header carries the token of profile {profile.name!r}: its provider puts it into"
            " the query of the URL",
            fix=f"tokencli get {profile.name} --format query",
        )
    return "".join(f"{name}: {value}\n" for name, value in headers)
