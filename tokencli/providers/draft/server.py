"""An OAuth server as a provider: its endpoints and grants; all else is the standard's."""

import re

from tokencli.errors import ConfigError
from tokencli.providers.draft.made import VARIABLE, Draft
from tokencli.providers.draft.url import address
from tokencli.providers.inline import toml
from tokencli.providers.recorded.seen import Server

METHODS = ("client_secret_basic", "client_secret_post", "none")
GRANTS = ("client_credentials", "password", "authorization_code", "device_code")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_NAME = re.compile(r"[!-~]{1,200}")
_MANY = 3
"""More scopes than this are hardly all wanted."""


def server(found: Server, made: Draft) -> None:
    """Write the provider of an OAuth server."""
    grants = found.grants or (("authorization_code", "client_credentials") if found.issuer else ())
    issuer = address(found.issuer, made, found.defaults)[0] if found.issuer else ""
    if not found.token_url and not issuer:
        raise ConfigError("the OAuth server in the file has no token endpoint")
    if issuer:
        made.lines.append(f"endpoints.issuer = {toml(issuer)}")
        made.leave("the token endpoint, if it is not the one that the issuer's metadata name")
    token = address(found.token_url, made, found.defaults)[0] if found.token_url else issuer
    made.lines.append(f"endpoints.token = {toml(token)}")
    for name, url, grant in (
        ("authorization", found.authorization_url, "authorization_code"),
        ("device_authorization", found.device_url, "device_code"),
    ):
        if url:
            place, _ = address(url, made, found.defaults)
            made.lines.append(f"endpoints.{name} = {toml(place)}")
        elif grant in grants and not found.issuer:
            made.leave(f"where the {name.replace('_', ' ')} endpoint is: endpoints.{name}")
    made.lines.append(f"client_auth = {toml(found.client_auth or METHODS)}")
    if not found.client_auth:
        made.leave(f"how the client proves who it is, one of {', '.join(METHODS)}: client_auth")
    _scope(found, made)
    params = {name: made.value(name, text) for name, text in found.params if _NAME.fullmatch(name)}
    for grant in grants:
        about = f"{{ params = {toml(params)} }}" if params else "{}"
        made.lines.append(f"grants.{grant} = {about}")
    if not found.grants:
        made.leave("which grants the server takes: grants.NAME")
    made.leave("what its own error codes mean, beside the standard's: [errors]")


def _scope(found: Server, made: Draft) -> None:
    told = VARIABLE.sub(lambda word: made.variables.get(word[1], word[0]), found.scope)
    scopes = [word for word in told.split() if _SCOPE.fullmatch(word) and "{{" not in word]
    if "{{" in told:
        made.leave("the scope, which is a variable there: scope")
    if scopes:
        made.lines.append(f"scope = {toml(' '.join(dict.fromkeys(scopes)))}")
    if len(scopes) > _MANY:
        made.leave("which of these scopes are wanted: scope")
