"""Make a provider of a request that somebody has seen work: every value in it becomes a reference.

What can't be a secret, by its name or its type, stays as a constant; whatever else stands in the
request is neither kept nor shown.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tokencli.providers.inline import toml

CONSTANT = frozenset(
    ("grant_type", "granttype", "scope", "scopes", "audience", "resource", "response_type", "f",
     "format", "output", "action", "method", "jsonrpc", "version", "api-version", "client_version",
     "authflow", "loginmode", "type", "@type", "connection")
)  # fmt: skip
"""Parameters whose value is the vendor's word and no secret."""
CONSTANT_HEADERS = re.compile(
    r"(?i)accept(-language)?|content-type|x-.*version|.*-version|x-.*target"
)
DROPPED = frozenset(("user-agent", "host", "content-length", "connection", "accept-encoding", "origin", "referer", "cookie", "dnt", "cache-control", "pragma", "priority", "te", "upgrade-insecure-requests"))  # fmt: skip
DROPPED_BEGIN = ("sec-", ":")
SCHEMES = ("apikey", "basic", "bearer", "digest", "dpop", "hawk", "key", "oauth", "ssws", "token")
"""Words that stand before a credential in a header, of IANA's registry and of vendors' pages."""
SECRET = re.compile(r"(?i)pass|secret|token|key|pwd|credential|assertion|jwt|pin\b|otp|code\b|sign")
KNOWN = {
    "username": "username", "user": "username", "user_name": "username", "userid": "username",
    "login": "username", "password": "password", "passwd": "password", "pwd": "password",
    "pass": "password", "client_id": "client_id", "clientid": "client_id",
    "client_secret": "client_secret", "clientsecret": "client_secret",
}  # fmt: skip
"""What a parameter is called, without case and dashes -> the standard value behind it."""
TOKEN = ("access_token", "accesstoken", "token", "authtoken", "auth_token", "id_token", "idtoken",
         "jwt", "sessiontoken", "session_token", "sessionid", "session_id", "ticket")  # fmt: skip
LIFE = {"expires_in": "expires_in", "expiresin": "expires_in", "expires": "expires_in",
        "expires_at": "expires_at", "expiresat": "expires_at", "expiry": "expires_at"}  # fmt: skip
REFRESH = ("refresh_token", "refreshtoken")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as somebody has it, and the reply's body where that was kept."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    basic: bool = False
    reply: str = ""


@dataclass(slots=True)
class Draft:
    """A provider on its way: TOML lines, its fields, and what is still open."""

    title: str
    lines: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Return the provider as TOML, with a comment for each thing that is open."""
        fields = ", ".join(
            f"{name} = {{}}" if kind == "text" else f'{name}.kind = "{kind}"'
            for name, kind in self.fields.items()
        )
        head = [f"title = {toml(self.title)}", self.lines[0]]
        head += [f"fields = {{ {fields} }}"] if fields else []
        marks = [f"# OPEN: {what}" for what in self.open]
        return "\n".join([*marks, *head, *self.lines[1:]]) + "\n"


def draft(seen: Seen, title: str) -> Draft:
    """Return the provider that would send this request."""
    parts = urlsplit(seen.url)
    made = Draft(title or parts.hostname or "A server")
    server = _literal(parts.netloc.rpartition("@")[2])
    path = "/".join(_segment(part, made) for part in (parts.path or "/").split("/"))
    made.lines.append(f"endpoints.token = {toml(f'https://{server}{path}')}")
    query = {name: _value(name, text, made) for name, text in parse_qsl(parts.query, keep_blank_values=True)}  # fmt: skip
    headers = dict(_headers(seen, made))
    kind, send = _body(seen, made)
    request: dict[str, Any] = {"method": seen.method} if seen.method != "POST" else {}
    if seen.basic or "@" in parts.netloc:
        request["basic"] = "{username}:{password}"
        made.open.append('whose HTTP Basic it is: "{client_id}:{client_secret}" for an application')
    if kind is not None and send is not None:
        request |= {"body": kind} if kind != "form" else {}
        request["send"] = send
    elif seen.method != "GET":
        request["body"] = "none"
    if query and seen.method == "GET" and "send" not in request:
        request["send"] = query
    elif query:
        request["query"] = query
    if headers:
        request["headers"] = headers
    made.lines += ["[request]", *(f"{name} = {toml(value)}" for name, value in request.items())]
    _reply(seen.reply, made)
    return made


def _segment(part: str, made: Draft) -> str:
    """Return a part of the path; what looks like somebody's id or key becomes a field."""
    if not re.search(r"[0-9a-fA-F-]{16,}|\d{5,}|(?=.*\d)(?=.*[A-Za-z])[\w-]{16,}", part):
        return _literal(part)
    name = f"part_{sum(field.startswith('part_') for field in made.fields) + 1}"
    made.fields[name] = "text"
    return f"{{{name}}}"


def _headers(seen: Seen, made: Draft) -> list[tuple[str, str]]:
    found = []
    for name, value in seen.headers:
        low = name.lower()
        usual = low == "content-type" and value.split(";")[0].strip().lower() in (
            "application/json", "application/x-www-form-urlencoded")  # fmt: skip
        if low in DROPPED or low.startswith(DROPPED_BEGIN) or usual or value.strip() == "*/*":
            continue
        if low == "accept" and "json" in value:
            continue
        if low == "authorization":
            if not seen.basic:
                scheme, _, rest = value.partition(" ")
                known = rest and scheme.lower() in SCHEMES  # any other word may be a secret itself
                made.fields["credential"] = "secret"
                found.append((name, f"{scheme} {{credential}}" if known else "{credential}"))
        elif CONSTANT_HEADERS.fullmatch(low):
            found.append((name, _literal(value)))
        else:
            found.append((name, _reference(name, made)))
    return found


def _body(seen: Seen, made: Draft) -> tuple[str | None, Any]:
    text = seen.body.strip()
    if not text:
        return None, None
    try:
        tree = json.loads(text)
    except ValueError:
        tree = None
    if isinstance(tree, dict | list):
        return "json", _tree("", tree, made)
    if text.startswith("<"):
        made.open.append("the XML body: write {name} where a value belongs")
        return "xml", re.sub(r">([^<>]+)<", ">{value}<", _literal(text))
    if "=" in text:
        pairs = parse_qsl(text, keep_blank_values=True)
        return "form", {name: _value(name, value, made) for name, value in pairs}
    made.fields["credential"] = "secret"
    return "text", "{credential}"


def _tree(name: str, tree: Any, made: Draft) -> Any:
    if isinstance(tree, dict):
        return {key: _tree(key, branch, made) for key, branch in tree.items() if branch is not None}
    if isinstance(tree, list):
        return [_tree(name, branch, made) for branch in tree if branch is not None]
    if isinstance(tree, int | float) and not isinstance(tree, bool) and SECRET.search(name):
        return _reference(name, made).replace("}", "|number}")  # a PIN
    return _value(name, tree, made) if isinstance(tree, str) else tree


def _value(name: str, value: str, made: Draft) -> str:
    if re.sub(r"[^a-z@-]", "_", name.lower()) in CONSTANT and len(value) <= 100:
        return _literal(value)
    return _reference(name, made)


def _reference(name: str, made: Draft) -> str:
    """Return the placeholder for a value, and note the field behind it."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    key = re.sub(r"[^a-z0-9]+", "_", snake.lower()).strip("_") or "value"
    key = key if key[0].isalpha() else f"x_{key}"
    standard = KNOWN.get(key) or KNOWN.get(key.replace("_", ""))
    if standard:
        return f"{{{standard}}}"
    made.fields.setdefault(key[:60], "secret" if SECRET.search(key) else "text")
    return f"{{{key[:60]}}}"


def _reply(text: str, made: Draft) -> None:
    """Say where the recorded reply keeps what, or that this is open."""
    try:
        tree = json.loads(text) if text else None
    except ValueError:
        tree = None
    tokens: dict[str, str] = {}
    found: dict[str, str] = {}
    for path, key in _members(tree, ""):
        low = key.lower().replace("-", "_")
        if low in TOKEN:
            tokens.setdefault(low, path)
        elif low in LIFE:
            found.setdefault(LIFE[low], path)
        elif low in REFRESH:
            found.setdefault("refresh_token", path)
    if not tokens:
        made.open.append("where the token is in the reply: reply.access_token")
    best = next((tokens[name] for name in TOKEN if name in tokens), TOKEN[0])
    found = {"access_token": best, **found}
    if not {"expires_in", "expires_at"} & set(found):
        made.open.append(
            "how long the token lives: reply.expires_in, reply.expires_at or reply.ttl"
        )
    if "refresh_token" in found:
        made.open.append("how the token is refreshed: [refresh]")
    made.open.append('how the token is used, where not as "Authorization: Bearer {token}": use')
    made.open.append("where an error's code and text are, and what the codes mean: [errors]")
    made.lines += ["[reply]", *(f"{name} = {toml(place)}" for name, place in found.items())]


def _members(tree: Any, path: str) -> list[tuple[str, str]]:
    """List the members of a document that are no tables, each as a JMESPath and its name."""
    if isinstance(tree, list):
        return _members(tree[0], f"{path}[0]") if tree else []
    if not isinstance(tree, Mapping):
        return []
    found: list[tuple[str, str]] = []
    for key, value in tree.items():
        word = key if re.fullmatch(r"[A-Za-z_]\w*", key, re.ASCII) else json.dumps(key)
        inside = f"{path}.{word}" if path else word
        found += _members(value, inside) if isinstance(value, dict | list) else [(inside, key)]
    return found


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
