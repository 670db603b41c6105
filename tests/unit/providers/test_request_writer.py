"""A request of the provider's own: every value stays in the place it was put."""

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import keyring_ref, make_profile
from tokencli.errors import ConfigError
from tokencli.models import HttpRequest, Profile, Secret
from tokencli.providers.catalog import build_provider
from tokencli.providers.reply_locator import parse_xml
from tokencli.providers.request_writer import find_renewal_request, write_custom_request
from tokencli.providers.template_values import list_profile_inputs, list_request_values

NOW = 1_800_000_000.0
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
XML = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"],
                                     exclude_characters="\ufffe\uffff"), min_size=1, max_size=40)  # fmt: skip
HEADER = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)


def profile_of(words: dict[str, Any], **values: str) -> Profile:
    """Return a profile of a provider with these words."""
    table = {
        "title": "T",
        "endpoints": {"token": "https://id.example.com/token"},
        "fields": {"x": {}, "y": {"optional": True}, "key": {"kind": "secret"}},
        **words,
    }
    provider = build_provider(table, "t")
    return replace(
        make_profile(values=values, secrets={"key": keyring_ref("key")}), provider=provider
    )


def written(words: dict[str, Any], values: dict[str, str | Secret], **how: bool) -> HttpRequest:
    """Return the request that a provider with this [request] makes of these values."""
    profile = profile_of({"request": words})
    return write_custom_request(profile, profile.provider.request, values, NOW, **how)


@given(ANY, ANY)
def test_a_form_keeps_its_parameters(one: str, other: str) -> None:
    """Whatever the values hold, a form has these parameters and no others."""
    sent = written({"send": {"a": "{x}", "b": "p-{y}", "c": "3"}}, {"x": one, "y": other})
    pairs = parse_qsl(sent.body.decode(), keep_blank_values=True, strict_parsing=True)
    assert pairs == [("a", one), ("b", f"p-{other}"), ("c", "3")]


@given(ANY, ANY)
def test_json_keeps_its_shape(one: str, other: str) -> None:
    """Whatever the values hold, a JSON body has its members, its constants and their types."""
    send = {"a": {"b": ["{x}", 1, True]}, "c": "{y}!", "n": 1.5}
    sent = written({"body": "json", "send": send}, {"x": one, "y": other})
    assert json.loads(sent.body) == {"a": {"b": [one, 1, True]}, "c": f"{other}!", "n": 1.5}


@given(ANY, ANY)
def test_a_query_keeps_its_parameters(one: str, other: str) -> None:
    """Whatever the values hold, they stay inside the query's own parameters."""
    sent = written(
        {"method": "GET", "send": {"a": "{x}"}, "query": {"f": "{y}"}}, {"x": one, "y": other}
    )
    parts = urlsplit(sent.url)
    assert (parts.netloc, parts.path, parts.fragment) == ("id.example.com", "/token", "")
    assert parse_qsl(parts.query, keep_blank_values=True) == [("f", other), ("a", one)]


@given(XML)
def test_xml_keeps_its_elements(value: str) -> None:
    """Whatever a value holds, it is text or an attribute's value in the document that was written."""
    send = '<a k="{x}"><b>{x}</b><c/></a>'
    root = parse_xml(written({"body": "xml", "send": send}, {"x": value}).body)
    assert root is not None
    assert [child.name for child in root.children] == ["b", "c"]
    assert root.children[0].text.replace("\n", " ") == value.replace("\r", "\n").replace("\n", " ")
    assert list(root.attributes) == ["k"]


@given(HEADER, HEADER)
def test_basic_holds_its_text(name: str, password: str) -> None:
    """HTTP Basic carries the template's text as it is; a name that would end early is refused."""
    if ":" in name:
        with pytest.raises(ConfigError, match="colon"):
            written({"basic": "{x}:{key}"}, {"x": name, "key": Secret(password)})
        return
    sent = written({"basic": "{x}:{key}"}, {"x": name, "key": Secret(password)})
    scheme, _, encoded = sent.headers["Authorization"].partition(" ")
    assert (scheme, b64decode(encoded).decode()) == ("Basic", f"{name}:{password}")
    assert Secret(encoded) in sent.secrets


@given(HEADER, HEADER)
def test_a_cookie_keeps_its_value(one: str, other: str) -> None:
    """Two cookies stay two, each with its value, or the request is not written."""
    words = {"body": "none", "headers": {"Cookie": "a={x}; b={y}"}}
    try:
        sent = written(words, {"x": one, "y": other})
    except ConfigError as error:
        assert "cookie" in error.message
        assert set(one + other) & set(' ",;\\')
        return
    assert [part.split("=", 1) for part in sent.headers["Cookie"].split("; ")] == [
        ["a", one],
        ["b", other],
    ]


@pytest.mark.parametrize("filter_", ["upper", "hex", "md5|hex", "base64", "url", "sha256|base64"])
def test_a_secret_is_one_after_every_filter(filter_: str) -> None:
    """Whoever shows the request or an answer to it knows what to mask; the masked twin holds none."""
    key = "canary-Secret 1&2"
    words = {
        "headers": {"X-K": f"v={{key|{filter_}}}"},
        "query": {"q": f"{{key|{filter_}}}"},
        "send": {"p": f"{{key|{filter_}}}"},
    }
    sent = written(words, {"key": Secret(key)})
    made = sent.headers["X-K"].removeprefix("v=")
    assert Secret(made) in sent.secrets
    assert sent.masked_copy is not None
    shown = f"{sent.masked_copy.url} {sent.masked_copy.headers} {sent.masked_copy.body!r}"
    assert made not in shown
    assert shown.count("***") == 3


def test_values_that_grow_out_of_each_other_end_in_words() -> None:
    """Each twice the one before: neither looking at it nor filling it goes on for ever."""
    values = {"a0": "x{x}", "b0": "y{x}"}
    for n in range(40):
        values |= {f"a{n + 1}": f"{{a{n}}}{{b{n}}}", f"b{n + 1}": f"{{b{n}}}{{a{n}}}"}
    profile = profile_of({"values": values, "request": {"send": {"p": "{a40}"}}}, x="z")
    assert list_profile_inputs(profile.provider) == ("x",)
    with pytest.raises(ConfigError, match="megabyte"):
        write_custom_request(profile, profile.provider.request, {"x": "z"}, NOW)
    circle = profile_of({"values": {"a": "{b}", "b": "{a}"}, "request": {"send": {"p": "{a}"}}})
    assert list_profile_inputs(circle.provider) == ()
    long = "{x" + "|hex" * 40 + "}"
    with pytest.raises(ConfigError, match="megabyte"):
        written({"send": {"p": long}}, {"x": "z"})


@pytest.mark.parametrize("text", ["1.0e999", "1e3", "NaN", "Infinity", "1_000", "\u0663", "", "1."])
def test_what_is_no_number_of_json_becomes_none(text: str) -> None:
    """Neither infinity nor another script's digits: the request is not written."""
    with pytest.raises(ConfigError):
        written({"body": "json", "send": {"n": "{x|number}"}}, {"x": text})


@given(ANY)
def test_a_url_keeps_its_segments(value: str) -> None:
    """A value in the path of a further request is one segment there, or is refused."""
    profile = profile_of({"request": {"body": "none"},
                          "logout": {"method": "DELETE", "url": "https://id.example.com/s/{x}/end"}})  # fmt: skip
    call = profile.provider.logout
    assert call is not None
    try:
        url = write_custom_request(profile, call, {"x": value}, NOW).url
    except ConfigError:
        assert value in ("", ".", "..")
        return
    parts = urlsplit(url)
    assert (parts.netloc, parts.query, parts.fragment) == ("id.example.com", "", "")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "s", value, "end"]


@given(ANY, ANY)
def test_no_value_is_a_template(value: str, key: str) -> None:
    """What stands in a value is never filled in again."""
    sent = written(
        {"body": "json", "send": {"a": "{x}"}}, {"x": f"{{key}}{value}", "key": Secret(key)}
    )
    assert json.loads(sent.body) == {"a": f"{{key}}{value}"}


@given(HEADER.filter(lambda text: len(text) > 3))
def test_a_masked_request_holds_no_secret(secret: str) -> None:
    """With `masked`, a secret is nowhere: not plain, not encoded, not through a filter."""
    words = {
        "body": "json",
        "basic": "u:{key}",
        "headers": {"X-Key": "{key|base64}"},
        "query": {"k": "{key}"},
        "send": {"a": "{key}", "h": "{x|hmac_sha256:key|hex}", "b": "{key|list}"},
    }
    sent = written(words, {"x": "x", "key": Secret(f"canary{secret}")}, masked=True)
    assert "canary" not in sent.url + sent.body.decode() + str(sent.headers)
    assert sent.headers["Authorization"] == "Basic ***"
    assert json.loads(sent.body) == {"a": "***", "h": "***", "b": "***"}
    assert sent.url.endswith("?k=***")


def test_values_keep_their_type_only_by_a_filter() -> None:
    """A placeholder alone becomes a number, a boolean or an array where the template says so."""
    send = {"a": "{x|int}", "b": "{y|bool}", "c": "{key|list}", "d": "{x}", "e": "n{x|int}"}
    sent = written({"body": "json", "send": send}, {"x": "7", "y": "true", "key": "p q"})
    assert json.loads(sent.body) == {"a": 7, "b": True, "c": ["p", "q"], "d": "7", "e": "n7"}
    with pytest.raises(ConfigError, match="converted by the filter"):
        written({"body": "json", "send": {"a": "{x|int}"}}, {"x": "seven"})


def test_what_is_optional_is_left_out_and_what_is_not_is_missed() -> None:
    """An absent optional value takes its member, header or parameter with it."""
    words = {"body": "json", "send": {"a": "{y}", "b": ["{y}", "1"]}, "headers": {"X-Y": "{y}"}}
    sent = written(words, {})
    assert json.loads(sent.body) == {"b": ["1"]}
    assert "X-Y" not in sent.headers
    with pytest.raises(ConfigError, match="needs x"):
        written({"send": {"a": "{x}"}}, {})


def test_a_header_replaces_the_one_that_is_made() -> None:
    """Content-Type and Accept can be the vendor's own, in whatever case."""
    sent = written({"body": "json", "send": {}, "headers": {"content-type": "application/x"}}, {})
    assert {k.lower(): v for k, v in sent.headers.items()}["content-type"] == "application/x"
    assert len(sent.headers) == 2


def test_a_device_id_stays_and_a_uuid_does_not() -> None:
    """`device_id` follows the profile and the account; `uuid` is new in each request."""
    words = {"send": {"d": "{device_id}", "u": "{uuid}", "t": "{now|date:%Y}"}}
    one, two = (dict(parse_qsl(written(words, {}).body.decode())) for _ in range(2))
    assert one["d"] == two["d"] and one["u"] != two["u"] and one["t"] == "2027"
    other = replace(profile_of({"request": words}), name="other")
    third = write_custom_request(other, other.provider.request, {}, NOW).body.decode()
    assert dict(parse_qsl(third))["d"] != one["d"]


def test_computed_values_are_secret_where_they_are_made_of_secrets() -> None:
    """A value made of a secret is masked wherever the request is told of."""
    profile = profile_of({"values": {"pair": "{x}:{key}"}, "request": {"headers": {"A": "{pair|base64}"}, "body": "none"}})  # fmt: skip
    sent = write_custom_request(
        profile, profile.provider.request, {"x": "u", "key": Secret("canary")}, NOW
    )
    assert Secret("u:canary") in sent.secrets
    assert list_request_values(profile.provider, profile.provider.request) == ("x", "key")
    assert list_profile_inputs(profile.provider) == ("x", "key")


OTHER = "https://evil.example/x"


@pytest.mark.parametrize(
    ("url", "setting"),
    [
        (OTHER, "x=evil"),
        ("https://evil.test/", None),
        ("{token}", "x=evil"),
        ("https://{x}/y", "x=evil"),
        ("{y}", "x=evil"),
    ],
)
def test_no_secret_goes_to_another_server(url: str, setting: str | None) -> None:
    """A further request goes to the token endpoint's server, whatever provider or reply say.

    If the server is the default of a field, the fix sets the field.
    """
    words = {"request": {"body": "none"}, "refresh": {"url": url, "send": {"k": "{key}"}},
             "fields": {"x": {"default": "evil.example", "kind": "host"}, "key": {"kind": "secret"},
                        "y": {"kind": "url", "default": OTHER}}}  # fmt: skip
    profile = replace(profile_of(words), value_sources={"x": "provider t", "y": "provider t"})
    call = find_renewal_request(profile.provider)
    assert call is not None
    values: dict[str, str | Secret] = {"x": "evil.example", "y": OTHER, "token": Secret(OTHER), "key": Secret("k")}  # fmt: skip
    profile = replace(profile, values={"x": "evil.example", "y": OTHER})
    with pytest.raises(ConfigError, match="a server that the profile does not name") as wrong:
        write_custom_request(profile, call, values, NOW)
    assert (wrong.value.fix or "").partition(".")[0] == (
        f"tokencli profiles edit {profile.name} --set {setting}" if setting else ""
    )


def test_a_server_that_the_profile_names_is_taken() -> None:
    """A URL that stands in the profile itself is the person's own word."""
    words = {"request": {"body": "none"}, "refresh": {"url": "{y}/r", "body": "none"},
             "fields": {"y": {"kind": "url"}}}  # fmt: skip
    profile = replace(
        profile_of(words),
        values={"y": "https://api.example.net"},
        value_sources={"y": "config.toml"},
    )
    call = profile.provider.refresh
    assert call is not None
    assert (
        write_custom_request(profile, call, dict(profile.values), NOW).url
        == "https://api.example.net/r"
    )
