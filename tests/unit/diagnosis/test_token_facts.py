"""A token's text and facts: what happened to it, what it is, and what it is bound to."""

import json

import pytest

from tokencli.diagnosis.token_facts import (
    TokenText,
    add_introspection,
    describe_token,
    read_token_text,
)
from tokencli.jwt.decode import encode_base64url
from tokencli.models import DpopKey, Secret, TokenSet


def make_token(header: dict[str, object] | None = None, **claims: object) -> str:
    """Return a JWT with a made-up signature."""
    parts = ({"alg": "ES256", **(header or {})}, claims)
    encoded = [encode_base64url(json.dumps(part).encode()) for part in parts]
    return ".".join((*encoded, encode_base64url(b"s" * 64)))


TOKEN = make_token(iss="https://id.example.com", exp=1)


@pytest.mark.parametrize(
    "text",
    [TOKEN, f" {TOKEN}\r\n", f"Authorization: Bearer {TOKEN}", f'{{"access_token": "{TOKEN}"}}',
     f"export TOKEN={TOKEN}", f"curl -H 'Authorization: Bearer {TOKEN}' https://a"],
)  # fmt: skip
def test_usual_forms_are_not_mangled(text: str) -> None:
    """A program takes the token alone from them."""
    found = read_token_text(text)
    assert (found.token, found.sent, found.mangling, found.damage) == (TOKEN, TOKEN, (), None)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        (f"\ufeff{TOKEN}", "byte order mark"),
        (f"'{TOKEN}'", "quotation marks"),
        (f"\u201c{TOKEN}\u201d", "quotation marks"),
        (f"Bearer Bearer {TOKEN}", 'begins with "Bearer "'),
        (f'"Bearer {TOKEN}"', 'begins with "Bearer "'),
        (f"Bearer%20{TOKEN}", "percent-encoded"),
        (TOKEN.replace(".", "%2E"), "percent-encoded"),
        (f"{TOKEN}\\n", r"two characters \n"),
        (f"{TOKEN[:60]}\n{TOKEN[60:120]}\n{TOKEN[120:]}", "broken into 3 lines"),
        (f"{TOKEN[:60]} {TOKEN[60:]}", "contains spaces"),
        (f"{TOKEN};", "followed by ';'"),
        (f"{TOKEN[:9]}\u200b{TOKEN[9:]}", "invisible characters"),
    ],
)
def test_mangled_text_is_recognized(text: str, sign: str) -> None:
    """What a program sends is the text as it is, and the token is found in it."""
    found = read_token_text(text)
    assert found.token == TOKEN
    assert found.sent == text.strip()
    assert sign in "; ".join(found.mangling)


def test_a_percent_sign_alone_encodes_nothing() -> None:
    """A shell prints one after output without a line break, and it is copied along."""
    assert "percent-encoded" not in "; ".join(read_token_text(f"{TOKEN}%").mangling)


@pytest.mark.parametrize("text", [TOKEN.lower(), TOKEN.upper()])
def test_changed_case_is_recognized(text: str) -> None:
    """The token can't be restored, but what happened to it is said."""
    found = read_token_text(text)
    assert found.sent == text
    assert "its letters are all" in "; ".join(found.mangling)


def test_scheme_alone_is_only_noted() -> None:
    """A scheme before the token may belong to a pasted header; behind a scheme it is one too many."""
    assert read_token_text(f"Bearer {TOKEN}") == TokenText(
        f"Bearer {TOKEN}", TOKEN, has_scheme=True
    )
    assert read_token_text(f"Bearer {TOKEN}", follows_scheme=True).mangling == (
        'it begins with "Bearer "',
    )


def test_cut_token_is_damaged() -> None:
    """Whether its signature or half of it is missing."""
    for text in (TOKEN.rpartition(".")[0], TOKEN[: len(TOKEN) // 2], f"{TOKEN[:40]}..."):
        assert read_token_text(text).damage


@pytest.mark.parametrize("text", ["", "null", "$TOKEN", "<html>", "\0\1"])
def test_text_that_is_no_token(text: str) -> None:
    """It is kept, with the reason."""
    assert read_token_text(text).damage


@pytest.mark.parametrize(
    ("header", "claims", "role"),
    [
        ({"typ": "at+jwt"}, {"nonce": "n"}, "access"),
        ({}, {"typ": "Refresh"}, "refresh"),
        ({}, {"token_use": "id"}, "id"),
        ({}, {"nonce": "n", "at_hash": "h"}, "id"),
        ({}, {"aud": "c", "azp": "c", "email": "e"}, "id"),
        ({}, {"aud": "c", "azp": "c", "email": "e", "scope": "read"}, "access"),
        ({"nonce": "n"}, {"aud": "https://graph.microsoft.com"}, "unknown"),
    ],
)
def test_role_is_recognized(
    header: dict[str, object], claims: dict[str, object], role: str
) -> None:
    """By what the issuer wrote into it."""
    token = Secret(make_token(header, **claims))
    assert describe_token(token, fingerprint="f").role == role


def test_stored_tokens_are_recognized() -> None:
    """The refresh token, the ID token, and a part of the access token."""
    stored = TokenSet(
        Secret(TOKEN), "Bearer", 0.0, refresh_token=Secret("refresh"), id_token=Secret("id.e.y")
    )
    for text, role in (("refresh", "refresh"), ("id.e.y", "id")):
        assert describe_token(Secret(text), fingerprint="f", stored=stored).role == role
    part = describe_token(Secret(TOKEN[:50]), fingerprint="f", stored=stored)
    assert (part.part_of_stored, part.stored) == (len(TOKEN), False)


def test_binding_is_recognized() -> None:
    """By `cnf`, or by the type of the stored token."""
    token = make_token(cnf={"jkt": "x"})
    assert describe_token(Secret(token), fingerprint="f").bound_to == "dpop"
    token = make_token(cnf={"x5t#S256": "x"})
    assert describe_token(Secret(token), fingerprint="f").bound_to == "certificate"
    stored = TokenSet(Secret("opaque"), "DPoP", 0.0, dpop_key=DpopKey(Secret("{}")))
    assert describe_token(Secret("opaque"), fingerprint="f", stored=stored).bound_to == "dpop"


@pytest.mark.parametrize(
    ("reply", "bound"),
    [
        ({"cnf": {"x5t#S256": "x"}}, "certificate"),
        ({"cnf": {"jkt": "x"}}, "dpop"),
        ({"token_type": "DPoP"}, "dpop"),
        ({"token_type": "Bearer"}, None),
        ({"cnf": {"jkt": "x"}, "active": False}, None),
    ],
)
def test_introspection_tells_the_binding_of_an_opaque_token(
    reply: dict[str, object], bound: str | None
) -> None:
    """If the token is active; whatever else it says fills what the token doesn't say."""
    reply = {"active": True, "iss": "i", "sub": "s", "aud": "a", "scope": "x y", **reply}
    facts = add_introspection(
        describe_token(Secret("opaque"), fingerprint="f"), reply, None, None, None
    )
    assert facts.bound_to == bound
    if reply["active"]:
        assert (facts.issuer, facts.subject, facts.audience) == ("i", "s", ("a",))
        assert facts.scopes == ("x", "y")
