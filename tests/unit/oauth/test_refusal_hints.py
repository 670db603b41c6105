"""The table of hints: a case for each row, in the words that real servers use."""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from urllib.parse import quote_plus

import pytest

from tests.fakes import keyring_ref, make_profile
from tokencli.errors import RefusedError
from tokencli.models import Connection, HttpReply, HttpRequest, Profile, SecretRef, SignIn
from tokencli.oauth.refusal_hints import HINTS, Hint
from tokencli.oauth.refusals import choose_hint, collect_evidence
from tokencli.oauth.server_reason import read_server_reason
from tokencli.oauth.token_response import read_token_response
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import build_provider, load_builtin, load_builtin_table
from tokencli.providers.reply_locator import ReplyDocument

LOGIN = "tokencli login p"
AGAIN = "tokencli login p --again"
EDIT = "tokencli profiles edit p"
SHOW = "tokencli profiles show p"
CUSTOM = build_provider(
    {
        "title": "Own login",
        "endpoints": {"token": "{token_url}"},
        "request": {"body": "json", "send": {"user": "{username}", "password": "{password}"}},
    },
    "own",
)


@dataclass(frozen=True)
class Case:
    """A refusal and what is said about it."""

    cause: str
    """Part of the cause."""
    fix: str | None
    body: object = ""
    """The body: text, or an object that is sent as JSON."""
    status: int = 400
    grant: str = "client_credentials"
    auth: str = "client_secret_basic"
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: str = "client_secret"
    """The profile's secrets, separated by spaces; in the keyring unless `NAME=KIND:TARGET`."""
    refresh: bool = False
    """Whether the request spends a refresh token."""
    endpoint: bool = False
    """Whether it goes to another endpoint than the token endpoint."""
    provider: Provider | str = "oauth2"
    skew: float | None = None
    """Seconds by which this computer's clock is ahead of the server's Date."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Other fields of the profile."""
    sends: str = ""
    """The form in the body of the request."""


def oauth(code: str, text: str = "", **more: str) -> dict[str, str]:
    """Return the members of an OAuth error."""
    return {"error": code, **({"error_description": text} if text else {}), **more}


def make_case_profile(case: Case) -> Profile:
    """Return the profile of a case."""
    refs: dict[str, SecretRef] = {}
    for word in case.secrets.split():
        name, _, source = word.partition("=")
        kind, _, target = source.partition(":")
        refs[name] = SecretRef(kind, name, "p", (target,)) if source else keyring_ref(name, "p")
    provider = case.provider if isinstance(case.provider, Provider) else load_builtin(case.provider)
    made = replace(
        make_profile(grant=case.grant, client_auth=case.auth), provider=provider, secrets=refs
    )
    return replace(made, **case.settings)  # type: ignore[arg-type]


def make_exchange(case: Case) -> tuple[Profile, HttpRequest, HttpReply]:
    """Return the profile, the request and the refusal of a case."""
    profile = make_case_profile(case)
    text = case.body if isinstance(case.body, str) else json.dumps(case.body)
    kind = "application/json" if text[:1] in ("{", "[", '"') else "text/plain"
    kind = "text/html" if text.startswith("<") else kind
    reply = HttpReply(case.status, {"content-type": kind, **case.headers}, text.encode())
    if case.skew is not None:
        date = formatdate(1_800_000_000, usegmt=True)
        headers = {**reply.headers, "date": date}
        reply = replace(reply, headers=headers, received_at=1_800_000_000 + case.skew)
    grant = "" if case.endpoint else "refresh_token" if case.refresh else case.grant
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    headers |= {"DPoP": "proof"} if profile.dpop else {}
    if case.auth == "client_secret_basic":
        pair = f"{quote_plus(profile.values['client_id'])}:canary-secret"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return (
        profile,
        HttpRequest("POST", profile.token_url, headers, case.sends.encode(), grant=grant),
        reply,
    )


def find_row(case: Case) -> Hint:
    """Return the row that explains a case."""
    profile, request, reply = make_exchange(case)
    document, errors = ReplyDocument(reply), profile.provider.errors
    code, text = (document.first_match(places) for places in (errors.code, errors.description))
    reason = read_server_reason(document, text, code if isinstance(code, str) else None, ())
    return choose_hint(profile, collect_evidence(profile, request, reply, reason))[0]


PASSWORD = {"grant": "password", "secrets": "password client_secret"}
ENV_PASSWORD = {"grant": "password", "secrets": "password=env:PW client_secret"}
SIGNED = {"auth": "private_key_jwt", "secrets": "private_key"}
PUBLIC = {"auth": "none", "secrets": ""}
CODE = {"grant": "authorization_code", **PUBLIC}
REFRESH = {"grant": "authorization_code", "refresh": True, **PUBLIC}
LOGIN_FORM = {"grant": "token", "provider": CUSTOM, "auth": "none", "secrets": "password"}
STORE_1 = {"values": {"client_id": "batch", "identity_store_id": "1"}}

CASES = [
    # The clock.
    Case("clock is 3 hours ahead of the server's, so the server most likely", None, oauth("invalid_client"), status=401, skew=10800, **SIGNED),
    Case("clock is 1 minute behind the server's, so the server most likely", None, oauth("invalid_dpop_proof"), skew=-60, settings={"dpop": True}),
    Case("clock is 1 minute behind the server's, so the server most likely", None, status=500, skew=-60, **SIGNED),
    Case("clock is 3 hours behind the server's, so the server sees a wrong time", None, oauth("invalid_grant", "Assertion expired"), skew=-10800, grant="jwt_bearer", **SIGNED),
    Case("clock is 3 hours ahead of the server's; set the clock", None, oauth("invalid_request", "timestamp is in the future"), skew=10800),
    Case("clock and the server's differ; compare", None, oauth("invalid_client", "JWT is not yet valid"), status=401, **SIGNED),
    # The server names a setting.
    Case("requires DPoP", "tokencli profiles edit p --set dpop=true", oauth("invalid_dpop_proof", "DPoP proof is missing")),
    Case("requires DPoP", "tokencli profiles edit p --set dpop=true", oauth("invalid_request", "DPoP proof JWT not provided")),
    Case("requires DPoP", "tokencli profiles edit p --set dpop=true", oauth("invalid_dpop_proof", "The DPoP proof JWT header is missing.")),
    Case("DPoP nonce again", None, oauth("use_dpop_nonce", "nonce is required in the DPoP proof"), settings={"dpop": True}),
    Case("does not accept the DPoP proof", None, oauth("invalid_dpop_proof", "DPoP proof htu mismatch"), settings={"dpop": True}),
    Case("pushed authorization requests", "tokencli profiles edit p --set par=true", oauth("invalid_request", "Pushed Authorization Request is only allowed."), **CODE),
    Case("pushed authorization requests", "tokencli profiles edit p --set par=true", oauth("invalid_request", "Pushed Authorization Request must be used"), **CODE),
    Case("says client_secret_post", "tokencli profiles edit p --set client_auth=client_secret_post", oauth("invalid_client", "Client authentication failed (e.g., unknown client, no client authentication included, or unsupported authentication method). The OAuth 2.0 Client supports client authentication method 'client_secret_post', but method 'client_secret_basic' was requested. You must configure the OAuth 2.0 client's 'token_endpoint_auth_method' value to accept 'client_secret_basic'."), status=401),
    Case("as a confidential client", "tokencli profiles edit p --set client_auth=client_secret_post", oauth("invalid_client", "AADSTS7000218: The request body must contain the following parameter: 'client_assertion' or 'client_secret'."), status=401, **PUBLIC),
    Case("signed with the client's private key", "tokencli profiles edit p --set client_auth=private_key_jwt", oauth("invalid_client", "Parameter client_assertion_type is missing"), secrets="client_secret private_key"),
    Case("client_secret_jwt", "tokencli profiles edit p --set client_auth=client_secret_jwt", oauth("invalid_client", "Parameter client_assertion_type is missing")),
    Case("registered as a public client", "tokencli profiles edit p --set client_auth=none", oauth("invalid_client", "AADSTS700025: Client is public so neither 'client_assertion' nor 'client_secret' should be presented."), status=401, auth="client_secret_post"),
    Case("registered as public", "tokencli profiles edit p --set client_auth=none", oauth("invalid_client", "This client is public and must not send a secret.")),
    Case("client certificate", EDIT, "<html><head><title>400 No required SSL certificate was sent</title></head></html>"),
    Case("the client ID in the body", "tokencli profiles edit p --set client_auth=client_secret_post", oauth("invalid_client", "Missing client_id parameter")),
    Case("in an Authorization header", "tokencli profiles edit p --set client_auth=client_secret_basic", oauth("invalid_request", "client_secret must be provided in the Authorization header"), auth="client_secret_post"),
    Case("in the body", "tokencli profiles edit p --set client_auth=client_secret_post", oauth("invalid_client", "Wrong parameters: client_id and client_secret are expected in the body")),
    Case("expects this client to authenticate", EDIT, oauth("invalid_request", "no client authentication mechanism provided"), **PUBLIC),
    Case("does not accept client_secret_basic", EDIT, oauth("invalid_client", "Request denied: Unsupported authentication method (Correlation ID: 0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9)"), status=401),
    Case("audience (`aud`)", "tokencli profiles edit p --set assertion_audience=token_endpoint", oauth("invalid_client", "Invalid token audience"), settings={"issuer": "https://id.example.com"}, **SIGNED),
    Case("audience (`aud`)", EDIT, oauth("invalid_client", "Invalid token audience"), **SIGNED),
    Case("requires an `audience`", EDIT, oauth("invalid_request", "Missing required parameter: audience")),
    Case("this `audience`", EDIT, oauth("invalid_client", "Audience not found"), settings={"params": {"audience": "orders"}}),
    Case("this `audience`", EDIT, oauth("access_denied", "Service not enabled within domain: https://api.example.com"), status=403, settings={"params": {"audience": "https://api.example.com"}}),
    Case("`resource`", EDIT, oauth("invalid_target", "resource indicator is missing, or unknown")),
    Case("target service", EDIT, oauth("invalid_target")),
    Case("redirect URI", None, oauth("invalid_grant", "Incorrect redirect_uri"), **CODE),
    Case("redirect URI", None, oauth("redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL for this application."), **CODE),
    Case("requires the scope openid", "tokencli profiles edit p --set 'scope=groups openid'", oauth("invalid_request", 'Missing required scope(s) ["openid"].'), settings={"scope": "groups"}, **PASSWORD),
    Case("requires the scope openid", "tokencli profiles edit p --set scope=openid", oauth("invalid_scope", 'Missing required scope(s) ["openid"].'), **PASSWORD),
    Case("requires a scope", EDIT, oauth("invalid_request", "AADSTS900144: The request body must contain the following parameter: 'scope'.")),
    Case("/.default", EDIT, oauth("invalid_scope", "AADSTS1002012: The provided value for scope x is not valid."), settings={"scope": "x"}),
    Case("a scope is unknown", EDIT, oauth("invalid_scope", "One or more scopes are not configured for the authorization server resource."), settings={"scope": "x"}),
    Case("identity store ID is wrong", EDIT, oauth("invalid_grant", "Identity store not found"), settings=STORE_1, **PASSWORD),
    Case("tenant or realm", EDIT, {"error": "Realm does not exist"}, status=404),
    # Seen of vendors.
    Case("refuses the time", None, oauth("invalid_client", "AADSTS700024: Client assertion is not within its valid time range."), status=401, **SIGNED),
    Case("audience (`aud`)", EDIT, oauth("invalid_client", "The audience claim for client_assertion must be the endpoint invoked for the request."), status=401, **SIGNED),
    Case("is not a guest in this tenant", None, oauth("invalid_grant", "AADSTS50020: User account 'x' from identity provider 'live.com' does not exist in tenant 'X'."), **PASSWORD),
    Case("the app is disabled", None, oauth("unauthorized_client", "AADSTS7000112: Application 'x'(y) is disabled.")),
    Case("has expired, was revoked, or was used", LOGIN, oauth("invalid_grant", "The refresh token is invalid or expired."), **REFRESH),
    Case("has expired, was revoked, or was used", LOGIN, oauth("unauthorized_client", "refresh_token is invalid"), status=403, **REFRESH),
    Case("the client ID or the client secret is wrong", AGAIN, {"error": "invalid_client", "reason": "Invalid client_id or client_secret"}),
    Case("the client ID or the client secret is wrong", AGAIN, {"error": {"message": "Error validating client secret.", "type": "OAuthException", "code": 1}}),
    Case("Amazon API Gateway", SHOW, {"message": "Missing Authentication Token"}, status=403),
    Case("expects HTTPS", SHOW, oauth("invalid_request", "HTTPS required"), status=403),
    Case("does not find an API key", SHOW, {"message": "No API key found in request"}, status=401, secrets="api_key", provider=CUSTOM, grant="token", auth="none"),
    Case("the account is locked", None, "LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 775, v3839", status=401, **LOGIN_FORM),
    Case("has expired; ask an administrator", None, oauth("invalid_grant", "User account has expired"), **PASSWORD),
    Case("multi-factor", "tokencli profiles edit p --set grant=device_code", oauth("invalid_grant", "Error: You have 2FA enabled"), **PASSWORD),
    Case("the password is wrong, a parameter", AGAIN, {"message": "Identifiant ou mot de passe incorrect"}, **LOGIN_FORM),
    Case("does not accept a parameter", SHOW, {"title": "One or more validation errors occurred.", "errors": {"User": ["The User field is required."]}}, **LOGIN_FORM),
    Case("which was sent", SHOW, oauth("invalid_request", "Missing form parameter: username"), sends="username=x", **PASSWORD),
    # The account.
    Case("the account is locked", None, oauth("invalid_grant", "AADSTS50053: The account is locked."), **PASSWORD),
    Case("the account is locked", None, oauth("too_many_attempts", "Your account has been blocked after multiple consecutive login attempts."), status=429, **PASSWORD),
    Case("the account is disabled", None, oauth("invalid_grant", "Account disabled"), **PASSWORD),
    Case("the account is disabled", None, {"error": {"code": 400, "message": "USER_DISABLED"}}, **LOGIN_FORM),
    Case("password has expired", None, oauth("invalid_grant", "AADSTS50055: The password is expired."), **PASSWORD),
    Case("password has expired", None, oauth("invalid_grant", "Password expired"), **PASSWORD),
    Case("complete the account setup", None, oauth("invalid_grant", "Account is not fully set up"), **PASSWORD),
    Case("multi-factor", "tokencli profiles edit p --set grant=device_code", oauth("invalid_grant", "AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication."), **PASSWORD),
    Case("multi-factor", None, oauth("mfa_required", "Multifactor authentication required"), status=403, **LOGIN_FORM),
    Case("sign in again", LOGIN, oauth("invalid_grant", "reauth related error (invalid_rapt)", error_subtype="invalid_rapt"), **REFRESH),
    Case("not consented", LOGIN, oauth("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application."), **REFRESH),
    Case("not consented", LOGIN, oauth("invalid_grant", "User consent is required"), **REFRESH),
    Case("must consent", None, oauth("invalid_grant", "user hasn't approved this consumer"), **PASSWORD),
    Case("must sign in interactively", "tokencli profiles edit p --set grant=device_code", oauth("interaction_required"), **PASSWORD),
    Case("needs input from the user", LOGIN, oauth("login_required"), **CODE),
    Case("a policy of the server", None, oauth("access_denied", "Policy evaluation failed for this request, please check the policy configurations.")),
    Case("not assigned", None, oauth("invalid_grant", "AADSTS50105: The signed in user is not assigned to a role for the application."), **PASSWORD),
    Case("not assigned", None, oauth("access_denied", "User is not assigned to the client application."), **PASSWORD),
    Case("certain networks", None, "Forbidden: your IP 10.0.0.1 is not on the allow list", status=403),
    Case("does not know this user name", EDIT, {"error": {"code": 400, "message": "EMAIL_NOT_FOUND"}}, **LOGIN_FORM),
    # The client.
    Case("the client secret has expired", AGAIN, {"title": "Unauthorized", "status": 401, "detail": "client secret expired on 2026-11-01"}, status=401),
    Case("the client secret has expired; create a new one in the app's registration; the profile reads the client_secret from the environment variable CS", None, oauth("invalid_client", "AADSTS7000222: The provided client secret keys for app 'x' are expired."), status=401, secrets="client_secret=env:CS"),
    Case("the API key has expired", AGAIN, {"message": "Unauthorized: API key expired"}, status=401, secrets="api_key", provider=CUSTOM, grant="token", auth="none"),
    Case("the API key is wrong", AGAIN, {"error": {"code": 400, "message": "API key not valid. Please pass a valid API key."}}, secrets="api_key", provider=CUSTOM, grant="token", auth="none"),
    Case("not its ID", AGAIN, oauth("invalid_client", "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID."), status=401, auth="client_secret_post"),
    Case("deleted or disabled", None, oauth("deleted_client", "The OAuth client was deleted."), status=401),
    Case("does not know the client ID batch", EDIT, {"fault": {"faultstring": "Invalid client identifier {0}", "detail": {"errorcode": "oauth.v2.InvalidClientIdentifier"}}}, status=401),
    Case("does not know the client ID batch", EDIT, {"errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter."}, status=401),
    Case('basic_encoding = "raw"', AGAIN, oauth("invalid_client", "Invalid client credentials."), status=401, settings={"values": {"client_id": "a b"}}),
    Case("the client ID or the client secret is wrong", AGAIN, oauth("invalid_client", "The client secret supplied for a confidential client is invalid."), status=401),
    Case("the refresh token has expired, was revoked", LOGIN, oauth("invalid_grant", "The provided authorization grant (e.g., authorization code, resource owner credentials) or refresh token is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client. The refresh token has not been found: not_found"), **REFRESH),
    Case("a client authentication method other than", AGAIN, oauth("invalid_client", "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method."), status=401),
    Case("the client ID or the client secret is wrong", AGAIN, oauth("unauthorized_client", "Invalid client or Invalid client credentials"), status=401),
    Case("expects this client to authenticate", EDIT, oauth("unauthorized_client", "Invalid client or Invalid client credentials"), status=401, **PUBLIC),
    Case("key or certificate is not the one", EDIT, oauth("invalid_client", "Invalid client or Invalid client credentials"), status=401, **SIGNED),
    Case("let this client use this grant", None, oauth("unauthorized_client", "Client not allowed for direct access grants"), **PASSWORD),
    Case("enable direct access grants for the client", None, oauth("unauthorized_client", "Client not allowed for direct access grants"), provider="keycloak", **PASSWORD),
    Case("enable service account roles", None, oauth("unauthorized_client", "Client not enabled to retrieve service account"), status=401, provider="keycloak"),
    Case("let this client use this grant", None, oauth("unauthorized_client", "requested grant type is not allowed for this client")),
    Case("verify the assertion's signature", AGAIN, oauth("invalid_grant", "Invalid JWT Signature."), grant="jwt_bearer", **SIGNED),
    Case("no default user directory", None, oauth("server_error", "Authorization server not configured with default connection."), status=500, **PASSWORD),
    # The refresh token, or the code.
    Case("used before", LOGIN, oauth("invalid_grant", "Maximum allowed refresh token reuse exceeded"), **REFRESH),
    Case("refresh token has expired", LOGIN, oauth("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity."), **REFRESH),
    Case("refresh token has expired", LOGIN, oauth("invalid_grant", "Refresh token expired"), **REFRESH),
    Case("not used for too long", LOGIN, oauth("invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity."), provider="entra", **REFRESH),
    Case("only an administrator can consent", None, oauth("invalid_grant", "AADSTS90094: The grant requires admin permission."), provider="entra", **REFRESH),
    Case("the session has ended", LOGIN, oauth("invalid_grant", "Session not active"), **REFRESH),
    Case("token to exchange", None, oauth("invalid_request", "Invalid subject_token"), grant="token_exchange"),
    Case("declined", LOGIN, oauth("authorization_declined", "the user said no"), grant="device_code", **PUBLIC),
    Case("declined", LOGIN, oauth("access_denied"), grant="device_code", **PUBLIC),
    Case("the code expired", LOGIN, oauth("invalid_grant", "Code not valid"), **CODE),
    # The user's credentials.
    Case("the password or the identity store ID is wrong", AGAIN, oauth("invalid_grant", "Invalid credentials"), settings=STORE_1, **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, oauth("invalid_grant", "Invalid user credentials"), status=401, **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, oauth("access_denied", "Invalid username or password"), status=401, **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, oauth("invalid_grant", "Wrong email or password."), status=403, **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, oauth("invalid_grant", "invalid_username_or_password"), **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, oauth("invalid_grant", "Invalid credentials given."), **PASSWORD),
    Case("the user name or the password is wrong", AGAIN, {"error": {"code": 400, "message": "INVALID_PASSWORD"}}, **LOGIN_FORM),
    Case("the user name or the password is wrong", AGAIN, {"error": {"code": 400, "message": "INVALID_LOGIN_CREDENTIALS"}}, **LOGIN_FORM),
    Case("is wrong; the profile reads the password from the environment variable PW", None, oauth("invalid_grant", "Invalid user credentials"), status=401, **ENV_PASSWORD),
    # A gateway, or the wrong place.
    Case("firewall", None, "<html><head><title>Request Rejected</title></head><body>The requested URL was rejected. Please consult with your administrator.<br>Your support ID is: 1234567890123456789</body></html>", status=403),
    Case("sign-in page", SHOW, "<!DOCTYPE html><html><head><title>Sign in to Acme</title></head><body><form>Password</form></body></html>", status=401),
    Case("the parameter identity_store_id", EDIT, oauth("invalid_request", "Missing required parameter: identity_store_id"), **PASSWORD),
    Case("the parameter username", EDIT, oauth("invalid_request", "Missing parameter: username"), **PASSWORD),
    Case("the parameter assertion", EDIT, oauth("invalid_request", "missing required parameter 'assertion'")),
    # Error codes.
    Case("under maintenance", None, oauth("temporarily_unavailable"), status=503),
    Case("internal error", None, oauth("server_error"), status=500),
    Case("the server says to wait 1 hour", None, oauth("too_many_requests"), status=429, headers={"retry-after": "3600"}),
    Case("too many requests", None, oauth("slow_down")),
    Case("a scope is unknown", EDIT, oauth("invalid_scope")),
    Case("does not support this grant", EDIT, oauth("unsupported_grant_type")),
    Case("authorization codes", None, oauth("unsupported_response_type"), **CODE),
    Case("is not allowed to use this grant (client_credentials)", None, oauth("unauthorized_client")),
    Case("registration of this client", None, oauth("invalid_client_metadata")),
    Case("pushed or signed", LOGIN, oauth("invalid_request_uri"), settings={"sign_in": SignIn(par=True)}, **CODE),
    Case("or the user is not allowed to sign in", AGAIN, oauth("invalid_grant"), settings=STORE_1, **PASSWORD),
    Case("or the account is locked or disabled", AGAIN, oauth("invalid_grant"), **PASSWORD),
    Case("from the environment variable PW", None, oauth("invalid_grant"), **ENV_PASSWORD),
    Case("expired, was revoked, or was used", LOGIN, oauth("invalid_grant"), **REFRESH),
    Case("the code expired", LOGIN, oauth("invalid_grant"), **CODE),
    Case("does not accept the assertion", EDIT, oauth("invalid_grant"), grant="jwt_bearer", **SIGNED),
    Case("token to exchange", None, oauth("invalid_grant"), grant="token_exchange"),
    Case("the credentials are wrong", AGAIN, oauth("invalid_grant")),
    Case("the client ID batch is unknown", EDIT, oauth("invalid_client"), status=401, **PUBLIC),
    Case('basic_encoding = "raw"', AGAIN, oauth("invalid_client"), status=401, settings={"values": {"client_id": "a b"}}),
    Case("a client authentication method other than client_secret_basic", AGAIN, oauth("invalid_client"), status=401),
    Case("the client's key is not registered", EDIT, oauth("invalid_client"), status=401, **SIGNED),
    Case("the client certificate", EDIT, oauth("invalid_client"), status=401, auth="tls_client_auth", secrets=""),
    Case("the client's credentials", EDIT, oauth("invalid_client"), status=401, **LOGIN_FORM),
    Case("not authorized for this audience", EDIT, oauth("access_denied", "Unauthorized"), status=401),
    Case("or the user denied the request", None, oauth("access_denied"), grant="token_exchange"),
    Case("missing, repeated or wrong", SHOW, oauth("invalid_request")),
    # Statuses.
    Case("try again in a minute", None, status=429),
    Case("not available", None, status=503),
    Case("is locked", None, status=423),
    Case("the refresh token has expired or was revoked", LOGIN, status=401, **REFRESH),
    Case("doesn't say why; possible causes, most likely first: the user name or the password is wrong, the account is locked or disabled, the client ID or", AGAIN, status=401, **PASSWORD),
    Case("from the environment variable PW", None, status=401, **ENV_PASSWORD),
    Case("the identity store ID is wrong, the account", AGAIN, status=401, settings=STORE_1, **PASSWORD),
    Case("the client ID is unknown, the server expects this client to authenticate", AGAIN, status=401, grant="password", auth="none", secrets="password"),
    Case("most likely first: the user name", AGAIN, {"message": "no"}, status=401, **PASSWORD),
    Case("a firewall blocks this network", AGAIN, status=403, **PASSWORD),
    Case("the password is wrong or has expired", AGAIN, status=401, **LOGIN_FORM),
    Case("the password is wrong, the account", AGAIN, status=403, **LOGIN_FORM),
    Case('basic_encoding = "raw"', AGAIN, status=401, settings={"values": {"client_id": "a b"}}),
    Case("the client ID or the client secret is wrong or expired", AGAIN, status=401),
    Case("key or certificate is not registered", EDIT, status=401, **SIGNED),
    Case("the client ID batch is unknown", EDIT, status=401, **PUBLIC),
    Case("does not accept the credentials", AGAIN, status=401, provider=CUSTOM, grant="token", auth="none", endpoint=True),
    Case("the client is not allowed to get this token", None, status=403),
    Case("nothing at this URL", SHOW, status=404),
    Case("does not accept POST", SHOW, status=405),
    Case("application/x-www-form-urlencoded was sent", SHOW, status=415),
    Case("the profile's `proxy` names", EDIT, status=407, settings={"connection": Connection(proxy="http://proxy.example.com:3128")}),
    Case("the proxy requires authentication", "export HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT", status=407),
    Case("the server is busy", None, status=408),
    Case("not responsible for the host name", SHOW, status=421),
    Case("a parameter of the request is wrong", SHOW, status=400),
    Case("ask its administrators", None, {"message": "session limit reached"}, status=409),
    Case("does not support this kind of request", SHOW, status=501),
    Case("a gateway received", None, status=502),
    Case("a gateway timed out", None, status=504),
    Case("internal error", None, status=500),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause[:40])
def test_refusal_has_the_cause_and_fix_of_its_row(case: Case) -> None:
    """The likely cause follows from the evidence, and the fix helps in that very situation."""
    profile, request, reply = make_exchange(case)
    with pytest.raises(RefusedError) as caught:
        read_token_response(profile, request, reply, 1_800_000_000.0)
    assert case.cause in (caught.value.cause or "")
    assert caught.value.fix == case.fix
    assert "{" not in (caught.value.fix or "")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503, 599])
def test_a_wrong_clock_is_a_remark_on_a_plain_secret(status: int) -> None:
    """No proof of the request depends on the time, so the likely cause stays what it is."""
    profile, request, reply = make_exchange(Case("", None, status=status, skew=-40))
    with pytest.raises(RefusedError) as caught:
        read_token_response(profile, request, reply, 1_800_000_000.0)
    cause = caught.value.cause or ""
    assert cause.endswith("; also, this computer's clock is 40 seconds behind the server's")


@pytest.mark.parametrize("skew", [None, 0.0, 29.0, -29.0])
def test_a_right_clock_is_not_mentioned(skew: float | None) -> None:
    """Up to 30 seconds are no reason for a remark."""
    profile, request, reply = make_exchange(Case("", None, status=401, skew=skew, **SIGNED))
    with pytest.raises(RefusedError) as caught:
        read_token_response(profile, request, reply, 1_800_000_000.0)
    assert "clock" not in (caught.value.cause or "")


def test_every_row_has_a_case() -> None:
    """A row without a case may never apply, because of one above it."""
    used = [find_row(case) for case in CASES]
    assert [hint.cause for hint in HINTS if not any(hint is row for row in used)] == []


def test_a_providers_own_meanings_come_before_the_rows_about_code_and_status() -> None:
    """And a code comes before a status."""
    errors = {
        "codes": {"E1": {"what": "meaning of E1", "whose": "you"}},
        "status": {"400": {"what": "meaning of 400"}},
    }
    base = load_builtin_table("oauth2")
    own = build_provider({**base, "errors": errors}, "own")
    for provider in (own, replace(CUSTOM, errors=own.errors)):
        case = Case("", None, oauth("E1", "Invalid password"), provider=provider, **PASSWORD)
        assert find_row(case).cause == "meaning of E1"
        assert find_row(replace(case, body=oauth("E2"))).cause == "meaning of 400"
    assert (
        "disabled"
        in find_row(
            Case("", None, oauth("invalid_grant", "Account disabled"), provider=own, **PASSWORD)
        ).cause
    )


def test_the_option_is_named_instead_of_the_setting() -> None:
    """If --scope set the scope, the profile is not what to edit."""
    typed = {"scope": "x", "value_sources": {"scope": "--scope"}}
    profile, request, reply = make_exchange(Case("", None, oauth("invalid_scope"), settings=typed))
    with pytest.raises(RefusedError) as caught:
        read_token_response(profile, request, reply, 0.0)
    assert caught.value.fix == "tokencli get p"
    assert "--scope" in (caught.value.cause or "")
