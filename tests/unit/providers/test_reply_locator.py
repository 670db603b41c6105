"""Places in a reply: what is found, and what is refused before it could do harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.models import HttpReply
from tokencli.providers.reply_locator import ReplyDocument, check_locator, parse_xml

BODY = b'{"a": {"b-c": ["x", "y"]}, "n": 7, "s": "Token-> T: abc= <- for", "": 1, "id-token": "i"}'


def document(body: bytes = BODY, kind: str = "application/json", **headers: str) -> ReplyDocument:
    """Return a reply to look into."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ReplyDocument(HttpReply(200, {"content-type": kind, **named}, body))


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("n", 7),
        ('a."b-c"[1]', "y"),
        ('"id-token"', "i"),
        ('join(\'.\', ["id-token", a."b-c"[0]])', "i.x"),
        ("n == `7`", True),
        ("missing.deep[3]", None),
        (r"s ~ T: (\S+)", "abc="),
        ("s ~ (nothing)", None),
        ("header:X-Token", "h"),
        ("header:Location ~ [#&]t=([^&]+)", "q"),
        ("cookie:SID", "c1"),
        ("cookie:lb", "2"),
        ("cookie:*", "SID=c1; lb=2"),
        ("xml:a/b", None),
        ("length(n)", None),
    ],
)
def test_each_kind_of_place_finds_what_is_there(place: str, found: object) -> None:
    """JMESPath, headers, cookies and one regular expression; nothing where there is nothing."""
    check_locator(place)
    here = document(
        x_token="h",
        location="https://a/#x=1&t=q&u=2",
        set_cookie="SID=c1; Path=/; Expires=Wed, 21 Oct 2099 07:28:00 GMT, lb=2; Secure",
    )
    assert here.lookup(place) == found


def test_other_bodies() -> None:
    """Whole text, a JSON string, a form, and XML by local names and attributes."""
    assert document(b" tok \n", "text/plain").lookup("text:") == "tok"
    assert document(b'"tok"').lookup("@") == "tok"
    form = document(b"access_token=a%2Bb&x=", "application/x-www-form-urlencoded")
    assert form.lookup("access_token") == "a+b"
    xml = document(b'<r:R xmlns:r="u" s="ok"><r:K> v </r:K></r:R>', "application/xml")
    assert (xml.lookup("xml:/R/K"), xml.lookup("xml:R/@s"), xml.lookup("xml:R/Q")) == (
        "v",
        "ok",
        None,
    )


BOMB = b'<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;">]><a>&y;</a>'
LEAK = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'


@pytest.mark.parametrize("body", [BOMB, LEAK, b"<a" * 200, b"<a>" * 200 + b"</a>" * 200, b"", b"x"])
def test_xml_that_could_do_harm_is_none(body: bytes) -> None:
    """A document type ends the reading: no entity is expanded, no file read; nor is depth endless."""
    assert parse_xml(body) is None


@pytest.mark.parametrize(
    "place",
    ["a[", "a.b-c", "header:", "xml: ", "", "n ~ x", "n ~ (a)(b)", "n ~ (", r"n ~ (a+)+$", "n ~ (a|b)*c",
     r"n ~ (a)\1", "n ~ (?=x)(a)", "n ~ .*.*.*.*(x)"],
)  # fmt: skip
def test_what_is_no_place_is_refused(place: str) -> None:
    """A typing error, or a regular expression that might never end, is found when the file is read."""
    with pytest.raises(ConfigError):
        check_locator(place)


@given(
    st.binary(max_size=200),
    st.sampled_from(["a.b", "@", "text:", "xml:a/b", "cookie:a", "length(@)"]),
)
def test_looking_never_fails(body: bytes, place: str) -> None:
    """Whatever bytes come, looking at any place ends in a value or in nothing."""
    document(body, set_cookie=body.decode("latin-1")).lookup(place)


def test_a_hostile_value_is_cut_before_a_pattern_sees_it() -> None:
    """The more a pattern repeats, the less it is shown, so that the time it takes is bounded."""
    body = b"a" * 5000 + b"x"
    assert document(body, "text/plain").lookup("text: ~ a(x)") == "x"
    assert document(body, "text/plain").lookup("text: ~ .*.*(x)") is None


@pytest.mark.parametrize(
    "place",
    [
        r"text: ~ ((?:a+|\\)+b)",
        "text: ~ (" + "a?" * 30 + "a" * 30 + "b)",
        "text: ~ (" + "a{0,99}" * 6 + "b)",
        "text: ~ (" + "(?:a|a)" * 20 + "b)",
        r"text: ~ (a)\1",
        "text: ~ (?=a)(a)",
        "|".join(["[@,@]"] * 60),
        "{a:@,b:@}" + "|[@,@,@,@]" * 8,
        "a" * 600,
    ],
)
def test_a_place_that_could_cost_much_is_refused(place: str) -> None:
    """By how it is built, before any reply is seen: repeats in repeats, many choices, copies of copies."""
    with pytest.raises(ConfigError):
        check_locator(place)


@pytest.mark.parametrize(
    "place",
    [
        r"text: ~ id=([^;]+)", r'header:X ~ token="?([^"]+)"?', "cookie:a ~ ^([0-9a-f]{32})$",
        "data.{a: x, b: y}", "[?type == 'x'].value | [0]", "join(' ', scopes)",
    ],
)  # fmt: skip
def test_a_usual_place_is_taken(place: str) -> None:
    """What vendors' replies need."""
    check_locator(place)
