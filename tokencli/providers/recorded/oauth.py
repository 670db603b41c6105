"""An OAuth server out of the settings that a tool keeps for one, each tool in words of its own."""

import re
from collections.abc import Mapping

from tokencli.providers.recorded.seen import Server

GRANTS = {
    "clientcredentials": "client_credentials", "application": "client_credentials",
    "password": "password", "passwordcredentials": "password",
    "resourceownerpasswordcredentials": "password",
    "authorizationcode": "authorization_code", "accesscode": "authorization_code",
    "authorizationcodewithpkce": "authorization_code",
    "devicecode": "device_code", "deviceauthorization": "device_code",
    "urnietfparamsoauthgranttypedevicecode": "device_code",
}  # fmt: skip
"""What a grant is called, without case and signs -> its name here. `implicit` has no token request."""
AUTH = {
    "header": "client_secret_basic", "basicauthheader": "client_secret_basic",
    "clientsecretbasic": "client_secret_basic", "body": "client_secret_post",
    "clientsecretpost": "client_secret_post",
}  # fmt: skip
"""Where a tool puts the client's credentials -> the method's name."""


def plain(word: str) -> str:
    """Return a name without case and signs, as the tables here have it."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def server(
    told: Mapping[str, str],
    variables: Mapping[str, str],
    name: str = "",
    params: tuple[tuple[str, str], ...] = (),
) -> Server | None:
    """Return the server of a tool's settings, or None where they name no token endpoint."""
    settings = {plain(key): value for key, value in told.items() if value}
    url = settings.get("accesstokenurl", "") or settings.get("tokenurl", "")
    grant = GRANTS.get(plain(settings.get("granttype", "") or settings.get("flow", "")))
    if not url:
        return None
    placement = next(
        (settings[key] for key in ("clientauthentication", "credentialsplacement", "placement")
         if key in settings),
        "",
    )  # fmt: skip
    method = AUTH.get(plain(placement))
    extra = tuple((key, settings[key]) for key in ("audience", "resource") if settings.get(key))
    return Server(
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
