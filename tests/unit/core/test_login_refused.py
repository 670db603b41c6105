"""A login with a wrong secret: what worked before works afterwards."""

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


def tried(reply: HttpReply | Exception, keeper: FakeKeyring, grant: str = "password") -> list[str]:
    """Log in with wrong secrets, and return what was said."""
    ctx = FakeContext(transport=FakeTransport([reply]), keyring=keeper)
    profile = make_profile(grant=grant, values={"client_id": "c", "username": "jdoe"})
    with pytest.raises(TokencliError):
        log_in(profile, ctx, lines=LINES)
    return ctx.terminal.messages


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_what_worked_before_is_put_back(reply: HttpReply) -> None:
    """Where the server says no to the new secrets, the older ones stay, and that is said."""
    keeper = filled_keyring()
    before = dict(keeper.secrets)
    said = tried(reply, keeper)
    assert keeper.secrets == before
    assert "restored the previous password, because the new one was refused" in said
    assert not any("canary" in text for text in said)


@pytest.mark.parametrize("reply", REFUSED.values(), ids=REFUSED)
def test_a_refused_secret_is_not_kept(reply: HttpReply) -> None:
    """Nothing was there before: then nothing is afterwards, and the next login asks again."""
    keeper = FakeKeyring()
    said = tried(reply, keeper)
    assert keeper.secrets == {}
    assert "deleted the password again, because it was refused" in said


@pytest.mark.parametrize("reply", UNDECIDED.values(), ids=UNDECIDED)
def test_what_is_not_refused_stays(reply: HttpReply | Exception) -> None:
    """A time-out, a failing server or a wrong scope says nothing of the secrets: they are kept."""
    keeper = filled_keyring()
    said = tried(reply, keeper)
    assert keeper.secrets[PASSWORD_ITEM] == Secret("canary-wrong") != PASSWORD
    assert not any("refused" in text for text in said)
