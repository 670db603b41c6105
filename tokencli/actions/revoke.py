"""Tell the server that tokens are no longer needed (RFC 7009)."""

from dataclasses import replace

from tokencli.actions.answer import Answer, check
from tokencli.actions.exchange import exchange
from tokencli.actions.secrets import Wallet
from tokencli.errors import RefusedError
from tokencli.grants.steps import Value
from tokencli.model import Profile, Secret, TokenSet
from tokencli.ports import Edges
from tokencli.providers.reply import endpoint
from tokencli.providers.spec import Reply

_SAID: dict[str, Answer] = {"invalid_token": "gone", "unsupported_token_type": "unable"}
"""Error codes of HTTP 400, or of 200, that are no failure. Section 2.2 wants a plain 200 for a token
that the server does not know; some say `invalid_token`. What it can't revoke lives to its end
(section 2.2.1)."""


def due(token: TokenSet, now: float) -> dict[str, Secret]:
    """Return what of a token set is still good for something, in the order of its revocation."""
    left = token.remaining(now)
    access = token.access_token if left is None or left > 0 else None
    found = {"refresh_token": token.refresh_token, "access_token": access}
    return {name: secret for name, secret in found.items() if secret}


def revoke(profile: Profile, edges: Edges, wallet: Wallet, name: str, secret: Secret) -> Answer:
    """Revoke a refresh token or an access token, and return what the server made of it.

    Raises:
        RefusedError: the server did not do it, so the token is still good (section 2.2.1).
        TokencliError: it could not be asked, or said neither yes nor no.
    """
    params: dict[str, Value] = {"token": secret, "token_type_hint": name}
    sent = exchange(profile, params, edges, wallet, url=profile.endpoints["revocation"])
    if sent.reply.status == 503:
        raise RefusedError(
            f"{endpoint(profile)} can't revoke the {name.replace('_', ' ')} now (HTTP 503), so it is"
            " still good",
            status=503,
        )
    try:
        check(_in_oauths_words(profile), sent.request, sent.reply, Reply())
    except RefusedError as refusal:
        answer = _SAID.get(refusal.error or "")
        if refusal.status not in (200, 400) or answer is None:
            raise
        return answer
    return "revoked"


def _in_oauths_words(profile: Profile) -> Profile:
    """Return the profile with OAuth's own place for an error beside its provider's."""
    errors = profile.provider.errors
    both = replace(errors, code=(*errors.code, "error"))
    return replace(profile, provider=replace(profile.provider, errors=both))
