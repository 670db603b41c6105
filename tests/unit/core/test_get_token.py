"""The story of `get`, with hand-written fakes at the ports."""

from dataclasses import replace

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    PASSWORD,
    FakeContext,
    FakeTerminal,
    filled_keyring,
    json_reply,
    make_profile,
)
from tokencli.core.get_token import get_token
from tokencli.errors import (
    CredentialsError,
    DeadlineError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
    StorageError,
    UnreachableError,
)
from tokencli.models import Profile, Secret, SecretRef, StoredTokenSet, TokenBinding, TokenSet
from tokencli.token_store.credential_key import derive_binding

PROFILE = make_profile()
GOOD = json_reply('{"access_token": "new", "token_type": "Bearer", "expires_in": 1200}')
ROTATED = json_reply('{"access_token": "new", "expires_in": 1200, "refresh_token": "r2"}')
INVALID_GRANT = json_reply('{"error": "invalid_grant"}', 400)


def edges_with(*replies: object) -> FakeContext:
    """Return ctx whose server answers with these."""
    ctx = FakeContext(keyring=filled_keyring())
    ctx.transport.replies = list(replies)  # type: ignore[arg-type]
    return ctx


def stored(
    ctx: FakeContext,
    *,
    age: float = 0,
    life: float = 1200,
    refresh: str | None = None,
    access: str = "old",
    profile: Profile = PROFILE,
    bound: TokenBinding | None = None,
) -> StoredTokenSet:
    """Return a token set as the store would hold it."""
    began = ctx.clock.now() - age
    token = TokenSet(
        Secret(access), "Bearer", began, began + life, Secret(refresh) if refresh else None
    )
    return StoredTokenSet(bound or derive_binding(profile), token)


def keep(ctx: FakeContext, what: StoredTokenSet) -> None:
    """Put a token set into the store."""
    ctx.fake_store.stored_tokens[what.binding.key] = what


def bodies(ctx: FakeContext) -> list[str]:
    """Return the bodies that were sent."""
    return [request.body.decode() for request in ctx.transport.requests]


def test_a_fresh_stored_token_is_returned_without_lock_request_or_secret() -> None:
    """A hit takes no lock, sends nothing, and opens no keyring."""
    ctx = edges_with()
    keep(ctx, stored(ctx))
    obtained = get_token(PROFILE, ctx)
    assert (obtained.token.access_token, obtained.source) == (Secret("old"), "stored")
    assert ctx.fake_store.events == ["load"]
    assert ctx.transport.requests == []
    assert ctx.keyring.read_count == 0  # type: ignore[attr-defined]


def test_a_miss_locks_reads_again_prepares_sends_saves_and_unlocks_in_that_order() -> None:
    """Requirement 1: room is made before anything is sent, and the token is saved before unlocking."""
    ctx = edges_with(GOOD)
    obtained = get_token(PROFILE, ctx)
    assert (obtained.token.access_token, obtained.source) == (Secret("new"), "client_credentials")
    assert ctx.fake_store.events == ["load", "lock", "load", "prepare", "save", "unlock"]
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token == obtained.token


def test_who_waited_for_the_lock_takes_what_the_holder_saved() -> None:
    """Requirement 1: a lock without the second read would send a second request."""
    ctx = edges_with()
    ctx.fake_store.saved_by_others = [stored(ctx, access="theirs")]
    assert get_token(PROFILE, ctx).token.access_token == Secret("theirs")
    assert ctx.transport.requests == []


def test_an_expired_token_is_refreshed_and_the_new_refresh_token_kept() -> None:
    """Refresh first where there is a refresh token; what came back replaces it."""
    ctx = edges_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).source == "refresh_token"
    assert bodies(ctx) == ["grant_type=refresh_token&refresh_token=r1"]
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r2"
    )


def test_the_old_refresh_token_stays_when_the_reply_brings_none() -> None:
    """RFC 6749 section 6."""
    ctx = edges_with(GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )


def test_a_dead_refresh_token_is_cleared_and_the_grant_follows() -> None:
    """invalid_grant for the stored token: clear it by comparing, then the documented way on."""
    ctx = edges_with(INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).source == "client_credentials"
    assert "clear" in ctx.fake_store.events
    assert len(ctx.transport.requests) == 2


def test_a_loser_uses_the_winners_token_and_destroys_nothing() -> None:
    """Requirement 3: invalid_grant for a refresh token that another process has replaced."""
    ctx = edges_with()

    class Late:
        """The winner saves while the loser's request is on its way."""

        def send(self, request: object, connection: object) -> object:
            keep(ctx, stored(ctx, access="winner", refresh="r2"))
            return INVALID_GRANT

    ctx.transport = Late()  # type: ignore[assignment]
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).token.access_token == Secret("winner")
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r2"
    )
    assert "clear" not in ctx.fake_store.events


@pytest.mark.parametrize(
    "failure",
    [
        UnreachableError("no route"),
        DeadlineError("too slow"),
        json_reply("busy", 503),
        json_reply("slow down", 429),
        json_reply('{"error": "invalid_client"}', 401),
        json_reply("<html>", 200),
    ],
    ids=["unreachable", "deadline", "503", "429", "invalid_client", "nonsense"],
)
def test_no_other_failure_deletes_the_refresh_token(failure: object) -> None:
    """Requirement 3: nothing is deleted on a time-out, a 5xx, invalid_client or nonsense."""
    ctx = edges_with(failure, json_reply('{"error": "invalid_client"}', 401))
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises((UnreachableError, RefusedError, ReplyError)):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )
    assert "clear" not in ctx.fake_store.events


def test_a_refresh_is_noted_before_it_is_sent_and_concluded_by_the_save() -> None:
    """Requirement 5: the journal stands before the request, so that a killed run can be told of."""
    ctx = edges_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    get_token(PROFILE, ctx)
    events = ctx.fake_store.events
    assert events.index("prepare") < events.index("begin") < events.index("save")
    assert ctx.fake_store.begun_refreshes == {}


@pytest.mark.parametrize(("sent", "stays"), [(True, True), (False, False)])
def test_the_journal_stays_where_the_server_may_have_acted(sent: bool, stays: bool) -> None:
    """An ambiguous failure keeps the note; one before sending removes it."""
    failure = UnreachableError("reset")
    failure.request_sent = sent
    ctx = edges_with(failure)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises(UnreachableError):
        get_token(PROFILE, ctx)
    assert bool(ctx.fake_store.begun_refreshes) is stays


@pytest.mark.parametrize("failure", [json_reply("busy", 503), UnreachableError("refused")])
def test_what_was_interrupted_stays_known_until_the_server_has_answered(failure: object) -> None:
    """A 503 or a refused connection after a kill proves nothing: the note is still needed."""
    ctx = edges_with(failure)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] = Secret("r1")
    with pytest.raises((RefusedError, UnreachableError)):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] == Secret("r1")


def test_by_grant_no_refresh_token_is_spent() -> None:
    """A login puts what was typed to the test, not what was stored before."""
    ctx = edges_with(GOOD)
    keep(ctx, stored(ctx, refresh="r1"))
    assert get_token(PROFILE, ctx, force=True, by_grant=True).source == "client_credentials"
    assert bodies(ctx) == ["grant_type=client_credentials"]


def test_a_person_at_a_terminal_is_asked_by_no_source_while_the_lock_is_held() -> None:
    """A command or a keyring may open a dialogue: where somebody can answer it, it comes first."""
    ctx = edges_with(GOOD)
    ctx.terminal.interactive = True
    events = ctx.fake_store.events
    read = ctx.keyring.read
    ctx.keyring.read = lambda ref: (events.append("secret"), read(ref))[1]  # type: ignore[method-assign]
    get_token(PROFILE, ctx)
    assert events.index("secret") < events.index("lock")
    assert events.count("secret") == 1


def test_after_an_interrupted_refresh_the_refusal_is_explained() -> None:
    """Requirement 5: the message names the cause, and the grant follows where it needs nobody."""
    ctx = edges_with(INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] = Secret("r1")
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    assert any("interrupted" in text for text in ctx.terminal.messages)


def test_a_failed_save_still_hands_out_the_token_and_says_so() -> None:
    """Requirement 4: the token is not lost with the disk; the failure is loud."""
    ctx = edges_with(GOOD)
    ctx.fake_store.save_error = StorageError("disk full")
    obtained = get_token(PROFILE, ctx)
    assert obtained.token.access_token == Secret("new")
    assert obtained.save_error is not None
    assert obtained.save_error.code == "not_kept"
    assert "couldn't be stored: disk full" in obtained.save_error.message


def test_a_failed_save_after_a_refresh_says_what_is_lost() -> None:
    """It must not pass for a disk that was found full before anything was sent."""
    ctx = edges_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.save_error = StorageError("disk full", fix="make room")
    unsaved = get_token(PROFILE, ctx).save_error
    assert unsaved is not None
    assert "the old refresh token may be spent" in unsaved.message
    assert "and the new one is lost" in unsaved.message
    assert unsaved.fix == f"make room; then: tokencli login {PROFILE.name}"


@pytest.mark.parametrize("status", [500, 501])
def test_a_server_that_can_not_refresh_is_asked_by_the_grant(status: int) -> None:
    """Two servers' documents say 501, or 500, for what they don't implement: a token comes all the
    same, and the next failure to refresh costs nothing that is stored."""
    ctx = edges_with(json_reply("no", status), GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    ctx = edges_with(json_reply("no", status), json_reply("no", status))
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises(RefusedError):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )
    assert ctx.fake_store.begun_refreshes == {derive_binding(PROFILE).key: Secret("r1")}


@pytest.mark.parametrize(("kind", "says"), [('"mac"', "mac"), ("null", "null"), ("[]", "a list")])
def test_an_unusable_token_is_refused_after_its_refresh_token_was_saved(
    kind: str, says: str
) -> None:
    """Requirement 4: save before interpreting."""
    ctx = edges_with(
        json_reply(f'{{"access_token": "x", "token_type": {kind}, "refresh_token": "r9"}}')
    )
    with pytest.raises(ReplyError, match=says):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r9"
    )


def test_force_takes_a_stored_token_only_if_it_is_newer_than_the_call() -> None:
    """Two forced refreshes at once cost one request; one alone always costs one."""
    ctx = edges_with(GOOD)
    keep(ctx, stored(ctx))
    assert get_token(PROFILE, ctx, force=True).token.access_token == Secret("new")
    ctx.fake_store.saved_by_others = [stored(ctx, age=-1, access="theirs")]
    assert get_token(PROFILE, ctx, force=True).token.access_token == Secret("theirs")
    assert len(ctx.transport.requests) == 1


def test_min_ttl_of_the_call_stands_over_the_profiles() -> None:
    """A stored token must have that much life left."""
    ctx = edges_with(GOOD)
    keep(ctx, stored(ctx, age=200))
    assert get_token(replace(PROFILE, min_ttl=2000), ctx, min_ttl=900).source == "stored"
    assert get_token(PROFILE, ctx, min_ttl=1001).source == "client_credentials"


def test_a_token_of_another_binding_is_a_miss_and_its_refresh_token_stays_at_home() -> None:
    """Requirement 16: a record whose origin differs is never served, and never sent anywhere."""
    ctx = edges_with(GOOD)
    foreign = replace(derive_binding(PROFILE), origin="https://evil.example:443")
    keep(ctx, stored(ctx, refresh="r1", bound=foreign))
    assert get_token(PROFILE, ctx).source == "client_credentials"
    assert "r1" not in "".join(bodies(ctx))


def test_a_prompt_is_asked_with_no_lock_held_and_everything_is_read_again() -> None:
    """Issue: the lock is never held while a person types."""
    profile = make_profile(
        "groupid",
        grant="password",
        client_auth="client_secret_post",
        secrets={
            "password": SecretRef("prompt", "password", "p"),
            "client_secret": SecretRef(
                "keyring", "client_secret", "p", ("tokencli:p:client_secret", "client_secret")
            ),
        },
        values={"client_id": "c", "username": "u", "identity_store_id": "1"},
    )
    ctx = edges_with(GOOD)
    events = ctx.fake_store.events

    class Person(FakeTerminal):
        def ask_secret(self, question: str) -> Secret:
            events.append("asked")
            return PASSWORD

    ctx.terminal = Person(interactive=True)
    get_token(profile, ctx)
    held = events[: events.index("asked")]
    assert held.count("lock") == 1  # tried, found that a person is needed …
    assert events[events.index("asked") :] == ["asked", "lock", "load", "prepare", "save", "unlock"]
    assert f"password={PASSWORD.reveal()}" in bodies(ctx)[0]


def test_secrets_go_where_the_provider_says_and_nowhere_else() -> None:
    """GroupID: credentials in the body under `client_Id`, no Authorization header."""
    profile = make_profile(
        "groupid",
        grant="password",
        client_auth="client_secret_post",
        values={"client_id": "c", "username": "u", "identity_store_id": "1"},
    )
    ctx = edges_with(GOOD)
    get_token(profile, ctx)
    request = ctx.transport.requests[0]
    assert request.body.decode() == (
        f"grant_type=Password&username=u&password={PASSWORD.reveal()}&identity_store_id=1"
        f"&client_Id=c&client_secret={CLIENT_SECRET.reveal()}"
    )
    assert "Authorization" not in request.headers


def test_a_missing_secret_names_its_place_and_the_command_that_fills_it() -> None:
    """Exit code 4, before anything is sent."""
    ctx = edges_with()
    ctx.keyring.secrets.clear()  # type: ignore[attr-defined]
    with pytest.raises(CredentialsError, match="tokencli:p:client_secret") as caught:
        get_token(PROFILE, ctx)
    assert caught.value.fix == "tokencli login p"
    assert ctx.transport.requests == []
    assert not isinstance(caught.value, PromptRequiredError)
