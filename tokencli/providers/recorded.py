"""Read requests that other tools keep: a curl command line, HAR, Postman, Bruno, OpenAPI."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from tokencli.errors import ConfigError
from tokencli.providers.draft import Seen

_VALUED = ("-X", "--request", "-H", "--header", "-d", "--data", "--data-raw", "--data-binary",
           "--data-ascii", "--data-urlencode", "--json", "-u", "--user", "--url", "-F", "--form",
           "-o", "--output", "-A", "--user-agent", "-b", "--cookie", "--cacert", "-E", "--cert",
           "--key", "-e", "--referer", "-m", "--max-time", "--connect-timeout", "-x", "--proxy",
           "-w", "--write-out", "--retry", "-c", "--cookie-jar", "--resolve", "--oauth2-bearer")  # fmt: skip
_DATA = (
    "-d",
    "--data",
    "--data-raw",
    "--data-binary",
    "--data-ascii",
    "--data-urlencode",
    "--json",
)


def from_curl(text: str) -> Seen:
    """Return the request of a curl command line; nothing is run, no file it names is read.

    Raises:
        ConfigError: it is no curl command with a URL. The message quotes nothing of it.
    """
    try:
        words = shlex.split(re.sub(r"\\\r?\n|\^\r?\n", " ", text))
    except ValueError:
        raise ConfigError(
            "the curl command can't be read: a quotation mark is not closed",
            hint="paste it whole, as the browser or the documentation has it",
        ) from None
    if not words or not words[0].endswith("curl"):
        raise ConfigError("this is no curl command line", hint="it begins with the word curl")
    told = list(_options(words[1:]))
    urls = [value for name, value in told if name in ("", "--url")]
    if not urls:
        raise ConfigError("the curl command names no URL")
    data = [(name, value) for name, value in told if name in _DATA]
    headers = [
        (name.strip(), value.strip())
        for option, line in told
        if option in ("-H", "--header")
        for name, colon, value in [line.partition(":")]
        if colon
    ]
    if any(option == "--oauth2-bearer" for option, _ in told):
        headers.append(("Authorization", "Bearer x"))
    method = next((value for name, value in told if name in ("-X", "--request")), None)
    as_query = any(name in ("-G", "--get") for name, _ in told)
    body = "&".join(_encoded(name, value) for name, value in data)
    url = urls[0]
    if as_query and body:
        url, body = f"{url}{'&' if '?' in url else '?'}{body}", ""
    if any(value.startswith("@") for name, value in data if name != "--data-raw"):
        body = ""  # a file's content is its owner's
    basic = any(name in ("-u", "--user") for name, _ in told) or _has_basic(headers)
    verb = method or ("POST" if data and not as_query else "GET")
    return Seen(verb.upper(), _absolute(url), tuple(headers), body, basic)


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word in _VALUED:
            yield word, next(rest, "")
        elif equals and name in _VALUED and name.startswith("--"):
            yield name, value
        elif word.startswith("-") and not word.startswith("--") and word[:2] in _VALUED:
            yield word[:2], word[2:]
        elif word.startswith("-"):
            yield word, ""
        else:
            yield "", word


def _encoded(option: str, value: str) -> str:
    name, equals, text = value.partition("=")
    if option == "--data-urlencode" and equals:
        return urlencode([(name, text)])
    return value


def _has_basic(headers: list[tuple[str, str]]) -> bool:
    return any(n.lower() == "authorization" and v.lower().startswith("basic") for n, v in headers)


def _absolute(url: str) -> str:
    return url if "://" in url else f"https://{url}"


def from_file(text: str) -> list[Seen]:
    """Return the requests for a token that a recorded or described collection holds.

    Raises:
        ConfigError: it is none that is known here, or holds none.
    """
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if isinstance(data, dict):
        found = list(_from_json(data))
    elif re.search(r"(?m)^(get|post|put) \{", text):
        found = [_from_bruno(text)]
    else:
        raise ConfigError(
            "this is no JSON and no Bruno file",
            hint="give a HAR file, a Postman collection, a .bru file, or OpenAPI as JSON",
        )
    likely = [seen for seen in found if re.search(r"(?i)token|auth|login|session|ticket", seen.url)]
    if not found:
        raise ConfigError("there is no request in it that could be for a token")
    return likely or found


def _from_json(data: Mapping[str, Any]) -> Iterator[Seen]:
    if isinstance(log := data.get("log"), dict):
        yield from (_from_har(entry) for entry in log.get("entries", []))
    elif "item" in data:
        yield from _from_postman(data["item"])
    elif "openapi" in data or "swagger" in data:
        yield from _from_openapi(data)


def _from_har(entry: Mapping[str, Any]) -> Seen:
    asked = entry.get("request", {})
    headers = tuple((one["name"], one["value"]) for one in asked.get("headers", []))
    body = (asked.get("postData") or {}).get("text", "")
    reply = ((entry.get("response") or {}).get("content") or {}).get("text", "")
    method, url = asked.get("method", "POST"), asked.get("url", "")
    return Seen(method, url, headers, body, _has_basic(list(headers)), reply)


def _from_postman(items: Any) -> Iterator[Seen]:
    for item in items if isinstance(items, list) else []:
        if "item" in item:
            yield from _from_postman(item["item"])
        asked = item.get("request")
        if not isinstance(asked, dict):
            continue
        url = asked.get("url", "")
        url = url.get("raw", "") if isinstance(url, dict) else url
        headers = tuple((one["key"], one.get("value", "")) for one in asked.get("header", []))
        body = asked.get("body") or {}
        text = body.get("raw", "")
        if body.get("mode") == "urlencoded":
            text = urlencode([(one["key"], one.get("value", "")) for one in body["urlencoded"]])
        basic = (asked.get("auth") or {}).get("type") == "basic"
        answers = [answer.get("body") or "" for answer in item.get("response", [])]
        # {{variable}} is Postman's; a value becomes a reference in any case.
        host = re.sub(r"^\{\{[^}]*\}\}", "https://server.example.com", str(url))
        yield Seen(asked.get("method", "POST"), _absolute(host), headers, text,
                   basic or _has_basic(list(headers)), (answers or [""])[0])  # fmt: skip


def _from_bruno(text: str) -> Seen:
    def block(name: str) -> str:
        found = re.search(rf"(?ms)^{name} \{{\n(.*?)^\}}", text)
        return found[1] if found else ""

    def pairs(name: str) -> list[tuple[str, str]]:
        rows = (line.strip().partition(":") for line in block(name).splitlines() if ":" in line)
        return [(key.strip(), value.strip()) for key, _, value in rows]

    verb = re.search(r"(?m)^(get|post|put) \{", text)
    method = verb[1] if verb else "post"
    url = re.sub(
        r"^\{\{[^}]*\}\}", "https://server.example.com", dict(pairs(method)).get("url", "")
    )
    body = block("body:json").strip() or urlencode(pairs("body:form-urlencoded"))
    headers = tuple(pairs("headers"))
    basic = bool(block("auth:basic")) or _has_basic(list(headers))
    return Seen(method.upper(), _absolute(url), headers, body, basic)


def _from_openapi(data: Mapping[str, Any]) -> Iterator[Seen]:
    """Return a request for each OAuth flow that a security scheme describes."""
    schemes = (data.get("components") or {}).get("securitySchemes") or data.get(
        "securityDefinitions", {}
    )
    for scheme in schemes.values():
        flows = scheme.get("flows") or {scheme.get("flow", ""): scheme}
        for name, flow in flows.items():
            url = flow.get("tokenUrl") if isinstance(flow, dict) else None
            if not url:
                continue
            grant = {"password": "password"}.get(name, "client_credentials")
            scope = " ".join(flow.get("scopes") or {})
            pairs = {"grant_type": grant, "client_id": "x", "client_secret": "x"}
            pairs |= {"username": "x", "password": "x"} if grant == "password" else {}
            yield Seen("POST", _absolute(url), (), urlencode(pairs | ({"scope": scope} if scope else {})),
                       reply='{"access_token": "", "expires_in": 0}')  # fmt: skip
