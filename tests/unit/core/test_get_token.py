"""Getting a token: cache, lock, refresh and grant."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate

import pytest

from tests.fakes import (
    CLIENT_SECRET,
    PASSWORD,
    FakeContext,
    FakeKeyring,
    FakeStore,
    FakeTerminal,
    filled_keyring,
    json_reply,
    make_profile,
)
from tokencli.commands.token_output import describe_renewal
from tokencli.core.get_token import get_token
from tokencli.errors import (
    CredentialsError,
    DeadlineError,
    LockTimeoutError,
    PromptRequiredError,
    RefusedError,
    ReplyError,
    StorageError,
    UnreachableError,
)
from tokencli.models import (
    HttpReply,
    Profile,
    Secret,
    SecretRef,
    StoredTokenSet,
    TokenBinding,
    TokenSet,
)
from tokencli.provider_schema import IssuanceRules, Request
from tokencli.token_store.credential_key import derive_binding

PROFILE = make_profile()
GOOD = json_reply('{"access_token": "new", "token_type": "Bearer", "expires_in": 1200}')
ROTATED = json_reply('{"access_token": "new", "expires_in": 1200, "refresh_token": "r2"}')
INVALID_GRANT = json_reply('{"error": "invalid_grant"}', 400)


def context_with(*replies: object) -> FakeContext:
    """Return a context with these replies."""
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


def told(ctx: FakeContext, kind: str) -> list[str]:
    """Return the warnings or details that the user was told."""
    return [line for line in ctx.terminal.messages if line.startswith(kind)]


def test_hit_takes_no_lock() -> None:
    """A hit takes no lock, sends no request, and reads no secret."""
    ctx = context_with()
    keep(ctx, stored(ctx))
    result = get_token(PROFILE, ctx)
    assert (result.token.access_token, result.source) == (Secret("old"), "stored")
    assert ctx.fake_store.events == ["load"]
    assert ctx.transport.requests == []
    assert ctx.keyring.read_count == 0  # type: ignore[attr-defined]


def test_miss_order_of_steps() -> None:
    """A miss locks, reads again, reserves space, sends, saves and unlocks, in this order."""
    ctx = context_with(GOOD)
    result = get_token(PROFILE, ctx)
    assert (result.token.access_token, result.source) == (Secret("new"), "client_credentials")
    assert ctx.fake_store.events == ["load", "lock", "load", "prepare", "save", "unlock"]
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token == result.token


def test_second_read_under_lock() -> None:
    """A process that waited for the lock uses the token that its holder stored, and sends no request."""
    ctx = context_with()
    ctx.fake_store.saved_by_others = [stored(ctx, access="theirs")]
    assert get_token(PROFILE, ctx).token.access_token == Secret("theirs")
    assert ctx.transport.requests == []


class BusyStore(FakeStore):
    """A store whose lock is taken; while this process waits, others save these token sets."""

    def __init__(self, *saved: StoredTokenSet | None) -> None:
        super().__init__()
        self.saved = list(saved)

    @contextmanager
    def lock_credential(
        self,
        key: str,
        timeout: float,
        unless: Callable[[], StoredTokenSet | None] = lambda: None,
    ) -> Iterator[StoredTokenSet | None]:
        new = self.saved.pop(0) if self.saved else None
        if new is not None:
            self.stored_tokens[new.binding.key] = new
        found = unless()
        if found is None:
            raise LockTimeoutError("process 4711 has been getting a token for too long")
        yield found


def test_waiting_ends_with_the_token_of_another_process() -> None:
    """A process that waits for the lock takes the token that appears in the store, without the lock."""
    ctx = context_with()
    ctx.fake_store = BusyStore(stored(ctx, access="theirs"))
    result = get_token(PROFILE, ctx)
    assert (result.token.access_token, result.source) == (Secret("theirs"), "stored")
    assert ctx.transport.requests == []


def test_waiting_goes_on_while_others_get_tokens() -> None:
    """A wait times out only if no other process got a token in that time, however short it lived."""
    ctx = context_with()
    expired = [stored(ctx, age=age, life=4) for age in (30, 20, 10)]
    ctx.fake_store = BusyStore(*expired, stored(ctx, access="theirs"))
    assert get_token(PROFILE, ctx).token.access_token == Secret("theirs")
    ctx.fake_store = BusyStore(*expired)
    with pytest.raises(LockTimeoutError):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.events.count("load") == 1 + 2 * 4
    ctx.fake_store = BusyStore()
    keep(ctx, stored(ctx, age=1200))
    with pytest.raises(LockTimeoutError):
        get_token(PROFILE, ctx)


def test_expired_token_is_refreshed() -> None:
    """The refresh token is used first, and the new one replaces it."""
    ctx = context_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).source == "refresh_token"
    assert bodies(ctx) == ["grant_type=refresh_token&refresh_token=r1"]
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r2"
    )


def with_issuing(**issuing: object) -> Profile:
    """Return a profile whose provider issues tokens in that way."""
    provider = replace(PROFILE.provider, issuing=IssuanceRules(**issuing))  # type: ignore[arg-type]  # keys of one table
    return replace(PROFILE, provider=provider)


@pytest.mark.parametrize("how", ["min_ttl", "profile", "refresh"])
def test_a_sticky_token_is_not_asked_for_early(how: str) -> None:
    """A server that would return the same token isn't asked, by `min_ttl` or a refresh either."""
    profile, ctx = with_issuing(sticky=60.0), context_with()
    if how == "profile":
        profile = replace(profile, min_ttl=600.0)
    keep(ctx, stored(ctx, age=900, profile=profile))
    min_ttl = 600.0 if how == "min_ttl" else None
    refresh = how == "refresh"
    result = get_token(profile, ctx, min_ttl=min_ttl, force=refresh, unless_sticky=refresh)
    assert (result.source, result.reissued) == ("stored", refresh)
    assert ctx.transport.requests == []
    ctx.clock.current_time += 250
    ctx.transport.replies = [GOOD]
    result = get_token(profile, ctx, min_ttl=min_ttl, force=refresh, unless_sticky=refresh)
    assert result.source != "stored"


def test_force_asks_for_a_sticky_token_too() -> None:
    """`get --force` and `profiles test` are for a token that the server may have revoked."""
    profile, ctx = with_issuing(sticky=60.0), context_with(GOOD)
    keep(ctx, stored(ctx, age=900, profile=profile))
    assert get_token(profile, ctx, force=True).source != "stored"


def test_the_same_token_again_is_recognized() -> None:
    """A refresh that brought the token that was stored already says so."""
    ctx = context_with(GOOD, GOOD)
    assert not get_token(PROFILE, ctx).reissued
    result = get_token(PROFILE, ctx, force=True)
    assert result.reissued
    assert describe_renewal(result) == "the same token again (client_credentials grant)"


def test_an_unreachable_min_ttl_is_told_once() -> None:
    """If the server's tokens never live that long, the first run says so, and later ones don't."""
    ctx = context_with()
    for number in range(3):
        ctx.transport.replies = [json_reply(f'{{"access_token": "t{number}", "expires_in": 1200}}')]
        assert get_token(PROFILE, ctx, min_ttl=7200).source == "client_credentials"
    (said,) = told(ctx, "warning")
    assert "20 minutes" in said and "2 hours" in said
    ctx.transport.replies = [json_reply('{"access_token": "t4", "expires_in": 1200}')]
    get_token(PROFILE, ctx, min_ttl=9000)
    assert len(told(ctx, "warning")) == 2


@pytest.mark.parametrize(
    ("own", "refusal", "warned"),
    [
        (True, json_reply("no", 400), True),
        (True, json_reply("broken", 501), True),
        (False, json_reply('{"error": "unauthorized_client"}', 400), True),
        (False, json_reply("broken", 501), False),
        (False, INVALID_GRANT, False),
    ],
)
def test_a_failed_refresh_is_reported(own: bool, refusal: HttpReply, warned: bool) -> None:
    """The grant that follows doesn't hide it, unless refresh tokens usually end like that."""
    profile = PROFILE
    if own:
        request = Request(body="json", send={"token": "{refresh_token}"})
        profile = replace(PROFILE, provider=replace(PROFILE.provider, refresh=request))
    ctx = context_with(refusal, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1", profile=profile))
    assert get_token(profile, ctx).source == "client_credentials"
    said = told(ctx, "warning" if warned else "detail")
    assert any("can't refresh" in line and "client_credentials" in line for line in said)
    assert bool(told(ctx, "warning")) is warned


@pytest.mark.parametrize(("hours", "words"), [(3, "3 hours ahead"), (-3, "3 hours behind")])
def test_the_clock_at_the_time_of_issue_is_remembered(hours: int, words: str) -> None:
    """If this computer's clock is wrong, the user is told, and the token is fresh by the server's."""
    ctx = context_with()
    date = formatdate(ctx.clock.now() - hours * 3600, usegmt=True)
    body = b'{"access_token": "new", "expires_in": 1200}'
    ctx.transport.replies = [HttpReply(200, {"date": date}, body, ctx.clock.now())]
    token = get_token(PROFILE, ctx).token
    assert token.clock_skew == pytest.approx(hours * 3600, abs=1)
    assert any(f"clock is {words} " in line for line in told(ctx, "warning"))
    assert get_token(PROFILE, ctx).source == "stored"
    server = token.in_server_time()
    assert server.expires_at == pytest.approx(token.server_time(ctx.clock.now()) + 1200, abs=1)


def test_old_refresh_token_is_kept() -> None:
    """If the reply has no refresh token, the old one stays valid (RFC 6749 section 6)."""
    ctx = context_with(GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )


def id_token(expiry: float) -> Secret:
    """Return an unsigned JWT that expires then."""
    claims = urlsafe_b64encode(json.dumps({"exp": expiry}).encode()).decode().rstrip("=")
    return Secret(f"eyJhbGciOiJub25lIn0.{claims}.")


@pytest.mark.parametrize(("left", "is_kept"), [(300, True), (-1, False)])
def test_refresh_keeps_what_its_reply_leaves_out(left: float, is_kept: bool) -> None:
    """The scope, the outputs and the ID token, unless that has expired."""
    ctx = context_with(GOOD)
    old = stored(ctx, age=1200, refresh="r1")
    token = replace(
        old.token,
        id_token=id_token(ctx.clock.now() + left),
        scope="a b",
        outputs={"url": Secret("https://api.example.com")},
    )
    keep(ctx, replace(old, token=token))
    refreshed = get_token(PROFILE, ctx).token
    assert refreshed.access_token == Secret("new")
    assert refreshed.id_token == (token.id_token if is_kept else None)
    assert (refreshed.scope, refreshed.outputs) == ("a b", token.outputs)
    assert ctx.fake_store.stored_tokens[old.binding.key].token == refreshed


def test_refresh_replaces_what_its_reply_has() -> None:
    """A new ID token and scope count, even if the old ones are valid."""
    ctx = context_with(
        json_reply('{"access_token": "new", "expires_in": 9, "id_token": "i2", "scope": "a"}')
    )
    old = stored(ctx, age=1200, refresh="r1")
    keep(ctx, replace(old, token=replace(old.token, id_token=Secret("i1"), scope="a b")))
    refreshed = get_token(PROFILE, ctx).token
    assert (refreshed.id_token, refreshed.scope) == (Secret("i2"), "a")


def test_repeated_refresh_token_keeps_the_old_one() -> None:
    """The access token is stored and the reply reported; the next run uses the stored token."""
    ctx = context_with(
        json_reply('{"access_token": "new", "expires_in": 1200, "refresh_token": "x",'
                   ' "refresh_token": "y"}')
    )  # fmt: skip
    old = stored(ctx, age=1200, refresh="r1")
    keep(ctx, old)
    with pytest.raises(ReplyError, match="twice"):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[old.binding.key].token.refresh_token == Secret("r1")
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")


def test_new_refresh_token_is_stored_before_anything_is_said() -> None:
    """Not even a closed stderr costs it."""
    ctx = context_with(replace(ROTATED, body=ROTATED.body + b" done"))
    old = stored(ctx, age=1200, refresh="r1")
    keep(ctx, old)

    def fail(_: str) -> None:
        raise BrokenPipeError

    ctx.terminal.print_warning = fail  # type: ignore[method-assign]  # a fault injected
    with pytest.raises(BrokenPipeError):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[old.binding.key].token.refresh_token == Secret("r2")


def test_dead_refresh_token_is_deleted() -> None:
    """After invalid_grant for the stored refresh token it is deleted, and the grant is used."""
    ctx = context_with(INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).source == "client_credentials"
    assert "clear" in ctx.fake_store.events
    assert len(ctx.transport.requests) == 2


def test_refresh_race_loser_deletes_nothing() -> None:
    """After invalid_grant for a refresh token that another process has replaced, its token is used."""
    ctx = context_with()

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
def test_only_invalid_grant_deletes_the_refresh_token(failure: object) -> None:
    """A timeout, a 5xx, invalid_client or an unreadable reply deletes nothing."""
    ctx = context_with(failure, json_reply('{"error": "invalid_client"}', 401))
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises((UnreachableError, RefusedError, ReplyError)):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )
    assert "clear" not in ctx.fake_store.events


def test_journal_before_refresh() -> None:
    """The journal entry is written before the request, and ended by the save."""
    ctx = context_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    get_token(PROFILE, ctx)
    events = ctx.fake_store.events
    assert events.index("prepare") < events.index("begin") < events.index("save")
    assert ctx.fake_store.begun_refreshes == {}


@pytest.mark.parametrize(("sent", "stays"), [(True, True), (False, False)])
def test_journal_after_failure(sent: bool, stays: bool) -> None:
    """The entry stays if the server may have received the request, else it is removed."""
    failure = UnreachableError("reset")
    failure.request_sent = sent
    ctx = context_with(failure)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises(UnreachableError):
        get_token(PROFILE, ctx)
    assert bool(ctx.fake_store.begun_refreshes) is stays


def test_missing_secret_leaves_no_journal_entry() -> None:
    """Nothing was sent, so the next run doesn't say that a refresh was interrupted."""
    ctx = context_with(INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    secrets = dict(ctx.keyring.secrets)  # type: ignore[attr-defined]  # of the fake
    ctx.keyring.secrets.clear()  # type: ignore[attr-defined]  # of the fake
    with pytest.raises(CredentialsError, match="has no client_secret"):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.begun_refreshes == {}
    ctx.keyring.secrets.update(secrets)  # type: ignore[attr-defined]  # of the fake
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    assert not any("interrupted" in text for text in ctx.terminal.messages)


def test_refused_client_is_not_explained_by_an_interruption() -> None:
    """That refusal isn't about the refresh token, so the entry stays for the one that is."""
    invalid_client = json_reply('{"error": "invalid_client"}', 401)
    ctx = context_with(invalid_client, invalid_client, INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] = Secret("r1")
    with pytest.raises(RefusedError):
        get_token(PROFILE, ctx)
    assert not any("interrupted" in text for text in ctx.terminal.messages)
    get_token(PROFILE, ctx)
    assert any("interrupted" in text for text in ctx.terminal.messages)


@pytest.mark.parametrize("failure", [json_reply("busy", 503), UnreachableError("refused")])
def test_journal_survives_until_server_replies(failure: object) -> None:
    """A 503 or a refused connection after an interruption proves nothing, so the entry stays."""
    ctx = context_with(failure)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] = Secret("r1")
    with pytest.raises((RefusedError, UnreachableError)):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] == Secret("r1")


def test_by_grant_uses_no_refresh_token() -> None:
    """A login tests the secrets that were typed, not what was stored before."""
    ctx = context_with(GOOD)
    keep(ctx, stored(ctx, refresh="r1"))
    assert get_token(PROFILE, ctx, force=True, by_grant=True).source == "client_credentials"
    assert bodies(ctx) == ["grant_type=client_credentials"]


def test_prefetch_before_lock() -> None:
    """At a terminal, commands and keyrings that may prompt are read before the lock is taken."""
    ctx = context_with(GOOD)
    ctx.terminal.interactive = True
    events = ctx.fake_store.events
    read = ctx.keyring.read
    ctx.keyring.read = lambda ref: (events.append("secret"), read(ref))[1]  # type: ignore[method-assign]
    get_token(PROFILE, ctx)
    assert events.index("secret") < events.index("lock")
    assert events.count("secret") == 1


class ProgramSource(FakeKeyring):
    """A source that runs a program, which takes as long as it likes and prints what is configured."""

    interaction = "program"


@pytest.mark.parametrize("refresh", [None, "r1"])
@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("names", [("client_secret",), ()])
def test_programs_run_while_no_lock_is_held(
    names: tuple[str, ...], interactive: bool, refresh: str | None
) -> None:
    """A program that supplies a secret, or finds none, runs once, before the lock or between two."""
    ctx = context_with(ROTATED)
    ctx.terminal.interactive = interactive
    events, held, runs = ctx.fake_store.events, [], []
    source = ProgramSource(dict(ctx.keyring.secrets) if names else {})  # type: ignore[attr-defined]  # of the fake
    ctx.keyring = source

    def read(ref: SecretRef) -> Secret | None:
        runs.append(ref.name)
        held.append(events.count("lock") - events.count("unlock"))
        return source.secrets.get(ref.target)

    source.read = read  # type: ignore[method-assign]
    if refresh:
        keep(ctx, stored(ctx, age=1200, refresh=refresh))
    if names:
        assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    else:
        with pytest.raises(CredentialsError, match="has no client_secret"):
            get_token(PROFILE, ctx)
    assert (runs, held) == (["client_secret"], [0])


def test_interrupted_refresh_is_explained() -> None:
    """A warning names the interruption, and a non-interactive grant is used."""
    ctx = context_with(INVALID_GRANT, GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.begun_refreshes[derive_binding(PROFILE).key] = Secret("r1")
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    assert any("interrupted" in text for text in ctx.terminal.messages)


def test_failed_save_returns_the_token() -> None:
    """The token isn't lost with the disk, and the failure is reported."""
    ctx = context_with(GOOD)
    ctx.fake_store.save_error = StorageError("disk full")
    result = get_token(PROFILE, ctx)
    assert result.token.access_token == Secret("new")
    assert result.save_error is not None
    assert result.save_error.code == "not_kept"
    assert "couldn't be stored: disk full" in result.save_error.message


def test_failed_save_after_refresh() -> None:
    """The message differs from that for a disk that was full before the request."""
    ctx = context_with(ROTATED)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    ctx.fake_store.save_error = StorageError("disk full", fix="make room")
    save_error = get_token(PROFILE, ctx).save_error
    assert save_error is not None
    assert "the old refresh token may be spent" in save_error.message
    assert "and the new one is lost" in save_error.message
    assert (
        save_error.cause
        == f"once tokens can be stored again, get a new one: tokencli login {PROFILE.name}"
    )
    assert save_error.fix == "make room"


@pytest.mark.parametrize("status", [500, 501])
def test_refresh_not_supported_uses_grant(status: int) -> None:
    """Two documented servers reply 501 or 500 to what they don't implement: the grant gets a token,
    and a later failure to refresh deletes nothing."""
    ctx = context_with(json_reply("no", status), GOOD)
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    assert get_token(PROFILE, ctx).token.access_token == Secret("new")
    ctx = context_with(json_reply("no", status), json_reply("no", status))
    keep(ctx, stored(ctx, age=1200, refresh="r1"))
    with pytest.raises(RefusedError):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r1"
    )
    assert ctx.fake_store.begun_refreshes == {derive_binding(PROFILE).key: Secret("r1")}


@pytest.mark.parametrize(("kind", "says"), [('"mac"', "mac"), ("null", "null"), ("[]", "a list")])
def test_unusable_token_is_saved_first(kind: str, says: str) -> None:
    """The token set is saved before it is checked."""
    ctx = context_with(
        json_reply(f'{{"access_token": "x", "token_type": {kind}, "refresh_token": "r9"}}')
    )
    with pytest.raises(ReplyError, match=says):
        get_token(PROFILE, ctx)
    assert ctx.fake_store.stored_tokens[derive_binding(PROFILE).key].token.refresh_token == Secret(
        "r9"
    )


def test_force() -> None:
    """Two concurrent forced refreshes send one request. A single one always sends one."""
    ctx = context_with(GOOD)
    keep(ctx, stored(ctx))
    assert get_token(PROFILE, ctx, force=True).token.access_token == Secret("new")
    ctx.fake_store.saved_by_others = [stored(ctx, age=-1, access="theirs")]
    assert get_token(PROFILE, ctx, force=True).token.access_token == Secret("theirs")
    assert len(ctx.transport.requests) == 1


def test_min_ttl_overrides_the_profile() -> None:
    """A stored token must have that much lifetime left."""
    ctx = context_with(GOOD)
    keep(ctx, stored(ctx, age=200))
    assert get_token(replace(PROFILE, min_ttl=2000), ctx, min_ttl=900).source == "stored"
    assert get_token(PROFILE, ctx, min_ttl=1001).source == "client_credentials"


def test_other_binding_is_a_miss() -> None:
    """A token of another origin is never returned, and its refresh token is never sent."""
    ctx = context_with(GOOD)
    foreign = replace(derive_binding(PROFILE), origin="https://evil.example:443")
    keep(ctx, stored(ctx, refresh="r1", bound=foreign))
    assert get_token(PROFILE, ctx).source == "client_credentials"
    assert "r1" not in "".join(bodies(ctx))


def test_prompt_without_lock() -> None:
    """The lock is never held while a user types, and the store is read again afterwards."""
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
    ctx = context_with(GOOD)
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


def test_groupid_secrets_in_the_body() -> None:
    """GroupID: credentials are sent in the body under `client_Id`, without an Authorization header."""
    profile = make_profile(
        "groupid",
        grant="password",
        client_auth="client_secret_post",
        values={"client_id": "c", "username": "u", "identity_store_id": "1"},
    )
    ctx = context_with(GOOD)
    get_token(profile, ctx)
    request = ctx.transport.requests[0]
    assert request.body.decode() == (
        f"grant_type=Password&username=u&password={PASSWORD.reveal()}&identity_store_id=1"
        f"&client_Id=c&client_secret={CLIENT_SECRET.reveal()}"
    )
    assert "Authorization" not in request.headers


def test_missing_secret_names_source_and_fix() -> None:
    """Exit code 4, before a request is sent."""
    ctx = context_with()
    ctx.keyring.secrets.clear()  # type: ignore[attr-defined]  # of the fake
    with pytest.raises(CredentialsError, match="tokencli:p:client_secret") as caught:
        get_token(PROFILE, ctx)
    assert caught.value.fix == "tokencli login p"
    assert ctx.transport.requests == []
    assert not isinstance(caught.value, PromptRequiredError)
