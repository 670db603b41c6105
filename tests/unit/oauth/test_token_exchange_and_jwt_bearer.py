"""Token exchange and assertions: the steps, without any I/O."""

import pytest

from tests.fakes import keyring_ref, make_profile
from tokencli.models import Secret, TokenSet
from tokencli.oauth import grants
from tokencli.oauth.grants import jwt_bearer, token_exchange
from tokencli.oauth.grants.steps import NeedSecret, PostTokenRequest, SignAssertion

SUBJECT, ACTOR = Secret("canary-subject-88d0"), Secret("canary-actor-3b2f")
TOKEN = TokenSet(Secret("t"), "Bearer", 0.0)


def test_an_exchange_says_what_is_traded_for_what() -> None:
    """RFC 8693 section 2.1: both tokens with their types, the audience and the type wanted."""
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


def test_an_exchange_without_an_actor_says_nothing_of_one() -> None:
    """RFC 8693 section 2.1: actor_token_type stands only beside an actor_token."""
    steps = token_exchange.run(make_profile(grant="token_exchange"))
    next(steps)
    steps.send(SUBJECT)
    post = steps.send(None)
    assert isinstance(post, PostTokenRequest)
    assert {name for name in post.params if name.startswith("actor")} == set()


def test_an_assertion_is_taken_where_there_is_one() -> None:
    """Then nothing is signed here."""
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
def test_else_one_is_signed_of_the_user_or_the_client(username: str | None, subject: str) -> None:
    """RFC 7523 section 3: issuer is the client; the subject whom the token is to be about."""
    values = {"client_id": "batch", **({"username": username} if username else {})}
    steps = jwt_bearer.run(make_profile(grant="jwt_bearer", values=values))
    next(steps)
    assert steps.send(None) == SignAssertion("batch", subject, {})
    post = steps.send(SUBJECT)
    assert isinstance(post, PostTokenRequest) and post.params["assertion"] == SUBJECT


def test_what_is_traded_is_asked_for_before_signals_are_held_back() -> None:
    """`needed_secrets` names whatever the profile mentions of it."""
    secrets = {name: keyring_ref(name) for name in ("assertion", "client_secret")}
    profile = make_profile(grant="jwt_bearer", secrets=secrets)
    assert grants.required_secrets(profile) == ("assertion", "client_secret")
