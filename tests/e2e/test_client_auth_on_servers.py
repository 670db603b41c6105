"""Every client authentication method with every non-interactive grant, against third-party servers."""

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Run
from tests.servers.configured import Configure
from tests.servers.django_toolkit import DjangoToolkit
from tests.servers.keys import KINDS
from tests.servers.oidc_provider import CLIENT_IDS, USER, OidcProvider
from tests.servers.record import ran

pytestmark = pytest.mark.long

OIDC, DJANGO = "oidc-provider", "django-oauth-toolkit"
GRANTS = ("client_credentials", "password", "token_exchange", "jwt_bearer")
PAIRS = [
    (grant, method)
    for grant in GRANTS
    for method in CLIENT_IDS
    if (grant, method) != ("client_credentials", "none")  # RFC 6749 section 4.4
]


def password_profile(server: OidcProvider, name: str, method: str, **more: object) -> str:
    """Return a profile for the password grant."""
    return server.profile(
        name,
        method=method,
        grant="password",
        username=f'"{USER}"',
        password=f'{{ file = "{server.folder / "password"}" }}',
        allow_password_grant="true",
        **{"scope": '"openid offline_access"', **more},
    )


def profiles(server: OidcProvider, grant: str, method: str) -> str:
    """Return the configuration of a profile `p` for the grant, and the profiles it refers to."""
    match grant:
        case "password":
            return password_profile(server, "p", method)
        case "client_credentials":
            return server.profile("p", method=method, grant=grant, scope='"read"')
        case "token_exchange":
            subject = '{ profile = "subject" }'
            exchange = server.profile(
                "p", method=method, grant=grant, subject_token=subject, audience='"an-api"'
            )
            return exchange + password_profile(server, "subject", "client_secret_post")
        case _:
            key = f'{{ file = "{server.keys.path("ES256")}" }}'
            more: dict[str, object] = {"username": f'"{USER}"', "scope": '"openid"'}
            return server.profile("p", method=method, grant=grant, private_key=key, **more)


@pytest.mark.parametrize(("grant", "method"), PAIRS, ids=["-".join(pair) for pair in PAIRS])
def test_token_by_each_grant_and_method(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    grant: str,
    method: str,
) -> None:
    """A token is issued, and the server logged the authentication method in use."""
    configure(profiles(oidc_provider, grant, method))
    done = tokencli("get", "p")
    assert (done.code, len(done.out) > 20) == (0, True), done.err
    seen = oidc_provider.events()[-1]
    assert (seen["event"], seen["client_auth"]) == ("granted", method)
    assert grant.replace("_", "-") in seen["grant_type"].replace("_", "-")
    ran(OIDC, grant, method)


@pytest.mark.parametrize("method", CLIENT_IDS)
def test_refresh_by_each_method(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    method: str,
) -> None:
    """The refresh token rotates, and each new one can be used for the next refresh."""
    configure(password_profile(oidc_provider, "p", method))
    assert tokencli("get", "p").code == 0
    tokens = {tokencli("refresh", "p").out for _ in range(3)}
    assert len(tokens - {""}) == 3
    seen = oidc_provider.events()[-1]
    assert (seen["grant_type"], seen["client_auth"]) == ("refresh_token", method)
    ran(OIDC, "refresh_token", method)


@pytest.mark.parametrize("alg", KINDS)
def test_private_key_jwt_by_each_algorithm(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    alg: str,
) -> None:
    """RS, PS, ES and EdDSA algorithms work, with the key id and the certificate thumbprints."""
    keys = oidc_provider.keys
    text = oidc_provider.profile(
        "p",
        method="private_key_jwt",
        grant="client_credentials",
        private_key=f'{{ file = "{keys.path(alg)}" }}',
        signing_alg=f'"{alg}"',
        key_id=f'"{alg}"',
        client_cert=f'"{keys.client_cert}"',
    )
    configure(text)
    done = tokencli("get", "p")
    assert done.code == 0, done.err


@pytest.mark.parametrize("audience", ["issuer", "token_endpoint"])
def test_assertion_audience(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    audience: str,
) -> None:
    """The server accepts its issuer and its token endpoint as the audience, and nothing else."""
    of_issuer = {"issuer": f'"{oidc_provider.issuer}"', "assertion_audience": f'"{audience}"'}
    elsewhere = {"assertion_audience": '"https://other.example.com"'}
    method, grant = "client_secret_jwt", "client_credentials"
    configure(
        oidc_provider.profile("p", method=method, grant=grant, **of_issuer)
        + oidc_provider.profile("q", method=method, grant=grant, **elsewhere)
    )
    assert tokencli("get", "p").code == 0
    refused = tokencli("get", "q")
    assert (refused.code, refused.out) == (5, "")
    assert "invalid_client" in refused.err


@pytest.mark.parametrize("place", ["env", "command"])
def test_private_key_from_every_secret_source(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    place: str,
) -> None:
    """A multi-line key is read completely from a variable and from a command."""
    path = oidc_provider.keys.path("RS256")
    where = {"env": '{ env = "SIGNING_KEY" }', "command": f'{{ command = ["cat", "{path}"] }}'}
    configure(
        oidc_provider.profile(
            "p", method="private_key_jwt", grant="client_credentials", private_key=where[place]
        )
    )
    done = tokencli("get", "p", env={"SIGNING_KEY": path.read_text()})
    assert done.code == 0, done.err
    assert "PRIVATE" not in done.err


@pytest.mark.parametrize(
    ("passphrase", "says"),
    [("the wrong one", "does not decrypt it"), (None, "has no key_passphrase")],
)
def test_encrypted_key_without_passphrase(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
    passphrase: str | None,
    says: str,
) -> None:
    """It is an error, OpenSSL doesn't prompt, and nothing is sent."""
    place = '{ env = "KEY_PASSPHRASE" }' if passphrase else None
    before = len(oidc_provider.events())
    configure(
        oidc_provider.profile(
            "p", method="tls_client_auth", grant="client_credentials", key_passphrase=place
        )
    )
    done = tokencli("get", "p", env={"KEY_PASSPHRASE": passphrase or ""})
    assert (done.code, done.out) == (4, "")
    assert says in done.err and "nothing was sent" in done.err
    assert len(oidc_provider.events()) == before


def test_certificate_bound_token(
    oidc_provider: OidcProvider,
    tokencli: Run,
    configure: Configure,
) -> None:
    """The token is bound to the client certificate (RFC 8705 section 3)."""
    configure(
        oidc_provider.profile(
            "p",
            method="tls_client_auth",
            grant="client_credentials",
            client_id='"bound"',
            client_key=f'"{oidc_provider.keys.client_key}"',
            key_passphrase=None,
            introspection_url=f'"{oidc_provider.url("introspection")}"',
        )
    )
    assert tokencli("get", "p").code == 0
    seen = json.loads(tokencli("inspect", "p", "--introspect", "--json").out)
    assert set(seen["introspection"]["cnf"]) == {"x5t#S256"}


@pytest.fixture(scope="session")
def django_toolkit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoToolkit]:
    """Run one django-oauth-toolkit for the whole session."""
    with DjangoToolkit(tmp_path_factory.mktemp("django-toolkit"), grace=120) as server:
        yield server


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("grant", ["password", "client_credentials"])
def test_django_oauth_toolkit_grants(
    django_toolkit: DjangoToolkit,
    tokencli: Run,
    configure: Configure,
    grant: str,
    method: str,
) -> None:
    """Its password and client credentials grants, with reserved characters in id and secret."""
    configure(django_toolkit.profile("p", grant=grant, method=method))
    done = tokencli("get", "p")
    assert (done.code, len(done.out) > 20) == (0, True), done.err
    ran(DJANGO, grant, method)
    if grant == "password":
        renewed = tokencli("refresh", "p")
        assert (renewed.code, renewed.out != done.out) == (0, True)
        assert "new token (refresh token)" in renewed.err
        ran(DJANGO, "refresh_token", method)
    assert tokencli("logout", "p").code == 0
