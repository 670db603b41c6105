"""Name what a profile trades for its token, so that a token is never handed out for somebody else's."""

import json
from hashlib import sha256

from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import PromptRequiredError
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret
from tokencli.oauth import grants

VOLATILE_CLAIMS = ("exp", "iat", "nbf", "jti", "auth_time", "nonce")
"""Claims that differ from token to token of one and the same subject."""


def hash_subject(profile: Profile, resolver: SecretResolver) -> str:
    """Return a hash of what is traded, the same for the same subject; empty where nothing is.

    Raises:
        CredentialsError: what is to be traded can't be had.
    """
    traded = [
        name
        for name in grants.load_grant(profile.grant).exchanged_secrets
        if name in profile.secrets
    ]
    if not traded:
        return ""
    try:
        found = [resolver.resolve(name) for name in traded]
    except PromptRequiredError as due:
        resolver.prompt_for(due.secret_names)
        found = [resolver.resolve(name) for name in traded]
    text = json.dumps([_stable_identity(secret) for secret in found if secret is not None])
    return sha256(text.encode()).hexdigest()


def _stable_identity(token: Secret) -> object:
    """Return what a token says of its subject: its lasting claims, or all of one that says nothing."""
    decoded = decode_token(token.reveal())
    if decoded.kind != "jwt" or decoded.problems or "sub" not in decoded.claims:
        return token.reveal()
    return sorted(
        [name, json.dumps(value, sort_keys=True)]
        for name, value in decoded.claims.items()
        if name not in VOLATILE_CLAIMS
    )
