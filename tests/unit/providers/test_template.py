"""Templates: values land in their place and stay in it; filters compute and do nothing else."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.providers.template import (
    FILTER_NAMES,
    fill_template,
    fill_typed,
    fill_url,
    list_value_names,
)


def test_names_are_listed_once_and_in_order() -> None:
    """Placeholders come in order, doubled braces are text."""
    assert list_value_names("{b}/{a}/{b}/{{c}}") == ("b", "a")
    assert list_value_names("") == ()


@pytest.mark.parametrize(
    "template", ["{", "}", "a{b", "{a b}", "{0}", "{a.b}", "{a!r}", "{a:>3}", "{}"]
)
def test_a_single_brace_is_an_error(template: str) -> None:
    """No brace passes that is neither doubled nor part of a placeholder; no code is run."""
    with pytest.raises(ConfigError, match="unpaired"):
        list_value_names(template)


@given(st.text(), st.text())
def test_fill_puts_values_in_as_they_are(first: str, second: str) -> None:
    """A value is never looked at again, so a value with braces stays text."""
    assert (
        fill_template("<{a}|{b}|{{a}}>", {"a": first, "b": second}) == f"<{first}|{second}|{{a}}>"
    )


def test_an_absent_value_makes_the_whole_absent() -> None:
    """Without one of its values a template gives None, not half a text."""
    assert fill_template("{a}{b}", {"a": "x"}) is None
    assert fill_url("https://{a}/", {}) is None


SEGMENT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in (".", "..")
)


@given(SEGMENT)
def test_a_value_stays_in_its_path_segment(value: str) -> None:
    """Whatever the value: same host, same number of segments, and it can be read back."""
    url = fill_url("https://id.example.com/t/{v}/token", {"v": value})
    assert url is not None
    parts = urlsplit(url)
    assert parts.netloc == "id.example.com"
    assert (parts.query, parts.fragment) == ("", "")
    _, first, second, third = parts.path.split("/")
    assert (first, unquote(second), third) == ("t", value, "token")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_value_stays_in_its_query_value(value: str) -> None:
    """Whatever the value: it is one query value, and the ones beside it are untouched."""
    url = fill_url("https://id.example.com/t?a={v}&b=2", {"v": value})
    assert url is not None
    assert parse_qsl(urlsplit(url).query, keep_blank_values=True) == [("a", value), ("b", "2")]


@given(st.text(max_size=40))
def test_a_value_stays_in_the_authority(value: str) -> None:
    """In the authority a value is host[:port] or refused; it can't move the request elsewhere."""
    try:
        url = fill_url("https://{v}.example.com/token", {"v": value})
    except ConfigError:
        return
    assert url is not None
    parts = urlsplit(url)
    assert parts.netloc.endswith(".example.com")
    assert parts.path == "/token"


@pytest.mark.parametrize(
    "value",
    ["evil.example/", "evil.example?", "evil.example#", "u@evil.example", "evil.example:1", ""],
)
def test_ways_out_of_the_authority_are_closed(value: str) -> None:
    """The known ways to turn a host into another one are refused."""
    with pytest.raises(ConfigError):
        fill_url("https://{v}.example.com/token", {"v": value})


@pytest.mark.parametrize("value", [".", ".."])
def test_dot_segments_are_refused(value: str) -> None:
    """`.` and `..` would survive percent-encoding and turn the path around."""
    with pytest.raises(ConfigError, match="path"):
        fill_url("https://id.example.com/{v}/token", {"v": value})


def test_a_base_url_starts_a_template() -> None:
    """A base URL keeps its path and meets the rest with a single slash."""
    assert fill_url("{b}/token", {"b": "https://h.example/api/"}) == "https://h.example/api/token"
    assert fill_url("{b}/token", {"b": "https://h.example"}) == "https://h.example/token"
    assert fill_url("{b}", {"b": "https://h.example/t?x=1"}) == "https://h.example/t?x=1"


@pytest.mark.parametrize(
    "value",
    [
        "http://h.example",
        "https://h.example?x=1",
        "https://h.example#x",
        "h.example",
        "https://u@h",
    ],
)
def test_a_bad_base_url_is_refused(value: str) -> None:
    """A base URL is https, without user, query and fragment."""
    with pytest.raises(ConfigError):
        fill_url("{b}/token", {"b": value})


def test_a_fragment_in_the_template_is_refused() -> None:
    """No endpoint has a fragment, whoever wrote it."""
    with pytest.raises(ConfigError, match="fragment"):
        fill_url("https://h.example/#{v}", {"v": "x"})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{x|base64}", "YWI="),
        ("{x|base64url}", "YWI"),
        ("{x|hex}", "6162"),
        ("{x|sha256|hex}", "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"),
        ("{x|md5|hex|upper}", "187EF4436122D1CC2F40DC2B92F0EBA0"),
        ("{x|hmac_sha256:key|base64}", "7w4F6iv9cA6xfKkKbGWYJsV3dKDOFkAcY3IBCjdvfNQ="),
        ("{t|date:%Y%m%dT%H%M%SZ}", "20270115T080000Z"),
        ("a{x|url}/b", "aab/b"),
        ("{s|url}", "%20%2F"),
    ],
)
def test_each_filter_computes(template: str, expected: str) -> None:
    """Encodings, digests, HMACs under another value, and times."""
    values = {"x": "ab", "key": "k", "t": "1800000000", "s": " /"}
    if "hmac" in template:
        import base64
        import hmac

        expected = base64.b64encode(hmac.digest(b"k", b"ab", "sha256")).decode()
    assert fill_template(template, values) == expected


@given(st.text(max_size=30), st.lists(st.sampled_from(FILTER_NAMES), max_size=3))
def test_a_filter_gives_text_or_our_own_error(value: str, steps: list[str]) -> None:
    """Whatever goes through whatever filters ends in text, a JSON value, or a ConfigError."""
    template = "".join(
        ["{x", *(f"|{step}:x" if step.startswith("hmac") else f"|{step}" for step in steps), "}"]
    )
    try:
        fill_template(template, {"x": value})
        fill_typed(template, {"x": value})
    except ConfigError:
        pass


@given(st.text(alphabet="{}|:.!()_abxyz[]", max_size=30))
def test_a_template_is_names_and_filters_and_nothing_else(template: str) -> None:
    """No attribute, index, call or format is understood: it is literal text, or refused."""
    try:
        filled = fill_template(template, {"x": "1"})
    except ConfigError:
        return
    assert filled is None or "<" not in filled
