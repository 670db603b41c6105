"""Tell the server that tokens are no longer needed (RFC 7009)."""

from tokencli.actions.exchange import exchange
from tokencli.actions.secrets import Wallet
from tokencli.errors import RefusedError
from tokencli.grants.steps import Value
from tokencli.model import Profile, Secret, TokenSet
from tokencli.ports import Edges
from tokencli.providers.reply import endpoint, members

UNSUPPORTED = "unsupported_token_type"
"""The server can't revoke tokens of this kind (section 2.2.1); they live to their end."""


def revoke(profile: Profile, edges: Edges, wallet: Wallet, token: TokenSet) -> tuple[str, ...]:
    """Revoke the refresh token first, then the access token while it lives; return what was revoked.

    A token that the server does not know is as good as revoked (section 2.2).

    Raises:
        RefusedError: the server did not do it, so the tokens are still good (section 2.2.1).
        TokencliError: it could not be asked.
    """
    done = []
    left = token.remaining(edges.clock.now())
    for name, secret in (
        ("refresh_token", token.refresh_token),
        ("access_token", token.access_token if left is None or left > 0 else None),
    ):
        if secret and _revoked(profile, edges, wallet, name, secret):
            done.append(name)
    return tuple(done)


def _revoked(profile: Profile, edges: Edges, wallet: Wallet, name: str, secret: Secret) -> bool:
    url = profile.endpoints["revocation"]
    params: dict[str, Value] = {"token": secret, "token_type_hint": name}
    request, reply, _ = exchange(profile, params, edges, wallet, url=url)
    if 200 <= reply.status < 300:
        return True
    words = name.replace("_", " ")
    if reply.status == 503:
        raise RefusedError(
            f"{endpoint(profile)} can't revoke the {words} now (HTTP 503), so it is still good",
            status=503,
        )
    try:
        members(profile, request, reply)
    except RefusedError as refusal:
        if refusal.error != UNSUPPORTED:
            raise
    edges.terminal.detail(f"{endpoint(profile)} can't revoke an {words}: it lives to its end")
    return False
