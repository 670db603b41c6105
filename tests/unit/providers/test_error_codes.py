"""The error codes of the built-in providers: what is documented of each, and how one is found in a text."""

import re

import pytest

from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES, build_provider, load_builtin, load_error_codes
from tokencli.providers.error_codes import (
    JOBS,
    ErrorCode,
    find_error_codes,
    find_refusal_meaning,
    find_vendor_codes,
    list_error_codes,
    load_builtin_providers,
    suggest_codes,
)

VENDOR_DOMAINS = {
    "auth0": ("auth0.com", "support.auth0.com"),
    "aws-cognito": ("docs.aws.amazon.com",),
    "entra": ("learn.microsoft.com",),
    "github": ("docs.github.com",),
    "google": ("developers.google.com", "support.google.com", "github.com/googleapis/"),
    "groupid": ("docs.netwrix.com",),
    "identityserver": ("github.com/DuendeSoftware/",),
    "keycloak": ("www.keycloak.org", "github.com/keycloak/"),
    "oauth2": ("www.rfc-editor.org", "openid.net"),
    "okta": ("developer.okta.com", "github.com/okta/"),
    "salesforce": ("developer.salesforce.com", "help.salesforce.com"),
    "slack": ("docs.slack.dev",),
    "socialid": ("developers.socialidnow.com",),
}
"""Provider -> the vendor's sites, where its codes are documented."""
MAX_TEXT_CHARS = 200
CODES = [code for provider in load_builtin_providers() for code in list_error_codes(provider)]


def find(text: str, *names: str) -> list[str]:
    """Return the codes that are found among those of providers, by default of all."""
    providers = [load_builtin(name) for name in names] or load_builtin_providers()
    return [code.code for code in find_error_codes(text, providers)]


def test_there_are_many_codes() -> None:
    """Common vendors are covered, not just one."""
    assert len(CODES) >= 300
    assert {code.provider.name for code in CODES} == set(VENDOR_DOMAINS)


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{code.provider.name}-{code.code}")
def test_a_code_says_what_whose_and_where(code: ErrorCode) -> None:
    """Each has a meaning, whose job it is, what to do, and the page of the vendor that says so."""
    meaning = code.meaning
    assert meaning.what and len(meaning.what) <= MAX_TEXT_CHARS
    assert not meaning.what[0].isupper() or re.match(r"[A-Z]\w+", meaning.what)
    assert not meaning.what.endswith(".")
    assert code.job in {"you", "administrator", "api_owner", "vendor", "nobody"}
    assert code.action and len(code.action) <= MAX_TEXT_CHARS and not code.action.endswith(".")
    assert code.action.startswith("tokencli ") or code.action[0].isupper()
    page = (meaning.doc or "").removeprefix("https://")
    assert page != meaning.doc
    assert page.startswith(VENDOR_DOMAINS[code.provider.name])


@pytest.mark.parametrize("name", BUILTIN_NAMES)
def test_a_code_is_listed_once(name: str) -> None:
    """Two spellings of one code would differ in nothing but case."""
    spelled = [code.casefold() for code in load_error_codes(load_builtin(name))]
    assert len(spelled) == len(set(spelled))


def test_a_provider_is_loaded_without_its_codes() -> None:
    """A cold `get` builds the provider, and needs no code."""
    assert load_builtin("entra").errors.codes == {}
    assert "AADSTS50126" in load_error_codes(load_builtin("entra"))


@pytest.mark.parametrize(
    "text",
    [
        "AADSTS7000215",
        "aadsts7000215",
        "7000215",
        "AADSTS7000215: Invalid client secret provided. Ensure the secret …",
        '{"error": "invalid_client", "error_codes": [7000215], "timestamp": "2026-01-09 02:02:12Z"}',
        "  (AADSTS7000215)\n",
    ],
)
def test_a_code_is_found_however_it_is_pasted(text: str) -> None:
    """Alone, in other letters, as a number, or inside the server's reply."""
    assert find(text) == ["AADSTS7000215"]


@pytest.mark.parametrize(
    "text",
    ["", "AADSTS700021599", "XAADSTS7000215X", "127.0.0.1:70008", "00070008-1111", "x" * 99999],
)
def test_a_part_of_a_word_is_no_code(text: str) -> None:
    """Numbers in addresses, times and IDs are not codes, and neither are longer codes."""
    assert find(text) == []


def test_a_status_is_a_code_of_the_chosen_provider_only() -> None:
    """GroupID documents what statuses mean; elsewhere they mean other things."""
    assert find("503", "groupid") == find("HTTP 503", "groupid") == ["503"]
    assert find("503") == find("a 503 of the proxy", "groupid") == []


def test_an_everyday_word_is_a_code_only_alone_or_quoted() -> None:
    """`unauthorized` is a code of Auth0 and a word of every 401."""
    assert find("unauthorized") == find('{"code": "unauthorized"}') == ["unauthorized"]
    assert find("HTTP/1.1 401 Unauthorized") == []


def test_the_codes_of_rfc_6749_are_hidden_by_a_vendors_code() -> None:
    """They accompany every refusal; alone, the RFC's meaning comes first."""
    assert find("invalid_grant: AADSTS50126: Error …") == ["AADSTS50126"]
    codes = find_error_codes("invalid_grant", load_builtin_providers())
    assert [code.provider.name for code in codes] == ["oauth2", "salesforce"]
    assert find("invalid_grant", "salesforce") == ["invalid_grant"]


def test_the_codes_of_several_vendors_are_found_together() -> None:
    """Only those that go with every refusal are hidden by better ones."""
    text = 'AADSTS50126, E0000004, invalid_user_credentials, unauthorized_client, "unauthorized"'
    assert find(text) == ["AADSTS50126", "E0000004", "invalid_user_credentials"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("error=access_denied&error_description=AADSTS65004%3a+User+declined", "AADSTS65004"),
        ("https://a.example/cb?error_description=%22AADSTS50011%22&state=1", "AADSTS50011"),
        (
            "https://a.example/?next=%2Fcb%3Ferror_description%3D%2522AADSTS50011%2522",
            "AADSTS50011",
        ),
        ("error=invalid_grant&error_description=Token%20is%20not%20active", "Token is not active"),
        ("error=invalid_grant&error_description=Token+is+not+active", "Token is not active"),
        ("{&quot;error_description&quot;:&quot;AADSTS50126: wrong&quot;}", "AADSTS50126"),
        ("Session doesn&#39;t have required client", "Session doesn't have required client"),
        (r"Session doesn\u0027t have required client", "Session doesn't have required client"),
        (r"{\"error_description\":\"failed:\r\nAADSTS50126\"}", "AADSTS50126"),
        ("\x1b[31mAADSTS50126\x1b[0m", "AADSTS50126"),
        ("error: \x1b[01;31m\x1b[KAADSTS50126\x1b[m\x1b[K", "AADSTS50126"),
        ("100% sure: AADSTS50126 + more", "AADSTS50126"),
    ],
)
def test_a_code_is_found_in_an_encoded_text(text: str, code: str) -> None:
    """People copy from the address bar, a page's source, a log and a terminal."""
    assert find(text) == [code]


def test_several_codes_are_found_in_their_order() -> None:
    """A log has several."""
    assert find("AADSTS50126 … AADSTS50012 … AADSTS50126") == ["AADSTS50126", "AADSTS50012"]


def test_an_unknown_code_gets_suggestions() -> None:
    """A typo is near a documented code; prose is not."""
    near = [code.code for code in suggest_codes("AADSTS7000216", load_builtin_providers())]
    assert "AADSTS7000215" in near
    assert suggest_codes("the quick brown fox", load_builtin_providers()) == ()


def own_provider(**codes: dict[str, str]) -> Provider:
    """Return a user's provider with codes."""
    data = {
        "title": "Own",
        "endpoints": {"token": "{token_url}"},
        "errors": {"codes": codes},
    }
    return build_provider(data, "own")


def test_codes_of_a_users_provider_are_found_too() -> None:
    """Also a text, of which the longest is found, and without regard to line breaks."""
    provider = own_provider(
        **{
            "E401": {"what": "wrong", "whose": "you"},
            "too late": {"what": "late"},
            "far too late": {"what": "later"},
        }
    )
    assert [code.code for code in find_error_codes("e401", [provider])] == ["E401"]
    assert [code.code for code in find_error_codes("Far too\n late!", [provider])] == [
        "far too late"
    ]
    assert find_error_codes("E4010", [provider]) == ()


def test_a_refusal_means_what_its_own_vendor_says_or_what_a_numbered_code_says() -> None:
    """A word that another vendor uses says nothing about a refusal."""
    oauth2, keycloak = load_builtin("oauth2"), load_builtin("keycloak")
    meaning, is_specific = find_refusal_meaning(
        oauth2, "invalid_client", "AADSTS7000215: Invalid …"
    )
    assert meaning is not None and "its ID" in meaning.what and is_specific
    text = "Account is not fully set up"
    assert find_refusal_meaning(oauth2, "invalid_grant", text) == (None, False)
    meaning, is_specific = find_refusal_meaning(keycloak, "invalid_grant", text)
    assert meaning is not None and is_specific
    assert find_refusal_meaning(keycloak, "invalid_client", "") == (None, False)


def test_the_codes_in_an_apis_reply_are_the_vendors() -> None:
    """`invalid_token` says no more than the cause itself, and `unauthorized` nothing at all."""
    reply = "INVALID_SESSION_ID Session expired or invalid"
    assert [code.code for code in find_vendor_codes(reply, "salesforce")] == ["INVALID_SESSION_ID"]
    assert find_vendor_codes(reply, "okta") == ()
    numbered = find_vendor_codes("invalid_token AADSTS50105: not assigned", None)
    assert [code.code for code in numbered] == ["AADSTS50105"]
    assert find_vendor_codes("invalid_token Unauthorized", "auth0") == ()


def test_whose_job_it_is_has_five_answers() -> None:
    """They are part of the JSON output."""
    assert set(JOBS.values()) == {"you", "administrator", "api_owner", "vendor", "nobody"}
