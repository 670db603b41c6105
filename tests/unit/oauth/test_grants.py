"""Grants without any I/O: the steps that they yield."""

import sys
from dataclasses import replace
from types import ModuleType

import pytest

from tests.fakes import keyring_ref, make_profile
from tokencli.models import Profile, Secret, TokenSet
from tokencli.oauth import grants
from tokencli.oauth.grants import (
    client_credentials,
    custom,
    jwt_bearer,
    password,
    refresh_token,
    token_exchange,
)
from tokencli.oauth.grants.request_params import resolve_grant_type
from tokencli.oauth.grants.steps import (
    GrantSpec,
    GrantSteps,
    NeedSecret,
    PostTokenRequest,
    SignAssertion,
)
from tokencli.provider_schema import Grant

TOKEN = TokenSet(Secret("t"), "Bearer", 0.0)


def posted(steps: GrantSteps, **secrets: Secret) -> dict[str, object]:
    """Send back secrets and return the parameters of the token request."""
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


def test_client_credentials() -> None:
    """RFC 6749 section 4.4.2: grant_type, scope, and the profile's own parameters."""
    profile = make_profile(scope="read write", params={"audience": "https://api.example.com"})
    assert posted(client_credentials.run(profile)) == {
        "grant_type": "client_credentials",
        "scope": "read write",
        "audience": "https://api.example.com",
    }


def test_password_of_groupid() -> None:
    """The 11.0 document writes `Password` and requires identity_store_id."""
    profile = make_profile(
        "groupid", grant="password", values={"username": "jdoe", "identity_store_id": "1"}
    )
    assert posted(password.run(profile), password=Secret("pw")) == {
        "grant_type": "Password",
        "username": "jdoe",
        "password": Secret("pw"),
        "identity_store_id": "1",
    }


def test_profile_overrides_grant_type() -> None:
    """GroupID 11.1 documents `password`."""
    profile = make_profile(
        "groupid", grant="password", values={"username": "j", "grant_type": "password"}
    )
    assert posted(password.run(profile), password=Secret("pw"))["grant_type"] == "password"


@pytest.mark.parametrize("name", ["username", "email_address"])
def test_password_of_socialid(name: str) -> None:
    """One of the two user fields is sent, under its own name."""
    params = posted(password.run(socialid("password", **{name: "john"})), password=Secret("pw"))
    assert params == {"grant_type": "password", "password": Secret("pw"), name: "john"}


def test_custom_grant_is_defined_by_its_provider() -> None:
    """Social-ID NOW's `user_id` grant is in its TOML file."""
    assert posted(custom.run(socialid("user_id", user_id="77"))) == {
        "grant_type": "user_id",
        "user_id": "77",
    }


def test_secret_in_a_parameter_template() -> None:
    """It stays a Secret, and a parameter without a value is omitted."""
    profile = socialid("provider_credentials", social_provider="facebook")
    refs = {**profile.secrets, "social_access_token": profile.secrets["password"]}
    profile = replace(profile, secrets=refs)
    assert posted(custom.run(profile), social_access_token=Secret("s")) == {
        "grant_type": "provider_credentials",
        "provider": "facebook",
        "access_token": Secret("s"),
    }


def test_refresh_sends_no_scope() -> None:
    """RFC 6749 section 6: without it the scope stays as it was granted."""
    profile = make_profile(scope="read")
    assert posted(refresh_token.run(profile, Secret("r1"))) == {
        "grant_type": "refresh_token",
        "refresh_token": Secret("r1"),
    }


def test_required_secrets_are_in_prompt_order() -> None:
    """`login --stdin` reads lines in this order, so it must not change."""
    profile = make_profile("groupid", grant="password", client_auth="client_secret_post")
    assert grants.required_secrets(profile) == ("password", "client_secret")


@pytest.mark.parametrize("name", grants.GRANTS)
def test_every_row_of_the_table_loads(name: str) -> None:
    """Each module of the table declares its grant as `GRANT`."""
    grant = grants.load_grant(name)
    assert isinstance(grant, GrantSpec)
    names = (grant.required_inputs, grant.one_of_secrets, grant.exchanged_secrets, grant.endpoints)
    assert all(isinstance(part, tuple) for part in names)
    assert set(grant.exchanged_secrets) <= set(grants.EXCHANGED_SECRETS)


SUBJECT, ACTOR = Secret("canary-subject-88d0"), Secret("canary-actor-3b2f")


def test_token_exchange() -> None:
    """RFC 8693 section 2.1: both tokens with their types, the audience and the requested type."""
    jwt = "urn:ietf:params:oauth:token-type:jwt"
    profile = make_profile(
        grant="token_exchange",
        values={"client_id": "batch", "actor_token_type": jwt, "requested_token_type": jwt},
        params={"audience": "api", "resource": ("https://a.example", "https://b.example")},
        scope="read",
    )
    steps = token_exchange.run(profile)
    assert next(steps) == NeedSecret("subject_token")
    assert steps.send(SUBJECT) == NeedSecret("actor_token", optional=True)
    post = steps.send(ACTOR)
    assert isinstance(post, PostTokenRequest)
    assert dict(post.params) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": SUBJECT,
        "subject_token_type": token_exchange.ACCESS_TOKEN_TYPE,
        "actor_token": ACTOR,
        "actor_token_type": jwt,
        "requested_token_type": jwt,
        "scope": "read",
        "audience": "api",
        "resource": ("https://a.example", "https://b.example"),
    }
    with pytest.raises(StopIteration) as end:
        steps.send(TOKEN)
    assert end.value.value is TOKEN


def test_token_exchange_without_an_actor() -> None:
    """RFC 8693 section 2.1: actor_token_type requires an actor_token."""
    steps = token_exchange.run(make_profile(grant="token_exchange"))
    next(steps)
    steps.send(SUBJECT)
    post = steps.send(None)
    assert isinstance(post, PostTokenRequest)
    assert {name for name in post.params if name.startswith("actor")} == set()


def test_jwt_bearer_with_a_given_assertion() -> None:
    """Nothing is signed then."""
    steps = jwt_bearer.run(make_profile(grant="jwt_bearer", scope="read"))
    assert next(steps) == NeedSecret("assertion", optional=True)
    post = steps.send(SUBJECT)
    assert isinstance(post, PostTokenRequest)
    assert dict(post.params) == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": SUBJECT,
        "scope": "read",
    }


@pytest.mark.parametrize(("username", "subject"), [("jdoe", "jdoe"), (None, "batch")])
def test_jwt_bearer_signs_an_assertion(username: str | None, subject: str) -> None:
    """RFC 7523 section 3: the issuer is the client, the subject the user or the client."""
    values = {"client_id": "batch", **({"username": username} if username else {})}
    steps = jwt_bearer.run(make_profile(grant="jwt_bearer", values=values))
    next(steps)
    assert steps.send(None) == SignAssertion("batch", subject, {})
    post = steps.send(SUBJECT)
    assert isinstance(post, PostTokenRequest) and post.params["assertion"] == SUBJECT


def test_required_secrets_include_the_assertion() -> None:
    """They are resolved before signals are deferred."""
    secrets = {name: keyring_ref(name) for name in ("assertion", "client_secret")}
    profile = make_profile(grant="jwt_bearer", secrets=secrets)
    assert grants.required_secrets(profile) == ("assertion", "client_secret")


def test_new_grant_is_one_module_and_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else has to know what it needs."""

    def run(profile: Profile) -> GrantSteps:
        """Exchange a ticket for a token."""
        token: TokenSet = yield PostTokenRequest(
            {"grant_type": resolve_grant_type(profile, "ticket", "urn:example:ticket")}
        )
        return token

    module = ModuleType("dummy_grant")
    module.GRANT = GrantSpec(  # type: ignore[attr-defined]
        run, "urn:example:ticket", required_inputs=("assertion",), is_interactive=True
    )
    monkeypatch.setitem(sys.modules, "dummy_grant", module)
    monkeypatch.setitem(grants.GRANTS, "ticket", "dummy_grant")
    profile = make_profile(grant="ticket", secrets={"assertion": keyring_ref("assertion")})
    provider = replace(profile.provider, grants={**profile.provider.grants, "ticket": Grant()})
    profile = replace(profile, provider=provider)
    assert grants.is_interactive("ticket")
    assert grants.required_secrets(profile) == ("assertion",)
    assert posted(grants.load_grant("ticket").run(profile)) == {"grant_type": "urn:example:ticket"}
