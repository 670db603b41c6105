"""A person signs in with no lock held, and what they bring is kept or said to be lost."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.fakes import FakeContext, FakeStore, FakeTerminal, json_reply, keyring_ref, make_profile
from tokencli.core.get_token import get_token, sign_in_user
from tokencli.core.login import describe_login, log_in
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import (
    ConfigError,
    CredentialsError,
    LockTimeoutError,
    LoginRequiredError,
    RefusedError,
    ReplyError,
    StorageError,
    UnreachableError,
)
from tokencli.models import Profile, Secret, SignIn, StoredTokenSet, TokenSet
from tokencli.providers.catalog import load_builtin
from tokencli.token_store.credential_key import derive_binding

GOOD = json_reply('{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}')


def profile(**more: object) -> Profile:
    """Return a public client's profile that signs people in."""
    given: dict[str, object] = {
        "grant": "authorization_code",
        "client_auth": "none",
        "endpoints": {"authorization": "https://id.example.com/authorize"},
    }
    return make_profile(**{**given, **more})  # type: ignore[arg-type]


def comes_back(url: str) -> str:
    """Return what a server sends a person back with."""
    return urlencode({"code": "canary-code", "state": state(url)})


def state(url: str) -> str:
    """Return the state of the authorization request."""
    return dict(parse_qsl(urlsplit(url).query))["state"]


class LockCountingStore(FakeStore):
    """A store that knows how many locks are held, and by what name."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[str] = []
        self.busy: set[str] = set()

    @contextmanager
    def lock_credential(self, key: str, timeout: float) -> Iterator[None]:
        if key in self.busy:
            raise LockTimeoutError("process 4711 has been getting a token for too long")
        self.held.append(key)
        try:
            yield
        finally:
            self.held.remove(key)


def ctx(*replies: object, terminal: bool = False) -> FakeContext:
    """Return ctx with a browser whose person comes back."""
    found = FakeContext(terminal=FakeTerminal(interactive=terminal), fake_store=LockCountingStore())
    found.transport.replies = list(replies)  # type: ignore[arg-type]
    found.browser.response_queries = [comes_back]
    return found


def run(around: FakeContext, who: Profile) -> object:
    """Sign in."""
    return sign_in_user(who, around, SecretResolver(who, around))


def test_while_a_person_signs_in_the_credentials_lock_is_free() -> None:
    """Only the login's own lock is held: a get in another shell is not kept waiting for a person."""
    who, around = profile(), ctx(GOOD)
    store = around.fake_store
    assert isinstance(store, LockCountingStore)
    held: list[list[str]] = []

    def looks(url: str) -> str:
        held.append(list(store.held))
        return comes_back(url)

    around.browser.response_queries = [looks]
    obtained = get_token(who, around, interactive=True)
    assert obtained.token.access_token == Secret("t")
    ((login_lock,),) = held
    assert login_lock != derive_binding(who).key
    assert store.held == []
    assert store.stored_tokens[derive_binding(who).key].token == obtained.token
    assert around.browser.close_count == 1


def test_get_begins_no_sign_in_by_itself() -> None:
    """Only where --interactive or the profile says so."""
    around = ctx(GOOD)
    with pytest.raises(LoginRequiredError) as due:
        get_token(profile(), around)
    assert due.value.fix == "tokencli login p"
    assert (around.browser.opened_urls, around.transport.requests) == ([], [])
    get_token(profile(sign_in=SignIn(interactive=True)), around)
    assert len(around.browser.opened_urls) == 1


def test_a_dead_refresh_token_leads_to_a_sign_in_where_that_is_allowed() -> None:
    """invalid_grant: then the person; any other refusal is told, as a sign-in would not mend it."""
    who = profile()
    old = TokenSet(Secret("old"), "Bearer", 0.0, 1.0, refresh_token=Secret("dead"))
    for error, mended in (("invalid_grant", True), ("unauthorized_client", False)):
        around = ctx(json_reply(f'{{"error": "{error}"}}', 400), GOOD)
        around.fake_store.stored_tokens[derive_binding(who).key] = StoredTokenSet(
            derive_binding(who), old
        )
        if mended:
            assert get_token(who, around, interactive=True).token.access_token == Secret("t")
        else:
            with pytest.raises(RefusedError):
                get_token(who, around, interactive=True)
            assert around.browser.opened_urls == []


def test_a_sign_in_takes_the_refresh_tokens_place() -> None:
    """login always signs in anew, even where a refresh token would do."""
    who, around = profile(), ctx(GOOD)
    old = TokenSet(Secret("old"), "Bearer", 0.0, 9e9, refresh_token=Secret("good"))
    around.fake_store.stored_tokens[derive_binding(who).key] = StoredTokenSet(
        derive_binding(who), old
    )
    done = log_in(who, around)
    assert done.token_result.source == "authorization_code"
    (posted,) = around.transport.requests
    assert b"grant_type=authorization_code" in posted.body


def test_another_login_in_progress_is_told_at_once() -> None:
    """By login and by get, with the process that holds it; nothing is asked of the person."""
    who, around = profile(), ctx(GOOD)
    store = around.fake_store
    assert isinstance(store, LockCountingStore)
    with pytest.raises(LoginRequiredError):
        get_token(who, around)
    store.busy = {_login_lock(who)}
    for attempt in (
        lambda: get_token(who, around),
        lambda: log_in(who, around),
        lambda: run(around, who),
    ):
        with pytest.raises(LoginRequiredError, match=r"in progress \(process 4711\)"):
            attempt()
    assert around.browser.opened_urls == []


def _login_lock(who: Profile) -> str:
    store = LockCountingStore()
    around = ctx(GOOD)
    around.fake_store = store
    names: list[str] = []
    around.browser.response_queries = [lambda url: names.extend(store.held) or comes_back(url)]
    run(around, who)
    return names[0]


def test_room_is_made_before_a_person_is_bothered() -> None:
    """A full disk ends it before the browser opens; after the sign-in the token is still delivered."""

    class Full(LockCountingStore):
        def reserve_space(self, key: str, size: int) -> None:
            raise StorageError("the disk is full")

    around = ctx(GOOD)
    around.fake_store = Full()
    with pytest.raises(StorageError):
        run(around, profile())
    assert around.browser.opened_urls == []

    late = ctx(GOOD)
    late.fake_store.save_error = StorageError("the disk is full")
    obtained = sign_in_user(profile(), late, SecretResolver(profile(), late))
    assert obtained.token.access_token == Secret("t")
    assert isinstance(obtained.save_error, StorageError)


def test_secrets_are_looked_for_before_a_person_is_bothered() -> None:
    """A confidential client whose secret is missing is told so, not after a sign-in in vain."""
    ref = keyring_ref("client_secret")
    who = profile(client_auth="client_secret_basic", secrets={"client_secret": ref})
    around = ctx(GOOD)
    with pytest.raises(CredentialsError):
        run(around, who)
    assert around.browser.opened_urls == []


def test_a_token_that_was_slipped_in_is_not_kept() -> None:
    """With another nonce in the ID token nothing is saved."""
    claims = urlsafe_b64encode(json.dumps({"nonce": "canary", "aud": "batch"}).encode()).decode()
    reply = {"access_token": "t", "token_type": "Bearer", "id_token": f"eyJhIjoxfQ.{claims}.c2ln"}
    around = ctx(json_reply(json.dumps(reply).replace("=", "")))
    with pytest.raises(ReplyError, match="nonce"):
        run(around, profile(scope="openid"))
    assert around.fake_store.stored_tokens == {}


def test_a_code_is_traded_once_whatever_comes_of_it() -> None:
    """RFC 6749 section 4.1.2: a second use may revoke what the first one brought."""
    for failure in (UnreachableError("reset"), json_reply("{}", 503), json_reply("<html>", 200)):
        around = ctx(failure, GOOD)
        with pytest.raises((UnreachableError, RefusedError, ReplyError)):
            run(around, profile())
        (sent,) = around.transport.requests
        assert not sent.is_retry_safe


def test_nobody_is_waited_for_for_ever() -> None:
    """Five minutes, or what the profile or --wait says; the port is closed after it."""
    for told, limit in ((SignIn(), 300.0), (SignIn(wait=900.0), 900.0)):
        around = ctx(terminal=True)
        around.browser.response_queries = []
        began = around.clock.now()
        with pytest.raises(LoginRequiredError, match="no redirect from id"):
            run(around, profile(sign_in=told))
        assert limit <= around.clock.now() - began <= limit + 1
        assert around.browser.close_count == 1
        assert any("left" in text for text in around.terminal.status_lines)


def test_without_a_browser_the_address_is_shown() -> None:
    """The profile may say so, or the browser can't be opened."""
    for who, usable in ((profile(sign_in=SignIn(browser=False)), True), (profile(), False)):
        around = ctx(GOOD, terminal=True)
        around.browser.is_available = usable
        around.browser.response_queries = []
        around.terminal.typed_lines = [
            "",
            "hello there",
            "http://127.0.0.1/callback?code=a&state=b",
        ]
        around.terminal.typed_lines.append("canary-pasted-code")
        run(around, who)
        assert around.browser.opened_urls == []
        assert any(
            text.startswith("https://id.example.com/auth") for text in around.terminal.messages
        )
        assert b"code=canary-pasted-code" in around.transport.requests[0].body


@pytest.mark.parametrize(
    "piece",
    [
        "127.0.0.1:1/callback?state=xx",
        "127.0.0.1:43211/",
        "localhost:8080",
        "[::1]:80/x",
        "app.example.com/path",
        "/callback",
        "state=abc",
        "a&b",
        "4%2F0Af",
        "x?y",
    ],
)
def test_a_piece_of_an_address_is_not_sent_as_a_code(piece: str) -> None:
    """It would use up the sign-in; codes with slashes, dots and = pass."""
    around = ctx(GOOD, terminal=True)
    around.browser.response_queries = []
    around.terminal.typed_lines = [piece, "4/0Af_x.y-z=="]
    run(around, profile(sign_in=SignIn(browser=False)))
    assert b"code=4%2F0Af_x.y-z%3D%3D&" in around.transport.requests[0].body
    assert any("paste the whole address" in text for text in around.terminal.messages)


def test_a_bare_code_is_not_enough_where_the_server_names_itself() -> None:
    """RFC 9207: without the address there is no iss to compare."""
    around = ctx(GOOD, terminal=True)
    around.browser.response_queries = []
    around.terminal.typed_lines = ["canary-pasted-code"]
    who = profile(issuer="https://id.example.com", sign_in=SignIn(iss_in_redirect=True))
    with pytest.raises(LoginRequiredError, match="no redirect from id"):
        run(around, who)
    assert any("paste the whole address" in text for text in around.terminal.messages)


def test_where_nobody_is_nothing_is_begun() -> None:
    """No terminal and no screen: told at once, unless --wait says that somebody reads along."""
    around = ctx(GOOD)
    around.browser.is_available = False
    with pytest.raises(LoginRequiredError, match="neither a browser nor a terminal"):
        run(around, profile())
    assert around.browser.close_count == 0
    run(around, profile(sign_in=SignIn(wait=60.0)))


def test_an_address_that_no_browser_may_be_given_is_not_shown_either() -> None:
    """The failure of the browser's check ends the sign-in."""
    around = ctx(GOOD)

    def refuses(url: str) -> bool:
        raise ConfigError("no")

    around.browser.open_url = refuses  # type: ignore[method-assign]
    with pytest.raises(ConfigError):
        run(around, profile())
    assert not any("authorize" in text for text in around.terminal.messages)


def test_a_login_ends_with_what_it_brought() -> None:
    """Life, scopes granted against scopes asked, and how it goes on after that."""
    who = profile(scope="read write offline_access")
    reply = {"access_token": "t", "expires_in": 3600, "scope": "read", "refresh_expires_in": 86400}
    bare = log_in(who, ctx(json_reply(json.dumps(reply)))).token_result
    assert list(describe_login(who, bare)) == [
        "got a token valid for 1 hour",
        "scope read",
        "scope not granted: write offline_access",
        "without a refresh token, so you must sign in again after that",
    ]
    reply |= {"refresh_token": "r", "scope": None}
    whole = log_in(who, ctx(json_reply(json.dumps(reply)))).token_result
    assert list(describe_login(who, whole)) == [
        "got a token valid for 1 hour",
        "scope read write offline_access",
        "with a refresh token valid for 1 day",
    ]


def test_scopes_that_are_granted_with_commas_are_granted() -> None:
    """GitHub is asked with spaces and answers with commas; so does nobody else."""
    reply = json_reply('{"access_token": "t", "token_type": "bearer", "scope": "repo,gist"}')
    for provider, said in (
        ("github", ["scope repo gist"]),
        ("oauth2", ["scope repo,gist", "scope not granted: repo gist"]),
    ):
        around = ctx(reply)
        who = replace(profile(scope="repo gist"), provider=load_builtin(provider))
        done = log_in(who, around).token_result
        assert [
            text for text in describe_login(who, done) if "scope" in text or "asked" in text
        ] == said
        assert "scope=repo+gist" in around.browser.opened_urls[0]


def test_slack_brings_the_users_token_inside_another_member() -> None:
    """And at the top when it is renewed; asked for and granted with commas."""
    inside = {"access_token": "xoxp-1", "refresh_token": "r1", "expires_in": 43200, "scope": "a,b"}
    reply = {"ok": True, "app_id": "A", "authed_user": {"id": "U", **inside, "token_type": "user"}}
    renewed = {"ok": True, **inside, "access_token": "xoxp-2", "token_type": "user"}
    who = replace(profile(scope="a b"), provider=load_builtin("slack"))
    around = ctx(json_reply(json.dumps(reply)), json_reply(json.dumps(renewed)))
    token = log_in(who, around).token_result.token
    assert (token.access_token, token.refresh_token) == (Secret("xoxp-1"), Secret("r1"))
    assert (token.lifetime, token.scope) == (43200, "a b")
    around.clock.current_time += 43200
    assert get_token(who, around).token.access_token == Secret("xoxp-2")
    traded, refreshed = (request.body.decode() for request in around.transport.requests)
    assert "code_verifier=" in traded
    assert "client_id=batch" in refreshed
    for sent in (traded, refreshed):
        assert "client_secret" not in sent


class SignalRecordingContext(FakeContext):
    """Edges that note when signals are held back and delivered again, among what the store does."""

    @contextmanager
    def defer_signals(self, at_most: float) -> Iterator[None]:  # type: ignore[override]
        self.fake_store.events.append("hold")
        yield
        self.fake_store.events.append("deliver")


def test_signals_wait_from_the_sending_of_the_code_until_the_token_is_saved() -> None:
    """And only then: while a person is waited for, Ctrl-C is heard at once."""
    around = SignalRecordingContext(terminal=FakeTerminal(interactive=True))
    around.transport.replies = [GOOD]

    def looks(url: str) -> str:
        around.fake_store.events.append("person")
        return comes_back(url)

    around.browser.response_queries = [looks]
    run(around, profile())
    events = [event for event in around.fake_store.events if event not in ("lock", "unlock")]
    assert events == ["prepare", "person", "hold", "prepare", "save", "deliver"]


def test_between_two_questions_of_a_device_signals_are_heard() -> None:
    """Each question that brings no token gives them back."""
    told = {
        "device_code": "d",
        "user_code": "u",
        "verification_uri": "https://id.example.com/device",
        "expires_in": 600,
    }
    around = SignalRecordingContext(terminal=FakeTerminal(interactive=True))
    pending = json_reply('{"error": "authorization_pending"}', 400)
    around.transport.replies = [json_reply(json.dumps(told)), pending, GOOD]
    endpoints = {"device_authorization": "https://id.example.com/device"}
    run(around, profile(grant="device_code", endpoints=endpoints))
    events = [event for event in around.fake_store.events if event not in ("lock", "unlock")]
    assert events == ["prepare", "hold", "deliver", "hold", "prepare", "save", "deliver"]
