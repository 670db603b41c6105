"""Interactive sign-in: no lock is held meanwhile, and the token is stored or reported as lost."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.fakes import FakeContext, FakeStore, FakeTerminal, json_reply, keyring_ref, make_profile
from tokencli.core.get_token import get_token
from tokencli.core.interactive_grant import sign_in_user
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
from tokencli.humanize import format_time
from tokencli.models import Profile, Secret, SignIn, StoredTokenSet, TokenSet
from tokencli.providers.catalog import load_builtin
from tokencli.token_store.credential_key import derive_binding

GOOD = json_reply('{"access_token": "t", "token_type": "Bearer", "expires_in": 3600}')


def profile(**more: object) -> Profile:
    """Return a public client's profile with an interactive grant."""
    given: dict[str, object] = {
        "grant": "authorization_code",
        "client_auth": "none",
        "endpoints": {"authorization": "https://id.example.com/authorize"},
    }
    return make_profile(**{**given, **more})  # type: ignore[arg-type]


def redirect_query(url: str) -> str:
    """Return the query of the server's redirect."""
    return urlencode({"code": "canary-code", "state": state(url)})


def state(url: str) -> str:
    """Return the state of the authorization request."""
    return dict(parse_qsl(urlsplit(url).query))["state"]


class LockCountingStore(FakeStore):
    """A store that records which locks are held."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[str] = []
        self.busy: set[str] = set()

    @contextmanager
    def lock_credential(
        self, key: str, timeout: float, unless: object = None
    ) -> Iterator[StoredTokenSet | None]:
        if key in self.busy:
            raise LockTimeoutError("process 4711 has been getting a token for too long")
        self.held.append(key)
        try:
            yield None
        finally:
            self.held.remove(key)


def ctx(*replies: object, terminal: bool = False) -> FakeContext:
    """Return a context with a browser whose user finishes the sign-in."""
    context = FakeContext(
        terminal=FakeTerminal(interactive=terminal), fake_store=LockCountingStore()
    )
    context.transport.replies = list(replies)  # type: ignore[arg-type]
    context.browser.response_queries = [redirect_query]
    return context


def run(context: FakeContext, user_profile: Profile) -> object:
    """Sign in."""
    return sign_in_user(user_profile, context, SecretResolver(user_profile, context))


def test_credential_lock_is_free_during_sign_in() -> None:
    """Only the login's own lock is held, so a get in another shell doesn't wait for the user."""
    user_profile, context = profile(), ctx(GOOD)
    store = context.fake_store
    assert isinstance(store, LockCountingStore)
    held: list[list[str]] = []

    def record_locks(url: str) -> str:
        held.append(list(store.held))
        return redirect_query(url)

    context.browser.response_queries = [record_locks]
    result = get_token(user_profile, context, interactive=True)
    assert result.token.access_token == Secret("t")
    ((login_lock,),) = held
    assert login_lock != derive_binding(user_profile).key
    assert store.held == []
    assert store.stored_tokens[derive_binding(user_profile).key].token == result.token
    assert context.browser.close_count == 1


def test_get_starts_no_sign_in() -> None:
    """Only if --interactive or the profile allows it."""
    context = ctx(GOOD)
    with pytest.raises(LoginRequiredError) as caught:
        get_token(profile(), context)
    assert caught.value.fix == "tokencli login p"
    assert (context.browser.opened_urls, context.transport.requests) == ([], [])
    get_token(profile(sign_in=SignIn(interactive=True)), context)
    assert len(context.browser.opened_urls) == 1


def test_dead_refresh_token_starts_sign_in() -> None:
    """After invalid_grant. Any other refusal is reported, because a sign-in wouldn't help."""
    user_profile = profile()
    old = TokenSet(Secret("old"), "Bearer", 0.0, 1.0, refresh_token=Secret("dead"))
    for error, signs_in in (("invalid_grant", True), ("unauthorized_client", False)):
        context = ctx(json_reply(f'{{"error": "{error}"}}', 400), GOOD)
        context.fake_store.stored_tokens[derive_binding(user_profile).key] = StoredTokenSet(
            derive_binding(user_profile), old
        )
        if signs_in:
            assert get_token(user_profile, context, interactive=True).token.access_token == Secret(
                "t"
            )
        else:
            with pytest.raises(RefusedError):
                get_token(user_profile, context, interactive=True)
            assert context.browser.opened_urls == []


def test_login_ignores_the_refresh_token() -> None:
    """login always starts a new sign-in."""
    user_profile, context = profile(), ctx(GOOD)
    old = TokenSet(Secret("old"), "Bearer", 0.0, 9e9, refresh_token=Secret("good"))
    context.fake_store.stored_tokens[derive_binding(user_profile).key] = StoredTokenSet(
        derive_binding(user_profile), old
    )
    done = log_in(user_profile, context)
    assert done.token_result.source == "authorization_code"
    (posted,) = context.transport.requests
    assert b"grant_type=authorization_code" in posted.body


def test_concurrent_login_is_refused() -> None:
    """login and get name the process that holds the lock, and don't prompt."""
    user_profile, context = profile(), ctx(GOOD)
    store = context.fake_store
    assert isinstance(store, LockCountingStore)
    with pytest.raises(LoginRequiredError):
        get_token(user_profile, context)
    store.busy = {_login_lock(user_profile)}
    for attempt in (
        lambda: get_token(user_profile, context),
        lambda: log_in(user_profile, context),
        lambda: run(context, user_profile),
    ):
        with pytest.raises(LoginRequiredError, match=r"in progress \(process 4711\)"):
            attempt()
    assert context.browser.opened_urls == []


def _login_lock(user_profile: Profile) -> str:
    store = LockCountingStore()
    context = ctx(GOOD)
    context.fake_store = store
    names: list[str] = []
    context.browser.response_queries = [lambda url: names.extend(store.held) or redirect_query(url)]
    run(context, user_profile)
    return names[0]


def test_full_disk_ends_login_early() -> None:
    """Before the browser opens. If the disk fills up during the sign-in, the token is still returned."""

    class Full(LockCountingStore):
        def reserve_space(self, key: str, size: int) -> None:
            raise StorageError("the disk is full")

    context = ctx(GOOD)
    context.fake_store = Full()
    with pytest.raises(StorageError):
        run(context, profile())
    assert context.browser.opened_urls == []

    late = ctx(GOOD)
    late.fake_store.save_error = StorageError("the disk is full")
    result = sign_in_user(profile(), late, SecretResolver(profile(), late))
    assert result.token.access_token == Secret("t")
    assert isinstance(result.save_error, StorageError)


def test_missing_secret_ends_login_early() -> None:
    """A confidential client without a secret is reported before the sign-in."""
    ref = keyring_ref("client_secret")
    user_profile = profile(client_auth="client_secret_basic", secrets={"client_secret": ref})
    context = ctx(GOOD)
    with pytest.raises(CredentialsError):
        run(context, user_profile)
    assert context.browser.opened_urls == []


def test_wrong_nonce_saves_nothing() -> None:
    """An ID token with another nonce isn't stored."""
    claims = urlsafe_b64encode(json.dumps({"nonce": "canary", "aud": "batch"}).encode()).decode()
    reply = {"access_token": "t", "token_type": "Bearer", "id_token": f"eyJhIjoxfQ.{claims}.c2ln"}
    context = ctx(json_reply(json.dumps(reply).replace("=", "")))
    with pytest.raises(ReplyError, match="nonce"):
        run(context, profile(scope="openid"))
    assert context.fake_store.stored_tokens == {}


def test_code_is_sent_once() -> None:
    """RFC 6749 section 4.1.2: a second use may revoke the tokens of the first."""
    for failure in (UnreachableError("reset"), json_reply("{}", 503), json_reply("<html>", 200)):
        context = ctx(failure, GOOD)
        with pytest.raises((UnreachableError, RefusedError, ReplyError)):
            run(context, profile())
        (sent,) = context.transport.requests
        assert not sent.is_retry_safe


def test_the_redirect_uri_is_the_profiles() -> None:
    """Its host, port and path are where the browser is waited for."""
    own = SignIn(redirect_host="localhost", redirect_port=8400, redirect_path="")
    for told, expected in (
        (SignIn(), (None, "127.0.0.1", "/callback")),
        (own, (8400, "localhost", "")),
    ):
        context = ctx(GOOD)
        run(context, profile(sign_in=told))
        assert context.browser.listened_at == [expected]


def test_sign_in_timeout() -> None:
    """Five minutes, or the time of the profile or --wait; then the port is closed."""
    for told, limit in ((SignIn(), 300.0), (SignIn(wait=900.0), 900.0)):
        context = ctx(terminal=True)
        context.browser.response_queries = []
        began = context.clock.now()
        with pytest.raises(LoginRequiredError, match="no redirect from id") as timeout:
            run(context, profile(sign_in=told))
        assert "register http://127.0.0.1:49152/callback" in (timeout.value.cause or "")
        assert limit <= context.clock.now() - began <= limit + 1
        assert context.browser.close_count == 1
        assert context.terminal.waits == ["waiting for you to sign in"]


def test_url_is_shown_without_browser() -> None:
    """If the profile says so, or the browser can't be opened."""
    for user_profile, usable in (
        (profile(sign_in=SignIn(browser=False)), True),
        (profile(), False),
    ):
        context = ctx(GOOD, terminal=True)
        context.browser.is_available = usable
        context.browser.response_queries = []
        context.terminal.typed_lines = [
            "",
            "hello there",
            "http://127.0.0.1/callback?code=a&state=b",
        ]
        context.terminal.typed_lines.append("canary-pasted-code")
        run(context, user_profile)
        assert context.browser.opened_urls == []
        assert any(
            text.startswith("https://id.example.com/auth") for text in context.terminal.messages
        )
        assert b"code=canary-pasted-code" in context.transport.requests[0].body


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
def test_part_of_an_address_is_not_a_code(piece: str) -> None:
    """It would end the sign-in. Codes with slashes, dots and = are accepted."""
    context = ctx(GOOD, terminal=True)
    context.browser.response_queries = []
    context.terminal.typed_lines = [piece, "4/0Af_x.y-z=="]
    run(context, profile(sign_in=SignIn(browser=False)))
    assert b"code=4%2F0Af_x.y-z%3D%3D&" in context.transport.requests[0].body
    assert any("paste the whole address" in text for text in context.terminal.messages)


def test_bare_code_without_iss_is_refused() -> None:
    """RFC 9207: without the address there is no iss to compare."""
    context = ctx(GOOD, terminal=True)
    context.browser.response_queries = []
    context.terminal.typed_lines = ["canary-pasted-code"]
    user_profile = profile(issuer="https://id.example.com", sign_in=SignIn(iss_in_redirect=True))
    with pytest.raises(LoginRequiredError, match="no redirect from id"):
        run(context, user_profile)
    assert any("paste the whole address" in text for text in context.terminal.messages)


def test_no_user_ends_login_at_once() -> None:
    """Without a terminal and a browser, unless --wait says that someone reads the output."""
    context = ctx(GOOD)
    context.browser.is_available = False
    with pytest.raises(LoginRequiredError, match="neither a browser nor a terminal"):
        run(context, profile())
    assert context.browser.close_count == 0
    run(context, profile(sign_in=SignIn(wait=60.0)))


def test_refused_url_is_not_shown() -> None:
    """If the browser refuses the URL, the sign-in ends."""
    context = ctx(GOOD)

    def refuses(url: str) -> bool:
        raise ConfigError("no")

    context.browser.open_url = refuses  # type: ignore[method-assign]
    with pytest.raises(ConfigError):
        run(context, profile())
    assert not any("authorize" in text for text in context.terminal.messages)


def test_login_summary() -> None:
    """Lifetime, granted and refused scopes, and how the token can be renewed."""
    user_profile = profile(scope="read write offline_access")
    reply = {"access_token": "t", "expires_in": 3600, "scope": "read", "refresh_expires_in": 86400}
    bare = log_in(user_profile, ctx(json_reply(json.dumps(reply)))).token_result
    expiry = format_time(bare.token.expires_at or 0)
    assert list(describe_login(user_profile, bare)) == [
        f"got a token valid for 1 hour, until {expiry}",
        "scope read",
        "scope not granted: write offline_access",
        "without a refresh token, so you must sign in again after that",
    ]
    reply |= {"refresh_token": "r", "scope": None}
    whole = log_in(user_profile, ctx(json_reply(json.dumps(reply)))).token_result
    assert list(describe_login(user_profile, whole)) == [
        f"got a token valid for 1 hour, until {format_time(whole.token.expires_at or 0)}",
        "scope read write offline_access",
        "with a refresh token valid for 1 day",
    ]


def test_scopes_with_commas() -> None:
    """GitHub is sent spaces and replies with commas; other providers don't."""
    reply = json_reply('{"access_token": "t", "token_type": "bearer", "scope": "repo,gist"}')
    for provider, said in (
        ("github", ["scope repo gist"]),
        ("oauth2", ["scope repo,gist", "scope not granted: repo gist"]),
    ):
        context = ctx(reply)
        user_profile = replace(profile(scope="repo gist"), provider=load_builtin(provider))
        done = log_in(user_profile, context).token_result
        assert [
            text
            for text in describe_login(user_profile, done)
            if "scope" in text or "asked" in text
        ] == said
        assert "scope=repo+gist" in context.browser.opened_urls[0]


def test_slack_user_token() -> None:
    """It is in a nested member, after a refresh at the top level; scopes have commas."""
    inside = {"access_token": "xoxp-1", "refresh_token": "r1", "expires_in": 43200, "scope": "a,b"}
    reply = {"ok": True, "app_id": "A", "authed_user": {"id": "U", **inside, "token_type": "user"}}
    renewed = {"ok": True, **inside, "access_token": "xoxp-2", "token_type": "user"}
    user_profile = replace(profile(scope="a b"), provider=load_builtin("slack"))
    context = ctx(json_reply(json.dumps(reply)), json_reply(json.dumps(renewed)))
    token = log_in(user_profile, context).token_result.token
    assert (token.access_token, token.refresh_token) == (Secret("xoxp-1"), Secret("r1"))
    assert (token.lifetime, token.scope) == (43200, "a b")
    context.clock.current_time += 43200
    assert get_token(user_profile, context).token.access_token == Secret("xoxp-2")
    traded, refreshed = (request.body.decode() for request in context.transport.requests)
    assert "code_verifier=" in traded
    assert "client_id=batch" in refreshed
    for sent in (traded, refreshed):
        assert "client_secret" not in sent


class SignalRecordingContext(FakeContext):
    """A context that records when signals are deferred and delivered, among the store's events."""

    @contextmanager
    def defer_signals(self, purpose: str, *, keep_reply: bool = True) -> Iterator[None]:  # type: ignore[override]
        self.fake_store.events.append("hold")
        yield
        self.fake_store.events.append("deliver")


def test_signals_are_deferred_from_code_to_save() -> None:
    """And only then: Ctrl-C works while the user signs in."""
    context = SignalRecordingContext(terminal=FakeTerminal(interactive=True))
    context.transport.replies = [GOOD]

    def record_locks(url: str) -> str:
        context.fake_store.events.append("person")
        return redirect_query(url)

    context.browser.response_queries = [record_locks]
    run(context, profile())
    events = [event for event in context.fake_store.events if event not in ("lock", "unlock")]
    assert events == ["prepare", "person", "hold", "prepare", "save", "deliver"]


def test_signals_work_between_device_polls() -> None:
    """Each poll without a token delivers them."""
    told = {
        "device_code": "d",
        "user_code": "u",
        "verification_uri": "https://id.example.com/device",
        "expires_in": 600,
    }
    context = SignalRecordingContext(terminal=FakeTerminal(interactive=True))
    pending = json_reply('{"error": "authorization_pending"}', 400)
    context.transport.replies = [json_reply(json.dumps(told)), pending, GOOD]
    endpoints = {"device_authorization": "https://id.example.com/device"}
    run(context, profile(grant="device_code", endpoints=endpoints))
    events = [event for event in context.fake_store.events if event not in ("lock", "unlock")]
    assert events == ["prepare", "hold", "deliver", "hold", "prepare", "save", "deliver"]
