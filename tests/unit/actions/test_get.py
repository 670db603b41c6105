"""The story of `get`, with hand-written fakes at the ports."""

from dataclasses import replace

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    PASSWORD,
    FakeEdges,
    FakeTerminal,
    filled_keeper,
    json_reply,
    make_profile,
)
from tokencli.actions.get import get
from tokencli.errors import (
    CredentialsError,
    DeadlineError,
    PersonNeeded,
    RefusedError,
    ReplyError,
    StorageError,
    UnreachableError,
)
from tokencli.model import Binding, Profile, Secret, SecretRef, StoredToken, TokenSet
from tokencli.stores.key import binding

PROFILE = make_profile()
GOOD = json_reply('{"access_token": "new", "token_type": "Bearer", "expires_in": 1200}')
ROTATED = json_reply('{"access_token": "new", "expires_in": 1200, "refresh_token": "r2"}')
INVALID_GRANT = json_reply('{"error": "invalid_grant"}', 400)


def edges_with(*replies: object) -> FakeEdges:
    """Return edges whose server answers with these."""
    edges = FakeEdges(keeper=filled_keeper())
    edges.transport.replies = list(replies)  # type: ignore[arg-type]
    return edges


def stored(
    edges: FakeEdges,
    *,
    age: float = 0,
    life: float = 1200,
    refresh: str | None = None,
    access: str = "old",
    profile: Profile = PROFILE,
    bound: Binding | None = None,
) -> StoredToken:
    """Return a token set as the store would hold it."""
    began = edges.clock.now() - age
    token = TokenSet(
        Secret(access), "Bearer", began, began + life, Secret(refresh) if refresh else None
    )
    return StoredToken(bound or binding(profile), token)


def keep(edges: FakeEdges, what: StoredToken) -> None:
    """Put a token set into the store."""
    edges.the_store.kept[what.binding.key] = what


def bodies(edges: FakeEdges) -> list[str]:
    """Return the bodies that were sent."""
    return [request.body.decode() for request in edges.transport.requests]


def test_a_fresh_stored_token_is_returned_without_lock_request_or_secret() -> None:
    """A hit takes no lock, sends nothing, and opens no keyring."""
    edges = edges_with()
    keep(edges, stored(edges))
    obtained = get(PROFILE, edges)
    assert (obtained.token.access_token, obtained.how) == (Secret("old"), "stored")
    assert edges.the_store.events == ["load"]
    assert edges.transport.requests == []
    assert edges.keeper.reads == 0  # type: ignore[attr-defined]


def test_a_miss_locks_reads_again_prepares_sends_saves_and_unlocks_in_that_order() -> None:
    """Requirement 1: room is made before anything is sent, and the token is saved before unlocking."""
    edges = edges_with(GOOD)
    obtained = get(PROFILE, edges)
    assert (obtained.token.access_token, obtained.how) == (Secret("new"), "client_credentials")
    assert edges.the_store.events == ["load", "lock", "load", "prepare", "save", "unlock"]
    assert edges.the_store.kept[binding(PROFILE).key].token == obtained.token


def test_who_waited_for_the_lock_takes_what_the_holder_saved() -> None:
    """Requirement 1: a lock without the second read would send a second request."""
    edges = edges_with()
    edges.the_store.on_lock = [stored(edges, access="theirs")]
    assert get(PROFILE, edges).token.access_token == Secret("theirs")
    assert edges.transport.requests == []


def test_an_expired_token_is_refreshed_and_the_new_refresh_token_kept() -> None:
    """Refresh first where there is a refresh token; what came back replaces it."""
    edges = edges_with(ROTATED)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    assert get(PROFILE, edges).how == "refresh_token"
    assert bodies(edges) == ["grant_type=refresh_token&refresh_token=r1"]
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r2")


def test_the_old_refresh_token_stays_when_the_reply_brings_none() -> None:
    """RFC 6749 section 6."""
    edges = edges_with(GOOD)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    get(PROFILE, edges)
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r1")


def test_a_dead_refresh_token_is_cleared_and_the_grant_follows() -> None:
    """invalid_grant for the stored token: clear it by comparing, then the documented way on."""
    edges = edges_with(INVALID_GRANT, GOOD)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    assert get(PROFILE, edges).how == "client_credentials"
    assert "clear" in edges.the_store.events
    assert len(edges.transport.requests) == 2


def test_a_loser_uses_the_winners_token_and_destroys_nothing() -> None:
    """Requirement 3: invalid_grant for a refresh token that another process has replaced."""
    edges = edges_with()

    class Late:
        """The winner saves while the loser's request is on its way."""

        def send(self, request: object, connection: object) -> object:
            keep(edges, stored(edges, access="winner", refresh="r2"))
            return INVALID_GRANT

    edges.transport = Late()  # type: ignore[assignment]
    keep(edges, stored(edges, age=1200, refresh="r1"))
    assert get(PROFILE, edges).token.access_token == Secret("winner")
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r2")
    assert "clear" not in edges.the_store.events


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
    edges = edges_with(failure, json_reply('{"error": "invalid_client"}', 401))
    keep(edges, stored(edges, age=1200, refresh="r1"))
    with pytest.raises((UnreachableError, RefusedError, ReplyError)):
        get(PROFILE, edges)
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r1")
    assert "clear" not in edges.the_store.events


def test_a_refresh_is_noted_before_it_is_sent_and_concluded_by_the_save() -> None:
    """Requirement 5: the journal stands before the request, so that a killed run can be told of."""
    edges = edges_with(ROTATED)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    get(PROFILE, edges)
    events = edges.the_store.events
    assert events.index("prepare") < events.index("begin") < events.index("save")
    assert edges.the_store.begun == {}


@pytest.mark.parametrize(("sent", "stays"), [(True, True), (False, False)])
def test_the_journal_stays_where_the_server_may_have_acted(sent: bool, stays: bool) -> None:
    """An ambiguous failure keeps the note; one before sending removes it."""
    failure = UnreachableError("reset")
    failure.sent = sent
    edges = edges_with(failure)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    with pytest.raises(UnreachableError):
        get(PROFILE, edges)
    assert bool(edges.the_store.begun) is stays


@pytest.mark.parametrize("failure", [json_reply("busy", 503), UnreachableError("refused")])
def test_what_was_interrupted_stays_known_until_the_server_has_answered(failure: object) -> None:
    """A 503 or a refused connection after a kill proves nothing: the note is still needed."""
    edges = edges_with(failure)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    edges.the_store.begun[binding(PROFILE).key] = Secret("r1")
    with pytest.raises((RefusedError, UnreachableError)):
        get(PROFILE, edges)
    assert edges.the_store.begun[binding(PROFILE).key] == Secret("r1")


def test_by_grant_no_refresh_token_is_spent() -> None:
    """A login puts what was typed to the test, not what was stored before."""
    edges = edges_with(GOOD)
    keep(edges, stored(edges, refresh="r1"))
    assert get(PROFILE, edges, force=True, by_grant=True).how == "client_credentials"
    assert bodies(edges) == ["grant_type=client_credentials"]


def test_a_person_at_a_terminal_is_asked_by_no_source_while_the_lock_is_held() -> None:
    """A command or a keyring may open a dialogue: where somebody can answer it, it comes first."""
    edges = edges_with(GOOD)
    edges.terminal.interactive = True
    events = edges.the_store.events
    read = edges.keeper.read
    edges.keeper.read = lambda ref: (events.append("secret"), read(ref))[1]  # type: ignore[method-assign]
    get(PROFILE, edges)
    assert events.index("secret") < events.index("lock")
    assert events.count("secret") == 1


def test_after_an_interrupted_refresh_the_refusal_is_explained() -> None:
    """Requirement 5: the message names the cause, and the grant follows where it needs nobody."""
    edges = edges_with(INVALID_GRANT, GOOD)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    edges.the_store.begun[binding(PROFILE).key] = Secret("r1")
    assert get(PROFILE, edges).token.access_token == Secret("new")
    assert any("interrupted" in text for text in edges.terminal.said)


def test_a_failed_save_still_hands_out_the_token_and_says_so() -> None:
    """Requirement 4: the token is not lost with the disk; the failure is loud."""
    edges = edges_with(GOOD)
    edges.the_store.failure = StorageError("disk full")
    obtained = get(PROFILE, edges)
    assert obtained.token.access_token == Secret("new")
    assert obtained.unsaved is not None
    assert obtained.unsaved.code == "not_kept"
    assert "could not be kept: disk full" in obtained.unsaved.message


def test_a_failed_save_after_a_refresh_says_what_is_lost() -> None:
    """It must not pass for a disk that was found full before anything was sent."""
    edges = edges_with(ROTATED)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    edges.the_store.failure = StorageError("disk full", hint="make room")
    unsaved = get(PROFILE, edges).unsaved
    assert unsaved is not None
    assert "the refresh token that it cost may be spent" in unsaved.message
    assert "the one that came with it is lost" in unsaved.message
    assert unsaved.hint == f"make room; then: tokencli login {PROFILE.name}"


@pytest.mark.parametrize("status", [500, 501])
def test_a_server_that_can_not_refresh_is_asked_by_the_grant(status: int) -> None:
    """Two servers' documents say 501, or 500, for what they don't implement: a token comes all the
    same, and the next failure to refresh costs nothing that is stored."""
    edges = edges_with(json_reply("no", status), GOOD)
    keep(edges, stored(edges, age=1200, refresh="r1"))
    assert get(PROFILE, edges).token.access_token == Secret("new")
    edges = edges_with(json_reply("no", status), json_reply("no", status))
    keep(edges, stored(edges, age=1200, refresh="r1"))
    with pytest.raises(RefusedError):
        get(PROFILE, edges)
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r1")
    assert edges.the_store.begun == {binding(PROFILE).key: Secret("r1")}


@pytest.mark.parametrize(("kind", "says"), [('"mac"', "mac"), ("null", "null"), ("[]", "a list")])
def test_an_unusable_token_is_refused_after_its_refresh_token_was_saved(
    kind: str, says: str
) -> None:
    """Requirement 4: save before interpreting."""
    edges = edges_with(
        json_reply(f'{{"access_token": "x", "token_type": {kind}, "refresh_token": "r9"}}')
    )
    with pytest.raises(ReplyError, match=says):
        get(PROFILE, edges)
    assert edges.the_store.kept[binding(PROFILE).key].token.refresh_token == Secret("r9")


def test_force_takes_a_stored_token_only_if_it_is_newer_than_the_call() -> None:
    """Two forced refreshes at once cost one request; one alone always costs one."""
    edges = edges_with(GOOD)
    keep(edges, stored(edges))
    assert get(PROFILE, edges, force=True).token.access_token == Secret("new")
    edges.the_store.on_lock = [stored(edges, age=-1, access="theirs")]
    assert get(PROFILE, edges, force=True).token.access_token == Secret("theirs")
    assert len(edges.transport.requests) == 1


def test_min_ttl_of_the_call_stands_over_the_profiles() -> None:
    """A stored token must have that much life left."""
    edges = edges_with(GOOD)
    keep(edges, stored(edges, age=200))
    assert get(replace(PROFILE, min_ttl=2000), edges, min_ttl=900).how == "stored"
    assert get(PROFILE, edges, min_ttl=1001).how == "client_credentials"


def test_a_token_of_another_binding_is_a_miss_and_its_refresh_token_stays_at_home() -> None:
    """Requirement 16: a record whose origin differs is never served, and never sent anywhere."""
    edges = edges_with(GOOD)
    foreign = replace(binding(PROFILE), origin="https://evil.example:443")
    keep(edges, stored(edges, refresh="r1", bound=foreign))
    assert get(PROFILE, edges).how == "client_credentials"
    assert "r1" not in "".join(bodies(edges))


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
    edges = edges_with(GOOD)
    events = edges.the_store.events

    class Person(FakeTerminal):
        def ask_secret(self, question: str) -> Secret:
            events.append("asked")
            return PASSWORD

    edges.terminal = Person(interactive=True)
    get(profile, edges)
    held = events[: events.index("asked")]
    assert held.count("lock") == 1  # tried, found that a person is needed …
    assert events[events.index("asked") :] == ["asked", "lock", "load", "prepare", "save", "unlock"]
    assert f"password={PASSWORD.reveal()}" in bodies(edges)[0]


def test_secrets_go_where_the_provider_says_and_nowhere_else() -> None:
    """GroupID: credentials in the body under `client_Id`, no Authorization header."""
    profile = make_profile(
        "groupid",
        grant="password",
        client_auth="client_secret_post",
        values={"client_id": "c", "username": "u", "identity_store_id": "1"},
    )
    edges = edges_with(GOOD)
    get(profile, edges)
    request = edges.transport.requests[0]
    assert request.body.decode() == (
        f"grant_type=Password&username=u&password={PASSWORD.reveal()}&identity_store_id=1"
        f"&client_Id=c&client_secret={CLIENT_SECRET.reveal()}"
    )
    assert "Authorization" not in request.headers


def test_a_missing_secret_names_its_place_and_the_command_that_fills_it() -> None:
    """Exit code 4, before anything is sent."""
    edges = edges_with()
    edges.keeper.kept.clear()  # type: ignore[attr-defined]
    with pytest.raises(CredentialsError, match="tokencli:p:client_secret") as caught:
        get(PROFILE, edges)
    assert caught.value.hint == "tokencli login p"
    assert edges.transport.requests == []
    assert not isinstance(caught.value, PersonNeeded)
