"""Importing costs time in proportion to the file: whatever repeats, and however long it is."""

import gc
import json
from collections.abc import Callable
from time import process_time
from typing import Any

import pytest

from tests.fakes import FakeTerminal
from tokencli.commands.providers_new import _pick_draft
from tokencli.importers.curl import parse_curl
from tokencli.importers.recording import parse_file, parse_folder

pytestmark = pytest.mark.long

URL = "https://h.example/login"


def har(text: str = '{"password": "x"}', *, url: str = URL, kind: str = "", reply: str = "", **more: Any) -> dict[str, Any]:  # fmt: skip
    """Return a recorded request."""
    response = {"content": {"text": reply}, "status": 200, **more}
    posted = {"mimeType": kind or "application/json", "text": text}
    return {"request": {"method": "POST", "url": url, "postData": posted}, "response": response}


def recording(*entries: dict[str, Any]) -> str:
    """Return a HAR file."""
    return json.dumps({"log": {"entries": entries}})


def postman(items: list[object], **variables: str) -> str:
    """Return a collection of Postman."""
    rows = [{"key": key, "value": value} for key, value in variables.items()]
    schema = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
    return json.dumps({"info": {"schema": schema}, "variable": rows, "item": items})


def sent(body: object, path: str = "", **more: object) -> dict[str, object]:
    """Return an item of a Postman collection."""
    raw = {"mode": "raw", "raw": json.dumps(body)}
    return {"request": {"method": "POST", "url": URL + path, "body": raw}, **more}


def openapi(**members: object) -> str:
    """Return an API description."""
    return json.dumps({"openapi": "3.0.0", "servers": [{"url": "https://h.example"}], **members})


def flow(number: int) -> dict[str, object]:
    """Return an OAuth flow with a scope of its own."""
    told = {"tokenUrl": "/t", "scopes": {f"scope{number}": ""}}
    return {"type": "oauth2", "flows": {"clientCredentials": told}}


def bru(url: str) -> str:
    """Return a request of Bruno that inherits everything."""
    return f'post {{\n  url: {url}\n  auth: inherit\n}}\nbody:json {{\n  {{"password": "x"}}\n}}\n'


FORM = "application/x-www-form-urlencoded"
FILES: dict[str, Callable[[int], str | dict[str, str]]] = {
    "redirects": lambda n: recording(
        *(har(url=f"{URL}/{i}", status=307, redirectURL=f"/x{i}") for i in range(n // 2))
    ),
    "similar bodies": lambda n: recording(*(har("a" * 2000, url=f"{URL}/{i}") for i in range(n // 40))),
    "constants of one name": lambda n: recording(har("&".join(f"scope=s{i}" for i in range(n)), kind=FORM)),
    "kept constants": lambda n: recording(har(json.dumps({f"f{i}": {"type": f"c{i}"} for i in range(n)}))),
    "a long name over a list": lambda n: recording(har(json.dumps({"k" * n: [{"id": 12345678}] * (n // 4)}))),
    "versions": lambda n: f"curl {URL} -d password=x" + "".join(f" -H 'X-A{i}-Version: 1'" for i in range(n)),
    "a long element in the reply": lambda n: recording(
        har(reply=f"<{'a' * n}>{'<b>x</b>' * n}</{'a' * n}>")
    ),
    "a long member in the reply": lambda n: recording(
        har(reply=json.dumps({"ab\n" * n: {chr(200 + i): 1 for i in range(n)}}))
    ),
    "text with entities": lambda n: recording(har(f"<a><p>{'&amp;x' * n}</p></a>", kind="text/xml")),
    "spaces in braces": lambda n: recording(har('{"password": "{{' + " " * n + '"}')),
    "spaces in bare braces": lambda n: recording(har('{"password": {{' + " " * n + "}")),
    "escaped quotes": lambda n: recording(har('{"' + '\\"' * n)),
    "variables of folders": lambda n: postman(
        [sent({"password": "x"}, f"/{i}", variable=[{"key": "q", "value": "1"}]) for i in range(n // 8)],
        **{f"v{i}": "x" for i in range(n)},
    ),
    "a long variable": lambda n: postman([sent({"password": "x", "scope": "{{v}}" * n})], v="x" * n),
    "flows of one server": lambda n: openapi(
        components={"securitySchemes": {f"s{i}": flow(i) for i in range(n // 2)}}
    ),
    "references with other keys": lambda n: openapi(
        paths={"/login": {"post": {"parameters": [{"$ref": "#/x-big", "a": 1}] * n, "x": bru(URL)},
                          "get": {"parameters": [{"in": "query", "name": "password", "required": True}]}}},
        **{"x-big": {f"k{i}": 1 for i in range(n)}},
    ),
    "blocks of one name": lambda n: bru(URL) + "headers {\n  a: b\n}\n" * n,
    "commands with many URLs": lambda n: "curl -d password=x" + "".join(f" -H 'X-A{i}: b'" for i in range(n // 10)) + f" {URL}" * (n // 10),
    "settings of a folder": lambda n: {
        "bruno.json": "{}",
        "collection.bru": "".join(
            f"{name} {{\n{''.join(f'  a{i}: v{chr(10)}' for i in range(n))}}}\n"
            for name in ("headers", "vars", "auth:basic")
        ) + "auth {\n  mode: basic\n}\n",
        **{f"r{i}.bru": bru(f"{URL}/x{i}") for i in range(n // 10)},
    },
    "environments": lambda n: {
        "bruno.json": "{}", "r.bru": bru(URL),
        **{f"environments/e{i}.bru": "vars {\n  a: b\n}\n" for i in range(1, n // 8)},
        "environments/e0.bru": f"vars {{\n{''.join(f'  v{i}: x{chr(10)}' for i in range(n))}}}\n",
    },
}  # fmt: skip
"""What repeats -> a file that has it n times."""


def import_seconds(file: str | dict[str, str]) -> float:
    """Return the processor time of an import, at best.

    Without the garbage collector, whose time depends on what earlier tests left in memory.
    """

    class OnlyTerminal:
        terminal = FakeTerminal()

    def measure() -> float:
        started = process_time()
        if isinstance(file, dict):
            found = parse_folder(file)
        else:
            found = [*parse_curl(file)] if file.startswith("curl") else parse_file(file)
        _pick_draft(OnlyTerminal, found, 1, "").to_toml()  # type: ignore[arg-type]
        return process_time() - started

    gc.collect()
    gc.disable()
    try:
        return min(measure() for _ in range(3))
    finally:
        gc.enable()


@pytest.mark.parametrize("what", FILES)
def test_four_times_the_file_takes_four_times_as_long(what: str) -> None:
    """With a quadratic step in it, it would take sixteen times as long, however often it is measured."""
    small, large = (FILES[what](n) for n in (6000, 24000))
    ratios = (import_seconds(large) / max(import_seconds(small), 0.01) for _ in range(4))
    assert any(ratio < 9 for ratio in ratios)
