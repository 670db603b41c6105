"""Sign-in at the sandbox with the real program: no browser, no network, no account."""

import json
import urllib.parse
import urllib.request
from pathlib import Path

from tests.conftest import Run, lines
from tests.e2e.test_sign_in import run_in_terminal

USERS = """
[users.bob]
password = "made-up-password-of-bob"
claims = { groups = ["admins"] }

[clients.shop]
secret = "made-up-secret-of-shop"
audience = "https://shop.example.com"

[clients.web]
grants = ["authorization_code"]

[clients.legacy]
grants = ["password"]

[lifetimes]
access_token = "5m"
"""


def in_sandbox(tokencli: Run, script: str, *options: str) -> str:
    """Run a shell script in a sandbox and return what it prints."""
    done = tokencli("sandbox", *options, "--", "sh", "-ec", script)
    assert done.code == 0, done.err
    return done.out


def test_browser_sign_in_and_every_check(tokencli: Run) -> None:
    """A token of `corp` is verified, introspected and explained, and ends at logout."""
    out = in_sandbox(
        tokencli,
        "tokencli login corp; tokencli inspect corp --verify --introspect --userinfo --json;"
        " tokencli inspect corp --verify --id-token --json; tokencli get corp > $SANDBOX_CA_FILE.t;"
        " tokencli logout corp;"
        " tokencli inspect --profile corp --introspect --json - < $SANDBOX_CA_FILE.t || true",
        "--sign-in",
        "alice",
    )
    checked, identity, after = map(json.loads, lines(out))
    assert checked["verified"] and checked["active"]
    assert checked["audience"] == ["https://api.example.com"]
    assert checked["userinfo"]["email"] == "alice@example.com"
    assert checked["failed_checks"] == {}
    assert identity["verified"] and identity["subject"] == "alice"
    assert identity["header"]["alg"] == "RS256"  # which OpenID Connect clients expect by default
    assert after["introspection"] == {"active": False}


def test_other_profiles_of_the_sandbox(tokencli: Run) -> None:
    """A device sign-in, a DPoP token at the resource, and an exchanged token."""
    out = in_sandbox(
        tokencli,
        "tokencli login corp; tokencli login tv --wait 1m; tokencli get tv | tokencli inspect --json;"
        " tokencli get on-behalf | tokencli inspect --json;"
        " tokencli inspect oauth2 --json --verify || tokencli get oauth2 > /dev/null;"
        " tokencli inspect oauth2 --json --verify;"
        " tokencli get dpop-demo --format dpop --url $SANDBOX_URL/oauth2/resource |"
        " curl -sS --cacert $SANDBOX_CA_FILE -H @- $SANDBOX_URL/oauth2/resource | tr -d '\\n'",
        "--sign-in",
        "alice",
    )
    tv, exchanged, oauth2, resource = map(json.loads, lines(out))
    assert tv["subject"] == exchanged["subject"] == "alice"
    assert exchanged["audience"] == ["orders"]
    assert oauth2["verified"]
    assert resource["client"] == "batch"


def test_keys_and_certificates(tokencli: Run) -> None:
    """Every method of client authentication works, and each has to be right."""
    out = in_sandbox(
        tokencli,
        "tokencli profiles copy oauth2 jwt --set client_auth=client_secret_jwt;"
        " tokencli profiles edit robot --set username=alice;"
        " for p in private-key mtls robot jwt; do"
        "   tokencli profiles test $p; tokencli get $p > /dev/null;"
        "   tokencli inspect $p --verify --introspect --json; tokencli logout $p;"
        " done;"
        " tokencli profiles edit mtls --set client_cert=$SANDBOX_CA_FILE;"
        " ! tokencli get mtls;"
        " tokencli profiles edit mtls --unset client_cert --unset client_key --set client_auth=none;"
        " ! tokencli get mtls",
    )
    found = [json.loads(line) for line in lines(out) if line.startswith("{")]
    assert [each["subject"] for each in found] == ["private-key", "mtls", "alice", "batch"]
    assert all(each["verified"] and each["active"] for each in found)
    assert not any(line.startswith("ey") for line in lines(out))


def test_logout_offers_to_delete_only_what_it_can(tokencli: Run) -> None:
    """Secrets in files are not the keyring's, so `--secrets` isn't suggested."""
    done = tokencli("sandbox", "--", "sh", "-c", "tokencli get; tokencli logout groupid")
    assert "groupid: deleted 1 token\n" in done.err and "--secrets" not in done.err


def test_token_of_groupid_can_be_verified(tokencli: Run) -> None:
    """Its issuer has metadata, as IdentityServer does."""
    out = in_sandbox(
        tokencli,
        "tokencli profiles edit groupid --set issuer=$SANDBOX_URL/GroupIDSecurityService;"
        " tokencli get groupid > /dev/null; tokencli inspect groupid --verify --json",
    )
    assert json.loads(lines(out)[-1])["verified"]


def test_device_sign_in_by_hand(tokencli: Run) -> None:
    """`login tv` waits until somebody chooses a user on the page that it names."""
    with run_in_terminal("sandbox", "--", "tokencli", "login", "tv") as terminal:
        found = terminal.until(r"(http://127\.0\.0\.1:\d+/oauth2/device)\s")
        code = terminal.until(r"type this code there: ([A-Z-]{9})")[1]
        form = urllib.parse.urlencode({"user_code": code, "user": "alice"}).encode()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        assert b"Signed in" in opener.open(found[1], form, timeout=20).read()
        assert terminal.end() == 0, terminal.said


def test_users_file(tokencli: Run, tmp_path: Path) -> None:
    """Each client has a profile, and its tokens have the claims and the lifetime of the file."""
    (tmp_path / "users.toml").write_text(USERS)
    out = in_sandbox(
        tokencli,
        "for p in shop web legacy; do tokencli login $p; tokencli get $p | tokencli inspect --json; done",
        "--sign-in",
        "bob",
        "--users",
        str(tmp_path / "users.toml"),
    )
    shop, web, legacy = map(json.loads, lines(out))
    assert (shop["subject"], shop["audience"]) == ("shop", ["https://shop.example.com"])
    for token in (web, legacy):
        assert (token["subject"], token["lifetime"]) == ("bob", 300)
        assert token["claims"]["groups"] == ["admins"]


def test_every_client_of_a_users_file_can_be_used(tokencli: Run, tmp_path: Path) -> None:
    """Its profile has the registered redirect URI, and braces in names are just characters."""
    (tmp_path / "users.toml").write_text(
        '[users."{bob}"]\npassword = "made-up-{password}"\n'
        '[clients.host]\nredirect_uris = ["https://x.example/cb", "http://localhost:45991/cb"]\n'
        '[clients.root]\nredirect_uris = ["http://127.0.0.1/"]\n'
        '[clients.bare]\nredirect_uris = ["http://localhost"]\n'
        '[clients.braces]\nscopes = ["{tenant}"]\nsecret = "{s}"\naudience = "{a}"\n'
        '[clients.legacy]\ngrants = ["password"]\n'
    )
    out = in_sandbox(
        tokencli,
        "for p in host root bare braces legacy; do"
        "   tokencli login $p --wait 1m; tokencli inspect $p --verify --json; done",
        "--sign-in",
        "{bob}",
        "--users",
        str(tmp_path / "users.toml"),
    )
    found = list(map(json.loads, lines(out)))
    assert [each["subject"] for each in found] == ["{bob}"] * 3 + ["braces", "{bob}"]
    assert found[3]["scopes"] == ["{tenant}"] and found[3]["audience"] == ["{a}"]


def test_problems_of_a_users_file(tokencli: Run, tmp_path: Path) -> None:
    """The exit code is that of a wrong configuration, all problems are named, no password is shown."""
    path = tmp_path / "users.toml"
    path.write_text('[users.bob]\npasword = "canary-password-7f3a"\n[lifetime]\n')
    done = tokencli("sandbox", "--users", str(path), "--", "echo", "ran")
    assert (done.code, done.out) == (3, "")
    assert "users.bob.pasword" in done.err and "did you mean lifetimes?" in done.err
    assert "fix: tokencli help sandbox" in done.err and "canary" not in done.err


def test_page_is_served_without_tls_and_tokens_are_not(tokencli: Run, tmp_path: Path) -> None:
    """A browser that doesn't trust the CA reaches the page, and a client is told to use https."""
    program = tmp_path / "ask.py"
    program.write_text(
        "import os, urllib.request as u, urllib.error as e\n"
        "plain = os.environ['SANDBOX_URL'].replace('https', 'http')\n"
        "opener = u.build_opener(u.ProxyHandler({}))\n"
        "print('Code:' in opener.open(plain + '/oauth2/device').read().decode())\n"
        "try: opener.open(plain + '/oauth2/token', b'x=1')\n"
        "except e.HTTPError as error: print(error.code, 'use https' in error.read().decode())\n"
    )
    assert in_sandbox(tokencli, f"python3 {program}") == "True\n400 True\n"
