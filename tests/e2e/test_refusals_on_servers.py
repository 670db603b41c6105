"""What refusals of a third-party server are taken for: its wording, not ours."""

import pytest

from tests.conftest import Run
from tests.servers.configured import Configure
from tests.servers.oidc_provider import CLIENT_IDS, USER, OidcProvider

pytestmark = pytest.mark.long

WRONG = '{ env = "WRONG_SECRET" }'
SETTINGS: dict[str, tuple[str, str, dict[str, object], str, str | None]] = {
    "wrong secret": ("client_credentials", "client_secret_post", {"client_secret": WRONG},
        "the client ID or the client secret is wrong", None),
    "user without a client's secret": ("password", "none", {"client_id": f'"{CLIENT_IDS["client_secret_basic"]}"'},
        "expects this client to authenticate", "tokencli profiles edit p"),
    "unknown client": ("client_credentials", "client_secret_post", {"client_id": '"nobody"'},
        "the client ID or the client secret is wrong", None),
    "wrong password": ("password", "none", {"password": WRONG},
        "the user name or the password is wrong", None),
    "grant": ("client_credentials", "client_secret_post", {"grant_type": '"nope"'},
        "does not support this grant", "tokencli profiles edit p"),
    "path": ("client_credentials", "client_secret_post", {"token_url": "/nothing"},
        "nothing at this URL", "tokencli profiles show p"),
    "key": ("client_credentials", "private_key_jwt", {"private_key": "other"},
        "key", None),
}  # fmt: skip
"""What is wrong -> grant, client authentication, settings, and part of the cause; and the fix."""


@pytest.mark.parametrize("wrong", SETTINGS)
def test_cause_and_fix_of_a_refusal(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
    wrong: str,
) -> None:
    """They name what was set wrong, and the server's own words are in the message."""
    grant, method, settings, cause, fix = SETTINGS[wrong]
    monkeypatch.setenv("WRONG_SECRET", "canary-wrong")
    if settings.get("token_url"):
        settings = {"token_url": f'"{oidc_provider.issuer}/nothing"'}
    if settings.get("private_key"):
        settings = {
            "private_key": f'{{ file = "{oidc_provider.keys.path("RS256")}" }}',
            "signing_alg": '"PS256"',
        }
    if grant == "password":
        settings = {"username": f'"{USER}"', "allow_password_grant": "true", **settings}
        settings.setdefault("password", f'{{ file = "{oidc_provider.folder / "password"}" }}')
    configure(
        oidc_provider.profile("p", method=method, grant=grant, **{"scope": '"openid"', **settings})
    )
    done = tokencli("get", "p")
    assert done.code == 5, done.err
    assert cause in done.err
    assert "canary-wrong" not in done.err
    if fix and not fix.endswith("edit p"):  # a command that opens an editor needs a terminal
        assert f"fix: {fix}\n" in done.err
    else:
        assert "fix:" not in done.err
