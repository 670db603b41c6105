"""The first minute with the sandbox: one command, no account, no keyring, no file changed."""

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import Run, lines
from tokencli.sandbox.system import load_system

FAILING = {
    ("--fail", "503"): 5,
    ("--html",): 7,
    ("--broken-json",): 7,
    ("--no-token",): 7,
    ("--redirect", "307:https://other.example/token"): 7,
    ("--drop", "before"): 6,
}
PROFILES = ("groupid", "screening-eagle", "socialid", "oauth2")


def home() -> set[str]:
    """List everything under HOME."""
    return {str(path) for path in Path(os.environ["HOME"]).rglob("*")}


def test_readme_command_prints_a_token(tokencli: Run) -> None:
    """Only a token on stdout, and HOME stays as it was."""
    before = home()
    done = tokencli("sandbox", "--", "tokencli", "get", "groupid")
    assert done.code == 0, done.err
    assert done.out.count(".") == 2
    assert len(lines(done.out)) == 1
    assert home() == before


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_opens_its_resource(tokencli: Run, profile: str) -> None:
    """The system's protected resource accepts the token that `get` prints."""
    program = (
        "import os, ssl, subprocess, urllib.request as u\n"
        f"token = subprocess.run(['tokencli', 'get', {profile!r}], check=True,"
        " stdout=subprocess.PIPE, text=True).stdout.strip()\n"
        "context = ssl.create_default_context(cafile=os.environ['SANDBOX_CA_FILE'])\n"
        f"url = os.environ['SANDBOX_URL'] + {load_system(profile).resource_path!r}\n"
        "request = u.Request(url, headers={'Authorization': 'Bearer ' + token})\n"
        "with u.urlopen(request, context=context) as reply: print(reply.status)\n"
    )
    done = tokencli("sandbox", "--", sys.executable, "-c", program)
    assert (done.code, done.out) == (0, "200\n"), done.err


def test_second_get_uses_the_store(tokencli: Run) -> None:
    """Both print the same token, for one request."""
    done = tokencli("sandbox", "-v", "--", "sh", "-c", "tokencli get; tokencli get")
    first, second = lines(done.out)
    assert first == second
    assert done.err.count("POST /GroupIDSecurityService/connect/token") == 1


def test_expired_token_is_refreshed(tokencli: Run) -> None:
    """Every get with too high a --min-ttl is a miss: first the grant, then the refresh token."""
    done = tokencli(
        "sandbox", "-v", "--lifetime", "1s", "--",
        "sh", "-c", "tokencli get; tokencli get --min-ttl 1h; tokencli get --min-ttl 1h",
    )  # fmt: skip
    assert len(set(lines(done.out))) == 3
    assert done.err.count("grant_type=Password -> 200") == 1
    assert done.err.count("grant_type=refresh_token -> 200") == 2


@pytest.mark.parametrize(
    "profile", ["groupid", *(pytest.param(name, marks=pytest.mark.long) for name in PROFILES[1:])]
)
@pytest.mark.parametrize("fault", FAILING, ids=" ".join)
def test_faults_end_in_a_clear_error(tokencli: Run, fault: tuple[str, ...], profile: str) -> None:
    """Nothing on stdout, a short error on stderr, and the documented exit code.

    The trailing comma of the other vendors' samples leaves no doubt about the token, so it is read.
    """
    if fault == ("--broken-json",) and profile != "groupid":
        done = tokencli("sandbox", *fault, "--", "tokencli", "get", profile)
        assert (done.code, len(lines(done.out))) == (0, 1)
        assert "sent a token, but in text that is not valid JSON" in done.err
        return
    done = tokencli("sandbox", *fault, "--", "tokencli", "get", profile)
    assert (done.code, done.out) == (FAILING[fault], ""), done.err
    assert 1 <= len(lines(done.err)) <= 3
    assert "Traceback" not in done.err
    assert "made-up" not in done.err


def test_export_works_verbatim(tokencli: Run) -> None:
    """`eval $(tokencli export)`, unquoted, as people type it."""
    done = tokencli("sandbox", "--", "sh", "-c", 'eval $(tokencli export); echo "$ACCESS_TOKEN"')
    assert done.code == 0, done.err
    assert done.out.count(".") == 2
