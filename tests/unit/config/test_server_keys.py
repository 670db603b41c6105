"""The keys that say where a server's endpoints are and how a person signs in there."""

from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.models import SignIn

HEAD = '[profiles.p]\nprovider = "oauth2"\nclient_id = "c"\nclient_auth = "none"\n'


def config(text: str, head: str = HEAD) -> Config:
    """Return a configuration of one profile that also says this."""
    return Config(Path("config.toml"), head + text, {})


@pytest.mark.parametrize("grant", ["authorization_code", "device_code", "client_credentials"])
def test_an_issuer_is_enough(grant: str) -> None:
    """Its metadata name the rest; until they are known the token endpoint is the issuer itself."""
    found = config(f'grant = "{grant}"\nissuer = "https://id.example.com/x"\n')
    assert found.find_problems() == ()
    profile = found.get_profile("p")
    assert (profile.issuer, profile.token_url) == ("https://id.example.com/x",) * 2
    assert profile.endpoints == {}
    assert "issuer" not in profile.values


def test_the_endpoints_may_be_written_out() -> None:
    """Each by a key of its own, and without any discovery."""
    found = config(
        'grant = "authorization_code"\n'
        'token_url = "https://id.example.com/token"\n'
        'authorization_url = "https://id.example.com/authorize?tenant=1"\n'
        'device_authorization_url = "https://id.example.com/device"\n'
        'par_url = "https://id.example.com/par"\n'
        'revocation_url = "https://id.example.com/revoke"\n'
    )
    assert found.find_problems() == ()
    assert found.get_profile("p").issuer is None
    assert found.get_profile("p").endpoints == {
        "authorization": "https://id.example.com/authorize?tenant=1",
        "device_authorization": "https://id.example.com/device",
        "pushed_authorization_request": "https://id.example.com/par",
        "revocation": "https://id.example.com/revoke",
    }


def test_how_a_person_signs_in() -> None:
    """browser, interactive, redirect_port and par, with their defaults."""
    issuer = 'grant = "authorization_code"\nissuer = "https://id.example.com"\n'
    assert config(issuer).get_profile("p").sign_in == SignIn()
    told = "browser = false\ninteractive = true\nredirect_port = 8765\npar = true\n"
    assert config(issuer + told).get_profile("p").sign_in == SignIn(
        browser=False, interactive=True, redirect_port=8765, par=True
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('grant = "authorization_code"\ntoken_url = "https://h/t"\n', "authorization_url"),
        ('grant = "device_code"\ntoken_url = "https://h/t"\n', "device_authorization_url"),
        ('grant = "authorization_code"\n', "token_url"),
        ('issuer = "http://id.example.com"\n', "issuer"),
        ('issuer = "https://id.example.com/?x=1"\n', "issuer"),
        ('issuer = "https://id.example.com/#x"\n', "issuer"),
        ('issuer = "https://user@id.example.com/"\n', "issuer"),
        ('issuer = "http://127.0.0.1:8080"\n', "issuer"),
        ('token_url = "https://h/t"\nrevocation_url = "http://127.0.0.1/r"\n', "revocation_url"),
        ('issuer = "https://h"\nauthorization_url = "javascript:x"\n', "authorization_url"),
        ('issuer = "https://h"\nredirect_port = 0\n', "redirect_port"),
        ('issuer = "https://h"\nredirect_port = 65536\n', "redirect_port"),
        ('issuer = "https://h"\nbrowser = "firefox"\n', "browser"),
        ('issuer = "https://h"\npar = 1\n', "par"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(text: str, where: str) -> None:
    """Missing endpoints, http, queries in an issuer, values of the wrong kind."""
    assert f"profiles.p.{where}" in [problem.where for problem in config(text).find_problems()]


def test_screening_eagle_signs_people_in_where_the_profile_says_so() -> None:
    """Its document names authorization_code and no authorization endpoint: the profile does."""
    head = '[profiles.p]\nprovider = "screening-eagle"\ngrant = "authorization_code"\n'
    text = 'base_url = "https://id.example.com"\nclient_id = "c"\n'
    (missing,) = config(text, head).find_problems()
    assert missing.where == "profiles.p.authorization_url"
    whole = config(text + 'authorization_url = "https://id.example.com/authorize"\n', head)
    assert whole.find_problems() == ()
    profile = whole.get_profile("p")
    assert profile.endpoints == {"authorization": "https://id.example.com/authorize"}
    assert profile.token_url == "https://id.example.com/api/id/v1/auth/token"
