"""Quoted server text shows no secret, and still says something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.models import Secret
from tokencli.providers.redaction import list_spellings, redact_text

CANARY = "canary secret/+51c2"


@pytest.mark.parametrize("form", list_spellings(Secret(CANARY)))
def test_a_known_secret_is_masked_in_every_spelling(form: str) -> None:
    """Plain, percent-encoded, form-encoded and base64."""
    assert form not in redact_text(f"before {form} after", [Secret(CANARY)])


@pytest.mark.parametrize(
    "form",
    [
        "canary%20a%2fb%27c%26d%3c",  # .NET writes lower case
        "canary%2520a%252Fb%2527c%2526d%253C",
        "canary+a%2fb%27c%26d%3c",
        "canary a/b&#39;c&amp;d&lt;",
        "canary a\\/b'c&d<",
        "canary a/b'c\\u0026d\\u003c",
        "63616e61727920612f6227632664" + "3c",
    ],
)
def test_spellings_of_other_platforms_are_masked(form: str) -> None:
    """As .NET, Java, Go, PHP and old templates write them."""
    shown = redact_text(f"before {form} after", [Secret("canary a/b'c&d<")])
    assert shown == "before *** after"


@given(st.text(min_size=4), st.text(), st.text())
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    """Wherever it stands and whatever it is made of."""
    if secret not in "***":
        assert secret not in redact_text(before + secret + after, [Secret(secret)]).replace(
            "***", ""
        )


@pytest.mark.parametrize(
    "text",
    [
        '"access_token": "canary-1"',
        "access_token: canary-1",
        "refresh_token=canary-1&x=y",
        "'client_secret' : 'canary-1'",
        "password=canary-1",
        '"as:token":"canary-1"',
        "Authorization: canary-1",
        "Bearer canary-1",
        '{"access_token": canary-1 "x"',
        "eyJhbGciOiJub25lIn0.canary-1.sig",
    ],
)
def test_values_of_names_that_hold_secrets_are_masked(text: str) -> None:
    """By field, not by value: the server may quote what was never seen here."""
    assert "canary-1" not in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "permission denied for jdoe",
        "error_code=70016",
        "trace id 0b5a8e3c-7d8e-4a7c-9f0e-2b5a3c1d4e5f",
        "https://login.example.com/tenant/oauth2",
        "AADSTS7000215: Invalid client provided",
        "DPoP proof is missing",
        "DPoP binding mismatch",
        "Bearer token expired",
        "Basic authentication is required",
        'Bearer realm="orders", error="invalid_token"',
        "invalid_token: The access token expired",
        "password: must be at least 8 characters long",
        "refresh_token: expired",
        "code: E0000004",
        "code=invalid_grant",
        "InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp",
        "code: policies.ratelimit.QuotaViolation",
        "code: invalid-token",
        "token_type: mac",
        "token_endpoint_auth_method=client_secret_post",
        "client_assertion_type: is missing",
        "Trace ID: 4bf92f3577b34da6a3ce929d0e0e4736 Correlation ID: 6d4b1a1e-0e3a-4f6e-a6a2-3f9f9d1d2e00",
        'requestId: "oaeHfmOAx1iRLa0H10DeMz5fQ"',
        "Your support ID is: 12345678901234567890abcd",
        "unknown client_id=6731de76-14a6-49ae-97bc-6eba6914391e",
        "no route /realms/acme/6731de76-14a6-49ae-97bc-6eba6914391e/token",
    ],
)
def test_what_helps_a_person_stays(text: str) -> None:
    """Messages, error codes and trace ids are what the text is quoted for."""
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "text",
    ["password: hunter", "Bearer abcdefgh1234", "code: 7f3a9c", "token: Xy9", "Basic am9lOng="],
)
def test_a_value_that_may_be_a_secret_is_masked(text: str) -> None:
    """Only prose after the name is kept."""
    assert "***" in redact_text(text)


def test_a_known_secret_that_is_a_word_is_masked() -> None:
    """Even one that is too short to be masked everywhere."""
    assert redact_text("password: abc is wrong", [Secret("abc")]) == "password: *** is wrong"
    assert redact_text("Bearer hunter is wrong", [Secret("hunter")]) == "Bearer *** is wrong"


def test_public_values_stay() -> None:
    """A client ID may look like a token, but it is not secret unless it is the secret as well."""
    client_id = "6814cd360205e1245d2834ffab3c3c91"
    assert redact_text(f"unknown client {client_id}", public=[client_id]).endswith(client_id)
    assert client_id not in redact_text(f"unknown {client_id}", [Secret(client_id)], [client_id])


def test_long_token_like_words_are_masked() -> None:
    """A word of letters and digits of a token's length is taken for one."""
    assert redact_text("got 6814cd360205e1245d2834ffab3c3c91 here") == "got *** here"
