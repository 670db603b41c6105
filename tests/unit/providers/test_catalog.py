"""The built-in providers and how any provider is built from its words."""

from tokencli.providers.catalog import BUILTIN, builtin, provider_from, words
from tokencli.providers.spec import Meaning


def test_the_documented_systems_are_built_in() -> None:
    """The three documented systems and plain OAuth come with the program."""
    assert {"groupid", "oauth2", "screening-eagle", "socialid"} <= set(BUILTIN)
    assert list(BUILTIN) == sorted(BUILTIN)


def test_the_rfc_meanings_stand_under_every_provider() -> None:
    """A provider's own meaning of an error wins; what it does not explain, RFC 6749 does."""
    data = {
        "title": "T",
        "endpoints": {"token": "{token_url}"},
        "grants": {"password": {}},
        "errors": {"codes": {"invalid_grant": {"what": "mine", "whose": "you"}}},
    }
    provider = provider_from(data, "t")
    assert provider.name == "t"
    assert provider.errors.codes["invalid_grant"] == Meaning("mine", "you")
    assert (
        provider.errors.codes["invalid_client"] == builtin("oauth2").errors.codes["invalid_client"]
    )
    assert provider.errors.status["503"] == builtin("oauth2").errors.status["503"]


def test_arrays_become_tuples() -> None:
    """A provider is immutable to its leaves, also where groups lie inside arrays."""
    assert builtin("socialid").grants["password"].one_of == (("username", "email_address"),)
    assert builtin("groupid").client_auth == ("client_secret_post",)
    assert builtin("screening-eagle").errors.description == (
        "errorDescription",
        "error_description",
    )


def test_groupid_speaks_as_documented() -> None:
    """GroupID's capital letters, body authentication and port are data."""
    provider = builtin("groupid")
    assert provider.request.names == {"client_id": "client_Id"}
    assert provider.grants["password"].grant_type == "Password"
    assert provider.fields["host"].port == 4443
    assert words("groupid")["client_auth"] == ["client_secret_post"]
