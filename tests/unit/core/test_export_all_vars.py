"""`export --all-vars`: outputs of the reply, and the headers and query of an API call."""

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


def profile_with(
    *use: str, outputs: tuple[str, ...] = (), then: Reply | None = None, **fields: Field
) -> Profile:
    """Return a profile whose provider has this `use`."""
    locations = {name: (name,) for name in outputs}
    provider = replace(
        PLAIN.provider,
        use=use,
        reply=replace(PLAIN.provider.reply, outputs=locations),
        fields={**PLAIN.provider.fields, **fields},
        then=Call(reply=then) if then else None,
    )
    return replace(PLAIN, provider=provider)


def full_profile() -> Profile:
    """Return a profile whose API needs four headers and two parameters; the tenant is left out."""
    profile = profile_with(
        *USE,
        outputs=("csrf", "domain"),
        tenant=Field(optional=True),
        api_key=Field(kind="secret"),
        version=Field(),
    )
    secrets: dict[str, SecretRef] = {**profile.secrets, "api_key": keyring_ref("api_key")}
    return replace(profile, values={**profile.values, "version": "2"}, secrets=secrets)


def ctx(body: str = BODY) -> FakeContext:
    """Return a context with this reply, and with the API key in its keyring."""
    keyring = filled_keyring()
    keyring.secrets[keyring_ref("api_key").target] = API_KEY
    context = FakeContext(keyring=keyring)
    context.transport.replies = [json_reply(body)]
    return context


def all_of(profile: Profile, body: str = BODY) -> dict[str, str]:
    """Return the variables that are set."""
    text = export_token(profile, ctx(body), to="json", all_variables=True).text
    return dict(json.loads(text))


def test_variables_of_outputs_headers_and_query() -> None:
    """Each output has a variable, each header has one by its number, and all query parameters share one."""
    assert all_of(full_profile()) == {
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


def test_header_numbers_are_stable() -> None:
    """A header's number doesn't depend on optional headers before it, so scripts can use it."""
    profile = full_profile()
    with_tenant = replace(profile, values={**profile.values, "tenant": "acme"})
    assert all_of(with_tenant)["T_HEADER_2"] == "X-Tenant: acme"
    assert all_of(with_tenant)["T_HEADER_3"] == all_of(profile)["T_HEADER_3"]


@pytest.mark.parametrize(
    ("use", "token_type", "header"),
    [
        ((), "bearer", "Authorization: Bearer x"),
        (("X-Auth: {token}",), "what ever", "X-Auth: x"),
    ],
)
def test_single_header_variable(use: tuple[str, ...], token_type: str, header: str) -> None:
    """Without `use` it is the Bearer header, in the standard spelling."""
    body = json.dumps({"access_token": "x", "token_type": token_type})
    variables = all_of(profile_with(*use), body)
    assert variables["T_HEADER"] == header
    assert not {"T_HEADER_2", "T_QUERY"} & set(variables)


def test_token_in_query_has_no_header_variable() -> None:
    """The variable would mislead."""
    variables = all_of(profile_with("?token={token}"), '{"access_token": "a/b"}')
    assert variables["T_QUERY"] == "token=a%2Fb"
    assert "T_HEADER" not in variables


def test_token_type_n_a_has_no_header() -> None:
    """RFC 8693 section 2.2.1: the type is `N_A`, and everything else is exported as usual."""
    held = build_all_variables(PLAIN, TokenSet(Secret("x"), "N_A", 0.0), "T", 0.0, dict)
    assert dict(held.variables)["T_HEADER"] == ""
    assert dict(held.variables)["T_TYPE"] == "N_A"


@pytest.mark.requirement(12)
def test_missing_output_empties_its_header() -> None:
    """No older value is left, and stderr says what is missing."""
    context = ctx('{"access_token": "x"}')
    variables = json.loads(
        export_token(full_profile(), context, to="json", all_variables=True).text
    )
    assert (variables["T_CSRF"], variables["T_DOMAIN"], variables["T_HEADER_3"]) == ("", "", "")
    assert variables["T_HEADER"] == "Cookie: Auth=x"
    assert [message for message in context.terminal.messages if "warning" in message] == [
        "warning: T_HEADER_3 lacks the header CSRF: the server's reply has no csrf"
    ]


def test_missing_secret_is_an_error() -> None:
    """As for get: an API call without the secret would only be refused."""
    profile = profile_with("X-Tenant: {tenant}", tenant=Field())
    with pytest.raises(ConfigError):
        export_token(profile, ctx(), to="sh", all_variables=True)


@pytest.mark.parametrize(
    "profile",
    [
        PLAIN,
        full_profile(),
        profile_with("?a={token}", outputs=("type", "header_2", "output_type", "query")),
    ],
)
@pytest.mark.parametrize("to", ["sh", "fish", "powershell"])
def test_unset_all_matches_export_all(profile: Profile, to: str) -> None:
    """The names depend on the profile only, and each is set once."""
    expected = list_export_variables(profile, None, all_variables=True)
    assert list(all_of(profile)) == expected
    assert len({name.upper() for name in expected}) == len(expected)
    text = unset_profile_variables(profile, to=to, variable=None, all_variables=True)
    words = text.replace(";", " ").replace("$env:", "").split()
    assert [word for word in words if word.startswith("T")] == expected


OUTPUT = st.from_regex(r"\A(type|scope|header|query|output|expires_at|a|2)(_[a-z0-9]{1,6}){0,2}\Z")


@given(st.lists(OUTPUT, unique=True, max_size=12), st.lists(st.sampled_from(USE), max_size=4))
def test_variables_are_unique(outputs: list[str], use: list[str]) -> None:
    """Whatever a provider calls its outputs."""
    variables = list_export_variables(
        profile_with(*use, outputs=tuple(outputs)), None, all_variables=True
    )
    assert len(set(variables)) == len(variables)


def test_output_with_reserved_name() -> None:
    """It gets the prefix OUTPUT_, and the token's own type keeps its variable."""
    variables = all_of(profile_with(outputs=("type",)), '{"access_token": "x", "type": "session"}')
    assert (variables["T_TYPE"], variables["T_OUTPUT_TYPE"]) == ("Bearer", "session")


def test_outputs_of_second_request() -> None:
    """The second reply may have outputs that the first doesn't have."""
    profile = profile_with(
        outputs=("csrf",), then=Reply(outputs={"site": ("site",), "csrf": ("c",)})
    )
    assert list_export_variables(profile, None, all_variables=True)[4:] == [
        "T_CSRF",
        "T_SITE",
        "T_HEADER",
    ]


def test_forbidden_variable_name_sends_no_request() -> None:
    """An output can't set a variable that other programs obey."""
    context = ctx()
    with pytest.raises(UsageError):
        export_token(profile_with(outputs=("https_proxy",)), context, to="sh", all_variables=True)
    assert context.transport.requests == []


def test_secrets_are_read_for_all_vars_only() -> None:
    """A plain export and --unset don't read what only an API call needs."""
    bare = FakeContext(keyring=filled_keyring())
    bare.transport.replies = [json_reply(BODY)] * 2
    assert export_token(full_profile(), bare, to="sh").text == "export T='canary-token+7f3a';\n"
    assert isinstance(bare.keyring, FakeKeyring)
    before = bare.keyring.read_count
    assert "T_HEADER_4" in unset_profile_variables(
        full_profile(), to="sh", variable=None, all_variables=True
    )
    assert bare.keyring.read_count == before
    with pytest.raises(CredentialsError):
        export_token(full_profile(), bare, to="sh", all_variables=True)


def secrets_of(result: ExportResult) -> set[str]:
    """Return the listed secrets."""
    return {secret.reveal() for secret in result.secrets}


@pytest.mark.requirement(34)
def test_secrets_are_listed() -> None:
    """Token, outputs, and keys as written in headers and query are listed, and nothing else."""
    profile = full_profile()
    with_tenant = replace(profile, values={**profile.values, "tenant": "acme"})
    result = export_token(with_tenant, ctx(), to="github_actions", all_variables=True)
    assert secrets_of(result) == {
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
def test_derived_credential_is_secret() -> None:
    """A value that is derived from a secret is secret."""
    profile = profile_with("Authorization: Basic {user}:{token|base64}", user=Field())
    profile = replace(profile, values={**profile.values, "user": "demo"})
    result = export_token(profile, ctx('{"access_token": "abc"}'), to="sh", all_variables=True)
    assert secrets_of(result) == {"abc", "YWJj", "Basic demo:YWJj"}


@pytest.mark.parametrize("to", DIALECTS)
def test_every_dialect_renders_or_refuses(to: str) -> None:
    """cmd can't express a percent sign; every other dialect renders all values."""
    profile = full_profile()
    if to == "cmd":
        with pytest.raises(ReplyError) as caught:
            export_token(profile, ctx(), to=to, all_variables=True)
        assert "T_QUERY" in caught.value.message
        assert "canary" not in caught.value.message
        profile = profile_with(*USE[:1], outputs=("csrf",))
    text = export_token(profile, ctx(), to=to, all_variables=True).text
    for name, value in all_of(profile).items():
        assert name in text
        assert value in text
    if to == "github_actions":
        assert runner_environment(text) == all_of(profile)


@pytest.mark.requirement(11)
@pytest.mark.parametrize("value", ["a  b", "a\tb", "a\nb", "\u00e9", " a"])
@pytest.mark.parametrize("to", DIALECTS)
def test_unrenderable_output_is_refused(to: str, value: str) -> None:
    """Like any other value. A plain export still works."""
    profile = profile_with(outputs=("csrf",))
    body = json.dumps({"access_token": "x", "csrf": value})
    with pytest.raises(ReplyError):
        export_token(profile, ctx(body), to=to, all_variables=True)
    assert "x" in export_token(profile, ctx(body), to=to).text


@pytest.mark.requirement(11)
def test_header_needs_no_warning() -> None:
    """An unquoted eval keeps its space and colon, but may change a star."""
    context = ctx('{"access_token": "abc=="}')
    text = export_token(PLAIN, context, to="sh", all_variables=True).text
    assert context.terminal.messages == []
    assert text.endswith("""export T_HEADER='Authorization: Bearer abc='"="'';\n""")
    context = ctx('{"access_token": "abc", "csrf": "a*"}')
    export_token(profile_with(outputs=("csrf",)), context, to="sh", all_variables=True)
    assert any(
        "T_CSRF" in message and "quote the command" in message
        for message in context.terminal.messages
    )
