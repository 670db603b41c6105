"""Places in a reply: what is found, and what is refused before it could do harm."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.models import HttpReply
from tokencli.providers.linear_pattern import compile_pattern
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
     r"n ~ (a)\1", "n ~ (?=x)(a)"],
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


@pytest.mark.parametrize(
    "pattern",
    [".*.*(x)", ".*.*.*.*(x)", "(" + "a?" * 30 + "a" * 30 + "b)", "(" + "a{0,99}" * 6 + "b)",
     "(" + "(?:a|a)" * 20 + "b)", "(?:.*a|.*b)(?:.*c|.*d)(x)", r"[^b]*?[^b]*?(x)", "a{400}(x)"],
)  # fmt: skip
def test_a_pattern_costs_no_more_than_reading(pattern: str) -> None:
    """Its steps grow with the text, not with a power of it, and end at the limit."""
    check_locator(f"text: ~ {pattern}")
    search = compile_pattern(pattern).search
    (_, once), (_, four_times) = (search("a" * n, 10**9) for n in (2000, 8000))
    assert four_times <= 4.5 * once
    assert search("a" * 60_000, 5000)[1] < 5000 + 1000
    here = document(b"a" * 5000 + b"x", "text/plain")
    assert here.lookup("text: ~ .*.*(x)") == "x"


ITEMS = st.sampled_from(
    ["a", "b", ".", "[ab]", "[^a]", r"\w", r"\s", "^", "$", r"\b", "a*", "b+?", ".*", "[^b]*+", "a??",
     r"\w{1,2}", "a{2}", ".{17,40}", "b{20}", "(?:a|ab)", "(?:a*|b|)", "(?i:B.)", "(?s:.*?)"]
)  # fmt: skip


@given(
    st.lists(ITEMS, max_size=3), st.lists(ITEMS, max_size=3), st.lists(ITEMS, max_size=3),
    st.text("aabbB \n", max_size=45),
)  # fmt: skip
def test_a_pattern_finds_what_re_finds(
    before: list[str], inside: list[str], after: list[str], text: str
) -> None:
    """Greedy, lazy and possessive repeats, alternatives, anchors and flags mean what they mean in `re`."""
    pattern = f"{''.join(before)}({''.join(inside)}){''.join(after)}"
    try:
        expected = re.search(pattern, text)
    except re.error:  # two repeats one after the other
        return
    found, _ = compile_pattern(pattern).search(text, 10**6)
    assert found == ((expected and expected[1]) or None)


def test_all_locators_of_a_reply_share_one_budget() -> None:
    """A list of many costly locators costs no more than one of them."""
    here = document(b"a" * 60_000, "text/plain")
    for n in range(40):
        assert here.lookup(f"text: ~ .*.*(x{n})") is None
    assert here._pattern_steps_left <= 0


@pytest.mark.parametrize(
    "place",
    [
        "to_string(" * 30 + "@" + ")" * 30,
        "join(to_string(@), [*].to_string(@))",
        "map(&to_string([@,@,@,@,@]), @)",
        "join('" + "x" * 400 + "', [*].to_string(@))",
        "to_string([@,@,@,@,@,@,@,@])",
        "to_string([*].[@,@] | [*].[@,@] | [*].[@,@])",
    ],
)
def test_an_expression_makes_no_more_than_it_reads(place: str) -> None:
    """Text that is made of the reply is at most a few times as long as the reply; otherwise nothing."""
    for body in (json.dumps(list(range(20_000))), json.dumps(['"\\' * 9] * 2000)):
        check_locator(place)
        found = document(body.encode()).lookup(place)
        assert len(json.dumps(found)) < 5 * len(body)


@pytest.mark.parametrize("place", ["to_string(missing)", "to_string(nothing)", "join('.', [to_string(s), to_string(missing)])"])  # fmt: skip
def test_a_missing_value_does_not_become_text(place: str) -> None:
    """Absent and null stay absent: no token is called `null`."""
    assert document(b'{"s": "x", "nothing": null}').lookup(place) is None
    assert document(b'{"s": {"t": 7}}').lookup("to_string(s.t)") == "7"


@pytest.mark.parametrize(
    "place",
    [
        r"text: ~ ((?:a+|\\)+b)",
        r"text: ~ (a)\1",
        "text: ~ (?=a)(a)",
        "|".join(["[@,@]"] * 60),
        "{a:@,b:@}" + "|[@,@,@,@]" * 8,
        "a" * 600,
        "text: ~ (a)" + "a" * 600,
    ],
)
def test_a_place_that_could_cost_much_is_refused(place: str) -> None:
    """By how it is built, before any reply is seen: repeats in repeats, references, copies of copies."""
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
