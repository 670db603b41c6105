"""A loopback server that replays one documented endpoint at a time, strictly.

Any difference from the vendor's page (method, URL, header, body, type of a value) is refused with
418 and noted in `complaints`, so that nothing passes by luck.
"""

import json
import re
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import trustme


@dataclass
class Asked:
    """One documented request, with the test's values in it."""

    method: str
    url: str
    kind: str
    """`form`, `json`, `query`, `text` or `none`."""
    body: Any
    """Pairs of form or query, a JSON value, or text."""
    headers: Mapping[str, str] = field(default_factory=dict)
    reply: Mapping[str, Any] = field(default_factory=dict)


ANY_UUID = "{stable_uuid}"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KINDS = {"form": "application/x-www-form-urlencoded", "json": "application/json"}


def difference(asked: Asked, method: str, url: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return how a request differs from the documented one; empty if it doesn't."""
    parts, wanted = urlsplit(url), urlsplit(asked.url)
    query = sorted(parse_qsl(parts.query, keep_blank_values=True))
    wanted_query = sorted(parse_qsl(wanted.query, keep_blank_values=True))
    if asked.kind == "query":
        wanted_query = sorted([*wanted_query, *asked.body])
    seen = {
        "method": (method, asked.method),
        "server": (f"{parts.scheme}://{parts.netloc}", f"{wanted.scheme}://{wanted.netloc}"),
        "path": (parts.path, wanted.path),
        "query": (query, wanted_query),
    }
    kind = headers.get("content-type")
    expected = {name.lower(): value for name, value in asked.headers.items()}
    if "content-type" not in expected and asked.kind in KINDS:
        seen["content-type"] = (kind, KINDS[asked.kind])
    for name, value in expected.items():
        seen[name] = (headers.get(name), value)
    if "authorization" not in expected:
        seen["authorization"] = (headers.get("authorization"), None)
    match asked.kind:
        case "form":
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body))
            ours = [
                (name, value if not _UUID.fullmatch(value) else ANY_UUID) for name, value in pairs
            ]
            seen["body"] = (sorted(ours), sorted(asked.body))
        case "json":
            try:
                seen["body"] = (typed(json.loads(body)), typed(asked.body))
            except ValueError:
                seen["body"] = (body[:80], "JSON")
        case "text":
            seen["body"] = (body.decode(), asked.body)
        case _:
            seen["body"] = (body, b"")
    wrong = [
        f"{what}: {came!r} instead of {due!r}" for what, (came, due) in seen.items() if came != due
    ]
    return "; ".join(wrong)


def typed(value: Any) -> Any:
    """Return a JSON value in which 1, True and 1.0 differ."""
    if isinstance(value, dict):
        return {name: typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [typed(one) for one in value]
    return (type(value).__name__, value)


class Zoo:
    """The server and the requests that it replays."""

    def __init__(self) -> None:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        certificate = authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self._folder = tempfile.TemporaryDirectory()
        self.ca_file = str(Path(self._folder.name) / "ca.pem")
        authority.cert_pem.write_to_path(self.ca_file)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.serve([])

    def serve(self, asked: list[Asked], server: str | None = None) -> None:
        """Replay these requests from now on; `server` is the client's name for this machine."""
        self.asked = asked
        self.server = server
        self.failure: Mapping[str, Any] | None = None
        self.complaints: list[str] = []
        self.seen: list[Asked] = []
        self.bodies: list[bytes] = []

    def stop(self) -> None:
        """Close everything."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._folder.cleanup()

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, Any]:
        """Return the documented response, or what is wrong with the request."""
        url = f"{self.server or f'https://{self.address}'}{target}"
        self.bodies.append(body)
        wrong = [difference(asked, method, url, headers, body) for asked in self.asked]
        if "" not in wrong:
            self.complaints.append(" | ".join(wrong))
            return {"status": 418, "body": "", "headers": {}}
        found = self.asked[wrong.index("")]
        self.seen.append(found)
        return self.failure if self.failure is not None else found.reply

    def _handler(zoo) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if self.command in ("POST", "PUT") and "content-length" not in headers:
                    self.send_error(411)
                    return
                reply = zoo.answer(self.command, self.path, headers, body)
                self.write(reply)

            def write(self, reply: Mapping[str, Any]) -> None:
                content = reply.get("body")
                text = content if isinstance(content, str) else json.dumps(content)
                data = b"" if content is None or reply["status"] == 204 else text.encode()
                kind = reply.get("content_type") or _guessed(content)
                self.send_response(reply["status"])
                if kind:
                    self.send_header("Content-Type", kind)
                if reply["status"] != 204:
                    self.send_header("Content-Length", str(len(data)))
                for name, value in reply.get("headers", {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler


def _guessed(content: Any) -> str | None:
    if isinstance(content, str):
        return "text/html" if content.startswith("<") else "text/plain"
    return None if content is None else "application/json"
