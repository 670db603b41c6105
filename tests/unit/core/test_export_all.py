"""`export --all-vars`: what came beside the token, and what an API call needs whole."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import (
    FakeContext,
    FakeKeyring,
    filled_keyring,
    json_reply,
    keyring_ref,
    make_profile,
)
from tests.unit.formats.test_dialects import runner_environment
from tokencli.core.export import (
    ExportResult,
    build_all_variables,
    export_token,
    list_export_variables,
    unset_profile_variables,
)
from tokencli.errors import ConfigError, CredentialsError, ReplyError, UsageError
from tokencli.formats import DIALECTS
from tokencli.models import Profile, Secret, SecretRef, TokenSet
from tokencli.provider_schema import Call, Field, Reply

USE = (
    "Cookie: Auth={token}",
    "X-Tenant: {tenant}",
    "CSRF: {csrf}",
    "X-Key: key={api_key}",
    "?sid={token}",
    "?v={version}",
)
API_KEY = Secret("canary-api-key-51c2")
BODY = '{"access_token": "canary-token+7f3a", "csrf": "canary-csrf", "domain": "d 1"}'
PLAIN = make_profile(export="T")


def described(
    *use: str, outputs: tuple[str, ...] = (), then: Reply | None = None, **fields: Field
) -> Profile:
    """Return a profile of a server whose tokens are used like this."""
    places = {name: (name,) for name in outputs}
    provider = replace(
        PLAIN.provider,
        use=use,
        reply=replace(PLAIN.provider.reply, outputs=places),
        fields={**PLAIN.provider.fields, **fields},
        then=Call(reply=then) if then else None,
    )
    return replace(PLAIN, provider=provider)


def whole() -> Profile:
    """Return a profile whose API wants four headers and two parameters; the tenant is left out."""
    profile = described(
        *USE,
        outputs=("csrf", "domain"),
        tenant=Field(optional=True),
        api_key=Field(kind="secret"),
        version=Field(),
    )
    secrets: dict[str, SecretRef] = {**profile.secrets, "api_key": keyring_ref("api_key")}
    return replace(profile, values={**profile.values, "version": "2"}, secrets=secrets)


def ctx(body: str = BODY) -> FakeContext:
    """Return ctx whose server answers with this, and whose keyring holds the API key."""
    keeper = filled_keyring()
    keeper.secrets[keyring_ref("api_key").target] = API_KEY
    found = FakeContext(keyring=keeper)
    found.transport.replies = [json_reply(body)]
    return found


def all_of(profile: Profile, body: str = BODY) -> dict[str, str]:
    """Return the variables that are set."""
    text = export_token(profile, ctx(body), to="json", all_variables=True).text
    return dict(json.loads(text))


def test_what_came_and_what_carries_it_have_variables() -> None:
    """An output each, a header each by its number, and all parameters of the query in one."""
    assert all_of(whole()) == {
        "T": "canary-token+7f3a",
        "T_TYPE": "Bearer",
        "T_EXPIRES_AT": "",
        "T_SCOPE": "",
        "T_CSRF": "canary-csrf",
        "T_DOMAIN": "d 1",
        "T_HEADER": "Cookie: Auth=canary-token+7f3a",
        "T_HEADER_2": "",
        "T_HEADER_3": "CSRF: canary-csrf",
        "T_HEADER_4": "X-Key: key=canary-api-key-51c2",
        "T_QUERY": "sid=canary-token%2B7f3a&v=2",
    }


def test_a_header_keeps_its_number_whether_or_not_an_optional_one_is_there() -> None:
    """So a script may name it."""
    profile = whole()
    given = replace(profile, values={**profile.values, "tenant": "acme"})
    assert all_of(given)["T_HEADER_2"] == "X-Tenant: acme"
    assert all_of(given)["T_HEADER_3"] == all_of(profile)["T_HEADER_3"]


@pytest.mark.parametrize(
    ("use", "token_type", "header"),
    [
        ((), "bearer", "Authorization: Bearer x"),
        (("X-Auth: {token}",), "what ever", "X-Auth: x"),
    ],
)
def test_one_header_is_just_header(use: tuple[str, ...], token_type: str, header: str) -> None:
    """Without `use` it is Bearer's own, however the server spells it."""
    body = json.dumps({"access_token": "x", "token_type": token_type})
    found = all_of(described(*use), body)
    assert found["T_HEADER"] == header
    assert not {"T_HEADER_2", "T_QUERY"} & set(found)


def test_a_token_in_the_query_alone_has_no_header() -> None:
    """The variable would only mislead."""
    found = all_of(described("?token={token}"), '{"access_token": "a/b"}')
    assert found["T_QUERY"] == "token=a%2Fb"
    assert "T_HEADER" not in found


def test_what_is_no_access_token_is_carried_by_no_header() -> None:
    """RFC 8693 section 2.2.1: its type is `N_A`, and the rest is exported as ever."""
    held = build_all_variables(PLAIN, TokenSet(Secret("x"), "N_A", 0.0), "T", 0.0, dict)
    assert dict(held.variables)["T_HEADER"] == ""
    assert dict(held.variables)["T_TYPE"] == "N_A"


@pytest.mark.requirement(12)
def test_an_output_that_did_not_come_is_empty_and_so_is_the_header_that_takes_it() -> None:
    """No older value stays, and stderr says what is lacking."""
    used = ctx('{"access_token": "x"}')
    found = json.loads(export_token(whole(), used, to="json", all_variables=True).text)
    assert (found["T_CSRF"], found["T_DOMAIN"], found["T_HEADER_3"]) == ("", "", "")
    assert found["T_HEADER"] == "Cookie: Auth=x"
    assert [said for said in used.terminal.messages if "warning" in said] == [
        "warning: T_HEADER_3 lacks the header CSRF: the server's reply has no csrf"
    ]


def test_a_value_that_the_profile_owes_is_an_error_as_it_is_for_get() -> None:
    """A call without it would only be refused by somebody else."""
    profile = described("X-Tenant: {tenant}", tenant=Field())
    with pytest.raises(ConfigError):
        export_token(profile, ctx(), to="sh", all_variables=True)


@pytest.mark.parametrize(
    "profile",
    [PLAIN, whole(), described("?a={token}", outputs=("type", "header_2", "output_type", "query"))],
)
@pytest.mark.parametrize("to", ["sh", "fish", "powershell"])
def test_unset_names_exactly_what_is_set_and_asks_nobody(profile: Profile, to: str) -> None:
    """The names follow from the profile alone; each is set once."""
    expected = list_export_variables(profile, None, all_variables=True)
    assert list(all_of(profile)) == expected
    assert len({name.upper() for name in expected}) == len(expected)
    text = unset_profile_variables(profile, to=to, variable=None, all_variables=True)
    words = text.replace(";", " ").replace("$env:", "").split()
    assert [word for word in words if word.startswith("T")] == expected


OUTPUT = st.from_regex(r"\A(type|scope|header|query|output|expires_at|a|2)(_[a-z0-9]{1,6}){0,2}\Z")


@given(st.lists(OUTPUT, unique=True, max_size=12), st.lists(st.sampled_from(USE), max_size=4))
def test_no_two_values_share_a_variable(outputs: list[str], use: list[str]) -> None:
    """Whatever a provider calls its outputs."""
    found = list_export_variables(described(*use, outputs=tuple(outputs)), None, all_variables=True)
    assert len(set(found)) == len(found)


def test_an_output_by_a_taken_name_is_called_an_output() -> None:
    """The token's type stays what it was."""
    found = all_of(described(outputs=("type",)), '{"access_token": "x", "type": "session"}')
    assert (found["T_TYPE"], found["T_OUTPUT_TYPE"]) == ("Bearer", "session")


def test_the_outputs_of_a_second_request_have_variables_too() -> None:
    """Its reply may be another than the first one's."""
    profile = described(outputs=("csrf",), then=Reply(outputs={"site": ("site",), "csrf": ("c",)}))
    assert list_export_variables(profile, None, all_variables=True)[4:] == [
        "T_CSRF",
        "T_SITE",
        "T_HEADER",
    ]


def test_a_name_that_nobody_may_set_is_refused_before_anything_is_sent() -> None:
    """An output may not make a variable that programs obey."""
    used = ctx()
    with pytest.raises(UsageError):
        export_token(described(outputs=("https_proxy",)), used, to="sh", all_variables=True)
    assert used.transport.requests == []


def test_the_profiles_keys_are_read_for_all_variables_alone() -> None:
    """Neither the plain export nor --unset touches what only an API call needs."""
    bare = FakeContext(keyring=filled_keyring())
    bare.transport.replies = [json_reply(BODY)] * 2
    assert export_token(whole(), bare, to="sh").text == "export T='canary-token+7f3a';\n"
    assert isinstance(bare.keyring, FakeKeyring)
    before = bare.keyring.read_count
    assert "T_HEADER_4" in unset_profile_variables(
        whole(), to="sh", variable=None, all_variables=True
    )
    assert bare.keyring.read_count == before
    with pytest.raises(CredentialsError):
        export_token(whole(), bare, to="sh", all_variables=True)


def secrets_of(found: ExportResult) -> set[str]:
    """Return what is masked."""
    return {secret.reveal() for secret in found.secrets}


@pytest.mark.requirement(34)
def test_whatever_is_secret_is_known_to_be() -> None:
    """The token, outputs, and keys as they stand in headers and query; what is no secret is not."""
    profile = whole()
    given = replace(profile, values={**profile.values, "tenant": "acme"})
    found = export_token(given, ctx(), to="github_actions", all_variables=True)
    assert secrets_of(found) == {
        "canary-token+7f3a",
        "canary-csrf",
        "d 1",
        "Auth=canary-token+7f3a",
        "canary-api-key-51c2",
        "key=canary-api-key-51c2",
        "canary-token%2B7f3a",
    }
    assert secrets_of(export_token(PLAIN, ctx(), to="github_actions")) == {"canary-token+7f3a"}


@pytest.mark.requirement(34)
def test_a_computed_credential_is_masked_as_it_is_written() -> None:
    """What is made of a secret is one."""
    profile = described("Authorization: Basic {user}:{token|base64}", user=Field())
    profile = replace(profile, values={**profile.values, "user": "demo"})
    found = export_token(profile, ctx('{"access_token": "abc"}'), to="sh", all_variables=True)
    assert secrets_of(found) == {"abc", "YWJj", "Basic demo:YWJj"}


@pytest.mark.parametrize("to", DIALECTS)
def test_every_dialect_carries_them_or_refuses(to: str) -> None:
    """cmd can't hold a percent sign; every other one has all values."""
    profile = whole()
    if to == "cmd":
        with pytest.raises(ReplyError) as caught:
            export_token(profile, ctx(), to=to, all_variables=True)
        assert "T_QUERY" in caught.value.message
        assert "canary" not in caught.value.message
        profile = described(*USE[:1], outputs=("csrf",))
    text = export_token(profile, ctx(), to=to, all_variables=True).text
    for name, value in all_of(profile).items():
        assert name in text
        assert value in text
    if to == "github_actions":
        assert runner_environment(text) == all_of(profile)


@pytest.mark.requirement(11)
@pytest.mark.parametrize("value", ["a  b", "a\tb", "a\nb", "\u00e9", " a"])
@pytest.mark.parametrize("to", DIALECTS)
def test_an_output_that_no_dialect_can_hold_is_refused(to: str, value: str) -> None:
    """As every other value is; a plain export goes on working."""
    profile = described(outputs=("csrf",))
    body = json.dumps({"access_token": "x", "csrf": value})
    with pytest.raises(ReplyError):
        export_token(profile, ctx(body), to=to, all_variables=True)
    assert "x" in export_token(profile, ctx(body), to=to).text


@pytest.mark.requirement(11)
def test_a_header_is_no_reason_for_a_caution() -> None:
    """Its space and its colon come through an unquoted eval; a star may not."""
    used = ctx('{"access_token": "abc=="}')
    text = export_token(PLAIN, used, to="sh", all_variables=True).text
    assert used.terminal.messages == []
    assert text.endswith("""export T_HEADER='Authorization: Bearer abc='"="'';\n""")
    used = ctx('{"access_token": "abc", "csrf": "a*"}')
    export_token(described(outputs=("csrf",)), used, to="sh", all_variables=True)
    assert any("T_CSRF" in said and "quote the command" in said for said in used.terminal.messages)
