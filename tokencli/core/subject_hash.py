"""Hash the subject of an exchanged token, so that a stored token is never returned for another subject."""

import json
from hashlib import sha256

from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import PromptRequiredError
from tokencli.jwt.decode import decode_token
from tokencli.models import Profile, Secret
from tokencli.oauth import grants

VOLATILE_CLAIMS = ("exp", "iat", "nbf", "jti", "auth_time", "nonce")
"""Claims that differ between tokens of the same subject."""


def hash_subject(profile: Profile, resolver: SecretResolver) -> str:
    """Return a hash of the tokens that the grant exchanges; empty if it exchanges none.

    Tokens of the same subject have the same hash.

    Raises:
        CredentialsError: a token to exchange can't be obtained.
    """
    names = [
        name
        for name in grants.load_grant(profile.grant).exchanged_secrets
        if name in profile.secrets
    ]
    if not names:
        return ""
    try:
        secrets = [resolver.resolve(name) for name in names]
    except PromptRequiredError as error:
        resolver.prompt_for(error.secret_names)
        secrets = [resolver.resolve(name) for name in names]
    text = json.dumps([_stable_identity(secret) for secret in secrets if secret is not None])
    return sha256(text.encode()).hexdigest()


def _stable_identity(token: Secret) -> object:
    """Return a token's claims without the volatile ones, or the whole token if it isn't a JWT."""
    decoded = decode_token(token.reveal())
    if decoded.kind != "jwt" or decoded.problems or "sub" not in decoded.claims:
        return token.reveal()
    return sorted(
        [name, json.dumps(value, sort_keys=True)]
        for name, value in decoded.claims.items()
        if name not in VOLATILE_CLAIMS
    )
