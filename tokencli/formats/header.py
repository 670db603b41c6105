"""The header that carries the token, for `curl -H` (RFC 6750 section 2.1)."""

from collections.abc import Mapping

from tokencli.errors import UsageError
from tokencli.formats.variable_checks import require_one_word
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.token_usage import AUTH_SCHEMES, build_headers_and_query


def render(profile: str, token: TokenSet, now: float) -> str:  # noqa: ARG001 - one signature for all
    """Return `Authorization: Bearer …` and a newline."""
    value = token.access_token.reveal()
    scheme = AUTH_SCHEMES.get(token.token_type.lower(), token.token_type)
    if token.token_type.lower() == "n_a":
        raise UsageError(
            f"the token of profile {profile!r} has type N_A: it is not an access token, so no header"
            " carries it (RFC 8693 section 2.2.1)",
            fix=f"tokencli get {profile}",
        )
    require_one_word(value, "token")
    require_one_word(scheme, "token type")
    return f"Authorization: {scheme} {value}\n"


def render_as_used(
    profile: Profile, token: TokenSet, now: float, secrets: Mapping[str, Secret]
) -> str:
    """Return the headers in which the provider sends its token, one per line."""
    headers, _ = build_headers_and_query(profile, token, secrets, now)
    if not headers:
        raise UsageError(
            f"provider {profile.provider.name!r} of profile {profile.name!r} sends the token in the"
            " URL's query, not in a header",
            fix=f"tokencli get {profile.name} --format query",
        )
    return "".join(f"{name}: {value}\n" for name, value in headers)
