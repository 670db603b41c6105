"""An OAuth server as a provider: its endpoints and grants; all else is the standard's."""

import re

from tokencli.errors import ConfigError
from tokencli.importers.draft.builder import VARIABLE_PATTERN, ProviderDraft
from tokencli.importers.draft.url import draft_url
from tokencli.importers.model import OAuthServer
from tokencli.toml_writer import format_toml_value

CLIENT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")
GRANTS = ("client_credentials", "password", "authorization_code", "device_code")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_PARAMETER_NAME = re.compile(r"[!-~]{1,200}")
_MAX_SCOPES = 3
"""More scopes than this are hardly all wanted."""


def draft_oauth_server(found: OAuthServer, made: ProviderDraft) -> None:
    """Write the provider of an OAuth server."""
    grants = found.grants or (("authorization_code", "client_credentials") if found.issuer else ())
    issuer = draft_url(found.issuer, made, found.defaults)[0] if found.issuer else ""
    if not found.token_url and not issuer:
        raise ConfigError("the OAuth server in the file has no token endpoint")
    if issuer:
        made.top_level_lines.append(f"endpoints.issuer = {format_toml_value(issuer)}")
        made.add_open_question(
            "the token endpoint, if it is not the one that the issuer's metadata name"
        )
    token = draft_url(found.token_url, made, found.defaults)[0] if found.token_url else issuer
    made.top_level_lines.append(f"endpoints.token = {format_toml_value(token)}")
    for name, url, grant in (
        ("authorization", found.authorization_url, "authorization_code"),
        ("device_authorization", found.device_url, "device_code"),
    ):
        if url:
            place, _ = draft_url(url, made, found.defaults)
            made.top_level_lines.append(f"endpoints.{name} = {format_toml_value(place)}")
        elif grant in grants and not found.issuer:
            made.add_open_question(
                f"where the {name.replace('_', ' ')} endpoint is: endpoints.{name}"
            )
    made.top_level_lines.append(
        f"client_auth = {format_toml_value(found.client_auth or CLIENT_AUTH_METHODS)}"
    )
    if not found.client_auth:
        made.add_open_question(
            f"how the client proves who it is, one of {', '.join(CLIENT_AUTH_METHODS)}: client_auth"
        )
    _draft_scope(found, made)
    params = {
        name: made.draft_value(name, text)
        for name, text in found.params
        if _PARAMETER_NAME.fullmatch(name)
    }
    for grant in grants:
        about = f"{{ params = {format_toml_value(params)} }}" if params else "{}"
        made.top_level_lines.append(f"grants.{grant} = {about}")
    if not found.grants:
        made.add_open_question("which grants the server takes: grants.NAME")
    made.add_open_question("what its own error codes mean, beside the standard's: [errors]")


def _draft_scope(found: OAuthServer, made: ProviderDraft) -> None:
    told = VARIABLE_PATTERN.sub(lambda word: made.variables.get(word[1], word[0]), found.scope)
    scopes = [word for word in told.split() if _SCOPE_TOKEN.fullmatch(word) and "{{" not in word]
    if "{{" in told:
        made.add_open_question("the scope, which is a variable there: scope")
    if scopes:
        made.top_level_lines.append(f"scope = {format_toml_value(' '.join(dict.fromkeys(scopes)))}")
    if len(scopes) > _MAX_SCOPES:
        made.add_open_question("which of these scopes are wanted: scope")
