"""Mistakes in provider tables: each is reported once, with the line of its key."""

from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.config.provider_file import check_file
from tokencli.errors import ConfigError, ConfigProblem

HEAD = 'title = "Own"\nendpoints.token = "https://api.example.com/t"\n'


def slips(text: str) -> list[ConfigProblem]:
    """Return what is wrong with a provider's file of these lines below its first two."""
    try:
        check_file(HEAD + text, "own.toml")
    except ConfigError as error:
        return list(error.problems)
    return []


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        ('reply = { access_tokn = "x" }', "reply.access_tokn", 3),
        ('reply = { access_token = "header:" }', "reply.access_token", 3),
        ('request = { send = { a = "b" }, headers = { Host = "x" } }', "request.headers.Host", 3),
        ('then = { methd = "GET", send = { a = "b" } }', "then.methd", 3),
        ('[request]\nbody = "json"\n[request.send.deep]\na = "1"\nb = "{nope}"', "request.send.deep.b", 7),
        ('[request]\n[request.send]\nlist = ["a",\n  "{nope}"]', "request.send.list.1", 6),
        ('request.body = "json"\nrequest.send = { rows = [\n  { a = "1" },\n  { b = "{nope}" },\n] }', "request.send.rows.1.b", 6),
        ('request.body = "json"\n[[request.send.rows]]\na = "1"\n[[request.send.rows]]\nb = "{nope}"', "request.send.rows.1.b", 7),
    ],
)  # fmt: skip
def test_typo_has_the_line_of_its_key(text: str, where: str, line: int) -> None:
    """Also in inline tables, multi-line arrays and arrays of tables."""
    assert [(found.where, found.line) for found in slips(text)] == [(where, line)]


def test_word_instead_of_a_number_is_one_problem() -> None:
    """The alternatives for one value are not separate problems, and the text is tokencli's."""
    found = slips('reply = { access_tokn = "x", ttl = "soon" }')
    assert {one.where for one in found} == {"reply.ttl", "reply.access_tokn"}
    assert len(found) == 2
    ttl = next(one for one in found if one.where == "reply.ttl")
    assert ttl.right == 'must be a number of seconds or "never"'
    assert "Input should" not in ttl.what


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ('request.send = { a = "{now|plus:soon}" }', "request.send.a", "whole number"),
        ('request.send = { a = "{now|plus}" }', "request.send.a", "whole number"),
        ('request.send = { a = "{username|upper:zzz}" }', "request.send.a", "has no argument"),
        ('request.send = { a = "{now|date}" }', "request.send.a", "needs a format"),
        ('request.send = { a = "{now|date:YYYY}" }', "request.send.a", "needs a format"),
        ('request.send = { a = "{password|sha256}" }', "request.send.a", "add |hex or |base64"),
        ('request.send = { a = "{password|sha256|upper}" }', "request.send.a", "add |hex or |base64"),
        ('request.send = { a = "{username|hmac_sha256|hex}" }', "request.send.a", "names no key"),
        ('values = { a = "{password|md5}" }', "values.a", "add |hex or |base64"),
        ('request.headers = { X-A = "a\\r\\nB: c" }', "request.headers.X-A", "headers can't carry"),
        ('request = { send = {}, headers = { X-A = "é" } }', "request.headers.X-A", "headers can't carry"),
        ('then = { send = {}, headers = { X-A = " {token}" } }', "then.headers.X-A", "headers can't carry"),
        ("reply.ttl = nan", "reply.ttl", "above 0"),
        ("reply.ttl = inf", "reply.ttl", "above 0"),
        ("reply.ttl = 0", "reply.ttl", "above 0"),
        ("reply.ttl = -5.5", "reply.ttl", "above 0"),
        ("reply.ttl = 1e30", "reply.ttl", "ten years"),
        ("reply.ttl = true", "reply.ttl", "number of seconds"),
        ('then = { send = {}, reply = { ttl = -1 } }', "then.reply.ttl", "above 0"),
        ("issuing.sticky = -1", "issuing.sticky", "0 or more"),
        ("issuing.sticky = inf", "issuing.sticky", "0 or more"),
        ("issuing.sticky = nan", "issuing.sticky", "0 or more"),
        ("issuing.max_sessions = 0", "issuing.max_sessions", "1 or more"),
        ('issuing.max_sessions = "5"', "issuing.max_sessions", "a whole number"),
        ('issuing.cacheable = "no"', "issuing.cacheable", "true or false"),
        ('reply.status = ["302"]', "reply.status", "whole numbers"),
        ("reply.status = [302, 700]", "reply.status.1", "not an HTTP status"),
        ("reply.status = [99]", "reply.status.0", "not an HTTP status"),
        ('use = "Host: {token}"', "use", "clients set themselves"),
        ('use = ["X-A: {token}", "content-length: {token}"]', "use", "clients set themselves"),
        ('use = "X-A: a\\u0000{token}"', "use", "headers can't carry"),
        ('errors.codes.E1 = { what = "x", do = "rm {foo}" }', "errors.codes.E1.do", "only {profile} is available"),
        ('errors.status.401 = { what = "x", do = "rm {}" }', "errors.status.401.do", "only {profile} is available"),
        ("signed.p.life = 99999999999", "signed.p.life", "ten years"),
        ('signed.p.header = { alg = "ES256" }', "signed.p.header.alg", "next to header"),
        ('signed.p = { header.alg = "none" }', "signed.p.header.alg", "next to header"),
        ('signed.p.alg = "none"', "signed.p.alg", "not a supported signing algorithm"),
        ('values = { a = "{a}" }', "values.a", "names itself"),
        ('values = { a = "{b}", b = "{a}" }', "values.a", "circular reference"),
        ('values = { a = "{b}", b = "{c}", c = "x{a}" }', "values.a", "circular reference"),
        ('values = { b = "{a}{c}", a = "{b}", c = "{b}" }', "values.b", "circular reference"),
        ('values = { a = "{b}", b = "{username}" }', "values.a", "move b above it"),
        ('values = { a = "}" }', "values.a", "unpaired"),
        ('issuer_claims = { t = "tid" }\nendpoints.issuer = "https://{t"', "endpoints.issuer", "unpaired"),
    ],
)  # fmt: skip
def test_mistakes_that_would_fail_later_are_found(text: str, where: str, said: str) -> None:
    """What no request, server or clock could process is one problem with a line."""
    found = slips(text)
    assert [one.where for one in found] == [where]
    assert said in f"{found[0].what}; {found[0].right}"
    assert found[0].line is not None


@pytest.mark.parametrize(
    "text",
    [
        'request.send = { a = "{now|plus:-60|date:%H:%M}", b = "{password|sha256|sha256|hex}" }',
        'request.send = { a = "{username|hmac_sha256:password|base64}", n = "{now|int}" }',
        'request.send = { a = "{password|md5|url}" }',
        'use = ["Authorization: Custom {token}", "Cookie: sid={token}", "?key={token}"]',
        'reply = { ttl = "never", status = [302, 404] }\nissuing = { sticky = 0, max_sessions = 1 }',
        "reply.ttl = 0.5",
        'values = { a = "{username}", b = "{a}{a}", c = "{b}" }\nrequest.send = { x = "{c}" }',
        'errors.codes.E1 = { what = "x", do = "tokencli login {profile} --again" }',
    ],
)
def test_valid_providers_have_no_problems(text: str) -> None:
    """Filters in a valid order, headers that carry tokens, and values that build on each other."""
    assert slips(text) == []


def test_circular_provider_affects_no_other_profile() -> None:
    """It is a problem of the configuration, and profiles of other providers still work."""
    config = Config(
        Path("config.toml"),
        '[providers.own]\ntitle = "Own"\nendpoints.token = "https://api.example.com/t"\n'
        'values = { a = "{b}", b = "{a}" }\nrequest.send = { x = "{a}" }\n'
        '[profiles.bad]\nprovider = "own"\n'
        '[profiles.good]\nprovider = "oauth2"\ntoken_url = "https://x.example/t"\n'
        'grant = "client_credentials"\nclient_id = "x"\n',
        {},
    )
    assert config.profile_names() == ("bad", "good")
    assert config.find_profile_problems("good") == ()
    assert [found.where for found in config.find_profile_problems("bad")] == [
        "providers.own.values.a"
    ]
    assert config.get_profile_ignoring_top_level("good").name == "good"
