"""A secret in the real keyring, after the profile was changed to another account."""

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.e2e.test_three_systems import add, right_secrets
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

NAME = f"account-{os.getpid()}"
USER = load_system("groupid").profile_values["username"]


@pytest.fixture
def sandbox(tokencli: Run, keyring_env: dict[str, str]) -> Iterator[Sandbox]:
    """A sandbox and a profile whose secrets are in the keyring."""
    with Sandbox(lifetime=0) as running:
        add(tokencli, running, "groupid", NAME)
        login = tokencli("login", NAME, "--stdin", stdin="\ufeff" + right_secrets("groupid"))
        assert login.code == 0, login.err
        yield running
        tokencli("logout", NAME, "--secrets", "--force")


def edit(tokencli: Run, setting: str) -> None:
    """Change the profile."""
    assert tokencli("profiles", "edit", NAME, "--set", setting).code == 0


def test_password_is_not_sent_for_another_user(sandbox: Sandbox, tokencli: Run) -> None:
    """`get` and `login` say whose it is; typing the other one, or going back, helps."""
    assert tokencli("get", NAME).code == 0
    edit(tokencli, "username=somebody-else")
    before = sandbox.database.token_requests
    shown = tokencli("profiles", "show", NAME)
    assert f"was stored for username {USER}" in shown.out
    for command in ("get", "login"):
        done = tokencli(command, NAME)
        assert done.code == 4, done.err
        assert f"was stored for username {USER}, but the profile now has" in done.err
        assert f"fix: tokencli login {NAME} --again" in done.err
    assert sandbox.database.token_requests == before
    refused = tokencli("login", NAME, "--again", "--stdin", stdin=right_secrets("groupid"))
    assert refused.code == 5 and sandbox.database.token_requests == before + 1
    assert "stored for username" in tokencli("get", NAME).err, "undone with the refused password"
    edit(tokencli, f"username={USER}")
    assert tokencli("get", NAME).code == 0


def test_issuer_that_verifies_tokens_changes_no_account(sandbox: Sandbox, tokencli: Run) -> None:
    """The fix of `inspect --verify` leaves the stored secrets usable."""
    assert tokencli("get", NAME).code == 0
    failed = tokencli("inspect", NAME, "--verify")
    assert "issuer" in failed.err
    issuer = f"{sandbox.url}/GroupIDSecurityService"
    changed = tokencli("profiles", "edit", NAME, "--set", f"issuer={issuer}")
    assert changed.code == 0 and "warning" not in changed.err
    assert tokencli("refresh", NAME).code == 0
    assert tokencli("get", NAME, "--force").code == 0
    assert tokencli("profiles", "edit", NAME, "--unset", "issuer").code == 0
    assert tokencli("get", NAME, "--force").code == 0


def test_edit_says_which_secrets_become_unusable(sandbox: Sandbox, tokencli: Run) -> None:
    """It doesn't wait until the stored token expires, e.g. in a cron job."""
    done = tokencli("profiles", "edit", NAME, "--set", "username=somebody-else")
    assert done.code == 0
    assert f"the password was stored for username {USER}, but the profile now has" in done.err
    assert f"tokencli login {NAME} --again" in done.err and "client_secret" not in done.err


@pytest.mark.parametrize("by_hand", [True, False])
def test_secret_without_a_record(sandbox: Sandbox, tokencli: Run, by_hand: bool) -> None:
    """One that release 0.1 stored is bound to the account for which it was accepted first.

    One that a person or another program manages is used for any account, as before.
    """
    assert tokencli("logout", NAME, "--secrets").code == 0
    lines = right_secrets("groupid").splitlines()
    for name, secret in zip(("password", "client_secret"), lines, strict=False):
        subprocess.run(
            ["secret-tool", "store", "--label", "x", "service", f"tokencli:{NAME}:{name}",
             "username", "me" if by_hand else sandbox.url],
            input=secret, text=True, check=True,
        )  # fmt: skip
    edit(tokencli, "username=somebody-else")
    assert tokencli("get", NAME).code == 5, "a refusal shows nothing about whose it is"
    edit(tokencli, f"username={USER}")
    assert tokencli("get", NAME).code == 0
    edit(tokencli, "username=somebody-else")
    done = tokencli("get", NAME)
    assert done.code == (5 if by_hand else 4), done.err
    assert (f"was stored for username {USER}" in done.err) is not by_hand
    edit(tokencli, f"username={USER}")
    assert tokencli("get", NAME).code == 0
