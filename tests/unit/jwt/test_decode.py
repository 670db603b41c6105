"""Decoding tokens: nothing in them is trusted, and nothing in them can cause a crash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.jwt.samples import ACCESS, IDENTITY, REFRESH, part, token
from tokencli.jwt.decode import MAX_TOKEN_LENGTH, DecodedToken, decode_base64url, decode_token


def test_documented_tokens() -> None:
    """Screening Eagle's access, ID and refresh token are JWTs with the documented claims."""
    access, identity, refresh = map(decode_token, (ACCESS, IDENTITY, REFRESH))
    assert {access.kind, identity.kind, refresh.kind} == {"jwt"}
    assert access.header == {"alg": "HS256", "typ": "JWT"}
    assert access.claims["iss"] == "Screening Eagle ID"
    assert access.claims["exp"] == access.claims["iat"] + 604800  # type: ignore[operator]
    assert identity.claims["updated_at"] > identity.claims["exp"]  # type: ignore[operator]
    assert refresh.claims["scp"] == "openid email profile offline"
    assert access.problems == identity.problems == refresh.problems == ()


@pytest.mark.requirement(28)
@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        pytest.param("opaque-0123456789", "opaque", None, id="opaque"),
        pytest.param("", "opaque", None, id="empty"),
        pytest.param("a.b.c", "opaque", None, id="three parts of nothing"),
        pytest.param("ya29.a0AfH6SMC.x-y_z", "opaque", None, id="opaque with dots"),
        pytest.param("été.été.été", "opaque", None, id="not ASCII"),
        pytest.param(ACCESS.split(".")[0], "opaque", "was it cut", id="header alone"),
        pytest.param(ACCESS.rsplit(".", 1)[0], "opaque", "was it cut", id="signature missing"),
        pytest.param("eyJ!.e30.x", "opaque", "not base64url", id="damaged header"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9=.e30.", "jwt", "padded", id="padded header"),
        pytest.param("eyJhbGciOiJIUzI1NiJ9.e30=.c2k=", "jwt", "AWS ALB", id="padded as by AWS ALB"),
        pytest.param("eyJhbGciOiJub25lIn0.eyJhIjoiPz8/In0.", "jwt", "base64 ", id="base64"),
        pytest.param(f"{part({'alg': 'x'})}.a.b.c.d", "opaque", "no enc", id="5 parts, no enc"),
        pytest.param(part({"session": 1}), "opaque", None, id="JSON in base64"),
        pytest.param(f"{part({'session': 1})}.sig", "opaque", None, id="signed JSON"),
        pytest.param(token(token({}).encode()), "jwt", "another token (JWT)", id="nested"),
        pytest.param(f"{part({'alg': 'none'})}.{part({})}.", "jwt", None, id="unsecured"),
        pytest.param(token([1]), "jwt", "payload is not a JSON object", id="claims are a list"),
        pytest.param(token(b'{"a":1}x'), "jwt", "not JSON", id="text after the claims"),
        pytest.param(token(b"\xff\xfe"), "jwt", "not UTF-8", id="not UTF-8"),
        pytest.param(token(b'{"exp":NaN}'), "jwt", "NaN is not valid JSON", id="NaN"),
        pytest.param(
            token(b'{"exp":-Infinity}'), "jwt", "-Infinity is not valid JSON", id="infinity"
        ),
        pytest.param(token(b'{"exp":1e999}'), "jwt", "too large", id="infinite exponent"),
        pytest.param(token(b'{"exp":' + b"9" * 5000 + b"}"), "jwt", "too long", id="5000 digits"),
        pytest.param(token(b"[" * 20000), "jwt", "can't be read", id="20000 brackets"),
        pytest.param(token(b'{"a":' * 200 + b"1" + b"}" * 200), "jwt", "nested", id="200 levels"),
        pytest.param(token(b'{"a":1,"a":2}'), "jwt", "occurs twice", id="duplicate claim"),
        pytest.param(token({}, signature="not base64!"), "jwt", "signature is damaged", id="sig"),
        pytest.param(
            f"{part({'alg': 'RS256', 'b64': False})}..c2ln", "jwt", "detached", id="detached"
        ),
        pytest.param(
            f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lwaGVy.dGFn", "jwe", None, id="JWE"
        ),
        pytest.param(
            f"{token({'_sd_alg': 'sha-256'})}~{part(['salt', 'name', 'Jo'])}~",
            "sd-jwt",
            None,
            id="SD",
        ),
        pytest.param(f"{token({})}~{part(b'[')}~", "sd-jwt", "disclosure", id="bad disclosure"),
    ],
)
def test_kinds_and_problems(text: str, kind: str, problem: str | None) -> None:
    """The kind follows from the format (RFC 7515, RFC 7516, RFC 9901), and problems are described."""
    found = decode_token(text)
    assert found.kind == kind
    if problem is None:
        assert found.problems == ()
    else:
        assert any(problem in each for each in found.problems), found.problems


def test_sd_jwt_disclosures() -> None:
    """The parts between the tildes are decoded; a key-binding JWT at the end is not one of them."""
    found = decode_token(
        f"{token({})}~{part(['s', 'name', 'Jo'])}~{part(['s', 'x'])}~{token({'nonce': 1})}"
    )
    assert found.disclosures == (["s", "name", "Jo"], ["s", "x"])


@pytest.mark.requirement(28)
def test_token_over_64_kib_is_opaque() -> None:
    """The length is checked before anything else."""
    found = decode_token(token({"a": "x" * MAX_TOKEN_LENGTH}))
    assert found == DecodedToken(
        "opaque", problems=(f"it is longer than {MAX_TOKEN_LENGTH} characters",)
    )


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.requirement(28)
@given(st.text() | st.binary() | st.text("eyJ.~-_=AZaz09", max_size=80))
def test_any_text_can_be_decoded(raw: str | bytes) -> None:
    """Nothing raises, and claims are always a dict."""
    found = decode_token(raw)
    assert found.kind in ("jwt", "jwe", "sd-jwt", "opaque")
    assert isinstance(found.claims, dict)


@pytest.mark.requirement(28)
@given(JSON_LIKE | st.binary(), JSON_LIKE | st.binary(), st.text(max_size=20))
def test_any_header_and_claims_can_be_decoded(header: object, claims: object, end: str) -> None:
    """No JSON in them raises."""
    found = decode_token(f"{part(header)}.{part(claims)}.{end}")
    assert isinstance(found.header, dict)
    assert isinstance(found.claims, dict)


@given(st.binary(max_size=200))
def test_base64url_must_be_canonical(raw: bytes) -> None:
    """It round-trips, and any added character is refused."""
    written = part(raw)
    assert decode_base64url(written) == raw
    for strange in ("=", " ", "\n", "+", "/", "é"):
        with pytest.raises(ValueError):
            decode_base64url(written + strange)


def test_missing_start_is_damage() -> None:
    """A payload with registered claims, but without its header, is no opaque token."""
    _, payload, signature = ACCESS.split(".")
    for cut in (ACCESS[5:], f"{payload}.{signature}", payload):
        assert "was its start cut off" in (decode_token(cut).damage or "")
    for whole in (f"{part({'sub': 'x', 'n': 1})}.x", "abc.def.ghi", f"v4.{part({'a': 1})}.x"):
        assert decode_token(whole) == DecodedToken("opaque")
