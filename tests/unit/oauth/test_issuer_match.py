"""Whom a token must name: the profile's issuer to the letter, or the tenant that the token is of."""

import pytest

from tests.fakes import make_profile
from tokencli.models import Profile
from tokencli.oauth.discovery import matches_issuer

HOST = "https://login.microsoftonline.com"
MINE = "11111111-2222-3333-4444-555555555555"
OTHER = "72f988bf-86f1-41af-91ab-2d7cd011db47"


def entra(tenant: str, issuer: str | None = None) -> Profile:
    """Return a profile of the provider whose server has many tenants."""
    return make_profile(
        "entra",
        values={"client_id": "native", "tenant": tenant},
        issuer=issuer or f"{HOST}/{tenant}/v2.0",
    )


NAMES = ("common", "organizations", "consumers", "acme.example", "acme.onmicrosoft.com")


@pytest.mark.parametrize("tenant", NAMES)
def test_a_tenant_by_another_name_is_the_one_that_the_token_is_of(tenant: str) -> None:
    """The issuer with the token's own `tid`, a GUID, in the tenant's place."""
    assert matches_issuer(entra(tenant), {"iss": f"{HOST}/{OTHER}/v2.0", "tid": OTHER})


def test_a_token_that_leaves_its_tenant_out_names_one_by_its_issuer_alone() -> None:
    """Microsoft's document: without the scope `profile` there is no `tid`."""
    assert matches_issuer(entra("common"), {"iss": f"{HOST}/{OTHER}/v2.0"})


REFUSED: dict[str, dict[str, object]] = {
    "no issuer": {"tid": OTHER},
    "no tenant at all": {"iss": f"{HOST}//v2.0"},
    "a tenant that is nothing": {"iss": f"{HOST}/{OTHER}/v2.0", "tid": None},
    "another host and no claim": {"iss": f"https://evil.example/{OTHER}/v2.0"},
    "any character for a dot": {"iss": f"https://loginxmicrosoftonline.com/{OTHER}/v2.0"},
    "a line after it": {"iss": f"{HOST}/{OTHER}/v2.0\n"},
    "an issuer that is no text": {"iss": [f"{HOST}/{OTHER}/v2.0"], "tid": OTHER},
    "another tenant": {"iss": f"{HOST}/{OTHER}/v2.0", "tid": MINE},
    "a tenant in another case": {"iss": f"{HOST}/{OTHER}/v2.0", "tid": OTHER.upper()},
    "another host": {"iss": f"https://evil.example/{OTHER}/v2.0", "tid": OTHER},
    "a host that begins alike": {"iss": f"{HOST}.evil.example/{OTHER}/v2.0", "tid": OTHER},
    "another version": {"iss": f"https://sts.windows.net/{OTHER}/", "tid": OTHER},
    "a slash at the end": {"iss": f"{HOST}/{OTHER}/v2.0/", "tid": OTHER},
    "http": {"iss": f"http://login.microsoftonline.com/{OTHER}/v2.0", "tid": OTHER},
    "the name instead of the tenant": {"iss": f"{HOST}/common/v2.0"},
    "the name as a tenant": {"iss": f"{HOST}/common/v2.0", "tid": "common"},
    "the template itself": {"iss": f"{HOST}/{{tenantid}}/v2.0", "tid": "{tenantid}"},
    "a path as a tenant": {"iss": f"{HOST}/a/b/v2.0", "tid": "a/b"},
    "a tenant that is no text": {"iss": f"{HOST}/7/v2.0", "tid": 7},
    "a tenant with more": {"iss": f"{HOST}/{OTHER}x/v2.0", "tid": f"{OTHER}x"},
    "a tenant with a line after it": {"iss": f"{HOST}/{OTHER}%0A/v2.0", "tid": f"{OTHER}\n"},
}


@pytest.mark.requirement(20)
@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
def test_nothing_else_is_the_issuer(claims: dict[str, object]) -> None:
    """Neither another host nor a tenant that is no GUID, nor one that the token itself is not of."""
    assert not matches_issuer(entra("common"), claims)


def test_a_tenant_that_the_profile_names_by_its_guid_is_that_one() -> None:
    """Whatever tenant the token says that it is of."""
    assert matches_issuer(entra(MINE), {"iss": f"{HOST}/{MINE}/v2.0", "tid": MINE})
    assert matches_issuer(entra(MINE), {"iss": f"{HOST}/{MINE}/v2.0"})
    assert not matches_issuer(entra(MINE), {"iss": f"{HOST}/{OTHER}/v2.0", "tid": OTHER})


def test_an_issuer_that_the_profile_writes_out_is_that_one() -> None:
    """A person's own word stands above the provider's."""
    told = entra("common", issuer=f"{HOST}/{MINE}/v2.0")
    assert matches_issuer(told, {"iss": f"{HOST}/{MINE}/v2.0", "tid": MINE})
    assert not matches_issuer(told, {"iss": f"{HOST}/{OTHER}/v2.0", "tid": OTHER})


def test_other_servers_have_one_name_each() -> None:
    """A `tid` says nothing where the provider does not say that it does."""
    issuer = f"https://id.example.com/{MINE}/v2.0"
    plain = make_profile(issuer=issuer)
    assert matches_issuer(plain, {"iss": issuer})
    assert not matches_issuer(plain, {"iss": issuer.replace(MINE, OTHER), "tid": OTHER})
    assert matches_issuer(make_profile(), {"iss": "https://anybody.example"})
