"""The credentials of `get --format aws_process`."""

import json
from dataclasses import replace

import pytest

from tests.unit.formats.test_token_formats import NOW, PROFILE, token
from tokencli.errors import ReplyError, UsageError
from tokencli.formats import check_format_options, render_token
from tokencli.models import Secret
from tokencli.provider_schema import Reply


def render(**outputs: str) -> dict[str, object]:
    """Return the credentials of a token with these outputs."""
    issued = token(outputs={name: Secret(value) for name, value in outputs.items()})
    return json.loads(render_token("aws_process", PROFILE, issued, NOW))


@pytest.mark.parametrize(
    ("key", "secret", "session"),
    [
        ("access_key_id", "secret_access_key", "session_token"),
        ("AccessKeyId", "SecretKey", "SessionToken"),
        ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"),
    ],
)
def test_outputs_are_found_by_their_names(key: str, secret: str, session: str) -> None:
    """In the spellings of STS, Cognito and AWS's own files."""
    assert render(**{key: "canary-id", secret: "canary-key", session: "canary-session"}) == {
        "Version": 1,
        "AccessKeyId": "canary-id",
        "SecretAccessKey": "canary-key",
        "SessionToken": "canary-session",
    }


def test_session_token_can_be_the_access_token() -> None:
    """A provider that has no better value for it makes it the token."""
    found = render(access_key_id="canary-id", secret_access_key="canary-key")
    assert found["SessionToken"] == "canary-token-7f3a"


@pytest.mark.parametrize("outputs", [(), ("access_key_id",), ("secret_key", "session_token")])
def test_other_tokens_are_refused(outputs: tuple[str, ...]) -> None:
    """They are no AWS credentials: said before a token is fetched, and again if a reply lacks them."""
    with pytest.raises(UsageError, match="not AWS credentials"):
        render(**dict.fromkeys(outputs, "canary"))
    reply = Reply(outputs={name: (name,) for name in outputs})
    profile = replace(PROFILE, provider=replace(PROFILE.provider, reply=reply))
    with pytest.raises(UsageError, match="not AWS credentials"):
        check_format_options("aws_process", profile, {})


def test_damaged_values_are_refused() -> None:
    """No line break or space gets into an HTTP header."""
    with pytest.raises(ReplyError):
        render(access_key_id="canary\nid", secret_access_key="canary-key")
