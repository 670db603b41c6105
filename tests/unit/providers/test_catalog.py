"""The built-in providers and how any provider is built from its words."""

from tokencli.provider_schema import ErrorMeaning
from tokencli.providers.catalog import (
    BUILTIN_NAMES,
    build_provider,
    load_builtin,
    load_builtin_table,
)


def test_the_documented_systems_are_built_in() -> None:
    """The three documented systems and plain OAuth come with the program."""
    assert {"groupid", "oauth2", "screening-eagle", "socialid"} <= set(BUILTIN_NAMES)
    assert list(BUILTIN_NAMES) == sorted(BUILTIN_NAMES)


def test_a_provider_has_its_own_meanings_only() -> None:
    """What it does not explain, the table of hints does."""
    data = {
        "title": "T",
        "endpoints": {"token": "{token_url}"},
        "grants": {"password": {}},
        "errors": {"codes": {"invalid_grant": {"what": "mine", "whose": "you"}}},
    }
    provider = build_provider(data, "t")
    assert provider.name == "t"
    assert provider.errors.codes == {"invalid_grant": ErrorMeaning("mine", "you")}
    assert provider.errors.status == {}


def test_arrays_become_tuples() -> None:
    """A provider is immutable to its leaves, also where groups lie inside arrays."""
    assert load_builtin("socialid").grants["password"].one_of == (("username", "email_address"),)
    assert load_builtin("groupid").client_auth == ("client_secret_post",)
    assert load_builtin("screening-eagle").errors.description == (
        "errorDescription",
        "error_description",
    )


def test_groupid_speaks_as_documented() -> None:
    """GroupID's capital letters, body authentication and port are data."""
    provider = load_builtin("groupid")
    assert provider.request.names == {"client_id": "client_Id"}
    assert provider.grants["password"].grant_type == "Password"
    assert provider.fields["host"].port == 4443
    assert load_builtin_table("groupid")["client_auth"] == ["client_secret_post"]
