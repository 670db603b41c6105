"""Saved replies: as curl prints them, and in HAR files."""

import json

import pytest

from tokencli.errors import ConfigError
from tokencli.importers.saved_reply import parse_saved_replies


def test_plain_replies_are_divided() -> None:
    """Each begins with a status line; a body may look like one only after an empty line."""
    text = (
        "$ curl -i https://api.example.com/\n"
        "HTTP/1.1 100 Continue\n\n"
        "HTTP/1.1 302 Found\nLocation: /new\n\n<p>moved</p>\n"
        "HTTP/2 401\nwww-authenticate: Bearer\n  realm=x\nset-cookie: a=b\n\nline\n\nHTTP/1.1 is old\n"
    )
    first, last = parse_saved_replies(text)
    assert (first.status, first.headers) == (302, (("Location", "/new"),))
    assert last.status == 401
    assert last.headers[0] == ("www-authenticate", "Bearer realm=x")
    assert last.body == "line\n\nHTTP/1.1 is old\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_reply_of_a_proxy_to_connect_is_left_out(newline: str) -> None:
    """Only if another reply follows it."""
    tunnel = f"HTTP/1.1 200 Connection established{newline}{newline}"
    text = f"{tunnel}HTTP/2 403{newline}{newline}no"
    assert [each.status for each in parse_saved_replies(text)] == [403]
    assert [each.status for each in parse_saved_replies(tunnel)] == [200]


def test_verbose_output_has_the_requests() -> None:
    """Of each exchange; curl's own remarks are no part of a body."""
    text = (
        "*   Trying 127.0.0.1:443...\n> GET /a HTTP/1.1\n> Host: api.example.com\n> Accept: */*\n>\n"
        "< HTTP/1.1 308 Permanent Redirect\n< Location: /b\n<\n{ [5 bytes data]\n* Ignoring the body\n"
        "> GET /b HTTP/1.1\n> Host: api.example.com\n> Authorization: Bearer t\n>\n"
        "< HTTP/1.1 401 Unauthorized\n< X: y\n<\nno\n* Connection #0 left intact\n"
    )
    first, last = parse_saved_replies(text)
    assert (first.url, first.status) == ("https://api.example.com/a", 308)
    assert (last.method, last.url, last.status) == ("GET", "https://api.example.com/b", 401)
    assert ("Authorization", "Bearer t") in last.request_headers
    assert last.body == "no\n"


def _entry(url: str, status: int, *, token: bool, location: str = "") -> dict[str, object]:
    headers = [{"name": "Authorization", "value": "Bearer t"}] if token else []
    answered = [{"name": "Location", "value": location}] if location else []
    return {
        "request": {"method": "GET", "url": url, "headers": headers},
        "response": {"status": status, "headers": answered, "content": {"text": "x"}},
    }


def test_failed_entry_of_a_har_file_is_chosen() -> None:
    """The last one that failed with a token, with the redirects that led to it."""
    entries = [
        _entry("https://a.example.com/logo", 404, token=False),
        _entry("https://a.example.com/old", 302, token=True, location="/new"),
        _entry("https://a.example.com/new", 401, token=True),
        _entry("https://a.example.com/font", 403, token=False),
    ]
    chain = parse_saved_replies(json.dumps({"log": {"entries": entries}}))
    assert [(each.url, each.status) for each in chain] == [
        ("https://a.example.com/old", 302),
        ("https://a.example.com/new", 401),
    ]


@pytest.mark.parametrize("text", ["", "hello", "{}", "[]", '{"log": {"entries": []}}', "{", "> GET / HTTP/1.1\n"])  # fmt: skip
def test_text_without_a_reply_is_refused(text: str) -> None:
    """Nothing of it is quoted."""
    with pytest.raises(ConfigError, match="no reply"):
        parse_saved_replies(text)


def test_request_before_the_reply_is_read() -> None:
    """As HTTPie prints it with -v: method, URL, headers and body; a reply alone has none."""
    reply = "HTTP/1.1 403 Forbidden\nContent-Type: text/plain\n\nGET /x HTTP/1.1\n"
    (found,) = parse_saved_replies(
        f"POST /orders HTTP/1.1\nAuthorization: Bearer t\nHost: api.example.com\n\n{{}}\n\n\n{reply}"
    )
    assert (found.method, found.url, found.request_body) == (
        "POST",
        "https://api.example.com/orders",
        "{}",
    )
    assert ("Authorization", "Bearer t") in found.request_headers
    assert (found.status, found.body) == (403, "GET /x HTTP/1.1\n")
    assert parse_saved_replies(reply)[0].method == ""


def test_har_file_that_is_cut_off_is_named() -> None:
    """It isn't taken for a text without a reply."""
    with pytest.raises(ConfigError, match="HAR file is not valid JSON"):
        parse_saved_replies('{"log": {"entries": [{"request": {"method": "GE')
