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
    ],
)
def test_what_helps_a_person_stays(text: str) -> None:
    """Messages, error codes and trace ids are what the text is quoted for."""
    assert redact_text(text) == text


def test_long_token_like_words_are_masked() -> None:
    """A word of letters and digits of a token's length is taken for one."""
    assert redact_text("got 6814cd360205e1245d2834ffab3c3c91 here") == "got *** here"
