"""A request as Postman, Bruno and OpenCollection store it, with its authentication in a separate object."""

import json
import re
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import TypeVar, cast
from urllib.parse import urlencode

from tokencli.importers.model import Imported, ImportedRequest, OAuthServer, has_basic_auth

Pairs = list[tuple[str, str]]
File = TypeVar("File")
"""A file of a collection, parsed."""
ENVIRONMENTS_DIR = "environments"
"""The folder of a Bruno or OpenCollection collection that holds its environments."""
GRANT_BY_TOOL_NAME = {
    "clientcredentials": "client_credentials", "application": "client_credentials",
    "password": "password", "passwordcredentials": "password",
    "resourceownerpasswordcredentials": "password",
    "authorizationcode": "authorization_code", "accesscode": "authorization_code",
    "authorizationcodewithpkce": "authorization_code",
    "devicecode": "device_code", "deviceauthorization": "device_code",
    "urnietfparamsoauthgranttypedevicecode": "device_code",
}  # fmt: skip
"""A tool's normalized name of a grant -> its name here. `implicit` has no token request."""
CLIENT_AUTH_METHODS = {
    "header": "client_secret_basic", "basicauthheader": "client_secret_basic",
    "clientsecretbasic": "client_secret_basic", "body": "client_secret_post",
    "clientsecretpost": "client_secret_post",
}  # fmt: skip
"""Where a tool puts the client's credentials, normalized -> the client authentication method."""
MAX_SCRIPT_LENGTH = 20_000
MAX_INHERITED = 200
"""Headers and settings that each request takes over from the folders around it."""
_PROPERTY_CHAIN = re.compile(
    r"(?:json\(\)|getBody\(\)|res\.body|jsonData|responseBody|response|data|body|JSON\.parse\([\w.]*\))"
    r"((?:\??\.[A-Za-z_]\w*|\[\d{1,3}\])+)(?![\w(])"
)
"""How scripts read a token from a reply."""
_TOKEN_NAME = re.compile(r"(?i)\w*(token|jwt|ticket|session_?id)\w*")
_NO_AUTH_KINDS = ("inherit", "none", "noauth", "")


@dataclass(slots=True)
class ToolRequest:
    """A request in the parts in which the tool stores it."""

    method: str = "GET"
    url: str = ""
    headers: Pairs = field(default_factory=list)
    query: Pairs = field(default_factory=list)
    body_format: str = ""
    body: str = ""
    form: Pairs = field(default_factory=list)
    auth: str = ""
    """The kind of authentication."""
    auth_settings: Mapping[str, str] = field(default_factory=dict)
    token_params: Pairs = field(default_factory=list)
    """Additional parameters of an OAuth token request."""
    variables: Mapping[str, str] = field(default_factory=dict)
    reply_body: str = ""
    reply_headers: tuple[str, ...] = ()
    script: str = ""
    """What the tool runs after the reply, which may read the token."""
    name: str = ""


@dataclass(frozen=True, slots=True)
class InheritedSettings:
    """What a collection and its folders set for every request in them."""

    auth: str = ""
    auth_settings: Mapping[str, str] = field(default_factory=dict)
    token_params: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    variables: Mapping[str, str] = field(default_factory=dict)
    name: str = ""

    def extend(
        self,
        auth: str,
        auth_settings: Mapping[str, str],
        token_params: Pairs,
        headers: Pairs,
        variables: dict[str, str],
        name: str = "",
    ) -> "InheritedSettings":
        """Return the settings inside a folder that sets these itself, shared by all of its requests."""
        overrides = auth not in ("", "inherit")
        return InheritedSettings(
            auth if overrides else self.auth,
            dict(islice(auth_settings.items(), MAX_INHERITED)) if overrides else self.auth_settings,
            token_params[:MAX_INHERITED] if overrides else self.token_params,
            [*self.headers, *headers][:MAX_INHERITED],
            layer_variables(variables, self.variables),
            self.name or name,
        )


def layer_variables(own: dict[str, str], inherited: Mapping[str, str]) -> Mapping[str, str]:
    """Return the inherited variables with those of a folder or request over them, without a copy."""
    return ChainMap(own, cast("dict[str, str]", inherited)) if own else inherited


def to_imported(request: ToolRequest) -> Iterator[Imported]:
    """Yield the OAuth server that a request's authentication names, or else the request itself."""
    kind = normalize_name(request.auth)
    if kind == "oauth2":
        server = read_oauth_server(
            request.auth_settings, request.variables, request.name, tuple(request.token_params)
        )
        if server is not None:
            yield server
        return  # a request that is sent with a token is not the one that gets it
    if not request.url.strip():
        return
    headers, query, notes = list(request.headers), list(request.query), []
    settings = {normalize_name(key): value for key, value in request.auth_settings.items()}
    if kind == "bearer":
        headers.append(("Authorization", "Bearer x"))
    elif kind == "apikey":
        key = settings.get("key", "") or "X-Api-Key"
        placement = settings.get("in", "") or settings.get("placement", "")
        (query if "query" in placement else headers).append((key, "x"))
    elif kind not in ("basic", *_NO_AUTH_KINDS):
        notes.append(f"the authentication of kind {request.auth[:40]} was left out")
    is_form = request.body_format in ("form", "multipart")
    yield ImportedRequest(
        request.method.upper(),
        _append_query(request.url, query),
        tuple(headers),
        urlencode(request.form) if is_form else request.body,
        kind == "basic" or has_basic_auth(headers),
        request.reply_body,
        body_format=request.body_format,
        variables=request.variables,
        token_locator=find_token_locator(request.script),
        reply_headers=request.reply_headers,
        name=request.name,
        notes=tuple(notes),
    )


def normalize_name(word: str) -> str:
    """Return a name in lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def read_oauth_server(
    auth_settings: Mapping[str, str],
    variables: Mapping[str, str],
    name: str = "",
    params: tuple[tuple[str, str], ...] = (),
) -> OAuthServer | None:
    """Return the OAuth server of a tool's settings, or None if they name no token endpoint."""
    settings = {normalize_name(key): value for key, value in auth_settings.items() if value}
    url = settings.get("accesstokenurl", "") or settings.get("tokenurl", "")
    if not url:
        return None
    grant = GRANT_BY_TOOL_NAME.get(
        normalize_name(settings.get("granttype", "") or settings.get("flow", ""))
    )
    placement_keys = ("clientauthentication", "credentialsplacement", "placement")
    placement = next((settings[key] for key in placement_keys if key in settings), "")
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


def build_graphql_body(query: str, variables: str) -> str:
    """Return the JSON body of a GraphQL request."""
    return f'{{"query": {json.dumps(query)}, "variables": {variables.strip() or "{}"}}}'


def find_token_locator(script: str) -> str:
    """Return where a script finds a token in the reply, or an empty text."""
    for match in _PROPERTY_CHAIN.finditer(script[:MAX_SCRIPT_LENGTH]):
        path = match[1].replace("?", "").lstrip(".")
        last = re.split(r"[.\[]", path.rstrip("]"))[-1]
        if _TOKEN_NAME.fullmatch(last) and "refresh" not in last.lower():
            return path
    return ""


def find_shared_variables(environments: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the variables that have the same value in every environment. The others become fields."""
    shared = dict(environments[0]) if environments else {}
    for variables in environments:
        for name, value in variables.items():
            if shared.get(name) not in (None, value):
                shared[name] = ""
    return {name: value for name, value in shared.items() if value}


def is_environment_file(path: PurePosixPath) -> bool:
    """Return whether a file of a collection describes an environment."""
    return ENVIRONMENTS_DIR in path.parts[:-1]


def iter_with_settings(
    files: Mapping[PurePosixPath, File],
    settings_files: Sequence[str],
    collection: InheritedSettings,
    inherit: Callable[[File, InheritedSettings], InheritedSettings],
) -> Iterator[tuple[File, InheritedSettings]]:
    """Yield each file that is no environment, with the settings of its collection and folders.

    `inherit` adds the settings of one of the `settings_files` to those of the folders around it.
    """
    known: dict[tuple[PurePosixPath, int], InheritedSettings] = {}
    for path, file in files.items():
        if is_environment_file(path):
            continue
        settings = collection
        for settings_path in (
            folder / name for folder in reversed(path.parents) for name in settings_files
        ):
            if settings_path in files and settings_path != path:
                key = settings_path, id(settings)
                if key not in known:
                    known[key] = inherit(files[settings_path], settings)
                settings = known[key]
        yield file, settings


def _append_query(url: str, query: Pairs) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
