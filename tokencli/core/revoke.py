"""Tell the server that tokens are no longer needed (RFC 7009)."""

from dataclasses import replace

from tokencli.core.logout_reply import RevocationOutcome, check_logout_response
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import RefusedError
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth.authenticated_request import send_authenticated_request
from tokencli.oauth.grants.steps import ParamValue
from tokencli.oauth.token_response import get_endpoint_host
from tokencli.protocols import Context
from tokencli.provider_schema import Reply

_OUTCOME_BY_ERROR: dict[str, RevocationOutcome] = {
    "invalid_token": "gone",
    "unsupported_token_type": "unable",
}
"""Error codes of HTTP 400, or of 200, that are no failure. Section 2.2 wants a plain 200 for a token
that the server does not know; some say `invalid_token`. What it can't revoke lives to its end
(section 2.2.1)."""


def select_revocable_tokens(token: TokenSet, now: float) -> dict[str, Secret]:
    """Return what of a token set is still good for something, in the order of its revocation."""
    left = token.remaining_lifetime(now)
    access = token.access_token if left is None or left > 0 else None
    found = {"refresh_token": token.refresh_token, "access_token": access}
    return {name: secret for name, secret in found.items() if secret}


def revoke_token(
    profile: Profile, ctx: Context, resolver: SecretResolver, name: str, secret: Secret
) -> RevocationOutcome:
    """Revoke a refresh token or an access token, and return what the server made of it.

    Raises:
        RefusedError: the server did not do it, so the token is still good (section 2.2.1).
        TokencliError: it could not be asked, or said neither yes nor no.
    """
    params: dict[str, ParamValue] = {"token": secret, "token_type_hint": name}
    sent = send_authenticated_request(
        profile, params, ctx, resolver, url=profile.endpoints["revocation"]
    )
    if sent.reply.status == 503:
        raise RefusedError(
            f"{get_endpoint_host(profile)} can't revoke the {name.replace('_', ' ')} now (HTTP 503), so it is"
            " still good",
            status=503,
        )
    try:
        check_logout_response(_with_oauth_error_codes(profile), sent.request, sent.reply, Reply())
    except RefusedError as refusal:
        answer = _OUTCOME_BY_ERROR.get(refusal.error or "")
        if refusal.status not in (200, 400) or answer is None:
            raise
        return answer
    return "revoked"


def _with_oauth_error_codes(profile: Profile) -> Profile:
    """Return the profile with OAuth's own place for an error beside its provider's."""
    errors = profile.provider.errors
    both = replace(errors, code=(*errors.code, "error"))
    return replace(profile, provider=replace(profile.provider, errors=both))
