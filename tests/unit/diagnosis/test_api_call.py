"""The call: what carries its token, what is shown of it, and what its reply says."""

import pytest

from tokencli.diagnosis.api_call import (
    ApiCall,
    describe_url,
    find_token_in_request,
    read_reply,
)
from tokencli.diagnosis.evidence import CallFacts
from tokencli.models import HttpReply, Secret

FACTS = CallFacts("GET", "https://api.example.com/orders")


@pytest.mark.parametrize(
    ("url", "headers", "body", "found"),
    [
        ("https://a", (("Authorization", "Bearer x"),), "", ("Authorization: Bearer", "x")),
        ("https://a", (("authorization", "x"),), "", ("authorization", "x")),
        ("https://a", (("Authorization", "Bearer Bearer x"),), "", ("Authorization: Bearer", "Bearer x")),
        ("https://a", (("X-Api-Token", "x"),), "", ("X-Api-Token", "x")),
        ("https://a?access_token=x", (), "", ("?access_token", "x")),
        ("https://a", (), "access_token=x&b=1", ("body: access_token", "x")),
        ("https://a", (("Accept", "x"),), "{}", None),
    ],
)  # fmt: skip
def test_token_is_found_in_a_request(
    url: str, headers: tuple[tuple[str, str], ...], body: str, found: tuple[str, str] | None
) -> None:
    """With the name of what carries it."""
    assert find_token_in_request(url, headers, body) == found


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://u:canary@a.example.com/x#canary", "https://a.example.com/x"),
        ("https://a/x?page=2&api_key=canary&sig=canary", "https://a/x?page=2&api_key=***&sig=***"),
        ("https://a/canarysecret/x", "https://a/***/x"),
        ("https://a/x?q=eyJhbGciOiJub25lIn0.e30.", "https://a/x?q=***"),
        ("https://[::1", "***"),
    ],
)
def test_secrets_of_a_url_are_hidden(url: str, shown: str) -> None:
    """Userinfo, fragment, secret parameters, and known secrets anywhere."""
    assert describe_url(url, (Secret("canarysecret"),)) == shown


def test_call_without_its_token_has_no_other_credentials() -> None:
    """Neither cookies, nor secret headers and parameters."""
    call = ApiCall(
        "https://a/x?page=2&access_token=canary",
        headers=(("Cookie", "a=canary"), ("X-Api-Key", "canary"), ("Accept", "text/csv")),
    )
    bare = call.without_token()
    assert (bare.url, bare.headers) == ("https://a/x?page=2", (("Accept", "text/csv"),))


def reply(status: int, body: str, **headers: str) -> HttpReply:
    """Return a reply; `_` in names of headers means `-`."""
    return HttpReply(
        status, {name.replace("_", "-"): text for name, text in headers.items()}, body.encode(), 1.0
    )


def test_success_says_nothing_about_errors() -> None:
    """Members of its body aren't quoted, unless it says that it is an error."""
    facts = read_reply(FACTS, reply(200, '{"message": "canary", "token": "canary"}'))
    assert (facts.error_code, facts.error_text) == (None, None)
    facts = read_reply(FACTS, reply(200, '{"errors": [{"message": "not authorized"}]}'))
    assert facts.error_text == "not authorized"


@pytest.mark.parametrize(
    ("body", "media_type", "kind"),
    [
        ("", "text/html", "empty"),
        ("<!DOCTYPE html><title>x</title>", "application/json", "html"),
        ("{", "application/json", "json"),
        ('{"a": 1}', "text/plain", "json"),
        ("<a/>", "", "xml"),
        ("no", "text/html", "text"),
        ("\ufeff{}", "", "json"),
    ],
)
def test_kind_of_body(body: str, media_type: str, kind: str) -> None:
    """By what it looks like; the media type alone may be wrong."""
    assert read_reply(FACTS, reply(401, body, content_type=media_type)).body_kind == kind


def test_sign_in_page_is_recognized() -> None:
    """By its password field or the form of a sign-in; its title is quoted."""
    page = '<html><head><title>\n Log\n in </title></head><input name=p type="password"></html>'
    facts = read_reply(FACTS, reply(200, page, content_type="text/html"))
    assert (facts.page_title, facts.is_sign_in_page) == ("Log in", True)
    assert not read_reply(FACTS, reply(403, "<html><h1>403</h1></html>")).is_sign_in_page


def test_headers_are_redacted() -> None:
    """Cookies are left out, and secrets of others are masked; a Location is resolved."""
    facts = read_reply(
        FACTS,
        reply(302, "", location="/login?state=canary", set_cookie="canary", x_token="canary", via="1.1 gw"),
    )  # fmt: skip
    assert facts.headers == {
        "location": "https://api.example.com/login?state=***",
        "x-token": "***",
        "via": "1.1 gw",
    }


def test_challenge_of_a_proxy() -> None:
    """It counts only for 407."""
    headers = {"www_authenticate": 'Bearer scope="a"', "proxy_authenticate": "Basic realm=x"}
    assert read_reply(FACTS, reply(401, "", **headers)).challenges[0].scheme == "bearer"
    assert read_reply(FACTS, reply(407, "", **headers)).challenges[0].scheme == "basic"
