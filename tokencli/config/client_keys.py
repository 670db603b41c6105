"""The keys of a profile that say how a client proves who it is, and what it trades for a token."""

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, StrictBool, WithJsonSchema

from tokencli.config import validators
from tokencli.config.secret_ref_schema import MODEL_CONFIG, CheckedSecretSource, TextLine
from tokencli.jwt.sign import ASYMMETRIC_ALGORITHMS, HMAC_ALGORITHMS

CLIENT_SECRET_KEYS = ("private_key", "key_passphrase", "subject_token", "actor_token", "assertion")
"""Keys of every profile whose values are places of secrets."""
TOKEN_SECRET_KEYS = ("subject_token", "actor_token", "assertion")
"""Those among them that are tokens, and so may be another profile's."""
TOKEN_TYPE_KEYS = ("subject_token_type", "actor_token_type", "requested_token_type")
"""Keys that go into the profile's values."""

TokenType: TypeAlias = Annotated[
    str,
    AfterValidator(validators.validate_token_type),
    WithJsonSchema({"type": "string", "examples": [*validators.TOKEN_TYPES]}),
]


class ClientSettings(BaseModel):
    """How the client proves who it is without a secret of a few letters, and what it trades."""

    model_config = MODEL_CONFIG

    private_key: CheckedSecretSource | None = None
    """Where the client's private key rests: PEM, a JWK, or the JSON file of a service account."""
    key_passphrase: CheckedSecretSource | None = None
    """Where the passphrase of private_key or client_key rests, if that is encrypted."""
    key_id: TextLine | None = None
    """The kid by which the server knows the private key."""
    signing_alg: Literal[*ASYMMETRIC_ALGORITHMS, *HMAC_ALGORITHMS] | None = None  # type: ignore[valid-type]
    """The algorithm of assertions, where the key's usual one (RS256, ES256, EdDSA, HS256) won't do."""
    assertion_audience: TextLine | None = None
    """The aud of assertions: issuer, token_endpoint, or the value that the server wants."""
    client_cert: TextLine | None = None
    """The client's certificate in PEM form: for TLS with client_key, else for x5t in assertions."""
    client_key: TextLine | None = None
    """The PEM file of the certificate's private key, for TLS client authentication (RFC 8705)."""
    dpop: StrictBool = False
    """Bind tokens to a key of this program's own, so that a stolen one is of no use (RFC 9449)."""
    subject_token: CheckedSecretSource | None = None
    """Where the token to be traded comes from, for the grant token_exchange (RFC 8693)."""
    subject_token_type: TokenType | None = None
    """What the subject token is; an access token where nothing is said."""
    actor_token: CheckedSecretSource | None = None
    """Where the token of the one who acts comes from, where that is somebody else."""
    actor_token_type: TokenType | None = None
    """What the actor token is; an access token where nothing is said."""
    requested_token_type: TokenType | None = None
    """What is wanted in exchange, where it is not an access token."""
    assertion: CheckedSecretSource | None = None
    """Where a ready-made assertion comes from, for the grant jwt_bearer; else private_key signs one."""
