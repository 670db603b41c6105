"""Lint: each rule finds its own problem, a sound token has none, and no value is repeated."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.samples import ACCESS, IDENTITY, token
from tests.unit.jwt.test_explain import JSON
from tokencli.jwt.decode import DecodedToken, TokenKind, decode_token
from tokencli.jwt.lint import RULES, LintSubject, lint_token

NOW = 1_716_000_000.0
SOUND: dict[str, object] = {"iss": "me", "aud": "api", "iat": NOW - 60, "exp": NOW + 600}
HEADER: dict[str, object] = {"alg": "RS256", "kid": "1", "typ": "at+jwt"}
CANARY = "canary-4f1c"
EMBEDDED = f"eyJhbGciOiJIUzI1NiJ9.eyJ{CANARY}.c2ln"


def remarks(text: str) -> list[str]:
    """Return the findings that `inspect` always shows."""
    found = lint_token(LintSubject(decode_token(text), NOW, len(text)))
    return [finding.text for finding in found if finding.is_remark]


def ids(subject: LintSubject) -> list[str]:
    """Return the rules that found something."""
    return [finding.id for finding in lint_token(subject)]


def subject_with(
    claims: Mapping[str, object] | None = None, header: Mapping[str, object] | None = None
) -> LintSubject:
    """Return a sound token with other claims and header parameters."""
    text = token(SOUND | dict(claims or {}), HEADER | dict(header or {}))
    return LintSubject(decode_token(text), NOW, len(text))


def test_sound_token_has_no_finding() -> None:
    """An asymmetric signature, an audience, a short lifetime and consistent times."""
    assert lint_token(subject_with()) == ()


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("header", "claims", "remark"),
    [
        ({"alg": "none"}, {}, "alg is none"),
        ({"alg": "nOnE"}, {}, "alg is none"),
        ({"alg": "HS256"}, {}, "can also forge one"),
        ({"typ": "JWT"}, {}, "has no alg"),
        ({"alg": "ES256", "crit": ["exp", "b64"]}, {}, "crit lists exp, b64"),
        ({"alg": "ES256", "crit": 5}, {}, "crit lists nothing readable"),
        ({"alg": "ES256", "jwk": {}, "jku": "https://a"}, {}, "its own key (jwk, jku)"),
        ({"alg": "ES256"}, {"exp": "1716466218"}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": True}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": 10**400}, "exp is not a number"),
        ({"alg": "ES256"}, {"exp": NOW * 1000}, "exp looks like milliseconds: it would be 2024"),
        ({"alg": "ES256"}, {"exp": None}, "exp is not a number"),
        ({"alg": "ES256"}, {"iat": NOW + 300}, "iat is 5 minutes ahead"),
        ({"alg": "ES256"}, {"exp": NOW - 61}, "expired before it was issued"),
        ({"alg": "ES256"}, {"exp": NOW + 604_800}, "its lifetime is 7 days"),
        ({"alg": "ES256"}, {"updated_at": NOW + 700}, "updated_at is later than exp"),
        ({"alg": "ES256"}, {"nbf": NOW + 600}, "exp is not later than nbf: it is never valid"),
        ({"alg": "RS1"}, {}, "SHA-1 is broken"),
        ({"alg": "XY256"}, {}, "not a registered algorithm"),
    ],
)
def test_each_problem_gets_one_remark(
    header: Mapping[str, object], claims: Mapping[str, object], remark: str
) -> None:
    """In the header and the claims; no key in them is used or fetched."""
    found = remarks(token(SOUND | dict(claims), header))
    assert [remark in each for each in found].count(True) == 1, found


def test_missing_exp_gets_a_remark() -> None:
    """Only the server knows when it expires."""
    found = remarks(token({"sub": "1"}))
    assert found == ["there is no exp: only the server knows when it expires"]


def test_documented_tokens_get_remarks() -> None:
    """Both live for a week and use HMAC; the ID token was updated after it had expired."""
    access, identity = remarks(ACCESS), remarks(IDENTITY)
    assert len(access) == 2
    assert identity[:-1] == access
    assert "updated_at" in identity[-1]


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        (
            {"iat": NOW * 1000, "exp": (NOW + 9**9) * 1000},
            ["iat looks like milliseconds", "exp looks like milliseconds"],
        ),
        ({"nbf": 1e30, "exp": NOW + 60}, ["nbf is too large for a number of seconds"]),
        ({"iat": NOW, "exp": NOW * 1000}, ["exp looks like milliseconds"]),
    ],
)
def test_times_that_are_not_in_seconds(claims: dict[str, object], expected: list[str]) -> None:
    """They are remarked on, and lead to no remark about a clock or a lifetime."""
    found = lint_token(LintSubject(DecodedToken("jwt", {"alg": "ES256"}, claims), NOW))
    assert [each.text.split(":")[0] for each in found if each.is_remark] == expected


@pytest.mark.parametrize(
    ("header", "claims", "rule"),
    [
        ({}, {"aud": None}, "aud_missing"),
        ({}, {"aud": []}, "aud_missing"),
        ({}, {"aud": ""}, "aud_missing"),
        ({}, {"iss": 5}, "iss_missing"),
        ({"typ": "JWT"}, {}, "typ"),
        ({"typ": None}, {}, None),
        ({"typ": "application/at+jwt"}, {}, None),
        ({"typ": "JWT"}, {"nonce": "x"}, None),
    ],
)
def test_rules_that_are_not_remarks(
    header: dict[str, object], claims: dict[str, object], rule: str | None
) -> None:
    """An audience, an issuer and a type are recommended; an ID token has another type."""
    found = lint_token(subject_with(claims, header))
    assert [each.id for each in found] == ([rule] if rule else [])
    assert not any(each.is_remark for each in found)


def test_key_id() -> None:
    """Only an asymmetric signature needs to name its key."""
    without = {"typ": "at+jwt"}
    for alg, expected in (("RS256", ["kid_missing"]), ("HS256", ["alg_symmetric"])):
        text = token(SOUND, {**without, "alg": alg}, "A" * 43)
        assert ids(LintSubject(decode_token(text), NOW)) == expected


def test_symmetric_signature_of_a_public_client() -> None:
    """A client without a secret can't verify an ID token; an access token it needn't verify."""
    decoded = decode_token(token(SOUND, HEADER | {"alg": "HS256"}, "A" * 43))
    assert ids(LintSubject(decoded, NOW, client_is_public=True)) == ["alg_symmetric"]
    of_id_token = LintSubject(decoded, NOW, client_is_public=True, is_known_id_token=True)
    assert ids(of_id_token) == ["alg_symmetric_public"]


@pytest.mark.parametrize(
    ("requested", "granted", "wider"),
    [
        ("read", "read write", ["scope_wider"]),
        ("read write", "write read", []),
        (None, "read", []),
        ("api://x/.default", "Files.Read", []),
        ("https://graph.microsoft.com/Files.Read", "Files.Read", []),
        ("https://graph.microsoft.com/Files.Read", "Files.Read Mail.Send", ["scope_wider"]),
        ("openid email", "openid https://www.googleapis.com/auth/userinfo.email", []),
        ("openid", "openid email profile", ["scope_identity"]),
        ("openid", "openid email write", ["scope_wider", "scope_identity"]),
    ],
)
def test_scope_wider_than_requested(requested: str | None, granted: str, wider: list[str]) -> None:
    """Entra grants `Files.Read` for a URL that ends with it, and Google a URL for `email`.

    What servers add by default to identify the person is only a note.
    """
    decoded = decode_token(token(SOUND, HEADER))
    subject = LintSubject(decoded, NOW, scopes=tuple(granted.split()), requested_scope=requested)
    assert ids(subject) == wider


@pytest.mark.requirement(15)
@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"password": CANARY}, "password"),
        ({"ext": {"db_password": CANARY}}, "ext.db_password"),
        ({"ext": [{"client-secret": CANARY}]}, "ext.client-secret"),
        ({"https://example.com/apiKey": CANARY}, "https://example.com/apiKey"),
        ({"note": f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}"}, "note"),
        ({"upstream": EMBEDDED}, "upstream"),
        ({"x": f"Bearer {EMBEDDED}"}, "x"),
        ({"key": {"kty": "EC", "crv": "P-256", "d": CANARY}}, "key"),
        ({"dsn": f"postgres://app:{CANARY}@db.example.com/x"}, "dsn"),
    ],
)
def test_secrets_in_claims(claims: dict[str, object], named: str) -> None:
    """By the name of a claim or by the shape of its value, which isn't repeated."""
    found = lint_token(subject_with(claims))
    assert [each.id for each in found] == ["secrets"]
    assert found[0].text.endswith(f": {named}")
    assert CANARY not in found[0].text


@pytest.mark.parametrize(
    "claims",
    [
        {"pwd_exp": 3600, "pwd_url": "https://example.com/change"},
        {"amr": ["pwd", "otp"]},
        {"reset_password": True, "password": ""},
        {"cnf": {"jwk": {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}}},
        {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"email_verified": True, "address_id": "17", "sub": "auth0|5f7c8ec7c33c6c004bbafe82"},
        {"sub": "abc@clients", "jti": "4111-1111"},
        {"sub": "ci@proj.iam.gserviceaccount.com", "email": "ci@proj.iam.gserviceaccount.com"},
        {"iss": "https://accounts.google.com", "email": "jo@example.com"},
        {"auth_time": NOW - 60, "tid": "5f7c8ec7-c33c-4c00-abba-fe8200000000"},
    ],
)
def test_what_only_resembles_a_secret(claims: dict[str, object]) -> None:
    """Claims about passwords, public keys, flags and ids are no findings."""
    assert ids(subject_with(claims)) == []


@pytest.mark.parametrize(
    ("claims", "named"),
    [
        ({"email": "jo@example.com"}, "email"),
        ({"sub": "jo@example.com", "mail": "jo@example.com"}, "mail"),
        ({"phone_number": "5550100"}, "phone_number"),
        ({"contact": "+49 (30) 901820"}, "contact"),
        ({"birthdate": "1970-01-01", "address": {"country": "DE"}}, "birthdate, address"),
        ({"user": {"email": "jo@example.com"}}, "user.email"),
        ({"ref": "4111 1111 1111 1111"}, "ref"),
        ({"ref": 4111111111111111}, "ref"),
    ],
)
def test_personal_data_in_claims(claims: dict[str, object], named: str) -> None:
    """The claims are named; an ID token is meant to have them."""
    found = [each for each in lint_token(subject_with(claims)) if each.id != "user_name"]
    assert [each.id for each in found] == ["personal_data"]
    assert found[0].text.endswith(f": {named}")
    assert ids(subject_with(claims | {"nonce": "x"})) == []


@pytest.mark.parametrize("claim", ["sub", "upn", "unique_name", "preferred_username"])
def test_user_named_by_an_address(claim: str) -> None:
    """Ordinary tokens of Okta and Entra name users so: it is a note, so that CI jobs don't fail."""
    found = lint_token(subject_with({claim: "jo@example.com"}))
    assert [(each.id, each.severity) for each in found] == [("user_name", "note")]
    assert "example" not in found[0].text


@pytest.mark.parametrize(
    ("length", "expected"),
    [(4096, []), (4097, ["large"]), (8192, ["large"]), (8193, ["too_large"])],
)
@pytest.mark.parametrize("kind", ["jwt", "jwe", "sd-jwt", "opaque"])
def test_size(length: int, expected: list[str], kind: TokenKind) -> None:
    """Servers limit the size of headers, whatever the token contains."""
    decoded = DecodedToken(kind, HEADER, SOUND)
    assert ids(LintSubject(decoded, NOW, length)) == expected


def test_every_rule_has_a_source() -> None:
    """A specification and the section of it."""
    assert all("section" in rule.source for rule in RULES.values())


@given(
    st.dictionaries(st.text(max_size=12) | st.sampled_from(["alg", "crit", "typ", "aud"]), JSON),
    st.dictionaries(st.text(max_size=12) | st.sampled_from(["exp", "iat", "nbf", "aud"]), JSON),
    st.floats(0, 4e9),
    st.sampled_from(["jwt", "jwe", "sd-jwt", "opaque"]),
)
def test_any_token_can_be_checked(
    header: dict[str, object], claims: dict[str, object], now: float, kind: TokenKind
) -> None:
    """No header and no claims raise."""
    decoded = DecodedToken(kind, header, claims)
    assert all(each.text for each in lint_token(LintSubject(decoded, now, 100)))
