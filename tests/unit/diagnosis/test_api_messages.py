"""The texts of real APIs and gateways mean the causes that they are meant to mean."""

import re
from dataclasses import replace

import pytest

from tests.unit.diagnosis.records import call
from tokencli.diagnosis.causes import CAUSES
from tokencli.diagnosis.causes.api_messages import API_MESSAGES
from tokencli.diagnosis.causes.reply import MAX_TEXT, read_statements

NAMED = {
    "expired": [
        "Jwt is expired",
        "The token expired at '05/01/2024 12:00:00'",
        "IDX10223: Lifetime validation failed. The token is expired.",
        "Jwt expired at 2022-03-11T15:28:59Z",
        "An error occurred while attempting to decode the Jwt: Jwt expired at 2022-03-11T15:28:59Z",
        "jwt expired",
        "JWT expired",
        '"exp" claim timestamp check failed',
        "Signature has expired",
        "token is expired",
        "token has invalid claims: token is expired",
        "token is expired by 2h3m",
        "the token has expired",
        "The incoming token has expired",
        "keymanagement.service.access_token_expired",
        "Access Token expired",
        "steps.jwt.TokenExpired",
        "Token is expired. You can either do re-authorization or token refresh.",
        "token_expired",
        "ExpiredAuthenticationToken",
        "The access token expired",
        "Access token has expired.",
        "ACCESS_TOKEN_EXPIRED",
        "Lifetime validation failed, the token is expired.",
        "Your session token has expired",
        "JWT has expired",
    ],
    "not_yet_valid": [
        "Jwt not yet valid",
        "The token is not valid before '05/01/2024 12:00:00'",
        "IDX10222: Lifetime validation failed. The token is not yet valid.",
        "Jwt used before 2020-05-19T18:52:10Z",
        "jwt not active",
        '"nbf" claim timestamp check failed',
        "The token is not yet valid (nbf)",
        "token is not valid yet",
        "Token used before issued",
        "steps.jwt.TokenNotYetValid",
        "jwt validation failed: token is not yet valid (nbf claim)",
    ],
    "wrong_audience": [
        "the audience must be https://api.example.com/orders",
        "Audiences in Jwt are not allowed",
        "The audience 'https://other.example.com' is invalid",
        "The audiences 'a, b' are invalid",
        "IDX10214: Audience validation failed.",
        "the token does not have a valid audience",
        "Access token validation failure. Invalid audience.",
        "The aud claim is not valid",
        "jwt audience invalid. expected: https://api.example.com",
        'unexpected "aud" claim value',
        "Unexpected 'aud' value",
        "Invalid audience",
        "Audience doesn't match",
        "token has invalid audience",
        "steps.jwt.JwtAudienceMismatch",
        "InvalidAuthenticationTokenAudience",
        "token was not issued for this API",
    ],
    "wrong_issuer": [
        "Jwt issuer is not configured",
        "The issuer 'https://id.example.com' is invalid",
        "IDX10205: Issuer validation failed.",
        "The iss claim is not valid",
        "jwt issuer invalid. expected: https://id.example.com",
        'unexpected "iss" claim value',
        "Unexpected 'iss' value",
        "Invalid issuer",
        "token has invalid issuer",
        "No credentials found for given 'iss'",
        "steps.jwt.JwtIssuerMismatch",
        "The access token is from the wrong issuer 'https://sts.windows.net/x/'. It must match the tenant",
        "issuer does not match",
    ],
    "key_rotated": [
        "The signature key was not found",
        "IDX10503: Signature validation failed.",
        "Jwks doesn't have key to match kid or alg from Jwt",
        "Signed JWT rejected: Another algorithm expected, or no matching key(s) found",
        "no applicable key found in the JSON Web Key Set",
        "Unable to find a signing key that matches 'k1'",
        "steps.jwt.NoMatchingPublicKey",
        "kid 'k1' not found in JWKS",
    ],
    "jwks_unreachable": [
        "Jwks remote fetch is failed",
        "Couldn't retrieve remote JWK set: Connection refused",
        "IDX20803: Unable to obtain configuration from: 'https://id.example.com/'",
        "Error fetching JWKS",
        "failed to fetch the JWKS: timeout",
    ],
    "revoked": [
        "Token was revoked. You have to re-authorize from the user.",
        "token_revoked",
        "account_inactive",
        "Provided token isn't active",
        "Token is not active",
        "Session not active",
        "Continuous access evaluation resulted in challenge with result: InteractionRequired and code:"
        " TokenIssuedBeforeRevocationTimestamp",
    ],
    "missing_scope": [
        "insufficient_scope",
        "The request requires higher privileges than provided by the access token.",
        "Request had insufficient authentication scopes.",
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "missing_scope",
        "The access token does not contain the required scopes.",
    ],
    "not_permitted": [
        "Your IP address 192.0.2.1 is not on the allow list",
        'pods is forbidden: User "u" cannot list resource "pods" in API group ""',
        "User is not authorized to access this resource with an explicit deny",
        "The client 'x' does not have authorization to perform action 'Microsoft.Web/read'",
        "Must have admin rights to Repository.",
        "E0000006",
        "You do not have permission to perform the requested action",
    ],
    "wrong_token_kind": [
        "not_allowed_token_type",
        "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        "Token is not an access token",
        "Token use not allowed: id. Expected: access",
        "invalid token type",
    ],
    "bound_token_sent_bare": ["use_dpop_nonce", "invalid_dpop_proof", "DPoP proof is missing"],
    "step_up_needed": [
        "insufficient_user_authentication",
        "insufficient_claims",
        "A different authentication level is required",
    ],
    "wrong_scheme": [
        "No API key found in request",
        "Access denied due to missing subscription key. Make sure to include subscription key",
        "Authorization header requires 'Credential' parameter.",
        "not a valid key=value pair (missing equal-sign) in Authorization header",
        "Format is Authorization: Bearer [token]",
    ],
    "too_large": [
        "400 Request Header Or Cookie Too Large",
        "HTTP Error 400. The size of the request headers is too long.",
        "Size of a request header field exceeds server limit.",
        "Request Header Fields Too Large",
        "Bad Request - Request Too Long",
        "Request header is too large",
        "upstream sent too big header while reading response header from upstream",
    ],
    "rate_limited": [
        "TotalRequests Limit exceeded.",
        "REQUEST_LIMIT_EXCEEDED",
        "Out of call volume quota. Quota will be replenished in 02:11:09.",
        "API rate limit exceeded for user ID 1.",
        "Too Many Requests",
        "policies.ratelimit.QuotaViolation",
        "userRateLimitExceeded",
        "ratelimited",
    ],
    "intermediary": [
        "Attention Required! | Cloudflare",
        "Just a moment...",
        "error code: 1020",
        "Request unsuccessful. Incapsula incident ID: 1",
        "The requested URL was rejected. Please consult with your administrator.",
        "ERR_CACHE_ACCESS_DENIED",
    ],
}

HINTED = {
    ("expired", "not_yet_valid"): [
        "Access token has expired or is not yet valid.",
        "The token lifetime is invalid; NotBefore: 'x', Expires: 'y'",
    ],
    ("expired", "revoked"): ["INVALID_SESSION_ID", "Session expired or invalid"],
    ("mangled", "key_rotated", "wrong_issuer"): [
        "Jwt verification fails",
        "The signature is invalid",
        "invalid signature",
        "Signature verification failed",
        "Signed JWT rejected: Invalid signature",
        "token signature is invalid",
    ],
    ("mangled", "opaque_at_jwt_api"): [
        "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
        "jwt malformed",
        "Bearer token is malformed",
        "Invalid JWT serialization: Missing dot delimiter(s)",
        "Not enough segments",
        "token contains an invalid number of segments",
        "Invalid Compact JWS",
        "CompactToken parsing failed with error code: 80049217",
        "IDX12741: JWT must have three segments (JWS) or five segments (JWE).",
        "Bad token; invalid JSON",
    ],
    ("wrong_scheme", "intermediary"): [
        "Jwt is missing",
        "JWT not present.",
        "Missing Authentication Token",
        "not_authed",
        "CREDENTIALS_MISSING",
        "Access token is empty.",
        "No authorization token was found",
        "Authentication credentials were not provided.",
        "Full authentication is required to access this resource",
        "Missing Authorization Header",
        "Not authenticated",
        "Request is missing required authentication credential.",
    ],
    ("missing_scope", "not_permitted"): [
        "RBAC: access denied",
        "Resource not accessible by integration",
        "Authorization_RequestDenied | Insufficient privileges to complete the operation.",
    ],
}

SILENT = [
    "Unauthorized",
    "Forbidden",
    "invalid_token",
    "Bad credentials",
    "Invalid token provided",
    "The access token provided is expired, revoked, malformed, or invalid for other reasons.",
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or"
    " other valid authentication credential.",
    "The access token is invalid or has expired",
    "Invalid or expired token",
    "Token is invalid or expired",
    "Unauthorized. Access token is missing or invalid.",
    "401 Authorization Required",
]


def parameters(table: dict[str, list[str]]) -> list[object]:
    """Return the rows for a test, each with its text as its name."""
    return [pytest.param(key, text, id=text[:60]) for key, texts in table.items() for text in texts]


@pytest.mark.parametrize(("cause", "text"), parameters(NAMED))
def test_a_text_names_one_cause(cause: str, text: str) -> None:
    """The text means this cause and no other."""
    statements = read_statements(call(text=text))
    assert [name for name, each in statements.items() if each.is_name] == [cause]


@pytest.mark.parametrize(
    ("causes", "text"), [(causes, text) for causes, texts in HINTED.items() for text in texts]
)
def test_a_text_fits_several_causes(causes: tuple[str, ...], text: str) -> None:
    """The text names none of them."""
    statements = read_statements(call(text=text))
    assert set(statements) == set(causes)
    assert not any(each.is_name for each in statements.values())


@pytest.mark.parametrize("text", SILENT)
def test_a_text_says_nothing(text: str) -> None:
    """A text that fits every cause speaks for none."""
    assert not read_statements(call(text=text))


@pytest.mark.parametrize(
    ("cause", "text", "expected"),
    [
        (
            "wrong_audience",
            "jwt audience invalid. expected: https://a.example",
            "https://a.example",
        ),
        ("wrong_issuer", "jwt issuer invalid. expected: https://i.example", "https://i.example"),
    ],
)
def test_what_the_api_expects_is_read(cause: str, text: str, expected: str) -> None:
    """The text names what would be accepted."""
    assert read_statements(call(text=text))[cause].expected == expected


def test_rows_are_well_formed() -> None:
    """Each row compiles, has a source, and means causes that exist."""
    for row in API_MESSAGES:
        assert re.compile(row.says)
        assert row.source
        assert set(row.causes) <= set(CAUSES)


def test_long_texts_are_cut() -> None:
    """A server can't make the search slow."""
    text = "a" * (10 * MAX_TEXT)
    assert not read_statements(replace(call(), error_text=text))
