"""The keys of a profile that say where a server's endpoints are and how a person signs in there."""

from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from tokencli.config import validators

EndpointUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=True))]
IssuerUrl: TypeAlias = Annotated[str, AfterValidator(validators.url_validator(query=False))]

ENDPOINT_BY_KEY: dict[str, str] = {
    "authorization_url": "authorization",
    "device_authorization_url": "device_authorization",
    "par_url": "pushed_authorization_request",
    "revocation_url": "revocation",
    "introspection_url": "introspection",
    "userinfo_url": "userinfo",
    "jwks_url": "jwks",
}
"""Key of a profile -> logical name of the endpoint whose URL it gives."""

KEY_BY_ENDPOINT: dict[str, str] = {
    "token": "token_url",
    "issuer": "issuer",
    **{name: key for key, name in ENDPOINT_BY_KEY.items()},
}
"""The other way round, token endpoint and issuer included."""

ENDPOINT_URL_KEYS = frozenset(KEY_BY_ENDPOINT.values()) - {"issuer"}
"""The keys whose value is an endpoint's whole URL, in which a query may stand."""

SIGN_IN_KEYS = ("browser", "interactive", "redirect_port", "par")


class ServerSettings(BaseModel):
    """Where the server's endpoints are, beside the token endpoint, and how a person signs in."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    issuer: IssuerUrl | None = None
    """The server's own name; its metadata (RFC 8414, OpenID Connect Discovery) name its endpoints."""
    authorization_url: EndpointUrl | None = None
    """The authorization endpoint, for the grant authorization_code."""
    device_authorization_url: EndpointUrl | None = None
    """The device authorization endpoint, for the grant device_code."""
    par_url: EndpointUrl | None = None
    """The pushed authorization request endpoint (RFC 9126)."""
    revocation_url: EndpointUrl | None = None
    """The revocation endpoint (RFC 7009), for tokencli logout."""
    introspection_url: EndpointUrl | None = None
    """The introspection endpoint (RFC 7662), for tokencli inspect."""
    userinfo_url: EndpointUrl | None = None
    """The UserInfo endpoint (OpenID Connect Core section 5.3), for tokencli inspect."""
    jwks_url: EndpointUrl | None = None
    """The server's public keys, for tokencli inspect."""
    browser: StrictBool = True
    """Open a browser for signing in; without it the address is shown, to be opened anywhere."""
    interactive: StrictBool = False
    """Let get begin a sign-in where one is needed, as login does."""
    redirect_port: int | None = Field(default=None, ge=1, le=65535)
    """The port of the redirect URI http://127.0.0.1:PORT/callback, where the server wants one that is registered."""
    iss_in_redirect: StrictBool = False
    """The server puts iss into every redirect (RFC 9207), so one without it is refused; discovery finds that out by itself."""
    par: StrictBool = False
    """Push the authorization request to the server before the browser is opened (RFC 9126)."""
