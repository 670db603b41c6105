"""Token exchange, DPoP, revocation, verification and refresh against third-party servers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Run, script
from tests.servers.configured import Configure
from tests.servers.django_toolkit import DjangoToolkit
from tests.servers.oidc_provider import PASSWORD, USER, OidcProvider
from tokencli.jwt.decode import decode_token

pytestmark = pytest.mark.long


def password_profile(server: OidcProvider, name: str = "p", **more: object) -> str:
    """Return a public client's profile for the password grant."""
    told: dict[str, object] = {
        "username": f'"{USER}"',
        "password": f'{{ file = "{server.folder / "password"}" }}',
        "allow_password_grant": "true",
        "scope": '"openid offline_access"',
        "issuer": f'"{server.issuer}"',
    }
    return server.profile(name, grant="password", **{"method": "none", **told, **more})  # type: ignore[arg-type]


def test_token_exchange(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """Subject and actor tokens come from other profiles, and the new token names both."""
    exchange = oidc_provider.profile(
        "p",
        method="client_secret_post",
        grant="token_exchange",
        subject_token='{ profile = "subject" }',
        actor_token='{ profile = "actor" }',
        audience='"an-api"',
        scope='"read"',
        resource='"https://api.example.com/"',
        introspection_url=f'"{oidc_provider.url("introspection")}"',
    )
    configure(
        exchange
        + password_profile(oidc_provider, "subject")
        + password_profile(oidc_provider, "actor")
    )
    done = tokencli("get", "p")
    assert done.code == 0, done.err
    told = tokencli("inspect", "p", "--introspect", "--json")
    assert told.code == 0, told.err
    seen = json.loads(told.out)["introspection"]
    assert (seen["sub"], seen["exchanged_for"], seen["act"]) == (USER, "an-api", {"sub": USER})
    assert (seen["aud"], seen["scope"]) == ("https://api.example.com/", "read")


def test_stored_token_belongs_to_its_subject_token(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """A stored token is used only for the subject token that it was issued for."""
    one = oidc_provider.profile(
        "p",
        method="client_secret_post",
        grant="token_exchange",
        subject_token="{ stdin = true }",
    )
    configure(one + password_profile(oidc_provider, "a") + password_profile(oidc_provider, "b"))
    subjects = [tokencli("get", name).out for name in ("a", "b")]
    first = tokencli("get", "p", stdin=subjects[0])
    assert first.code == 0, first.err
    assert tokencli("get", "p", stdin=subjects[0]).out == first.out
    other = tokencli("get", "p", stdin=subjects[1])
    assert (other.code, other.out != first.out) == (0, True)
    nobody = tokencli("get", "p", stdin="")
    assert (nobody.code, nobody.out) == (4, "")


def test_exchanged_token_that_is_no_access_token(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """A response of type N_A is accepted, but gives no header (RFC 8693 section 2.2.1)."""
    exchange = oidc_provider.profile(
        "p",
        method="client_secret_post",
        grant="token_exchange",
        subject_token='{ profile = "subject" }',
        requested_token_type='"jwt"',
    )
    configure(exchange + password_profile(oidc_provider, "subject"))
    assert tokencli("get", "p").code == 0
    header = tokencli("get", "p", "--format", "header")
    assert (header.code, header.out) == (2, "")
    assert "not an access token" in header.err


def test_circular_subject_profiles(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """It is an error: nothing is sent, and nothing hangs."""
    configure(
        "".join(
            oidc_provider.profile(
                name,
                method="none",
                grant="token_exchange",
                subject_token=f'{{ profile = "{other}" }}',
            )
            for name, other in (("a", "b"), ("b", "a"))
        )
    )
    done = tokencli("get", "a")
    assert done.code == 3
    assert "a -> b -> a" in done.err


def test_ready_made_assertion(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """One assertion gives one token, which is reused while the assertion's subject is the same."""
    profile = oidc_provider.profile(
        "p", method="none", grant="jwt_bearer", assertion='{ env = "ASSERTION" }', scope='"openid"'
    )
    configure(profile)
    code = (
        "import sys, time; from tokencli.jwt.sign import load_private_key; from tokencli.models import Secret\n"
        "key = load_private_key(Secret(open(sys.argv[1]).read())); now = int(time.time())\n"
        "claims = dict(iss='i', sub='jdoe', aud=sys.argv[2], jti=sys.argv[3], exp=now + 60)\n"
        "print(key.sign_jwt(dict(alg='ES256', kid='ES256'), claims))"
    )

    def assertion(jti: str) -> dict[str, str]:
        path = str(oidc_provider.keys.path("ES256"))
        command = [sys.executable, "-c", code, path, oidc_provider.issuer, jti]
        made = subprocess.run(command, capture_output=True, text=True, check=True)
        return {"ASSERTION": made.stdout.strip()}

    one, two = assertion("one-canary"), assertion("two-canary")
    first = tokencli("get", "p", env=one)
    assert first.code == 0, first.err
    assert tokencli("get", "p", env=two).out == first.out
    assert tokencli("refresh", "p", env=one).code == 5  # it was used before
    assert tokencli("refresh", "p", env=two).code == 0


def test_dpop(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """The nonce costs one refusal and is stored, the key is reused, and a proof opens userinfo."""
    configure(password_profile(oidc_provider, client_id='"dpop"', dpop="true"))
    before = len(oidc_provider.events())
    first = tokencli("get", "p")
    assert first.code == 0, first.err
    assert "each request needs a proof" in first.err
    renewed = tokencli("refresh", "p")
    assert (renewed.code, renewed.out != first.out) == (0, True), renewed.err
    seen = [event for event in oidc_provider.events()[before:] if event["client_id"] == "dpop"]
    assert [event.get("error") or event["event"] for event in seen] == [
        *("use_dpop_nonce", "granted"),
        "granted",
    ]
    told = json.loads(tokencli("inspect", "p", "--userinfo", "--introspect", "--json").out)
    assert told["userinfo"]["sub"] == USER
    assert set(told["introspection"]["cnf"]) == {"jkt"}

    url = oidc_provider.url("userinfo")
    shown = tokencli("get", "p", "--format", "dpop", "--url", f"{url}?a=b", "--nonce", "n")
    scheme, proof = (line.partition(": ")[2] for line in shown.out.splitlines())
    assert scheme == f"DPoP {renewed.out.strip()}"
    claims = decode_token(proof).claims
    assert (claims["htm"], claims["htu"], claims["nonce"]) == ("GET", url, "n")
    assert (tokencli("get", "p", "--format", "dpop").code, shown.code) == (2, 0)


def test_unbound_token_is_rejected(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    tmp_path: Path,
) -> None:
    """A Bearer token for a DPoP profile is an error (RFC 9449 section 5)."""
    with DjangoToolkit(tmp_path) as server:
        configure(server.profile("p", grant="client_credentials") + "dpop = true\n")
        done = tokencli("get", "p")
    assert (done.code, done.out) == (7, "")
    assert "not bound" in done.err


def test_logout_revokes(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """Both tokens are valid before a logout and invalid after it."""
    configure(password_profile(oidc_provider))
    token = tokencli("get", "p").out
    check = ("inspect", "-", "--profile", "p", "--introspect", "--json")
    assert json.loads(tokencli(*check, stdin=token).out)["introspection"]["active"] is True
    done = tokencli("logout", "p")
    assert (done.code, "revoked the refresh token and the access token" in done.err) == (0, True)
    after = tokencli(*check, stdin=token)
    assert json.loads(after.out)["introspection"] == {"active": False}
    assert after.code == 9
    assert tokencli("inspect", "p").code == 4


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES512", "EdDSA"])
def test_verification_by_the_issuers_keys(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    alg: str,
) -> None:
    """A JWT access token is valid; altered, for another audience or with HS256 it isn't."""
    resource = f"https://api.example.com/{alg}"
    more = {"resource": f'"{resource}"', "scope": '"read"', "issuer": f'"{oidc_provider.issuer}"'}
    configure(
        oidc_provider.profile("p", method="client_secret_post", grant="client_credentials", **more)
    )
    token = tokencli("get", "p").out.strip()
    good = tokencli("inspect", "p", "--verify", "--json")
    assert good.code == 0, good.err
    assert json.loads(good.out)["verified_by"] == {"alg": alg, "kid": alg}

    head, payload, signature = token.split(".")
    changed = f"{head}.{payload[:-8]}{payload[-8:].swapcase()}.{signature}"
    for text in (changed, f"{head}.{payload}.{signature[:-8]}{signature[-8:].swapcase()}"):
        bad = tokencli("inspect", "-", "-p", "p", "--verify", stdin=text)
        assert bad.code == 9
        assert bad.out.startswith("NOT VERIFIED")


@pytest.fixture
def server_with_grace_period(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoToolkit]:
    """Run a server with a grace period for spent refresh tokens."""
    with DjangoToolkit(tmp_path_factory.mktemp("server_with_grace_period"), grace=120) as server:
        yield server


def test_simultaneous_refreshes_within_a_grace_period(
    server_with_grace_period: DjangoToolkit, tokencli: Run, configure: Configure
) -> None:
    """All twenty processes get a token, and the stored one can be refreshed again."""
    configure(server_with_grace_period.profile("p", grant="password"))
    assert tokencli("get", "p").code == 0
    running = [
        subprocess.Popen(
            [script(), "refresh", "p"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(20)
    ]
    done = [(process.communicate(timeout=120), process.returncode) for process in running]
    assert [code for _, code in done] == [0] * 20, [err for (_, err), _ in done]
    assert tokencli("refresh", "p").code == 0


def test_no_secret_is_shown(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """Keys, assertions, proofs and passwords appear neither in -vv output, in dry runs nor in errors."""
    key = oidc_provider.keys.path("ES256")
    configure(
        oidc_provider.profile(
            "p",
            method="private_key_jwt",
            grant="token_exchange",
            subject_token='{ profile = "subject" }',
        )
        + password_profile(oidc_provider, "subject", dpop="true")
    )
    done = tokencli("get", "p", "-vv")
    assert done.code == 0, done.err
    inner = "".join(key.read_text().splitlines()[1:-1])
    for secret in (PASSWORD, inner[:40], "eyJ", done.out.strip()):
        assert secret not in done.err
