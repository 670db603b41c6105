"""Replies in an unusual form: what is read, what is uncertain, and what is never shown."""

import json
import re
import zlib
from dataclasses import replace
from gzip import compress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FakeTransport, make_profile
from tokencli.core.http_trace import TracingTransport
from tokencli.errors import ReplyError, TokencliError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest, Secret
from tokencli.net.request_guard import parse_target
from tokencli.net.response_guard import decode_reply
from tokencli.oauth.token_response import TokenResponse, read_object_response, read_token_response
from tokencli.providers.catalog import build_provider

STARTED = 1_800_000_000.0
PROFILE = make_profile()
REQUEST = HttpRequest("POST", PROFILE.token_url, {}, expects_token=True)
ACCESS, REFRESH = "canary-access", "canary-refresh"
MEMBERS = (
    f'"access_token": "{ACCESS}", "token_type": "Bearer", "expires_in": 60,'
    f' "refresh_token": "{REFRESH}"'
)
GOOD = f"{{{MEMBERS}}}"
JSON = "application/json"
CUT = UnreachableError("id.example.com closed the connection")


def reply(
    body: str | bytes, kind: str = JSON, *, defect: TokencliError | None = None, **headers: str
) -> HttpReply:
    """Return a reply as the transport would."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    head = HttpReply(200, {"content-type": kind, **names}, b"")
    data = body.encode() if isinstance(body, str) else body
    return decode_reply(head, data, parse_target(PROFILE.token_url), defect)


def read(damaged: HttpReply) -> TokenResponse:
    """Read a reply to a token request."""
    return read_token_response(PROFILE, REQUEST, damaged, STARTED)


READABLE = {
    "charset as content coding": reply(GOOD, content_encoding="UTF-8"),
    "gzip said, not done": reply(GOOD, content_encoding="gzip"),
    "brotli said, not done": reply(GOOD, content_encoding="br"),
    "gzip without its end": reply(compress(GOOD.encode())[:-5], content_encoding="gzip"),
    "gzip with damage at its end": reply(
        compress(f"{GOOD}{' ' * 90_000}".encode())[:-30] + b"\xff" * 40, content_encoding="gzip"
    ),
    "Latin-1 declared": reply(
        f'{{{MEMBERS}, "name": "Müller"}}'.encode("latin-1"), f"{JSON}; charset=ISO-8859-1"
    ),
    "Latin-1 instead of UTF-8": reply(f'{{"name": "Müller", {MEMBERS}}}'.encode("latin-1")),
    "UTF-8 instead of Latin-1": reply(
        f'{{"name": "Müller", {MEMBERS}}}', f"{JSON}; charset=ISO-8859-1"
    ),
    "Shift-JIS": reply(
        f'{{"name": "表", {MEMBERS}}}'.encode("shift-jis"), f"{JSON}; charset=Shift_JIS"
    ),
    "unknown charset": reply(f'{{"name": "ü", {MEMBERS}}}'.encode("latin-1"), f"{JSON}; charset=x"),
    "UTF-16": reply(GOOD.encode("utf-16")),
    "UTF-16 without a BOM": reply(GOOD.encode("utf-16-le")),
    "UTF-32": reply(GOOD.encode("utf-32")),
    "NUL bytes around it": reply(f"\0{GOOD}\0\0"),
    "control characters": reply(f'{{"name": "a\nb\0c\x1b", {MEMBERS}}}'),
    "another member twice": reply(f'{{{MEMBERS}, "scope": "a", "scope": "b"}}'),
    "a nested member twice": reply(f'{{{MEMBERS}, "user": {{"id": 1, "id": 2}}}}'),
    "text after it": reply(f"{GOOD}<!-- served by node 7 -->"),
    "JSON after it": reply(f'{GOOD}{{"took_ms": 3}}'),
    "text before it": reply(f")]}}',\n{GOOD}"),
    "a warning of PHP before it": reply(f"<br />\n<b>Warning</b>: x in y.php<br />\n{GOOD}"),
    "JSONP": reply(f"callback({GOOD});"),
    "encoded twice": reply(json.dumps(GOOD)),
    "encoded three times": reply(json.dumps(json.dumps(GOOD))),
    "in an array": reply(f"[{GOOD}]"),
    "trailing comma": reply(f"{{{MEMBERS}, }}"),
    "missing comma": reply(GOOD.replace('60, "', '60\n "').replace('Bearer",', 'Bearer"')),
    "single quotes": reply(GOOD.replace('"', "'")),
    "names without quotes": reply(
        f"{{access_token: '{ACCESS}', expires_in: 60, refresh_token: '{REFRESH}'}}"
    ),
    "a quote in another member": reply(f'{{"text": "say "hi" now", {MEMBERS}}}'),
    "a quoted reply in another member": reply(f'{{"log": {json.dumps(GOOD)}, {MEMBERS}, }}'),
    "cut after the tokens": reply(f'{{{MEMBERS}, "id_tok', defect=CUT),
    "complete but cut": reply(GOOD, defect=CUT),
    "nested too deeply": reply(f'{{{MEMBERS}, "x": {"[" * 100_000}'),
    "XML": reply(
        f"<r><t:access_token>{ACCESS}</t:access_token><expires_in>60</expires_in>"
        f"<refresh_token><![CDATA[{REFRESH}]]></refresh_token></r>",
        "application/xml",
    ),
    "in a web page": reply(f"<html><body><pre>{GOOD}</pre></body></html>", "text/html"),
    "escaped in a web page": reply(
        "<html><pre>" + GOOD.replace('"', "&quot;") + "</pre></html>", "text/html"
    ),
    "form as JSON": reply(f"access_token={ACCESS}&expires_in=60&refresh_token={REFRESH}"),
    "JSON as form": reply(GOOD, "application/x-www-form-urlencoded"),
    "error 0": reply(f'{{{MEMBERS}, "error": "0"}}'),
    "error 000": reply(f'{{{MEMBERS}, "error": "000"}}'),
    "error no_error": reply(f'{{{MEMBERS}, "error": "NO_ERROR"}}'),
    "error null": reply(f'{{{MEMBERS}, "error": null}}'),
    "error none": reply(f'{{{MEMBERS}, "error": "none", "error_description": ""}}'),
    "gzip unsaid": reply(compress(GOOD.encode())),
    "deflate": reply(zlib.compress(GOOD.encode()), content_encoding="deflate"),
}  # fmt: skip
CLEAN = (
    "JSON as form",
    "error 0",
    "error 000",
    "error no_error",
    "error null",
    "error none",
    "gzip unsaid",
    "deflate",
)
"""Those that cause no remark."""


@pytest.mark.parametrize("name", READABLE)
def test_tokens_in_a_damaged_reply_are_read(name: str) -> None:
    """Both tokens and the lifetime are read, and a remark says what is wrong without quoting a token."""
    found = read(READABLE[name])
    assert found.token.access_token == Secret(ACCESS)
    assert found.token.refresh_token == Secret(REFRESH)
    assert (found.token.lifetime, found.unusable_reason) == (60, None)
    assert bool(found.remarks) == (name not in CLEAN)
    assert "canary" not in str(found.remarks)


PARTLY = {
    "access token twice": (f'{{{MEMBERS}, "access_token": "canary-other"}}', None, REFRESH),
    "refresh token twice": (f'{{"refresh_token": "canary-other", {MEMBERS}}}', ACCESS, None),
    "access token again after it": (f'{GOOD}{{"access_token": "x"}}', None, REFRESH),
    "access token again, damaged": (f'{{"access_token": "x", {MEMBERS}, }}', None, REFRESH),
    "cut in the refresh token": (GOOD.partition("-refresh")[0], ACCESS, None),
    "refresh token in Latin-1": (GOOD.replace("y-r", "ÿ-r").encode("latin-1"), ACCESS, None),
    "control character in it": (GOOD.replace("y-r", "y\n-r"), ACCESS, None),
    "encoded in a plain form": (f"access_token={ACCESS}&refresh_token=a%2Bb", ACCESS, None),
    "only a refresh token": (f'{{"refresh_token": "{REFRESH}"}}', None, REFRESH),
}


@pytest.mark.parametrize("name", PARTLY)
def test_one_uncertain_token_does_not_cost_the_other(name: str) -> None:
    """The certain token is returned to be stored. If a token was sent that is uncertain, it is an error."""
    body, access, refresh = PARTLY[name]
    found = read(reply(body))
    assert found.token.access_token == Secret(access or "")
    assert found.token.refresh_token == (Secret(refresh) if refresh else None)
    assert found.unusable_reason or name == "cut in the refresh token"
    assert "canary" not in f"{found.remarks}{found.unusable_reason}"


SENT = "canary-sent"
TOKENS_OF_OTHERS = {
    "an example in a page": (f"<html><h1>Token</h1><pre>{GOOD}</pre></html>", "text/html"),
    "an escaped example": (
        "<!DOCTYPE html><p>Reply: " + GOOD.replace('"', "&quot;") + "</p>",
        "text/html",
    ),
    "a link": ('<a href="/cb?access_token=canary-a">x</a>', "text/html"),
    "a form of a page": ('<input name="refresh_token" value="canary-r">', "text/html"),
    "an example in Markdown": (f"# Reply\n\n```json\n{GOOD}\n```\n", "text/markdown"),
    "an example in text": (f"For example: {GOOD}", "text/plain"),
    "a hint": ('Set access_token="canary-yours"', "text/plain"),
    "another hint": ("Set refresh_token: 'canary-yours', then", "text/plain"),
    "one word after the name": ("access_token=missing", "text/plain"),
    "YAML": ('components:\n  access_token: "canary-example"\n', "application/yaml"),
    "an echo as text": (f'Bad request: {{"refresh_token": "{SENT}"}}', "text/plain"),
    "an echo as XML": (f"<e><sent><access_token>{SENT}</access_token></sent></e>", "text/xml"),
    "an echo as damaged JSON": (f'{{"access_token": "{SENT}", }}', JSON),
    "of an integration": (f'{{"slack": {GOOD}, "x": "say "hi""}}', JSON),
    "of an integration, cut": (f'{{"slack": {{"access_token": "{ACCESS}"', JSON),
    "of an integration, XML": (
        f"<r><slack><access_token>{ACCESS}</access_token></slack></r>",
        "text/xml",
    ),
    "of one of two": (f'[{GOOD}, {{"name": "other"}}]', JSON),
    "in a list": (f'[{{"apps": [{GOOD}]}}]', JSON),
    "in a comment": ('{ // "access_token": "canary-old",\n "x": 1, }', JSON),
    "in a comment of XML": ("<r><!-- <access_token>canary</access_token> --></r>", "text/xml"),
    "two of XML": (f"<r>{f'<access_token>{ACCESS}</access_token>' * 2}</r>", "text/xml"),
    "beside an uncertain error": (f'{{"error": {{}}, "x": "say "hi"", {MEMBERS}}}', JSON),
}


@pytest.mark.parametrize("name", TOKENS_OF_OTHERS)
def test_a_token_that_may_be_meant_otherwise_is_not_read(name: str) -> None:
    """An example, an echo of the request or the token of something else is no token of the reply."""
    body, kind = TOKENS_OF_OTHERS[name]
    sent = replace(REQUEST, secrets=(Secret(SENT),))
    with pytest.raises(ReplyError) as caught:
        read_token_response(PROFILE, sent, reply(body, kind), STARTED)
    assert "canary" not in f"{caught.value.message}{caught.value.cause}"


def test_a_token_of_text_around_the_reply_makes_it_uncertain() -> None:
    """In any notation; the refresh token, which is named once, is stored."""
    for other in ("access_token=b", "<access_token>b</access_token>", "'access_token' : 'b'"):
        found = read(reply(f"{GOOD}\n{other}"))
        assert (found.token.access_token, found.token.refresh_token) == (
            Secret(""),
            Secret(REFRESH),
        )
        assert found.unusable_reason


@pytest.mark.parametrize(
    ("coding", "said"),
    [
        ("UTF-8", "its Content-Encoding (utf-8) is not a content coding"),
        ("br", "its Content-Encoding (br) is not supported"),
        ("gzip", "its Content-Encoding (gzip) is wrong"),
        ("hunterword", "its Content-Encoding is not a content coding"),
    ],
)
def test_a_wrong_content_coding_is_named(coding: str, said: str) -> None:
    """In the remark and in the error, unless it may be a secret."""
    assert read(reply(GOOD, content_encoding=coding)).remarks == (said,)
    with pytest.raises(ReplyError, match=re.escape(said)):
        read(reply("?", content_encoding=coding))


WORD = "hunterword"
SECRETS = (ACCESS, REFRESH, WORD, "f3b1c9d2-7c1e-4b1a-9d7e-0c2f4a5b6c7d", "123456789012")
UNREADABLE = {
    "bare text": ("{}", "text/plain"),
    "quoted text": ('"{}"', JSON),
    "another member": ('{{"session": "{}"}}', JSON),
    "a number of an array": ('[["{}"], 1]', JSON),
    "nested": ('{{"data": {{"jwt": "{}", "ok": true, "n": null}}}}', JSON),
    "cut": ('{{"access_token": "{}', JSON),
    "no quotes": ('{{"access_token": +{}, x}}', JSON),
    "another XML": ("<r><key>{}</key></r>", "application/xml"),
    "a page with scripts": ('<script>var x = {{"access_token": "{}"}}</script>', "text/html"),
    "a page": ("<html><title>{}</title></html>", "text/html"),
    "twice": ('{{"access_token": "{0}", "access_token": "{0}"}}', JSON),
    "a form": ("key={}&x=1", "application/x-www-form-urlencoded"),
    "a name": ('{{"{0}-0123456789": 1}}', JSON),
    "a content type": ("", "{}"),
    "a header": ("", JSON),
    "JSON in JSON": ('"{{\\"key\\": \\"{}\\"}}"', JSON),
    "Latin-1": ("ÿ {}", "text/plain; charset={}"),
}


@pytest.mark.requirement(15)
@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("secret", SECRETS)
def test_an_unreadable_reply_is_never_quoted(name: str, secret: str) -> None:
    """Neither the error nor `--trace` has any value of it, whatever it looks like."""
    body, kind = (text.format(secret) for text in UNREADABLE[name])
    sent = reply(body.encode("latin-1"), kind, x_session=secret, location=f"/{secret}")
    with pytest.raises(ReplyError) as caught:
        read(sent)
    error, lines = caught.value, list[str]()
    with pytest.raises(ReplyError) as other:
        read_object_response(PROFILE, REQUEST, reply(f"{secret} {body}"))
    TracingTransport(FakeTransport([sent]), PROFILE, lines.append).send(REQUEST, Connection())
    shown = (
        f"{error.message}{error.cause}{error.fix}{other.value.message}{lines}{error.__context__!r}"
    )
    assert secret not in shown


def test_trace_of_a_reply_without_a_token_has_its_shape() -> None:
    """Names, nesting, booleans and null are shown."""
    lines: list[str] = []
    sent = reply('{"data": {"jwt": "x", "ok": true, "n": null}, "f3b1c9d2-7c1e": [1]}')
    TracingTransport(FakeTransport([sent]), PROFILE, lines.append).send(REQUEST, Connection())
    assert lines[-1] == '< {"data": {"jwt": "***", "ok": true, "n": null}, "***": ["***"]}'


def test_trace_shows_the_token_type() -> None:
    """It is public, unless it doesn't look like a type."""
    for kind, shown in (("DPoP", "DPoP"), ("f3b1c9d2", "***")):
        lines: list[str] = []
        sent = reply(f'{{"access_token": "{ACCESS}", "token_type": "{kind}"}}')
        TracingTransport(FakeTransport([sent]), PROFILE, lines.append).send(REQUEST, Connection())
        assert lines[-1] == f'< {{"access_token": "***", "token_type": "{shown}"}}'


def test_damage_before_any_token_is_reported_as_itself() -> None:
    """A reply that broke off ends like one that never came, and a coding that is unknown is named."""
    with pytest.raises(UnreachableError):
        read(reply('{"access_tok', defect=CUT))
    with pytest.raises(UnreachableError):
        read_object_response(PROFILE, REQUEST, reply('{"active": tr', defect=CUT))
    with pytest.raises(ReplyError, match=r"Content-Encoding \(br\)"):
        read(reply(b"\x8b\x01\x80{}\x03", content_encoding="br"))
    refused = replace(reply("<html>", defect=CUT), status=502)
    with pytest.raises(UnreachableError):
        read(refused)


@pytest.mark.parametrize(
    ("sent", "kind"),
    [("BearerToken", "Bearer"), ("Bearer Token", "Bearer"), ("bearer_token", "Bearer")],
)
def test_variants_of_bearer_are_bearer(sent: str, kind: str) -> None:
    """Apigee sends BearerToken."""
    found = read(reply(f'{{"access_token": "{ACCESS}", "token_type": "{sent}"}}'))
    assert (found.token.token_type, found.unusable_reason) == (kind, None)


@pytest.mark.parametrize("sent", [f"Bearer {ACCESS}", f"bearer  {ACCESS}", f" {ACCESS}\\n"])
def test_token_is_read_without_its_scheme(sent: str) -> None:
    """With a remark; a provider that says itself how the token is used gets it as it is."""
    body = f'{{"access_token": "{sent}", "refresh_token": "{REFRESH}"}}'
    found = read(reply(body))
    assert (found.token.access_token, found.unusable_reason) == (Secret(ACCESS), None)
    assert len(found.remarks) == 1
    provider = replace(PROFILE.provider, use=("Authorization: {token}",))
    kept = read_token_response(
        replace(PROFILE, provider=provider), REQUEST, reply(body), STARTED
    ).token
    assert kept.access_token == Secret(json.loads(f'"{sent}"'))


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_number_is_a_token(name: str) -> None:
    """In full, whatever its length; a fraction isn't one."""
    for digits in ("7", "123456", "9" * 300):
        token = read(reply(f'{{"{name}": {digits}}}')).token
        assert Secret(digits) in (token.access_token, token.refresh_token)
    for other in ("0", "-1", "1.5", "1e9", "true", "9" * 5000):
        with pytest.raises(ReplyError):
            read(reply(f'{{"{name}": {other}}}'))


def test_nested_token_given_twice_is_uncertain() -> None:
    """Wherever the provider finds the token, on any level."""
    table = {
        "title": "T",
        "endpoints": {"token": PROFILE.token_url},
        "reply": {"access_token": "data.token", "refresh_token": "data.renew"},
    }
    profile = replace(PROFILE, provider=build_provider(table, "t"))
    for body in (
        '{"data": {"token": "a", "token": "b", "renew": "r"}}',
        '{"data": {"token": "a", "renew": "r", "token": "a"}} ',
    ):
        found = read_token_response(profile, REQUEST, reply(body), STARTED)
        assert found.token.access_token == Secret("")
        assert "twice" in (found.unusable_reason or "")


@pytest.mark.parametrize(
    ("locator", "body", "kind"),
    [
        ("text:", ACCESS, "text/plain"),
        ("xml:r/t", f"<r><t>{ACCESS}</t></r>", "application/xml"),
        ("header:X-Token", "<html>", "text/html"),
        ("[0].t", f'[{{"t": "{ACCESS}"}}]', JSON),
    ],
)
def test_other_formats_are_no_damage(locator: str, body: str, kind: str) -> None:
    """A provider that finds its token in them causes no remark, and `--trace` masks the token."""
    table = {
        "title": "T",
        "endpoints": {"token": PROFILE.token_url},
        "reply": {"access_token": locator},
    }
    profile = replace(PROFILE, provider=build_provider(table, "t"))
    sent, lines = reply(body, kind, x_token=ACCESS), list[str]()
    found = read_token_response(profile, REQUEST, sent, STARTED)
    assert (found.token.access_token, found.remarks) == (Secret(ACCESS), ())
    TracingTransport(FakeTransport([sent]), profile, lines.append).send(REQUEST, Connection())
    assert ACCESS not in str(lines)


pieces = st.sampled_from(
    ['"', "'", "{", "}", "[", "]", ",", ":", "\\", "\0", "\n", "<", "&", "=", "ü", "x", " ", "//",
     '"scope": "a"', "</p>", '"refresh_token": "other"', "access_token=other", '"a": {"b": 1}']
)  # fmt: skip


@pytest.mark.requirement(24)
@given(st.data())
def test_damage_elsewhere_never_changes_a_token(data: st.DataObject) -> None:
    """Whatever is inserted or cut outside of the tokens, each is read as it was sent, or not at all."""
    text = f'{{"name": "n", {MEMBERS}, "id": 7}}'
    quoted = [f'"{token}"' for token in (ACCESS, REFRESH)]
    for _ in range(data.draw(st.integers(1, 3))):
        spans = [(text.index(token), text.index(token) + len(token)) for token in quoted]
        places = [
            place
            for place in range(len(text) + 1)
            if not any(start < place < end for start, end in spans)
        ]
        place = data.draw(st.sampled_from(places))
        room = min([start - place for start, _ in spans if start >= place], default=3)
        cut = data.draw(st.integers(0, min(room, 3)))
        piece = data.draw(pieces)
        if piece == "\\" and any(start == place for start, _ in spans):
            piece = ""  # it would escape the quote, which is a change of the token
        text = text[:place] + piece + text[place + cut :]
    sent = reply(text.encode(data.draw(st.sampled_from(["utf-8", "latin-1", "utf-16"]))))
    try:
        found = read(sent)
    except TokencliError as error:
        assert "canary" not in error.message
        return
    access, renewal = found.token.access_token, found.token.refresh_token
    assert access in (Secret(ACCESS), Secret(""), Secret("other"))
    assert renewal in (Secret(REFRESH), None, Secret("other"))
    assert "canary" not in f"{found.remarks}{found.unusable_reason}"
