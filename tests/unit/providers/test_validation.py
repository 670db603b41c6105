"""A user's own provider: every slip in its table is told with its place."""

from pathlib import Path

import pytest

from tokencli.config.load import Config

GOOD = """
[providers.own]
title = "Own"
client_auth = ["client_secret_post"]
[providers.own.endpoints]
token = "https://{tenant}.example.com/t"
[providers.own.fields.tenant]
ask = "Tenant"
[providers.own.fields.key]
ask = "Key"
kind = "secret"
[providers.own.grants.exchange]
needs = ["key"]
params = { k = "{key}", t = "{tenant}" }
[profiles.p]
provider = "own"
tenant = "acme"
client_id = "x"
"""


def config(text: str) -> Config:
    """Return the configuration of that text."""
    return Config(Path("config.toml"), text, {})


def test_an_own_provider_works_like_a_built_in_one() -> None:
    """Its fields become keys, its secrets references, its template the endpoint."""
    profile = config(GOOD).get_profile("p")
    assert config(GOOD).find_problems() == ()
    assert profile.token_url == "https://acme.example.com/t"
    assert set(profile.secrets) == {"client_secret", "key"}


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('title = "Own"', "", "providers.own.title"),
        ('title = "Own"', "title = 1", "providers.own.title"),
        ('title = "Own"', 'title = "Own"\nname = "x"', "providers.own.name"),
        ('title = "Own"', 'titel = "Own"', "providers.own.titel"),
        ("{tenant}.example", "{tenent}.example", "providers.own.endpoints.token"),
        ("{tenant}.example", "{key}.example", "providers.own.endpoints.token"),
        ("{tenant}.example", "{tenant.example", "providers.own.endpoints.token"),
        ('"https://{tenant}', '"http://{tenant}', "providers.own.endpoints.token"),
        ('needs = ["key"]', 'needs = ["kee"]', "providers.own.grants.exchange"),
        ('needs = ["key"]', 'one_of = [["key", "kee"]]', "providers.own.grants.exchange"),
        ('k = "{key}"', 'k = "{kee}"', "providers.own.grants.exchange.params.k"),
        ('k = "{key}"', 'k = "}"', "providers.own.grants.exchange.params.k"),
        ('"client_secret_post"', '"client_secret"', "providers.own.client_auth"),
        ("client_auth = [\"client_secret_post\"]", "client_auth = []", "providers.own.client_auth"),
        ('kind = "secret"', 'kind = "secrets"', "providers.own.fields.key.kind"),
        ('kind = "secret"', 'kind = "secret"\ndefault = "x"', "providers.own.fields.key.default"),
        ("fields.key]", "fields.store]", "providers.own.fields.store"),
        ("fields.key]", "fields.Key]", "providers.own.fields.Key"),
        ("fields.key]", "fields.username]", "providers.own.fields.username.kind"),
        ('ask = "Tenant"', 'ask = "Tenant"\nkind = "host"\ndefault = "a b"', "providers.own.fields.tenant.default"),
        ("[profiles.p]", '[providers.own.request.headers]\nAuthorization = "x"\n[profiles.p]', "providers.own.request.headers.Authorization"),
        ("[profiles.p]", '[providers.own.request.headers]\n"a b" = "x"\n[profiles.p]', 'providers.own.request.headers."a b"'),
        ("[profiles.p]", '[providers.own.request.headers]\nX = "{kee}"\n[profiles.p]', "providers.own.request.headers.X"),
        ("[profiles.p]", '[providers.own.request.names]\nclient_id = ""\n[profiles.p]', "providers.own.request.names.client_id"),
        ("[profiles.p]", '[providers.own.request]\nscope_separator = "x"\n[profiles.p]', "providers.own.request.scope_separator"),
        ("[profiles.p]", '[providers.own.refresh]\nsend = { a = "b" }\nscope_separator = ","\n[profiles.p]', "providers.own.refresh.scope_separator"),
        ('title = "Own"', 'title = "Own"\nissuer_claims = { tenant = "tid" }', "providers.own.issuer_claims.tenant"),
        ('title = "Own"', 'title = "Own"\nredirect_host = "evil.example"', "providers.own.redirect_host"),
        ("[profiles.p]", '[providers.own.errors.status.4xx]\nwhat = "x"\n[profiles.p]', "providers.own.errors.status.4xx"),
        ("[profiles.p]", '[providers.own.reply]\nacces_token = ["x"]\n[profiles.p]', "providers.own.reply.acces_token"),
        ("[profiles.p]", '[providers.groupid]\ntitle = "x"\n[profiles.p]', "providers.groupid"),
    ],
)  # fmt: skip
def test_every_slip_has_its_place(old: str, new: str, where: str) -> None:
    """A wrong word in a provider's table is found at its own key path, and told with its line."""
    assert old in GOOD
    found = {problem.where: problem for problem in config(GOOD.replace(old, new)).find_problems()}
    assert where in found
    assert found[where].line is not None


def test_a_slip_deep_inside_is_answered_with_the_key_meant() -> None:
    """Suggestions know the keys of the table in which the slip lies."""
    text = GOOD.replace('ask = "Key"', 'ask = "Key"\nexmaple = "x"').replace("needs =", "neds =")
    found = {problem.where: problem.right for problem in config(text).find_problems()}
    assert found["providers.own.fields.key.exmaple"] == "did you mean example?"
    assert found["providers.own.grants.exchange.neds"] == "did you mean needs?"


def test_fields_may_take_any_name_that_python_uses() -> None:
    """A field called `copy`, `json` or `model_dump` is a key like any other."""
    text = (
        GOOD.replace("tenant", "model_dump")
        .replace("fields.key", "fields.copy")
        .replace("key", "copy")
    )
    assert config(text).find_problems() == ()
    assert config(text).get_profile("p").values["model_dump"] == "acme"


def test_a_wrong_name_hides_no_other_problem() -> None:
    """The name of a provider, its keys and its endpoints are all judged, whichever of them is wrong."""
    text = """
[providers."a b"]
name = "x"
title = "T"
scope = "s"
[providers."a b".endpoints]
token = "https://{tenant}.example/t"
[providers."a b".grants.client_credentials]
needs = ["realm"]
"""
    found = {
        one.where.removeprefix('providers."a b"')
        for one in Config(Path("c"), text, {}).find_problems()
    }
    assert found == {"", ".name", ".grants.client_credentials", ".endpoints.token"}


def test_an_unknown_name_is_compared_with_a_limited_number_of_others() -> None:
    """So a file with thousands of wrong names is checked quickly, and all of them are reported."""
    fields = "".join(f"[providers.own.fields.f{n}]\n" for n in range(400))
    wrong = GOOD.replace('{tenant}" }', "".join(f"{{g{n}}}" for n in range(400)) + '" }') + fields
    problems = config(wrong).find_problems()
    assert len(problems) == 400
    assert {problem.right for problem in problems} == {
        f"describe it under [fields.g{n}]" for n in range(400)
    }
