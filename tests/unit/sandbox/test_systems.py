"""What each system accepts and refuses, by its document: one row per rule."""

from base64 import b64encode
from collections.abc import Mapping
from json import loads
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from tokencli.sandbox import groupid, oauth2, screening_eagle, socialid
from tokencli.sandbox.http_messages import FORM_CONTENT_TYPE, Request, Response
from tokencli.sandbox.server import Router
from tokencli.sandbox.settings import PASSWORD, USERNAME
from tokencli.sandbox.system import SYSTEMS, FakeSystem, SandboxContext, SigningKeys, load_system
from tokencli.sandbox.token_db import TokenDatabase

GROUPID = groupid.GroupId
EAGLE = screening_eagle.ScreeningEagle
SOCIAL = socialid.SocialId
OAUTH2 = oauth2.OAuth2

GROUPID_FORM = {
    "grant_type": "Password",
    "username": "jdoe",
    "password": GROUPID.secrets["password"],
    "client_Id": GROUPID.profile_values["client_id"],
    "client_secret": GROUPID.secrets["client_secret"],
    "identity_store_id": "1",
}
EAGLE_AUTH = (EAGLE.profile_values["client_id"], EAGLE.secrets["client_secret"])
EAGLE_FORM = {"grant_type": "client_credentials", "scope": "openid inspect"}
SOCIAL_AUTH = (SOCIAL.profile_values["client_id"], SOCIAL.secrets["client_secret"])
SOCIAL_FORM = {"grant_type": "password", "password": SOCIAL.secrets["password"]}
ODD_CLIENT, ODD_SECRET = list(OAUTH2.client_secrets.items())[1]
BATCH = ("batch", OAUTH2.secrets["client_secret"])
MACHINE = {"grant_type": "client_credentials"}
PERSON = {"grant_type": "password", "username": USERNAME, "password": PASSWORD}

Auth = tuple[str, str] | None


def basic(auth: tuple[str, str]) -> str:
    """Return a Basic header as curl writes it: only base64."""
    return "Basic " + b64encode(":".join(auth).encode()).decode()


def encoded(auth: tuple[str, str]) -> tuple[str, str]:
    """Form-encode both parts, as RFC 6749 section 2.3.1 requires for Basic."""
    return quote_plus(auth[0]), quote_plus(auth[1])


def ask(
    name: str, form: Mapping[str, str], auth: Auth = None, content_type: str = FORM_CONTENT_TYPE
) -> Response:
    """Send a token request to a system of a new sandbox, without a socket."""
    headers = {"content-type": content_type}
    if auth is not None:
        headers["authorization"] = basic(auth)
    return system(name).handle_token_request(
        Request("POST", load_system(name).token_path, headers, urlencode(form).encode())
    )


def system(name: str) -> FakeSystem:
    """Return a system of a new sandbox."""
    return load_system(name)(SandboxContext("https://127.0.0.1:1", TokenDatabase(), SigningKeys()))


def but(form: Mapping[str, str], **changes: str | None) -> dict[str, str]:
    """Return the form with other values; None omits a parameter."""
    return {name: value for name, value in {**form, **changes}.items() if value is not None}


def renamed(form: Mapping[str, str], old: str, new: str) -> dict[str, str]:
    """Return the form with one parameter renamed."""
    return {new if name == old else name: value for name, value in form.items()}


TAKEN = {
    "groupid, as the 11.0 document writes the grant": ("groupid", GROUPID_FORM, None),
    "groupid, as the 11.1 document does": (
        "groupid",
        but(GROUPID_FORM, grant_type="password"),
        None,
    ),
    "screening-eagle": ("screening-eagle", EAGLE_FORM, EAGLE_AUTH),
    "socialid by user name": ("socialid", but(SOCIAL_FORM, username="john_doe"), SOCIAL_AUTH),
    "socialid by e-mail": (
        "socialid",
        but(SOCIAL_FORM, email_address=socialid.EMAIL_ADDRESS),
        SOCIAL_AUTH,
    ),
    "socialid for the app": ("socialid", MACHINE, SOCIAL_AUTH),
    "socialid by user id": ("socialid", {"grant_type": "user_id", "user_id": "123"}, SOCIAL_AUTH),
    "socialid by OAuth 2.0 provider": (
        "socialid",
        {"grant_type": "provider_credentials", "provider": "facebook", "access_token": "made-up"},
        SOCIAL_AUTH,
    ),
    "socialid by OAuth 1.0 provider": (
        "socialid",
        {
            "grant_type": "provider_credentials",
            "provider": "twitter",
            "access_token": "made-up",
            "access_secret": "made-up",
        },
        SOCIAL_AUTH,
    ),
    "socialid by OIDC provider": (
        "socialid",
        {"grant_type": "provider_credentials", "provider": "apple", "id_token": "made-up"},
        SOCIAL_AUTH,
    ),
    "oauth2 by Basic": ("oauth2", MACHINE, BATCH),
    "oauth2 by Basic, reserved characters encoded": (
        "oauth2",
        MACHINE,
        encoded((ODD_CLIENT, ODD_SECRET)),
    ),
    "oauth2 by post": (
        "oauth2",
        but(MACHINE, client_id=ODD_CLIENT, client_secret=ODD_SECRET),
        None,
    ),
    "oauth2, a public client": ("oauth2", but(PERSON, client_id="public"), None),
    "oauth2, a person": ("oauth2", but(PERSON, scope="read offline_access"), BATCH),
}

REFUSED = {
    # GroupID: the wire name, the place of the credentials, the mandatory parameters.
    "groupid, client_id in small letters": (
        "groupid", renamed(GROUPID_FORM, "client_Id", "client_id"), None, 400, "invalid_client",
    ),
    "groupid, CLIENT_ID": (
        "groupid", renamed(GROUPID_FORM, "client_Id", "CLIENT_ID"), None, 400, "invalid_client",
    ),
    "groupid by Basic": (
        "groupid",
        but(GROUPID_FORM, client_Id=None, client_secret=None),
        (GROUPID.profile_values["client_id"], GROUPID.secrets["client_secret"]),
        400,
        "invalid_client",
    ),
    "groupid, wrong secret": (
        "groupid", but(GROUPID_FORM, client_secret="x"), None, 400, "invalid_client",
    ),
    "groupid, no store": (
        "groupid", but(GROUPID_FORM, identity_store_id=None), None, 400, "invalid_request",
    ),
    "groupid, empty store": (
        "groupid", but(GROUPID_FORM, identity_store_id=""), None, 400, "invalid_request",
    ),
    "groupid, wrong store": (
        "groupid", but(GROUPID_FORM, identity_store_id="2"), None, 400, "invalid_grant",
    ),
    "groupid, wrong password": (
        "groupid", but(GROUPID_FORM, password="x"), None, 400, "invalid_grant",
    ),
    "groupid, PASSWORD": (
        "groupid", but(GROUPID_FORM, grant_type="PASSWORD"), None, 400, "unsupported_grant_type",
    ),
    # Screening Eagle: Basic alone, and a scope.
    "screening-eagle without Basic": ("screening-eagle", EAGLE_FORM, None, 401, "Forbidden"),
    "screening-eagle by post": (
        "screening-eagle",
        but(EAGLE_FORM, client_id=EAGLE_AUTH[0], client_secret=EAGLE_AUTH[1]),
        None,
        401,
        "Forbidden",
    ),
    "screening-eagle without scope": (
        "screening-eagle", but(EAGLE_FORM, scope=None), EAGLE_AUTH, 400, "Forbidden",
    ),
    "screening-eagle, a scope too far": (
        "screening-eagle", but(EAGLE_FORM, scope="openid admin"), EAGLE_AUTH, 403, "Forbidden",
    ),
    "screening-eagle, a code": (
        "screening-eagle", but(EAGLE_FORM, grant_type="authorization_code"), EAGLE_AUTH, 400, "Forbidden",
    ),
    # Social-ID NOW: exactly one of two, and no invalid_grant in the table of codes.
    "socialid, neither": ("socialid", SOCIAL_FORM, SOCIAL_AUTH, 400, "invalid_request"),
    "socialid, both": (
        "socialid",
        but(SOCIAL_FORM, username="john_doe", email_address=socialid.EMAIL_ADDRESS),
        SOCIAL_AUTH,
        400,
        "invalid_request",
    ),
    "socialid, no password": (
        "socialid",
        but(SOCIAL_FORM, username="john_doe", password=None),
        SOCIAL_AUTH,
        400,
        "invalid_request",
    ),
    "socialid, wrong password": (
        "socialid",
        but(SOCIAL_FORM, username="john_doe", password="x"),
        SOCIAL_AUTH,
        401,
        "invalid_client",
    ),
    "socialid without Basic": (
        "socialid", but(SOCIAL_FORM, username="john_doe"), None, 401, "invalid_client",
    ),
    "socialid, unknown user id": (
        "socialid", {"grant_type": "user_id", "user_id": "9"}, SOCIAL_AUTH, 400, "invalid_request",
    ),
    "socialid, unknown provider": (
        "socialid",
        {"grant_type": "provider_credentials", "provider": "x", "access_token": "made-up"},
        SOCIAL_AUTH,
        400,
        "invalid_request",
    ),
    "socialid, OAuth 1.0 provider without its secret": (
        "socialid",
        {"grant_type": "provider_credentials", "provider": "twitter", "access_token": "made-up"},
        SOCIAL_AUTH,
        400,
        "invalid_request",
    ),
    "socialid, dead refresh token": (
        "socialid",
        {"grant_type": "refresh_token", "refresh_token": "made-up"},
        SOCIAL_AUTH,
        400,
        "invalid_request",
    ),
    # RFC 6749: one method, form-encoded Basic, who may have which grant.
    "oauth2, reserved characters raw": (
        "oauth2", MACHINE, (ODD_CLIENT, ODD_SECRET), 401, "invalid_client",
    ),
    "oauth2, two methods": (
        "oauth2", but(MACHINE, client_id=BATCH[0], client_secret=BATCH[1]), BATCH, 400, "invalid_request",
    ),
    "oauth2, two ids": ("oauth2", but(MACHINE, client_id="public"), BATCH, 400, "invalid_request"),
    "oauth2, no client": ("oauth2", MACHINE, None, 401, "invalid_client"),
    "oauth2, a confidential client without its secret": (
        "oauth2", but(MACHINE, client_id="batch"), None, 401, "invalid_client",
    ),
    "oauth2, a public client with a secret": (
        "oauth2", but(PERSON, client_id="public", client_secret="x"), None, 401, "invalid_client",
    ),
    "oauth2, client_credentials for a public client": (
        "oauth2", but(MACHINE, client_id="public"), None, 400, "unauthorized_client",
    ),
    "oauth2, wrong password": ("oauth2", but(PERSON, password="x"), BATCH, 400, "invalid_grant"),
    "oauth2, no user name": ("oauth2", but(PERSON, username=None), BATCH, 400, "invalid_request"),
    "oauth2, unknown scope": ("oauth2", but(MACHINE, scope="read x"), BATCH, 400, "invalid_scope"),
    "oauth2, no refresh token": (
        "oauth2", {"grant_type": "refresh_token"}, BATCH, 400, "invalid_request",
    ),
    "oauth2, unknown refresh token": (
        "oauth2", {"grant_type": "refresh_token", "refresh_token": "x"}, BATCH, 400, "invalid_grant",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "form", "auth"), TAKEN.values(), ids=TAKEN.keys())
def test_accepted_requests(name: str, form: Mapping[str, str], auth: Auth) -> None:
    """Requests as documented get a token."""
    reply = ask(name, form, auth)
    assert reply.status == 200
    assert reply.token_issued
    assert loads(reply.body)["access_token"]


@pytest.mark.parametrize(
    ("name", "form", "auth", "status", "code"), REFUSED.values(), ids=REFUSED.keys()
)
def test_refused_requests(
    name: str, form: Mapping[str, str], auth: Auth, status: int, code: str
) -> None:
    """Other requests are refused with the documented status and code."""
    reply = ask(name, form, auth)
    assert (reply.status, loads(reply.body)["error"]) == (status, code)
    assert not reply.token_issued


def test_groupid_explains_the_capital_i() -> None:
    """A refused `client_id` is told that the I is a capital."""
    reply = ask("groupid", renamed(GROUPID_FORM, "client_Id", "client_id"))
    assert "capital I" in loads(reply.body)["error_description"]


def test_screening_eagle_has_one_error_body() -> None:
    """The document has the same body for 400, 401, 403, 404 and 500."""
    eagle = system("screening-eagle")
    body = {"error": "Forbidden", "errorDescription": "permission denied"}
    assert all(
        loads(eagle.error_response(status).body) == body for status in (400, 401, 403, 404, 500)
    )


def test_screening_eagle_claims() -> None:
    """The access token has the sample's claims, the ID token those of a user."""
    from tokencli.jwt.decode import decode_token

    reply = loads(ask("screening-eagle", EAGLE_FORM, EAGLE_AUTH).body)
    access = decode_token(reply["access_token"])
    assert access.header == {"alg": "HS256", "typ": "JWT"}
    claims = access.claims
    assert claims is not None
    assert set(claims) == {
        "aud", "exp", "jti", "iat", "iss", "sub", "scp", "scopes", "userID", "userRegion",
    }  # fmt: skip
    assert claims["iss"] == "Screening Eagle ID"
    assert claims["exp"] - claims["iat"] == 604800
    assert decode_token(reply["id_token"]).claims["email_verified"] is True
    assert decode_token(reply["refresh_token"]).claims["scp"] == "openid inspect"


def test_screening_eagle_id_token_needs_openid() -> None:
    """Without that scope there is no ID token."""
    reply = loads(ask("screening-eagle", but(EAGLE_FORM, scope="inspect"), EAGLE_AUTH).body)
    assert "id_token" not in reply


def test_socialid_tokens_are_opaque() -> None:
    """Both tokens are 64 hexadecimal digits."""
    reply = loads(ask("socialid", but(SOCIAL_FORM, username="john_doe"), SOCIAL_AUTH).body)
    for name in ("access_token", "refresh_token"):
        assert len(bytes.fromhex(reply[name])) == 32


def test_client_credentials_give_no_refresh_token() -> None:
    """RFC 6749 section 4.4.3: a refresh token should not be included."""
    assert "refresh_token" not in loads(ask("oauth2", MACHINE, BATCH).body)


@pytest.mark.parametrize("header", ["Basic", "Basic %%%", "Basic /w==", "Basic aGFsbG8="])
def test_malformed_basic_headers_are_refused(header: str) -> None:
    """Bad base64, bad UTF-8 and a missing colon are 401, not a crash."""
    request = Request(
        "POST",
        "/",
        {"content-type": FORM_CONTENT_TYPE, "authorization": header},
        urlencode(MACHINE).encode(),
    )
    assert system("oauth2").handle_token_request(request).status == 401


@pytest.mark.parametrize("body", [b"\xff=1", b"a", b"a=1&a=2", b"&".join([b"a=1"] * 200)])
def test_malformed_forms_are_refused(body: bytes) -> None:
    """Bad UTF-8, a missing equals sign, a repeated parameter and too many are 400."""
    request = Request("POST", "/", {"content-type": FORM_CONTENT_TYPE}, body)
    assert system("oauth2").handle_token_request(request).status == 400


def test_form_with_a_charset() -> None:
    """Parameters of the content type are ignored."""
    assert ask("oauth2", MACHINE, BATCH, f"{FORM_CONTENT_TYPE}; charset=UTF-8").status == 200


ROUTER = Router(SandboxContext("https://127.0.0.1:1", TokenDatabase(), SigningKeys()))
PATHS = [
    path
    for name in SYSTEMS
    for path in (load_system(name).token_path, load_system(name).resource_path)
]
NAMES = sorted({*GROUPID_FORM, *EAGLE_FORM, *PERSON, "client_id", "refresh_token", "provider"})
VALUES = ["password", "Password", "refresh_token", "client_credentials", "provider_credentials"]


@settings(max_examples=300, deadline=None)
@given(
    path=some.sampled_from(PATHS) | some.text(),
    authorization=some.text()
    | some.text().map("Basic {}".format)
    | some.text().map("Bearer {}".format),
    body=some.binary()
    | some.lists(
        some.tuples(some.sampled_from(NAMES), some.sampled_from(VALUES) | some.text())
    ).map(lambda pairs: urlencode(pairs, errors="replace").encode()),
    method=some.sampled_from(["POST", "GET", "DELETE"]),
)
def test_every_request_gets_a_response(
    path: str, authorization: str, body: bytes, method: str
) -> None:
    """Any request gets a 2xx or 4xx, never an exception."""
    headers = {"content-type": FORM_CONTENT_TYPE, "authorization": authorization}
    assert ROUTER.handle_request(Request(method, path, headers, body)).status // 100 in (2, 4)
