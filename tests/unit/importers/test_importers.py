"""Files of other tools become providers: valid, without a value of theirs, and open about the rest."""

import json
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokencli.config.profile_schema import COMMON_KEYS
from tokencli.config.provider_validation import validate_provider, validate_user_provider
from tokencli.errors import ConfigError, TokencliError
from tokencli.importers.draft.builder import ProviderDraft
from tokencli.importers.draft.request import draft_provider
from tokencli.importers.model import Imported
from tokencli.importers.recording import parse_file, read_token_requests
from tokencli.provider_schema import Provider

FILES = Path(__file__).parents[2] / "recordings"
NAMES = sorted(path.name for path in FILES.iterdir())
WANTED: dict[str, tuple[tuple[str, ...], ...]] = {
    "openapi30.yaml": (
        (
            'token = "https://{region}.orders.example.com/api/oauth2/token"',
            'authorization = "https://{region}.orders.example.com/oauth2/authorize"',
            'scope = "orders:read orders:write openid"',
            "grants.client_credentials = {}",
            "grants.authorization_code = {}",
            'region.default = "eu"',
        ),
        ('token = "https://old.orders.example.com/token"', "grants.password = {}"),
        (
            'tenantId = "{tenant_id|number}"',
            'otp = { kind = "secret", optional = true }',
            'rememberMe = "{remember_me|bool}"',
            'grant = "session"',
            'X-Api-Version = "{x_api_version}"',
            'access_token = "data.sessionToken"',
            'expires_at = "data.expiresAt"',
        ),
    ),
    "openapi31.yaml": (
        (
            'device_authorization = "https://id.machines.example.com/device"',
            "grants.device_code = {}",
        ),
        ('endpoints.issuer = "https://id.machines.example.com/realms/m"',),
        (
            'token = "{base_url}/auth/token"',
            'base_url.kind = "url"',
            'grant_type = "machine"',
            'client_secret = "{client_secret}"',
            'access_token = "token"',
        ),
    ),
    "swagger2.yaml": (
        (
            'token = "https://stock.example.com/oauth/token"',
            "grants.client_credentials = {}",
            "grants.authorization_code = {}",
        ),
        (
            'token = "https://stock.example.com/rest/login"',
            'send = { user = "{username}", password = "{password}" }',
            'expires_in = "expiresIn"',
        ),
        ('basic = "{username}:{password}"', 'send = { scope = "stock" }'),
    ),
    "postman20.json": (
        (
            'token = "https://id.ledger.example.com/identity/connect/token"',
            'client_auth = ["client_secret_basic"]',
            'scope = "ledger.read ledger.write"',
            "grants.client_credentials = {}",
        ),
    ),
    "postman21.json": (
        (
            'token = "https://fleet.example.com/oauth/token"',
            'basic = "{client_id}:{client_secret}"',
            'grant_type = "password"',
            'refresh_token = "refresh_token"',
        ),
        (
            'token = "https://fleet.example.com/v1/{tenant}/login"',
            'query = { lang = "{lang}" }',
            'nonce = "{uuid}"',
            'pin = "{pin}"',
            'access_token = "result.bearer_token"',
        ),
    ),
    "login.bru": (
        (
            'token = "https://crm.example.com/api/{tenant}/signin"',
            'query = { client = "{client}" }',
            'headers = { X-Api-Key = "{x_api_key}", X-Note = "{x_note}" }',
            'send = { login = "{username}", password = "{password}", device = {',
            'access_token = "auth.access_token"',
        ),
    ),
    "oauth.bru": (
        (
            'token = "https://login.bills.example.com/oauth2/token"',
            'client_auth = ["client_secret_basic"]',
            'scope = "invoices"',
            'audience = "https://api.bills.example.com", device = "{device}"',
        ),
    ),
    "bruno": (
        (
            'title = "Parcels"',
            'token = "https://parcels.example.com/oauth/token"',
            'client_auth = ["client_secret_post"]',
        ),
        (
            'body = "xml"',
            '<login xmlns=\\"urn:parcels\\" version=\\"2\\"><user>{username}</user>',
            'X-Client = "{x_client}"',
        ),
    ),
    "opencollection": (
        (
            'title = "Weather"',
            'authorization = "https://id.weather.example.com/authorize"',
            "grants.authorization_code = {}",
        ),
        (
            'send = { user = "{username}", password = "{password}" }',
            'X-Key = "{x_key}"',
            'access_token = "result.jwt"',
        ),
    ),
    "browser.har": (
        (
            'token = "https://app.example.com/api/auth/login"',
            "persist = true",
            'access_token = "data.token"',
            'expires_at = "data.expires"',
            'time_unit = "ms"',
        ),
        (
            'token = "https://legacy.example.com/session"',
            'pwd = "{password}"',
            'access_token = "header:X-Auth-Token"',
            "status = [302]",
        ),
    ),
}
"""File -> what the drafts of it hold, in their order."""


def drafts(found: list[Imported]) -> list[ProviderDraft]:
    """Return the drafts that the command line would make."""
    return [draft_provider(one, "", COMMON_KEYS) for one in found]


def test_every_recording_is_expected_something_of() -> None:
    """No file lies about untested."""
    assert set(WANTED) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_becomes_the_providers_that_are_in_it(name: str) -> None:
    """Each in its order: the OAuth servers first, then what is most likely for a token."""
    texts = [made.to_toml() for made in drafts(read_token_requests(str(FILES / name)))]
    assert len(texts) == len(WANTED[name])
    for text, parts in zip(texts, WANTED[name], strict=True):
        assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_draft_is_a_provider_that_loads(name: str) -> None:
    """Alone as a file, under [providers.NAME], and in a configuration."""
    for made in drafts(read_token_requests(str(FILES / name))):
        table = tomllib.loads(made.to_toml())
        assert isinstance(validate_provider("acme", table), Provider)
        assert isinstance(validate_user_provider("acme", table), Provider)


@pytest.mark.parametrize("name", NAMES)
def test_no_draft_holds_a_value_and_each_says_what_is_open(name: str) -> None:
    """Everything that a recording has by way of values is called canary; none is left."""
    for made in drafts(read_token_requests(str(FILES / name))):
        text = made.to_toml()
        assert "canary" not in text + made.summarize()
        assert "907431" not in text
        assert text.startswith("# OPEN: ")
        assert [f"# OPEN: {what}" for what in made.open_questions] == [
            line for line in text.splitlines() if line.startswith("#")
        ]


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".yaml")])
def test_yaml_and_json_say_the_same(name: str) -> None:
    """An API described in JSON becomes what it becomes in YAML."""
    from tokencli.importers.document import parse_document

    text = (FILES / name).read_text()
    as_json = json.dumps(parse_document(text))
    assert [made.to_toml() for made in drafts(parse_file(as_json))] == [
        made.to_toml() for made in drafts(parse_file(text))
    ]


SPLIT = {
    "a secret as the whole body": (
        {"text": "canary0123456789abcdef==", "mimeType": "text/plain"},
        'send = "{credential}"',
    ),
    "a secret that looks like a pair": (
        {"text": "canaryc2VjcmV0=", "mimeType": "text/plain"},
        'send = "{credential}"',
    ),
    "multipart": (
        {
            "text": '--b\r\nContent-Disposition: form-data; name="user"\r\n\r\ncanary\r\n--b--',
            "mimeType": "multipart/form-data; boundary=b",
        },
        'send = { user = "{username}" }',
    ),
    "XML with attributes, comments and CDATA": (
        {
            "text": '<?xml version="1.0"?><!-- canary --><s:E xmlns:s="urn:s"><Login user="canary">'
            "<![CDATA[canary]]></Login></s:E>",
            "mimeType": "text/xml",
        },
        '<s:E xmlns:s=\\"urn:s\\"><Login user=\\"{username}\\">{username}</Login></s:E>',
    ),
    "XML with entities": (
        {
            "text": '<!DOCTYPE a [<!ENTITY x "canary">]><a>&x;canary</a>',
            "mimeType": "application/xml",
        },
        'send = "{credential}"',
    ),
    "numbers": (
        {"text": '{"pin": 12, "account": 4929123412341, "page": 1, "ttl": 3600}'},
        'pin = "{pin|number}", account = "{account|number}", page = 1, ttl = 3600',
    ),
    "members of the same name": (
        {"params": [{"name": "scope", "value": "a"}, {"name": "scope", "value": "b"}]},
        'scope = ["a", "b"]',
    ),
}
"""A body -> what stands for it in the draft."""


@pytest.mark.parametrize("name", SPLIT)
def test_no_value_of_any_body_is_kept(name: str) -> None:
    """Whatever kind a recorded body is of, its names stay and its values go."""
    posted, part = SPLIT[name]
    entry = {
        "request": {
            "method": "POST",
            "url": "https://canary:canary@h.example/login;jsessionid=canary1#canary",
            "headers": [{"name": "X-One", "value": "canary"}],
            "postData": posted,
        },
        "response": {"status": 200, "content": {"text": '{"jwt": "canary"}'}},
    }
    (made,) = drafts(parse_file(json.dumps({"log": {"entries": [entry]}})))
    assert part in made.to_toml()
    assert "canary" not in made.to_toml() + made.summarize()
    assert isinstance(validate_provider("t", tomllib.loads(made.to_toml())), Provider)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("{{host}}/login", "{host}/login"),
        ("{{host}}:8443/login", "https://{host}:8443/login"),
        ("https://{{host}}/a/{{tenant}}/login", "https://{host}/a/{tenant}/login"),
        ("{{scheme}}://{{host}}:{{port}}/login", "https://{host}/login"),
        ("https://{{sub}}.example.com/login", "https://{sub}.example.com/login"),
        ("https://h.example/{{apiKey}}/login", "https://h.example/{part_1}/login"),
        ("https://h.example/:tenant/login", "https://h.example/{tenant}/login"),
        ("http://127.0.0.1:8080/login", "http://127.0.0.1:8080/login"),
        ("http://h.example/a/../login", "https://h.example/login"),
        ("{{known}}/login", "https://k.example/base/login"),
        ("https://{{name}}/login", "https://n.example/login"),
        ("https://{{secret}}/login", "https://{part_1}/login"),
    ],
)
def test_variables_of_an_address(url: str, place: str) -> None:
    """A known host is put in; whatever else varies in an address is a field, and no secret."""
    item = {"request": {"method": "POST", "url": url, "body": {"mode": "raw", "raw": '{"pwd": 1}'}}}
    known = {"known": "https://k.example/base/", "name": "n.example", "secret": "canary", "tenant": "canary"}  # fmt: skip
    variables = [{"key": key, "value": value} for key, value in known.items()]
    (made,) = drafts(parse_file(json.dumps({"item": [item], "variable": variables})))
    table = tomllib.loads(made.to_toml())
    assert table["endpoints"]["token"] == place
    assert "canary" not in made.to_toml()
    assert isinstance(validate_provider("t", table), Provider)


def test_what_is_not_for_a_token_is_left_out() -> None:
    """A recording without a login is refused rather than guessed at."""
    entry = {"request": {"method": "GET", "url": "https://h.example/logo.png"}}
    with pytest.raises(ConfigError, match="none of the 2"):
        other = {"request": {"method": "GET", "url": "https://h.example/app.js"}}
        parse_file(json.dumps({"log": {"entries": [entry, other]}}))


def test_an_operation_that_only_sounds_like_a_login_is_left_out() -> None:
    """Authors and tickets are no tokens: something has to be proved, or a token has to come."""
    schema = {"type": "object", "properties": {"subject": {"type": "string"}}}
    post = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    answer = {"schema": {"type": "object", "properties": {"ticket": {"type": "string"}}}}
    access = {**post, "responses": {"200": {"content": {"application/json": answer}}}}
    paths = {
        "/authors": {"post": post},
        "/tickets": {"post": post},
        "/access/ticket": {"post": access},
    }
    (made,) = drafts(parse_file(json.dumps({"openapi": "3.0.0", "paths": paths})))
    assert "/access/ticket" in made.to_toml()


def test_an_openapi_of_implicit_grants_alone_names_no_server() -> None:
    """What has no token endpoint is no provider."""
    flows = {"implicit": {"authorizationUrl": "https://h.example/a", "scopes": {}}}
    schemes = {"o": {"type": "oauth2", "flows": flows}}
    with pytest.raises(ConfigError, match="no token request"):
        parse_file(json.dumps({"openapi": "3.0.0", "components": {"securitySchemes": schemes}}))


MEMBER = st.text(alphabet="abcXYZ-_. Ωß0", min_size=1, max_size=8).map(lambda text: f"m{text}")
SECRETS = st.text(alphabet="ab {}<>&=%'\"\\/:;0", max_size=10).map(lambda text: f"canary{text}")
BODY = st.dictionaries(
    MEMBER,
    st.recursive(
        SECRETS | st.booleans() | st.none(),
        lambda inner: st.dictionaries(MEMBER, inner, max_size=3) | st.lists(inner, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


def as_har(body: str, header: str) -> str:
    """Return the request as a HAR file."""
    asked = {
        "method": "POST",
        "url": "https://h.example/login",
        "headers": [{"name": "X-A", "value": header}],
        "postData": {"mimeType": "application/json", "text": body},
    }
    return json.dumps({"log": {"entries": [{"request": asked}]}})


def as_postman(body: str, header: str) -> str:
    """Return the request as a Postman collection."""
    asked = {
        "method": "POST",
        "url": {"raw": "https://h.example/login"},
        "header": [{"key": "X-A", "value": header}],
        "body": {"mode": "raw", "raw": body},
    }
    return json.dumps({"item": [{"request": asked}]})


def as_bruno(body: str, header: str) -> str:
    """Return the request as a .bru file."""
    return (
        "post {\n  url: https://h.example/login\n  body: json\n}\n"
        f"headers {{\n  X-A: {header}\n}}\nbody:json {{\n  {body}\n}}\n"
    )


def as_opencollection(body: str, header: str) -> str:
    """Return the request as OpenCollection YAML."""
    asked = {
        "method": "POST",
        "url": "https://h.example/login",
        "headers": [{"name": "X-A", "value": header}],
        "body": {"type": "json", "data": body},
    }
    return json.dumps({"info": {"name": "x"}, "http": asked})


@settings(max_examples=120)
@given(
    written=st.sampled_from([as_har, as_postman, as_bruno, as_opencollection]),
    body=BODY,
    header=SECRETS,
)
def test_no_value_of_a_request_is_kept_whatever_tool_kept_it(
    written: Callable[[str, str], str], body: dict[str, Any], header: str
) -> None:
    """Names and structure become the provider; what stood in them is gone."""
    for made in drafts(parse_file(written(json.dumps(body), header))):
        assert "canary" not in made.to_toml() + made.summarize()
        table = tomllib.loads(made.to_toml())
        assert isinstance(validate_provider("t", table), Provider)
        assert set(table["request"]["send"]) <= set(body)


def tried(path: Path) -> None:
    """Read a file to the end, and check what comes of it, as the command line does."""
    try:
        found = read_token_requests(str(path))
    except TokencliError:
        return
    for one in found:
        try:
            made = draft_provider(one, "", COMMON_KEYS)
        except ConfigError:
            continue
        judged = validate_provider("t", tomllib.loads(made.to_toml()))
        assert isinstance(judged, Provider), (one, judged)


BEGIN = st.sampled_from([b"", b"{", b"post {\n  url: ", b"openapi: 3\n", b"curl ", b'{"item": [', b"\xef\xbb\xbf"])  # fmt: skip


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=BEGIN, data=st.binary(max_size=300))
def test_any_bytes_are_a_recording_or_are_refused(
    tmp_path: Path, begin: bytes, data: bytes
) -> None:
    """Only the project's own errors come out of a file, and only valid providers."""
    path = tmp_path / "file"
    path.write_bytes(begin + data)
    tried(path)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.sampled_from(["{{x}}", "https://h.example/{{a b}}", "http://[", "{", "\x00", "Ω/../..", "oauth2"]),
    st.just([]),
    st.just({}),
    st.just([[{"name": {}}]]),
)  # fmt: skip


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """List the places of a tree, each as what holds it and its key there."""
    found = []
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            found += _places(tree[key])
    return found


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from([name for name in NAMES if (FILES / name).is_file() and name[-3:] != "bru"]),
    places=st.lists(st.tuples(st.integers(0, 400), ODD), min_size=1, max_size=4),
)  # fmt: skip
def test_a_recording_that_is_odd_in_places_is_read_or_refused(
    tmp_path: Path, name: str, places: list[tuple[int, Any]]
) -> None:
    """Whatever stands where something else is expected, there is no other error."""
    from tokencli.importers.document import parse_document

    tree = json.loads(json.dumps(parse_document((FILES / name).read_text())))
    for number, odd in places:
        holders = _places(tree)
        if holders:
            holder, key = holders[number % len(holders)]
            holder[key] = deepcopy(odd)
    path = tmp_path / "file"
    path.write_text(json.dumps(tree))
    tried(path)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["login.bru", "oauth.bru"]),
    start=st.integers(0, 1000),
    length=st.integers(0, 60),
    text=st.text(max_size=20),
)
def test_a_bru_file_that_is_odd_in_places_is_read_or_refused(
    tmp_path: Path, name: str, start: int, length: int, text: str
) -> None:
    """The same for blocks that are cut or grown over."""
    whole = (FILES / name).read_text()
    path = tmp_path / "file"
    path.write_text(whole[:start] + text + whole[start + length :], errors="replace")
    tried(path)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Give the test a folder of files."""

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_environments_that_differ_leave_the_host_open(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    """What one environment says is no constant where another says something else."""
    post = "post {\n  url: https://{{host}}/login\n  body: json\n}\nbody:json {\n  {\"password\": \"x\"}\n}\n"  # fmt: skip
    files = {
        "bruno.json": "{}",
        "login.bru": post,
        "environments/one.bru": "vars {\n  host: one.example.com\n}\n",
        "environments/two.bru": "vars {\n  host: two.example.com\n}\n",
    }
    (made,) = drafts(read_token_requests(str(folder(files))))
    assert 'endpoints.token = "https://{host}/login"' in made.to_toml()
    assert 'host.kind = "host"' in made.to_toml()


def test_a_folder_that_is_no_collection_is_refused(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    """A folder of anything else ends in an error that says what is looked for."""
    with pytest.raises(ConfigError, match=r"not a Bruno collection") as caught:
        read_token_requests(str(folder({"a.bru": "post {\n  url: x\n}\n"})))
    assert "bruno.json" in str(caught.value.cause)
