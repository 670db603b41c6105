"""Name what a profile trades for its token, so that a token is never handed out for somebody else's."""

import json
from hashlib import sha256

from tokencli import grants
from tokencli.actions.secrets import Wallet
from tokencli.errors import PersonNeeded
from tokencli.jwt.decode import decode
from tokencli.model import Profile, Secret

PASSING = ("exp", "iat", "nbf", "jti", "auth_time", "nonce")
"""Claims that differ from token to token of one and the same subject."""


def subject(profile: Profile, wallet: Wallet) -> str:
    """Return a hash of what is traded, the same for the same subject; empty where nothing is.

    Raises:
        CredentialsError: what is to be traded can't be had.
    """
    traded = [name for name in grants.trades(profile.grant) if name in profile.secrets]
    if not traded:
        return ""
    try:
        found = [wallet.find(name) for name in traded]
    except PersonNeeded as due:
        wallet.ask(due.names)
        found = [wallet.find(name) for name in traded]
    text = json.dumps([_identity(secret) for secret in found if secret is not None])
    return sha256(text.encode()).hexdigest()


def _identity(token: Secret) -> object:
    """Return what a token says of its subject: its lasting claims, or all of one that says nothing."""
    decoded = decode(token.reveal())
    if decoded.kind != "jwt" or decoded.problems or "sub" not in decoded.claims:
        return token.reveal()
    return sorted(
        [name, json.dumps(value, sort_keys=True)]
        for name, value in decoded.claims.items()
        if name not in PASSING
    )
