"""Read OpenAPI 3 and Swagger 2: the OAuth flows, the OpenID issuers, and where one logs in."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tokencli.providers.recorded import oauth, tree
from tokencli.providers.recorded.operations import operations
from tokencli.providers.recorded.schema import Schemas
from tokencli.providers.recorded.seen import Found, Server

WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def requests(data: Mapping[str, Any]) -> Iterator[Found]:
    """Yield the servers that the security schemes describe, then the operations that log in."""
    schemas = Schemas(dict(data))
    base, defaults = _base(data)
    name = tree.text(tree.table(data.get("info")).get("title"))
    schemes = tree.table(tree.table(data.get("components")).get("securitySchemes"))
    schemes = schemes or tree.table(data.get("securityDefinitions"))
    found: dict[tuple[str, str], Server] = {}
    for scheme in schemes.values():
        for server in _servers(schemas.resolved(scheme), base, defaults, name):
            key = server.token_url, server.issuer
            found[key] = _joined(found[key], server) if key in found else server
    yield from found.values()
    for seen in operations(data, schemas, base, defaults, name, schemes):
        if (seen.url, "") not in found:
            yield seen


def _joined(one: Server, other: Server) -> Server:
    """Return what two flows say of one server."""
    return replace(
        one,
        authorization_url=one.authorization_url or other.authorization_url,
        device_url=one.device_url or other.device_url,
        grants=tuple(dict.fromkeys((*one.grants, *other.grants))),
        scope=f"{one.scope} {other.scope}".strip(),
    )


def absolute(url: str, base: str) -> str:
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


def _base(data: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the address that the document's servers have, and what its parts are by default."""
    if "swagger" in data:
        host = tree.text(data.get("host")) or "{base_url}"
        path = tree.text(data.get("basePath")).strip("/")
        schemes = data.get("schemes")
        only = tree.text(schemes[0]) if isinstance(schemes, list) and len(schemes) == 1 else "https"
        start = "" if host.startswith("{") else f"{only or 'https'}://"
        return f"{start}{host}{f'/{path}' if path else ''}", {}
    servers = tree.rows(data.get("servers"))
    best = next((one for one in servers if tree.text(one.get("url")).startswith("https")), None)
    server = best or (servers[0] if servers else {})
    url = tree.text(server.get("url")).rstrip("/")
    defaults = {
        key: tree.text(tree.table(about).get("default"))
        for key, about in tree.table(server.get("variables")).items()
    }
    for key, value in defaults.items():
        if f"{{{key}}}" == url.partition("/")[0] or (f"{{{key}}}://" in url):
            url = url.replace(f"{{{key}}}", value, 1)  # a whole address, or its scheme
    if "://" not in url:
        url = f"{{base_url}}{'/' if url and url[0] != '/' else ''}{url}"
    return url, defaults


def _servers(
    scheme: dict[str, Any], base: str, defaults: dict[str, str], name: str
) -> Iterator[Server]:
    kind = oauth.plain(tree.text(scheme.get("type")))
    metadata = tree.first(scheme.get("openIdConnectUrl"), scheme.get("oauth2MetadataUrl"))
    if kind == "openidconnect" or (metadata and kind == "oauth2"):
        issuer = absolute(metadata, base)
        for each in WELL_KNOWN:
            issuer = issuer.partition(each)[0]
        if issuer:
            yield Server(issuer=issuer.rstrip("/"), defaults=defaults, name=name)
    if kind != "oauth2":
        return
    flows = tree.table(scheme.get("flows")) or {tree.text(scheme.get("flow")): scheme}
    for flow_name, told in flows.items():
        flow = tree.table(told)
        grant = oauth.GRANTS.get(oauth.plain(flow_name))
        url = absolute(tree.text(flow.get("tokenUrl")), base)
        if grant and url:
            yield Server(
                url,
                absolute(tree.text(flow.get("authorizationUrl")), base),
                absolute(tree.text(flow.get("deviceAuthorizationUrl")), base),
                grants=(grant,),
                scope=" ".join(tree.table(flow.get("scopes"))),
                defaults=defaults,
                name=name,
            )
