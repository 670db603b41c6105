"""An OAuth server out of the settings that a tool keeps for one, each tool in words of its own."""

import re
from collections.abc import Mapping

from tokencli.importers.model import OAuthServer

GRANT_NAMES = {
    "clientcredentials": "client_credentials", "application": "client_credentials",
    "password": "password", "passwordcredentials": "password",
    "resourceownerpasswordcredentials": "password",
    "authorizationcode": "authorization_code", "accesscode": "authorization_code",
    "authorizationcodewithpkce": "authorization_code",
    "devicecode": "device_code", "deviceauthorization": "device_code",
    "urnietfparamsoauthgranttypedevicecode": "device_code",
}  # fmt: skip
"""What a grant is called, without case and signs -> its name here. `implicit` has no token request."""
CLIENT_AUTH_METHODS = {
    "header": "client_secret_basic", "basicauthheader": "client_secret_basic",
    "clientsecretbasic": "client_secret_basic", "body": "client_secret_post",
    "clientsecretpost": "client_secret_post",
}  # fmt: skip
"""Where a tool puts the client's credentials -> the method's name."""


def normalize_name(word: str) -> str:
    """Return a name without case and signs, as the tables here have it."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def read_oauth_server(
    told: Mapping[str, str],
    variables: Mapping[str, str],
    name: str = "",
    params: tuple[tuple[str, str], ...] = (),
) -> OAuthServer | None:
    """Return the server of a tool's settings, or None where they name no token endpoint."""
    settings = {normalize_name(key): value for key, value in told.items() if value}
    url = settings.get("accesstokenurl", "") or settings.get("tokenurl", "")
    grant = GRANT_NAMES.get(
        normalize_name(settings.get("granttype", "") or settings.get("flow", ""))
    )
    if not url:
        return None
    placement = next(
        (settings[key] for key in ("clientauthentication", "credentialsplacement", "placement")
         if key in settings),
        "",
    )  # fmt: skip
    method = CLIENT_AUTH_METHODS.get(normalize_name(placement))
    extra = tuple((key, settings[key]) for key in ("audience", "resource") if settings.get(key))
    return OAuthServer(
        url,
        settings.get("authurl", "") or settings.get("authorizationurl", ""),
        settings.get("deviceauthorizationurl", ""),
        grants=(grant,) if grant else (),
        scope=settings.get("scope", ""),
        client_auth=(method,) if method else (),
        params=tuple(dict([*extra, *params]).items()),
        variables=variables,
        name=name,
    )
