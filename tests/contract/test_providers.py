"""Every built-in provider meets the rules of the provider language; one body for every file."""

from dataclasses import replace
from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.config.profile_checks import describe_missing_key
from tokencli.config.profile_draft import required_keys
from tokencli.config.profile_schema import allowed_keys, build_profile_model, secret_key_names
from tokencli.config.provider_validation import validate_provider
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import (
    BUILTIN_NAMES,
    load_builtin,
    load_builtin_table,
    load_error_codes,
)


@pytest.fixture(params=BUILTIN_NAMES)
def provider(request: pytest.FixtureRequest) -> Provider:
    """Return each built-in provider in turn."""
    return load_builtin(request.param)


def sample(provider: Provider, name: str) -> str:
    """Return a value that a person could give for a field."""
    field = provider.fields.get(name)
    if field and field.example:
        return field.example
    return {"url": "https://h.example/x", "host": "h.example"}.get(field.kind if field else "", "x")


def test_the_file_is_valid(provider: Provider) -> None:
    """The file passes the same checks as a user's own [providers.NAME] table; its codes are read apart."""
    found = validate_provider(provider.name, load_builtin_table(provider.name))
    assert isinstance(found, Provider)
    assert replace(found, errors=replace(found.errors, codes={})) == provider
    assert found.errors.codes == load_error_codes(provider)


def test_every_profile_of_it_can_be_written(provider: Provider, tmp_path: Path) -> None:
    """For each grant and client authentication, a profile that gives what is needed loads."""
    for grant, spec in provider.grants.items():
        for method in provider.client_auth:
            wanted = (
                *required_keys(provider, grant, method, ()),
                *(group[0] for group in spec.one_of),
            )
            grouped = {name for group in spec.one_of for name in group[1:]}
            values = {
                name: sample(provider, name)
                for name in wanted
                if name not in grouped and name not in secret_key_names(provider)
            }
            lines = [f'{key} = "{value}"' for key, value in values.items()]
            allow = "allow_password_grant = true" if grant == "password" else ""
            head = f'[profiles.p]\nprovider = "{provider.name}"\ngrant = "{grant}"\n'
            text = head + f'client_auth = "{method}"\n{allow}\n' + "\n".join(lines)
            config = Config(tmp_path / "config.toml", text, {})
            assert config.find_problems() == ()
            profile = config.get_profile("p")
            assert profile.grant == grant
            assert profile.token_url.startswith("https://")
            assert set(profile.secrets) <= secret_key_names(provider)


def test_everything_it_asks_for_is_described(provider: Provider) -> None:
    """Whatever a profile must give has a key in the schema and words to ask for it."""
    known = allowed_keys(build_profile_model(provider))
    for spec in provider.grants.values():
        for name in (*spec.needs, *spec.optional, *(n for group in spec.one_of for n in group)):
            assert name in known
            assert name in describe_missing_key(provider, name)


def test_its_error_texts_are_clauses(provider: Provider) -> None:
    """Each meaning is a clause without a full stop, so that a sentence can be built around it."""
    for meaning in (*provider.errors.codes.values(), *provider.errors.status.values()):
        assert meaning.what and not meaning.what.endswith(".")
        assert meaning.do is None or "{" not in meaning.do.replace("{profile}", "")


def test_a_client_id_alone_is_never_asked_for_twice(provider: Provider) -> None:
    """No provider's field takes a name that means something else in every profile."""
    assert {"store", "export", "params", "timeout"} & set(provider.fields) == set()
