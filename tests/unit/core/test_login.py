"""Logging in with a wrong secret: the previous secrets are restored."""

import pytest

from tests.fakes import (
    PASSWORD,
    FakeContext,
    FakeKeyring,
    FakeTransport,
    filled_keyring,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.core.login import log_in
from tokencli.errors import TokencliError, UnreachableError
from tokencli.models import HttpReply, Secret

PASSWORD_ITEM = keyring_ref("password").target
LINES = ("canary-wrong", "canary-other")
REFUSED = {
    "invalid_grant": json_reply('{"error":"invalid_grant"}', 400),
    "invalid_client": json_reply('{"error":"invalid_client"}', 401),
    "401 without a word": HttpReply(401, {}, b""),
}
UNDECIDED = {
    "no answer": UnreachableError("no way"),
    "500": HttpReply(500, {}, b""),
    "429": HttpReply(429, {}, b""),
    "invalid_scope": json_reply('{"error":"invalid_scope"}', 400),
}


def log_in_refused(
    reply: HttpReply | Exception, keyring: FakeKeyring, grant: str = "password"
) -> list[str]:
    """Log in with wrong secrets and return the messages."""
    ctx = FakeContext(transport=FakeTransport([reply]), keyring=keyring)
    profile = make_profile(grant=grant, values={"client_id": "c", "username": "jdoe"})
    with pytest.raises(TokencliError):
        log_in(profile, ctx, lines=LINES)
    return ctx.terminal.messages


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_previous_secrets_are_restored(reply: HttpReply) -> None:
    """If the server refuses the new secrets, the previous ones are restored, with a note."""
    keyring = filled_keyring()
    before = dict(keyring.secrets)
    messages = log_in_refused(reply, keyring)
    assert keyring.secrets == before
    assert "restored the previous password, because the new one was refused" in messages
    assert not any("canary" in text for text in messages)


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_refused_secret_is_deleted(reply: HttpReply) -> None:
    """If there was none before, the next login prompts again."""
    keyring = FakeKeyring()
    messages = log_in_refused(reply, keyring)
    assert keyring.secrets == {}
    assert "deleted the password, because it was refused" in messages


@pytest.mark.parametrize("reply", UNDECIDED.values(), ids=UNDECIDED)
def test_other_errors_keep_the_secrets(reply: HttpReply | Exception) -> None:
    """A timeout, a failing server or a wrong scope says nothing about the secrets."""
    keyring = filled_keyring()
    messages = log_in_refused(reply, keyring)
    assert keyring.secrets[PASSWORD_ITEM] == Secret("canary-wrong") != PASSWORD
    assert not any("refused" in text for text in messages)
