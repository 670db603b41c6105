"""Read OpenAPI 3 and Swagger 2: the OAuth flows, the OpenID issuers, and where one logs in."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tokencli.importers import json_access, oauth_settings
from tokencli.importers.model import Imported, OAuthServer
from tokencli.importers.openapi_operations import find_login_requests
from tokencli.importers.openapi_schema import SchemaExamples

METADATA_PATHS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def read_requests(data: Mapping[str, Any]) -> Iterator[Imported]:
    """Yield the servers that the security schemes describe, then the operations that log in."""
    schemas = SchemaExamples(dict(data))
    base, defaults = _read_base_url(data)
    name = json_access.as_text(json_access.as_table(data.get("info")).get("title"))
    schemes = json_access.as_table(
        json_access.as_table(data.get("components")).get("securitySchemes")
    )
    schemes = schemes or json_access.as_table(data.get("securityDefinitions"))
    found: dict[tuple[str, str], OAuthServer] = {}
    for scheme in schemes.values():
        for server in _read_oauth_servers(schemas.resolve_ref(scheme), base, defaults, name):
            key = server.token_url, server.issuer
            found[key] = _merge_servers(found[key], server) if key in found else server
    yield from found.values()
    for seen in find_login_requests(data, schemas, base, defaults, name, schemes):
        if (seen.url, "") not in found:
            yield seen


def _merge_servers(one: OAuthServer, other: OAuthServer) -> OAuthServer:
    """Return what two flows say of one server."""
    return replace(
        one,
        authorization_url=one.authorization_url or other.authorization_url,
        device_url=one.device_url or other.device_url,
        grants=tuple(dict.fromkeys((*one.grants, *other.grants))),
        scope=f"{one.scope} {other.scope}".strip(),
    )


def make_absolute_url(url: str, base: str) -> str:
    """Return a URL that may be relative to a base, as a template of `{name}`s."""
    if "://" in url or not url:
        return url
    if url.startswith("//"):
        return f"https:{url}"
    if url.startswith("/"):
        scheme, colons, rest = base.partition("://")
        host = rest.partition("/")[0] if colons else base.partition("/")[0]
        return f"{scheme}://{host}{url}" if colons else f"{host}{url}"
    return f"{base.rstrip('/')}/{url.removeprefix('./')}"


def _read_base_url(data: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the address that the document's servers have, and what its parts are by default."""
    if "swagger" in data:
        host = json_access.as_text(data.get("host")) or "{base_url}"
        path = json_access.as_text(data.get("basePath")).strip("/")
        schemes = data.get("schemes")
        only = (
            json_access.as_text(schemes[0])
            if isinstance(schemes, list) and len(schemes) == 1
            else "https"
        )
        start = "" if host.startswith("{") else f"{only or 'https'}://"
        return f"{start}{host}{f'/{path}' if path else ''}", {}
    servers = json_access.as_rows(data.get("servers"))
    best = next(
        (one for one in servers if json_access.as_text(one.get("url")).startswith("https")), None
    )
    server = best or (servers[0] if servers else {})
    url = json_access.as_text(server.get("url")).rstrip("/")
    defaults = {
        key: json_access.as_text(json_access.as_table(about).get("default"))
        for key, about in json_access.as_table(server.get("variables")).items()
    }
    for key, value in defaults.items():
        if f"{{{key}}}" == url.partition("/")[0] or (f"{{{key}}}://" in url):
            url = url.replace(f"{{{key}}}", value, 1)  # a whole address, or its scheme
    if "://" not in url:
        url = f"{{base_url}}{'/' if url and url[0] != '/' else ''}{url}"
    return url, defaults


def _read_oauth_servers(
    scheme: dict[str, Any], base: str, defaults: dict[str, str], name: str
) -> Iterator[OAuthServer]:
    kind = oauth_settings.normalize_name(json_access.as_text(scheme.get("type")))
    metadata = json_access.first_text(
        scheme.get("openIdConnectUrl"), scheme.get("oauth2MetadataUrl")
    )
    if kind == "openidconnect" or (metadata and kind == "oauth2"):
        issuer = make_absolute_url(metadata, base)
        for each in METADATA_PATHS:
            issuer = issuer.partition(each)[0]
        if issuer:
            yield OAuthServer(issuer=issuer.rstrip("/"), defaults=defaults, name=name)
    if kind != "oauth2":
        return
    flows = json_access.as_table(scheme.get("flows")) or {
        json_access.as_text(scheme.get("flow")): scheme
    }
    for flow_name, told in flows.items():
        flow = json_access.as_table(told)
        grant = oauth_settings.GRANT_NAMES.get(oauth_settings.normalize_name(flow_name))
        url = make_absolute_url(json_access.as_text(flow.get("tokenUrl")), base)
        if grant and url:
            yield OAuthServer(
                url,
                make_absolute_url(json_access.as_text(flow.get("authorizationUrl")), base),
                make_absolute_url(json_access.as_text(flow.get("deviceAuthorizationUrl")), base),
                grants=(grant,),
                scope=" ".join(json_access.as_table(flow.get("scopes"))),
                defaults=defaults,
                name=name,
            )
