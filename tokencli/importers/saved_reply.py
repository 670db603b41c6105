"""Read saved replies: as `curl -i`, `curl -v` and `http -v` print them, or an entry of a HAR file."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin

from tokencli.errors import ConfigError
from tokencli.importers import har
from tokencli.importers.document import as_pairs, as_rows, as_table, as_text

MAX_LENGTH = 8 * 1024 * 1024
"""Characters of a text that are read."""
MAX_HAR_LENGTH = 64 * 1024 * 1024
Pairs = tuple[tuple[str, str], ...]

_STATUS_LINE = re.compile(r"HTTP/(?:[0-9.]+)\s+(\d{3})(?:\s+([^\r\n]*))?\s*")
_HEADER_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_REQUEST_LINE = re.compile(r"([A-Z]{3,10})\s+(\S+)\s+HTTP/[0-9.]+\s*")
_VERBOSE_LINE = re.compile(r"(?m)^[<>] ?(?:HTTP/|[A-Z]+ \S+ HTTP/|[\w-]+:)")
_VERBOSE_NOISE = re.compile(r"\* |[{}] \[|\s*%\s+Total|\s*Dload|\s*\d+\s+\d+\s+\d+\s+\d+\s")
_TITLE_OF_PROXY = "connection established"


@dataclass(frozen=True, slots=True)
class SavedExchange:
    """A reply, with what is known about its request."""

    status: int
    """0 if there was no reply."""
    headers: Pairs = ()
    body: str = ""
    method: str = ""
    """Empty if it isn't known, as is the next one."""
    url: str = ""
    request_headers: Pairs = ()
    request_body: str = ""
    received_at: str = ""
    """As the file has it, e.g. RFC 3339; empty if it isn't known."""


def parse_saved_replies(text: str) -> list[SavedExchange]:
    """Return the replies in a text, in order: the last one is what the client got in the end.

    Interim replies (1xx) and that of a proxy to CONNECT are left out.

    Raises:
        ConfigError: there is no reply in it.
    """
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        found = _read_har(text[: MAX_HAR_LENGTH + 1])
        if found:
            return found
    lines = text[:MAX_LENGTH].splitlines(keepends=True)
    replies = _read_verbose(lines) if _VERBOSE_LINE.search(text) else _read_plain(lines)
    final = [
        reply
        for number, reply in enumerate(replies)
        if reply.status >= 200 and not (number + 1 < len(replies) and _is_tunnel(reply))
    ]
    if not final:
        raise ConfigError(
            "there is no reply in the text",
            cause="a reply begins with a line like HTTP/1.1 401, as curl -i prints it; or it is an entry"
            " of a HAR file",
            fix="tokencli help why",
        )
    return final


def _is_tunnel(reply: SavedExchange) -> bool:
    """Tell whether it is a proxy's reply to CONNECT (RFC 9110 section 9.3.6)."""
    return reply.method == "CONNECT" or (reply.status == 200 and reply.body == _TITLE_OF_PROXY)


def _read_plain(lines: Sequence[str]) -> list[SavedExchange]:
    """Read replies of which each begins with a status line. Only the last one has a body that is kept.

    `curl -i -L` prints the bodies of all, one after the other. HTTPie's `-v` prints the request before.
    """
    request, lines = _read_request(lines)
    replies: list[SavedExchange] = []
    headers: list[tuple[str, str]] = []
    body: list[str] = []
    status: re.Match[str] | None = None
    in_headers = False

    def finish() -> None:
        if status is not None:
            text = "".join(body)
            if (status[2] or "").strip().lower() == _TITLE_OF_PROXY and not text.strip():
                text = _TITLE_OF_PROXY
            first = SavedExchange(0) if replies else request
            replies.append(replace(first, status=int(status[1]), headers=tuple(headers), body=text))

    for line in lines:
        content = line.rstrip("\r\n")
        start = _STATUS_LINE.fullmatch(content)
        if start is not None and not in_headers:
            finish()
            status, headers, body, in_headers = start, [], [], True
        elif status is None:
            continue  # a prompt or a command before the reply
        elif in_headers:
            in_headers = _add_header(headers, content)
        else:
            body.append(line)
    finish()
    return replies


def _read_request(lines: Sequence[str]) -> tuple[SavedExchange, Sequence[str]]:
    """Return the request that is printed before the first reply, and the lines from that reply on."""
    request, headers, body = SavedExchange(0), list[tuple[str, str]](), list[str]()
    in_headers = False
    for number, line in enumerate(lines):
        content = line.rstrip("\r\n")
        if _STATUS_LINE.fullmatch(content):
            url = _join_host(request.url, headers)
            text = "".join(body).strip()
            request = replace(request, url=url, request_headers=tuple(headers), request_body=text)
            return request, lines[number:]
        if not request.method and (start := _REQUEST_LINE.fullmatch(content)):
            request, in_headers = SavedExchange(0, method=start[1], url=start[2]), True
        elif in_headers:
            in_headers = _add_header(headers, content)
        elif request.method:
            body.append(line)
    return SavedExchange(0), ()


def _add_header(headers: list[tuple[str, str]], line: str) -> bool:
    """Add a header; return False at the empty line after the last one."""
    if not line.strip():
        return False
    if line[0] in " \t" and headers:  # obsolete line folding (RFC 9112 section 5.2)
        name, value = headers[-1]
        headers[-1] = (name, f"{value} {line.strip()}")
    elif match := _HEADER_LINE.fullmatch(line):
        headers.append((match[1], match[2]))
    return True


def _read_verbose(lines: Sequence[str]) -> list[SavedExchange]:
    """Read what `curl -v` prints: requests after `> `, replies after `< `, then the body."""
    replies: list[SavedExchange] = []
    request = SavedExchange(0)
    asked: list[tuple[str, str]] = []
    answered: list[tuple[str, str]] = []
    body: list[str] = []
    status: int | None = None
    is_over = False

    def finish() -> None:
        if status is not None:
            text = "".join(body)
            replies.append(
                replace(
                    request,
                    status=status,
                    headers=tuple(answered),
                    body=text,
                    request_headers=tuple(asked),
                    url=_join_host(request.url, asked),
                )
            )

    for line in lines:
        content = line.rstrip("\r\n")
        mark, rest = content[:1], content[1:].removeprefix(" ")
        if mark == ">" and (start := _REQUEST_LINE.fullmatch(rest)):
            finish()
            status, answered, body, asked = None, [], [], []
            request = SavedExchange(0, method=start[1], url=start[2])
        elif mark == ">":
            _add_header(asked, rest)
        elif mark == "<" and (begin := _STATUS_LINE.fullmatch(rest)):
            if status is not None and status >= 200:
                finish()
            status, answered, body, is_over = int(begin[1]), [], [], False
        elif mark == "<":
            is_over = not _add_header(answered, rest)
        elif is_over and not _VERBOSE_NOISE.match(content):
            body.append(line)
    finish()
    return replies


def _join_host(target: str, headers: Sequence[tuple[str, str]]) -> str:
    """Return the URL of a request to `target`; curl doesn't print the scheme, which is https usually."""
    host = next((value for name, value in headers if name.lower() == "host"), "")
    return f"https://{host}{target}" if host and target.startswith("/") else ""


def _read_har(text: str) -> list[SavedExchange]:
    """Return the exchange that failed in a HAR file, or the one of an entry, after its redirects."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if re.match(r'\s*\{\s*"(?:log|startedDateTime|request|entries)"', text):
            raise ConfigError(
                "the HAR file is not valid JSON", cause="it may be cut off; save it once more"
            ) from None
        return []
    rows = as_rows(data) if isinstance(data, list) else []
    if isinstance(data, dict):
        rows = as_rows(as_table(data.get("log")).get("entries")) or as_rows(data.get("entries"))
        rows = rows or ([data] if "response" in data else [])
    entries = [_read_entry(row) for row in rows if isinstance(row.get("response"), dict)]
    if not entries:
        return []
    chosen = _choose_entry(entries)
    chain = [chosen]
    for entry in reversed(entries[: entries.index(chosen)]):
        target = next((value for name, value in entry.headers if name.lower() == "location"), "")
        if 300 <= entry.status < 400 and target and urljoin(entry.url, target) == chain[0].url:
            chain.insert(0, entry)
    return chain


def _choose_entry(entries: Sequence[SavedExchange]) -> SavedExchange:
    """Return the last entry that failed, those with a token first; else the last with a token."""

    def rank(entry: SavedExchange) -> tuple[bool, bool]:
        names = {name.lower() for name, _ in entry.request_headers}
        return entry.status >= 400 or entry.status == 0, "authorization" in names

    failed = [entry for entry in entries if rank(entry) == (True, True)]
    failed = failed or [entry for entry in entries if entry.status in (401, 403)]
    failed = failed or [entry for entry in entries if rank(entry)[0]]
    return (failed or [entry for entry in entries if rank(entry)[1]] or list(entries))[-1]


def _read_entry(entry: Mapping[str, Any]) -> SavedExchange:
    asked, answer = as_table(entry.get("request")), as_table(entry.get("response"))
    status = answer.get("status")
    return SavedExchange(
        status if isinstance(status, int) and not isinstance(status, bool) else 0,
        tuple(as_pairs(answer.get("headers"), name="name")),
        har.decode_text(as_table(answer.get("content"))),
        as_text(asked.get("method")).upper(),
        as_text(asked.get("url")),
        tuple(as_pairs(asked.get("headers"), name="name")),
        har.decode_text(as_table(asked.get("postData"))),
        as_text(entry.get("startedDateTime")),
    )
