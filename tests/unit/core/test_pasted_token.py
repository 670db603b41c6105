"""Finding a token in what was pasted, piped or saved, or naming what it is instead."""

import json
from base64 import b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.samples import part, token
from tokencli.core.pasted_token import TOKEN_MEMBERS, decode_input, find_pasted_token
from tokencli.errors import InvalidTokenError

JWT = token({"sub": "one", "n": "x" * 60})
OTHER = token({"sub": "two"})
JWE = f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lw.dGFn"
HEAD, PAYLOAD, SIGNATURE = JWT.split(".")
OPAQUE = "canary-7f3a_9~bc.de+f/g=="


@pytest.mark.parametrize("pasted", [
    "abc.def.ghi",
    " abc.def.ghi\r\n",
    '"abc.def.ghi"',
    "'Bearer abc.def.ghi'",
    "bearer abc.def.ghi",
    "Authorization: Bearer abc.def.ghi",
    "authorization:BEARER  abc.def.ghi",
    "Authorization: DPoP 'abc.def.ghi'",
    "abc.de\n  f.ghi",
    "`abc.def.ghi`",
    "\u201cabc.def.ghi\u201d,",
    "\ufeffabc.def.ghi",
])  # fmt: skip
def test_decoration_is_removed(pasted: str) -> None:
    """Header name, scheme, quotes of any kind, line breaks, invisible characters."""
    assert find_pasted_token(pasted).token == "abc.def.ghi"


TEXTS = {
    "assignment": "ACCESS_TOKEN={}",
    "export": "export ACCESS_TOKEN='{}';",
    "PowerShell": '$env:ACCESS_TOKEN = "{}"',
    "cmd": "set ACCESS_TOKEN={}",
    "YAML": "access_token: {}",
    "TOML": 'token = "{}"',
    "URL": "https://app.example.com/cb?state=1&access_token={}&token_type=Bearer",
    "fragment": "https://app.example.com/#access_token={}&expires_in=300",
    "fragment alone": "#access_token={}",
    "query alone": "?access_token={}",
    "form": "access_token={}&token_type=Bearer",
    "JSON": '{{"access_token": "{}", "expires_in": 300, "refresh_token": "r"}}',
    "JSON in camel case": '{{"accessToken": "{}"}}',
    "nested JSON": '{{"status": {{"token": "{}"}}, "kind": "ExecCredential"}}',
    "JSON string": '"{}"',
    "reply": 'HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{{"access_token": "{}", "expires_in": 1}}',
    "env file": "# comment\nCLIENT_ID=batch\nACCESS_TOKEN={}\n",
    "curl": "curl -sH 'Authorization: Bearer {}' https://api.example.com/me",
    "request": "GET /me HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer {}\r\n\r\n",
}


@pytest.mark.parametrize("form", TEXTS)
@pytest.mark.parametrize("content", [JWT, OPAQUE, JWE], ids=["JWT", "opaque", "JWE"])
def test_token_inside_a_text(form: str, content: str) -> None:
    """A JWT, a JWE and an opaque token are found in each form, with a remark."""
    in_url = form in ("URL", "fragment", "fragment alone", "query alone", "form")
    text = TEXTS[form].format(quote(content) if in_url else content)
    found = find_pasted_token(text)
    assert found.token == content
    assert found.remarks or form == "JSON string"
    assert not any(content in remark for remark in found.remarks)


@pytest.mark.parametrize("text", [
    f"Cookie: theme=dark; session={JWT}; id=1",
    f"Set-Cookie: session={JWT}; Path=/; HttpOnly",
    f"The token is {JWT}.",
    f"2026-01-01 got token {JWT} for jdoe...",
    f"{{'access_token': '{JWT}'}}",
    f"token: {JWT}\nname: x",
    f"{JWT}\n{JWT}\n",
    f"{JWT[:64]}\n{JWT[64:128]}\n{JWT[128:]}",
    f"{JWT[:50]} {JWT[50:]}",
    f"[{json.dumps(JWT)}]",
    f"see [the app](https://app.example.com/#id_token={JWT})",
    f"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n{{'access_token': '{JWT}'}}",
])  # fmt: skip
def test_jwt_inside_any_text(text: str) -> None:
    """A JWT is recognized by its shape: in a cookie, a sentence, a log line, wrapped."""
    assert find_pasted_token(text).token == JWT


@pytest.mark.parametrize(("prefer", "expected", "other"), [
    ("access_token", JWT, "id_token"), ("id_token", OTHER, "access_token"),
])  # fmt: skip
def test_reply_with_two_tokens(prefer: str, expected: str, other: str) -> None:
    """The access token is taken, or the ID token if asked for, and the others are named."""
    text = json.dumps({"access_token": JWT, "id_token": OTHER})
    found = find_pasted_token(text, prefer=prefer)
    assert found.token == expected
    assert found.remarks == (f"it is the {prefer} of a JSON reply, which also has {other}",)
    assignments = f"export ACCESS_TOKEN={JWT}\nexport ID_TOKEN={OTHER}\n"
    assert find_pasted_token(assignments, prefer=prefer).token == expected


def test_missing_id_token_is_named() -> None:
    """If the ID token is asked for, another token isn't taken for it."""
    with pytest.raises(InvalidTokenError, match="has no id_token, only access_token"):
        find_pasted_token(json.dumps({"access_token": JWT}), prefer="id_token")


def test_json_serialization() -> None:
    """A JWS or JWE in JSON is the compact one (RFC 7515 section 7.2, RFC 7516 section 7.2)."""
    flat = {"payload": PAYLOAD, "protected": HEAD, "signature": SIGNATURE}
    general = {"payload": PAYLOAD, "signatures": [flat, {"protected": "e30", "signature": "x"}]}
    for document in (flat, general):
        assert find_pasted_token(json.dumps(document)).token == JWT
    assert "first of 2" in find_pasted_token(json.dumps(general)).remarks[0]
    encrypted = dict(zip(("protected", "iv", "ciphertext", "tag"),
                         (part for part in JWE.split(".") if part), strict=True))  # fmt: skip
    assert find_pasted_token(json.dumps(encrypted)).token == JWE


@pytest.mark.parametrize(("pasted", "remark"), [
    (b64encode(JWT.encode()).decode(), "encoded in base64"),
    (f"token: {b64encode(JWT.encode()).decode()}", "encoded in base64"),
    (JWT.replace(".", "%2E"), "percent-encoded"),
    ("\\\n".join((JWT[:40], JWT[40:])), "lines were joined"),
    ("=\r\n".join((JWT[:76], JWT[76:])), "lines were joined"),
    (f"{JWT}%\n", "character after it"),
])  # fmt: skip
def test_encoded_once_more(pasted: str, remark: str) -> None:
    """A Kubernetes Secret, an address, a wrapped command, a mail, and zsh's mark of a missing line end."""
    found = find_pasted_token(pasted)
    assert found.token == JWT and remark in found.remarks[-1]


def test_colors_are_ignored() -> None:
    """`grep --color` puts terminal sequences into a token."""
    assert find_pasted_token(f"\x1b[01;31m\x1b[K{JWT[:9]}\x1b[m\x1b[K{JWT[9:]}").token == JWT


SAML = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">x</saml:Assertion>'


@pytest.mark.parametrize(("text", "says"), [
    (f"{JWT[:80]}...", "truncated at its end"),
    (f"{JWT[:80]}\u2026", "truncated at its end"),
    (f'"{JWT[:80]}..."', "truncated at its end"),
    (f"{HEAD}...{SIGNATURE}", "truncated in the middle"),
    (f"Bearer {JWT[:-2]}...", "truncated at its end"),
    ("https://app.example.com/?state=canary", "a URL without one"),
    ("WWW-Authenticate: Bearer realm=canary", "the challenge of a server"),
    (f"ACCESS_TOKEN={JWT[:20]}...", "truncated"),
    (f'{{"access_token": "{JWT[:80]}...", "expires_in": 300}}', "truncated"),
    ("canary-opaque...", "truncated"),
    ("eyJhbGci***", "masked"),
    ("Bearer ***", "masked"),
    (f"{JWT}\n{OTHER}\n", "2 tokens"),
    (f'["{JWT}", "{OTHER}"]', "2 tokens"),
    ("0123456789abcdef\nfedcba9876543210\n", "2 lines"),
    ("", "empty"),
    ("Bearer", "empty"),
    ("Authorization: Bearer ", "empty"),
    ('{"access_token": ""}', "without one"),
    ('{"error": "invalid_grant"}', "error 'invalid_grant'"),
    ('{"iss": "x", "exp": 1}', "decoded content"),
    ('{"error": "canary is wrong"}', "a reply with an error"),
    ('{"error": {"code": "canary"}}', "a reply with an error"),
    ('{"payload": "e30", "protected": "e30", "signatures": 5}', "damaged JWS"),
    ('{"payload": "e30", "protected": "e30", "signatures": []}', "damaged JWS"),
    ('{"ciphertext": "e30", "protected": "e30", "recipients": ["x"]}', "damaged JWE"),
    ("{}", "without one"),
    ('{"payload": "e30", "signature": "x"}', "without a protected header"),
    ("https://app.example.com/cb?code=canary&state=1", "authorization code"),
    ("https://app.example.com/cb?error=access_denied", "error 'access_denied'"),
    ("Basic dXNlcjpjYW5hcnk=", "HTTP Basic"),
    ("Authorization: Basic dXNlcjpjYW5hcnk=", "HTTP Basic"),
    ("Negotiate YIICanary", "Kerberos"),
    ("-----BEGIN PRIVATE KEY-----\ncanary", "PEM"),
    ("<!DOCTYPE html><title>Sign in</title>", "HTML"),
    (SAML, "SAML assertion"),
    (f"<?xml version='1.0'?>\n{SAML}", "SAML assertion"),
    (b64encode(SAML.encode()).decode(), "SAML assertion in base64"),
    ("SAMLResponse=PHNhbWw&RelayState=x", "SAML response"),
    ("<a><b/></a>", "XML"),
    ("ssh-rsa AAAA me", "SSH"),
    (f"{JWT[:80]}...{JWT[-20:]}", "truncated in the middle"),
    (f"{HEAD}.ey...{JWT[-20:]}", "truncated in the middle"),
    (f"{HEAD}.***.***", "masked"),
    (f"{JWT}{OTHER}", "2 tokens were given, without a space"),
    ("null", "a word that programs print if a value is missing"),
    ("None", "a word that programs print"),
    ("$ACCESS_TOKEN", "name of a variable"),
    ("Authorization: Bearer ${ACCESS_TOKEN}", "name of a variable"),
    ("{{ access_token }}", "name of a variable"),
    ("%ACCESS_TOKEN%", "name of a variable"),
    ("<access token>", "placeholder"),
    ("YOUR_ACCESS_TOKEN", "placeholder"),
    ("\0\1canary", "binary data"),
])  # fmt: skip
def test_trouble_is_named(text: str, says: str) -> None:
    """A part of a token, several, or something else: the message says what, and quotes no value."""
    with pytest.raises(InvalidTokenError, match=says) as caught:
        find_pasted_token(text)
    assert "canary" not in str(vars(caught.value)) and JWT[:20] not in str(vars(caught.value))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be",
                                      "utf-32"])  # fmt: skip
def test_encodings(encoding: str) -> None:
    """PowerShell and Notepad write UTF-16 or a byte order mark, which is remarked."""
    decoded = decode_input(f"{JWT}\r\n".encode(encoding))
    assert find_pasted_token(decoded.token).token == JWT
    assert bool(decoded.remarks) is (encoding != "utf-8")


@pytest.mark.requirement(15)
@given(st.text(), st.sampled_from([*TEXTS.values(), "{}", "{}...", "A=B=C={}"]))
def test_any_text_is_a_token_or_refused(text: str, form: str) -> None:
    """Nothing else is raised."""
    try:
        find_pasted_token(form.format(text))
    except InvalidTokenError:
        return


@pytest.mark.parametrize("text", [
    "a=" + "&" * 100_000 + " x", "A=" * 60_000, "[" * 100_000, "..." * 40_000, "eyJ." * 30_000, "eyJ.a " * 20_000, "<" * 100_000,
    "a..." * 30_000, "eyJ" * 5_000 + "." + "eyJ" * 10_000 + "...", "eyJhbGciOiIxIn0.." + "eyJ" * 15_000 + "..", "%2E" * 20_000, "ZXlK" * 20_000, "\n" * 100_000 + "x", json.dumps(dict.fromkeys(TOKEN_MEMBERS, "x")) * 2000,
])  # fmt: skip
def test_time_is_linear(text: str) -> None:
    """A long text is answered at once."""
    try:
        find_pasted_token(text)
    except InvalidTokenError:
        return
