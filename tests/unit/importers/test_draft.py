"""A provider made of a recorded request: valid, and without a single value of it."""

import json
import shlex
import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokencli.config.profile_schema import COMMON_KEYS
from tokencli.config.provider_validation import validate_provider, validate_user_provider
from tokencli.errors import ConfigError
from tokencli.importers.curl import parse_curl
from tokencli.importers.draft.request import draft_provider
from tokencli.importers.recording import parse_file
from tokencli.provider_schema import Provider

NAME = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
VALUE = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(
    lambda text: f"canary{text}"
)
TREE = st.recursive(
    VALUE | st.integers() | st.booleans() | st.none(),
    lambda inner: st.dictionaries(NAME, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@example({"timeout": "canary", ":SCOPE": "canary", "token": "canary", "uuid": "canary"}, "x", "")
@given(
    st.dictionaries(NAME, TREE, max_size=4),
    st.sampled_from(["X-Api-Key", "Authorization", "x"]),
    VALUE,
)
def test_a_json_request_becomes_a_valid_provider_without_its_values(
    body: dict[str, object], header: str, value: str
) -> None:
    """Whatever members a body has, what comes out passes the check and holds none of the texts."""
    words = [
        "curl",
        "https://api.example.com/login",
        "-H",
        f"{header}: {value}",
        "-d",
        json.dumps(body),
    ]
    text = draft_provider(parse_curl(shlex.join(words))[0], "T", COMMON_KEYS).to_toml()
    assert isinstance(validate_provider("t", tomllib.loads(text)), Provider)
    assert all("canary" not in line for line in text.splitlines() if "=" not in line)
    assert "canary" not in json.dumps(
        list(tomllib.loads(text)["request"].get("headers", {}).values())
    )


@given(st.text(max_size=80))
def test_any_text_is_a_request_or_is_refused(text: str) -> None:
    """Pasted nonsense ends in our own error."""
    for reader in (parse_curl, parse_file):
        try:
            reader(text)
        except ConfigError as error:
            assert text not in error.message or len(text) < 5


@pytest.mark.parametrize(
    ("header", "is_kept"),
    [
        ("X-Version: canarys3cr3t", False),
        ("X-Version: v1", True),
        ("Api-Version: 2026-01-15", True),
        ("Api-Version: 2026-01-15-preview", True),
        ("X-Api-Version: 1.2-rev0", True),
        ("X-Api-Version: 0a1b2c3d", False),
        ("X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth", True),
        ("X-Amz-Target: DynamoDB_20120810.Get", True),
        ("X-Amz-Target: canary0a1b2c3d", False),
        ("X-Requested-With: XMLHttpRequest", True),
        ("X-Requested-With: canary-4711", False),
        ('SOAPAction: "http://tempuri.org/IAuth/Login"', True),
        ("SOAPAction: canary0a1b2c3d", False),
        ("Accept: application/vnd.acme.v2+xml, */*;q=0.1", True),
        ("Accept: canary", False),
        ("Accept-Language: en-US,en;q=0.9", True),
        ("Accept-Language: canary canary", False),
    ],
)
def test_a_header_is_kept_by_its_form_and_is_listed_then(header: str, is_kept: bool) -> None:
    """A version is digits, dots and dates; a word that could be a secret becomes a field."""
    name, _, value = header.partition(": ")
    made = draft_provider(
        parse_curl(shlex.join(["curl", "https://x.example/t", "-H", header, "-d", "a=b"]))[0]
    )
    sent = tomllib.loads(made.to_toml())["request"]["headers"][name]
    assert (sent == value) is is_kept
    assert any(f"the header {name}" in what for what in made.open_questions) is is_kept
    assert is_kept or value not in made.to_toml()


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/tenants/SECRETKEY123abc/login", "/tenants/{part_1}/login"),
        ("/api/v2/oauth2/login", "/api/v2/oauth2/login"),
        ("/t/canary-4711/login", "/t/{part_1}/login"),
        ("/t/canary.4711/login", "/t/{part_1}/login"),
        ("/j_spring_security_check", "/j_spring_security_check"),
    ],
)
def test_a_part_of_the_path_is_kept_by_its_form_and_is_listed_then(
    path: str, template: str
) -> None:
    """Ten characters or more of letters and digits are somebody's; what is kept is open."""
    made = draft_provider(parse_curl(f"curl https://x.example{path} -d a=b")[0])
    assert tomllib.loads(made.to_toml())["endpoints"]["token"] == f"https://x.example{template}"
    assert any("may need to be fields" in what and template in what for what in made.open_questions)


@pytest.mark.parametrize(
    ("words", "sent", "left"),
    [
        ("-d @canary.json", None, "the body is in a file"),
        ("--json @canary.json", None, "the body is in a file"),
        ("--data-binary @-", None, "the body is in a file"),
        ("--data-urlencode x@canary", {"x": "{x}"}, "the value of x is in a file"),
        ("-d a=b --data @canary", {"a": "{a}"}, "the body is in a file"),
        ("-d a=b -H @canary", {"a": "{a}"}, "headers are in a file"),
    ],
)
def test_what_came_from_a_file_is_open(words: str, sent: object, left: str) -> None:
    """No file is read; what it would have held is said to be missing."""
    made = draft_provider(parse_curl(f"curl https://x.example/t {words}")[0])
    assert tomllib.loads(made.to_toml())["request"].get("send") == sent
    assert any(left in what for what in made.open_questions)
    assert "canary" not in made.to_toml()


LOGIN_API = """
openapi: 3.0.1
info: {title: Acme API}
servers: [{url: https://api.acme.example/v1}]
paths:
  /login:
    post:
      requestBody:
        content:
          application/json:
            schema: {properties: {username: {type: string}, password: {type: string}}}
      responses:
        '200':
          headers: {X-Session-Token: {schema: {type: string}}}
          content:
            text/plain: {schema: {type: string}}
            application/json: {schema: {$ref: '#/components/schemas/Reply'}}
        '401':
          content:
            application/json: {schema: {$ref: '#/components/schemas/Refusal'}}
components:
  schemas:
    Reply:
      properties:
        result:
          properties:
            accessToken: {type: string, example: canary-token-7f3a}
            EXPIRY
    Refusal:
      properties:
        error: {properties: {code: {type: string}, message: {type: string}}}
"""


@pytest.mark.parametrize(
    ("expiry", "places"),
    [
        ("expiresIn: {type: integer}", {"expires_in": "result.expiresIn"}),
        ("expiresIn: {type: integer, description: Seconds until it expires.}",
         {"expires_in": "result.expiresIn"}),
        ("expiresIn: {type: integer, description: Lifetime in milliseconds}",
         {"expires_in": "result.expiresIn", "time_unit": "ms"}),
        ("expiresIn: {type: integer, description: 'in minutes', example: 30}",
         {"expires_in": "result.expiresIn", "time_unit": "min"}),
        ("expires: {type: integer, example: 1735689600000}",
         {"expires_at": "result.expires", "time_unit": "ms"}),
        ("expires: {type: integer, example: 1735689600}", {"expires_at": "result.expires"}),
        ("expiresAt: {type: integer, description: 15 minutes after the login}",
         {"expires_at": "result.expiresAt"}),
        ("validUntil: {type: string, format: date-time}", {"expires_at": "result.validUntil"}),
        ("expires: {type: string, example: '2026-01-31T00:00:00Z'}",
         {"expires_at": "result.expires"}),
    ],
)  # fmt: skip
def test_response_schemas_fill_the_places_that_they_name(
    expiry: str, places: dict[str, str]
) -> None:
    """The token, its expiry with its unit, and a refusal's code and text come from the schemas."""
    (request,) = parse_file(LOGIN_API.replace("EXPIRY", expiry))
    text = draft_provider(request, "", COMMON_KEYS).to_toml()
    table = tomllib.loads(text)
    assert table["reply"] == {"access_token": "result.accessToken", **places}
    assert table["errors"] == {"code": "error.code", "description": "error.message"}
    assert "canary" not in text
    assert "OPEN: the token's lifetime" not in text
    assert not isinstance(validate_user_provider("acme", table), list)


REPLIES = """
openapi: 3.1.0
info: {title: Acme API}
servers: [{url: https://api.acme.example}]
paths:
  /login:
    post:
      requestBody:
        content: {application/json: {schema: {properties: {username: {type: string}, password: {type: string}}}}}
      responses: RESPONSES
components:
  schemas:
    Reply:
      oneOf:
        - type: 'null'
        - properties: {challenge: {type: string}}
        - properties: {parent: {$ref: '#/components/schemas/Reply'}, accessToken: {type: string}, ttl: {type: integer}}
    Fault: {properties: {fault: {properties: {code: {type: integer}, message: {type: string}}}}}
"""
REPLY = "application/json: {schema: {$ref: '#/components/schemas/Reply'}}"
FAULT = "{application/json: {schema: {$ref: '#/components/schemas/Fault'}}}"


@pytest.mark.parametrize(
    ("responses", "reply", "errors"),
    [
        (f"{{'200': {{content: {{{REPLY}}}}}, default: {{content: {FAULT}}}}}",
         {"access_token": "accessToken", "expires_in": "ttl"}, {"code": "fault.code", "description": "fault.message"}),
        (f"{{default: {{content: {{{REPLY}}}}}}}", {"access_token": "accessToken", "expires_in": "ttl"}, None),
        (f"{{'201': {{content: {{{REPLY}}}}}, 4XX: {{content: {FAULT}}}, default: {{}}}}",
         {"access_token": "accessToken", "expires_in": "ttl"}, {"code": "fault.code", "description": "fault.message"}),
        ("{'200': {content: {text/plain: {schema: {type: string}}}}}", {"access_token": "text:"}, None),
        ("{'200': {content: {application/json: {schema: {type: string}}}}}", {"access_token": "@"}, None),
        ("{'200': {content: {application/json: {schema: {type: integer}}}}}", {"access_token": "access_token"}, None),
    ],
)  # fmt: skip
def test_each_form_of_a_described_reply(
    responses: str, reply: dict[str, str], errors: dict[str, str] | None
) -> None:
    """Alternatives, `default` beside a success, a schema in itself, and a body that is the token."""
    (request,) = parse_file(REPLIES.replace("RESPONSES", responses))
    table = tomllib.loads(draft_provider(request, "", COMMON_KEYS).to_toml())
    assert (table["reply"], table.get("errors")) == (reply, errors)
    assert not isinstance(validate_user_provider("acme", table), list)


def test_a_token_in_a_described_header() -> None:
    """If no member of the reply's body is the token, a header with such a name is."""
    (request,) = parse_file(LOGIN_API.replace("accessToken: ", "other: ").replace("EXPIRY", ""))
    table = tomllib.loads(draft_provider(request, "", COMMON_KEYS).to_toml())
    assert table["reply"]["access_token"] == "header:X-Session-Token"
