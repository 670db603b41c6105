"""Logging in with a wrong secret: an older one is never lost, nor a new one that wasn't refused."""

import pytest

from tests.fakes import (
    PASSWORD,
    FakeContext,
    FakeKeyring,
    FakeTerminal,
    FakeTransport,
    filled_keyring,
    json_reply,
    keyring_ref,
    make_profile,
)
from tokencli.core.login import log_in
from tokencli.errors import NoKeyringError, TokencliError, UnreachableError
from tokencli.models import Connection, HttpReply, HttpRequest, Secret

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


BLAMED = {
    "invalid_grant": ["password"],
    "invalid_client": ["client_secret"],
    "401 without a word": ["client_secret", "password"],
}
"""Reply -> the secrets that it refuses. The others are accepted, or weren't judged."""


@pytest.mark.parametrize("stored_before", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_secret_is_never_stored(name: str, stored_before: bool) -> None:
    """The one stored before is left alone, every other new one is stored, and the user is told."""
    keyring = filled_keyring() if stored_before else FakeKeyring()
    before = dict(keyring.secrets)
    messages = log_in_refused(REFUSED[name], keyring)
    for secret, typed in zip(("password", "client_secret"), LINES, strict=True):
        item = keyring_ref(secret).target
        refused = f"the {secret} was refused, so it is not stored"
        stored = f"stored the {secret} in the keyring as tokencli:p:{secret}"
        if secret in BLAMED[name]:
            assert keyring.secrets.get(item) == before.get(item)
            assert refused in messages and stored not in messages
        else:
            assert keyring.secrets[item] == Secret(typed)
            assert stored in messages and refused not in messages
    assert not any("canary" in text for text in messages)


@pytest.mark.parametrize(
    ("stored", "again"),
    [((), False), (("client_secret",), False), (("password",), True), (("password",), False)],
)
def test_again_is_suggested_only_if_a_refused_secret_is_stored(
    stored: tuple[str, ...], again: bool
) -> None:
    """Otherwise the next login asks for it anyway, and not for the ones that were stored."""
    full = filled_keyring().secrets
    items = [keyring_ref(name).target for name in stored]
    keyring = FakeKeyring({item: full[item] for item in items})
    ctx = FakeContext(transport=FakeTransport([REFUSED["invalid_grant"]]), keyring=keyring)
    profile = make_profile(grant="password", values={"client_id": "c", "username": "jdoe"})
    with pytest.raises(TokencliError) as caught:
        log_in(profile, ctx, lines=LINES if again else LINES[len(stored) :], again=again)
    suffix = " --again" if "password" in stored else ""
    assert caught.value.fix == f"tokencli login p{suffix}"


def test_nothing_is_stored_before_the_server_decides() -> None:
    """If the process is killed while it waits, the older secrets are still there."""
    keyring = filled_keyring()
    before = dict(keyring.secrets)
    seen = []

    class Server(FakeTransport):
        def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
            seen.append(dict(keyring.secrets))
            return super().send(request, connection)

    reply = json_reply('{"access_token":"canary-token","token_type":"Bearer","expires_in":60}')
    ctx = FakeContext(transport=Server([reply]), keyring=keyring)
    profile = make_profile(grant="password", values={"client_id": "c", "username": "jdoe"})
    log_in(profile, ctx, lines=LINES)
    assert seen == [before]
    assert keyring.secrets[PASSWORD_ITEM] == Secret("canary-wrong")


def test_an_interrupted_login_keeps_what_was_typed() -> None:
    """The server judged nothing, and the user has typed it."""
    keyring = FakeKeyring()

    class Server(FakeTransport):
        def send(self, request: HttpRequest, connection: Connection) -> HttpReply:
            raise KeyboardInterrupt

    ctx = FakeContext(transport=Server([]), keyring=keyring)
    profile = make_profile(grant="password", values={"client_id": "c", "username": "jdoe"})
    with pytest.raises(KeyboardInterrupt):
        log_in(profile, ctx, lines=LINES)
    assert keyring.secrets[PASSWORD_ITEM] == Secret("canary-wrong")


@pytest.mark.parametrize("again", [False, True])
def test_a_cancelled_prompt_costs_no_secret(again: bool) -> None:
    """What was typed before is stored, unless that would replace a secret that may be right."""

    class Cancelling(FakeTerminal):
        def ask_secret(self, question: str, *, required: bool = False) -> Secret:
            if "Client secret" in question:
                raise KeyboardInterrupt
            return super().ask_secret(question, required=required)

    keyring = filled_keyring() if again else FakeKeyring()
    before = dict(keyring.secrets)
    terminal = Cancelling(answers=["y", "canary-wrong"], interactive=True)
    ctx = FakeContext(transport=FakeTransport([]), keyring=keyring, terminal=terminal)
    profile = make_profile(grant="password", values={"client_id": "c", "username": "jdoe"})
    with pytest.raises(KeyboardInterrupt):
        log_in(profile, ctx, again=again)
    typed = {PASSWORD_ITEM: Secret("canary-wrong")}
    assert keyring.secrets == (before if again else typed)
    stored = "stored the password in the keyring as tokencli:p:password"
    assert (stored in terminal.messages) is not again


def test_the_place_is_named_before_the_secret_is_asked_for() -> None:
    """A password is stored only if the user agrees."""
    reply = json_reply('{"access_token":"canary-token","token_type":"Bearer","expires_in":60}')
    terminal = FakeTerminal(answers=["n", "canary-wrong", "canary-other"], interactive=True)
    keyring = FakeKeyring()
    ctx = FakeContext(transport=FakeTransport([reply]), keyring=keyring, terminal=terminal)
    profile = make_profile(grant="password", values={"client_id": "c", "username": "jdoe"})
    log_in(profile, ctx)
    asked = [text for text in terminal.messages if "for profile" in text or "keyring as" in text]
    assert [text.split()[0] for text in asked] == ["Save", "Password", "the", "Client", "stored"]
    assert list(keyring.secrets) == [keyring_ref("client_secret").target]


def test_without_a_keyring_alternatives_are_offered_and_nothing_is_asked() -> None:
    """Also with --again, where nothing is read from it."""

    class NoKeyring(FakeKeyring):
        def check_usable(self) -> None:
            raise NoKeyringError("no OS keyring")

    for again in (False, True):
        terminal = FakeTerminal(interactive=True)
        ctx = FakeContext(keyring=NoKeyring(), terminal=terminal)
        with pytest.raises(NoKeyringError) as caught:
            log_in(make_profile(grant="password"), ctx, again=again)
        assert caught.value.alternatives
        assert terminal.messages == []


@pytest.mark.parametrize("reply", UNDECIDED.values(), ids=UNDECIDED)
def test_other_errors_keep_the_secrets(reply: HttpReply | Exception) -> None:
    """A timeout, a failing server or a wrong scope says nothing about the secrets."""
    keyring = filled_keyring()
    messages = log_in_refused(reply, keyring)
    assert keyring.secrets[PASSWORD_ITEM] == Secret("canary-wrong") != PASSWORD
    assert not any("refused" in text for text in messages)
