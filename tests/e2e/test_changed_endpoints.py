"""A login survives a change of the endpoints that aren't part of it, and sends its token nowhere new."""

import time
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.servers.configured import Configure
from tokencli.app import App, AppOptions
from tokencli.models import Secret, StoredTokenSet, TokenSet
from tokencli.token_store.credential_key import derive_binding

TOKEN = "canary-login-token"
PROFILE = """
[profiles.p]
provider = "oauth2"
grant = "device_code"
client_id = "batch"
client_auth = "none"
token_url = "https://id.example.com/token"
device_authorization_url = "https://id.example.com/device"
store = "file"
"""
USERINFO = 'userinfo_url = "https://graph.example.com/me"\n'
OTHER_USERINFO = 'userinfo_url = "https://127.0.0.1:9/me"\n'
INTROSPECTION = 'introspection_url = "https://127.0.0.1:9/introspect"\n'
REVOCATION = 'revocation_url = "https://revoke.example.com/"\n'


def log_in(config: Path) -> None:
    """Store a token as a login with this configuration would."""
    app = App(AppOptions(config=str(config)))
    profile, now = app.get_profile("p", anew=None), time.time()
    token = TokenSet(Secret(TOKEN), "Bearer", now, now + 3600, Secret("canary-refresh"))
    app.token_store(profile).save(StoredTokenSet(derive_binding(profile), token))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", USERINFO),
        (USERINFO, ""),
        (USERINFO, OTHER_USERINFO),
        (USERINFO, USERINFO + INTROSPECTION),
        (USERINFO + INTROSPECTION, REVOCATION + USERINFO),
        (REVOCATION, USERINFO + INTROSPECTION),
    ],
)
def test_login_is_found(tokencli: Run, configure: Configure, before: str, after: str) -> None:
    """An endpoint on another server was added, removed or changed, once or several times."""
    log_in(configure(PROFILE + before))
    for text in (after, before, after):
        configure(PROFILE + text)
        got = tokencli("get", "p")
        assert (got.code, got.out) == (0, TOKEN + "\n"), got.err
        assert tokencli("inspect", "p").code == 0
        assert "no token" not in tokencli("profiles").out
    done = tokencli("logout", "p", "--force")
    assert "deleted 1 token" in done.err
    assert tokencli("get", "p").code == 4


def test_token_is_not_sent_to_a_server_named_later(tokencli: Run, configure: Configure) -> None:
    """The error says so, and that another login allows it; no request is sent."""
    log_in(configure(PROFILE))
    configure(PROFILE + OTHER_USERINFO + INTROSPECTION)
    for option in ("--userinfo", "--introspect"):
        refused = tokencli("inspect", "p", option)
        assert refused.code == 4, refused.err
        assert "userinfo_url = https://127.0.0.1:9" in refused.err
        assert "fix: tokencli login p" in refused.err
    # A login with these endpoints would be sent there.
    log_in(configure(PROFILE + OTHER_USERINFO))
    assert tokencli("inspect", "p", "--userinfo").code == 6


def test_other_changes_still_need_a_login(tokencli: Run, configure: Configure) -> None:
    """A different client or scope is a different credential, and the error says that one is stored."""
    log_in(configure(PROFILE + USERINFO))
    for text in (PROFILE.replace("batch", "other"), PROFILE + 'scope = "admin"\n'):
        configure(text)
        done = tokencli("get", "p")
        assert done.code == 4
        assert "cause: a login is stored for other settings of this profile" in done.err
    tokencli("logout", "p", "--force")
    assert "cause" not in tokencli("get", "p").err
