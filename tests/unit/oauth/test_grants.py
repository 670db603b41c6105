"""Grants are driven by hand: no fake is needed to see what they would send."""

from dataclasses import replace

import pytest

from tests.fakes import make_profile
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth import grants
from tokencli.oauth.grants import client_credentials, custom, password, refresh_token
from tokencli.oauth.grants.steps import GrantSpec, GrantSteps, NeedSecret, PostTokenRequest

TOKEN = TokenSet(Secret("t"), "Bearer", 0.0)


def posted(steps: GrantSteps, **secrets: Secret) -> dict[str, object]:
    """Answer a grant's needs and return the parameters that it posts."""
    step = next(steps)
    while isinstance(step, NeedSecret):
        step = steps.send(secrets.get(step.name))
    assert isinstance(step, PostTokenRequest)
    with pytest.raises(StopIteration) as end:
        steps.send(TOKEN)
    assert end.value.value is TOKEN
    return dict(step.params)


def socialid(grant: str, **values: str) -> Profile:
    """Return a Social-ID NOW profile."""
    return make_profile("socialid", grant=grant, values={"client_id": "138", **values})


def test_client_credentials_posts_grant_type_scope_and_the_profiles_own_parameters() -> None:
    """RFC 6749 section 4.4.2: grant_type and scope; what the profile adds goes along."""
    profile = make_profile(scope="read write", params={"audience": "https://api.example.com"})
    assert posted(client_credentials.run(profile)) == {
        "grant_type": "client_credentials",
        "scope": "read write",
        "audience": "https://api.example.com",
    }


def test_password_of_groupid_writes_the_documents_grant_type_and_the_identity_store() -> None:
    """The 11.0 document writes `Password`, and wants identity_store_id."""
    profile = make_profile(
        "groupid", grant="password", values={"username": "jdoe", "identity_store_id": "1"}
    )
    assert posted(password.run(profile), password=Secret("pw")) == {
        "grant_type": "Password",
        "username": "jdoe",
        "password": Secret("pw"),
        "identity_store_id": "1",
    }


def test_a_profile_may_write_the_grant_type_its_own_way() -> None:
    """GroupID 11.1 documents `password`: one key of the profile says so."""
    profile = make_profile(
        "groupid", grant="password", values={"username": "j", "grant_type": "password"}
    )
    assert posted(password.run(profile), password=Secret("pw"))["grant_type"] == "password"


@pytest.mark.parametrize("name", ["username", "email_address"])
def test_password_of_socialid_names_the_user_in_the_one_way_the_profile_gives(name: str) -> None:
    """Exactly one of the two user fields is sent, under its own name."""
    params = posted(password.run(socialid("password", **{name: "john"})), password=Secret("pw"))
    assert params == {"grant_type": "password", "password": Secret("pw"), name: "john"}


def test_custom_grants_are_data_of_their_provider() -> None:
    """Social-ID NOW's `user_id` grant is a row of its file, not code."""
    assert posted(custom.run(socialid("user_id", user_id="77"))) == {
        "grant_type": "user_id",
        "user_id": "77",
    }


def test_a_secret_in_a_parameter_template_stays_a_secret_and_an_absent_one_is_left_out() -> None:
    """provider_credentials sends access_token as a Secret, and access_secret only if there is one."""
    profile = socialid("provider_credentials", social_provider="facebook")
    refs = {**profile.secrets, "social_access_token": profile.secrets["password"]}
    profile = replace(profile, secrets=refs)
    assert posted(custom.run(profile), social_access_token=Secret("s")) == {
        "grant_type": "provider_credentials",
        "provider": "facebook",
        "access_token": Secret("s"),
    }


def test_refreshing_sends_the_refresh_token_and_no_scope() -> None:
    """RFC 6749 section 6: scope is optional, and without it the granted one stays."""
    profile = make_profile(scope="read")
    assert posted(refresh_token.run(profile, Secret("r1"))) == {
        "grant_type": "refresh_token",
        "refresh_token": Secret("r1"),
    }


def test_needed_secrets_come_in_asking_order_users_before_clients() -> None:
    """`login --stdin` takes lines in this order, so it must not change."""
    profile = make_profile("groupid", grant="password", client_auth="client_secret_post")
    assert grants.required_secrets(profile) == ("password", "client_secret")


@pytest.mark.parametrize("name", grants.GRANTS)
def test_every_row_of_the_table_loads_and_says_what_it_needs(name: str) -> None:
    """Each module of the table declares its grant as `GRANT`."""
    grant = grants.load_grant(name)
    assert isinstance(grant, GrantSpec)
    names = (grant.required_inputs, grant.one_of_secrets, grant.exchanged_secrets, grant.endpoints)
    assert all(isinstance(part, tuple) for part in names)
