"""Each cause is named first by its family of evidence, and not by the controls beside it."""

import base64
import json
from dataclasses import replace

import pytest

from tests.unit.diagnosis.records import (
    API,
    DAY,
    HOUR,
    ISSUER,
    MINUTE,
    NOW,
    bare,
    call,
    evidence,
    issuer,
    opaque,
    profile,
    token,
)
from tokencli.diagnosis.causes import CAUSES, exit_code, rank_causes
from tokencli.diagnosis.evidence import (
    EventFacts,
    Evidence,
    OpenQuestion,
    ResourceFacts,
    TokenRole,
)
from tokencli.errors import LoginRequiredError, RefusedError, TlsError, UnreachableError

EXPIRED = token(expires_at=NOW - 12 * MINUTE, issued_at=NOW - 72 * MINUTE)
INVALID = 'Bearer error="invalid_token"'
RESOURCE = ResourceFacts(url="https://api.example.com/.well-known/oauth-protected-resource")
HTML = {"body_kind": "html", "challenge": None}
LARGE = token(length=9000, claims={"groups": [f"group-{n:04}" for n in range(700)]})

NAMED_FIRST: dict[str, dict[str, Evidence]] = {
    "expired": {
        "by the server's clock": evidence(token=EXPIRED, call=call(challenge=INVALID)),
        "without a challenge": evidence(token=EXPIRED, call=call()),
        "with a 403": evidence(token=EXPIRED, call=call(403)),
        "without a URL": evidence(token=EXPIRED),
        "offline": evidence(token=EXPIRED, issuer=issuer(server_time=None, received_at=None)),
        "by the server's clock only": evidence(
            token=token(),
            call=call(challenge=INVALID, server_ahead=2 * HOUR),
            issuer=issuer(server_time=NOW + 2 * HOUR),
        ),
        "an opaque token by its token response": evidence(
            token=opaque(stated_expiry=NOW - MINUTE), call=call(challenge=INVALID)
        ),
        "an opaque token by the API's words": evidence(
            token=opaque(),
            call=call(
                challenge='Bearer error="invalid_token", error_description="The access token expired"'
            ),
        ),
        "and introspection calls it inactive": evidence(
            token=EXPIRED, call=call(), issuer=issuer(introspection={"active": False})
        ),
        "and its key is gone": evidence(token=EXPIRED, call=call(), issuer=issuer(key_ids=("k2",))),
        "of another audience as well": evidence(
            token=replace(EXPIRED, audience=("https://other.example.com",)), call=call()
        ),
        "with a 500 that says so": evidence(
            token=EXPIRED, call=call(500, text="Access Token expired")
        ),
        "a saved reply": evidence(
            token=EXPIRED, call=call(is_saved=True, server_ahead=-MINUTE, received_at=None)
        ),
        "in the future by exp, and the session is Salesforce's": evidence(
            token=EXPIRED, call=call(code="INVALID_SESSION_ID", text="Session expired or invalid")
        ),
        "a fresh token works": evidence(
            token=EXPIRED, call=call(), fresh_token=token(), fresh_call=call(200)
        ),
    },
    "local_clock": {
        "ahead, so that the token seems expired": evidence(
            token=token(issued_at=NOW - 4 * HOUR, expires_at=NOW - HOUR),
            call=call(200, server_ahead=-3 * HOUR),
            issuer=issuer(server_time=NOW - 3 * HOUR),
        ),
        "ahead, without a URL": evidence(
            token=token(issued_at=NOW - 4 * HOUR, expires_at=NOW - HOUR),
            issuer=issuer(server_time=NOW - 3 * HOUR),
        ),
        "behind, so that the token seems to start later": evidence(
            token=token(issued_at=NOW + HOUR, expires_at=NOW + 2 * HOUR),
            call=call(200, server_ahead=HOUR + 10),
            issuer=issuer(server_time=NOW + HOUR + 10),
        ),
        "behind, so that a DPoP proof is too old": evidence(
            token=token(bound_to="dpop", holds_bound_key=True, issued_at=NOW, expires_at=NOW + DAY),
            profile=profile(dpop=True),
            call=call(
                challenge='DPoP error="invalid_dpop_proof", error_description="iat is too old"',
                carrier="Authorization: DPoP",
                proof="dpop",
                server_ahead=HOUR,
            ),
            issuer=issuer(server_time=NOW + HOUR),
        ),
    },
    "not_yet_valid": {
        "by nbf": evidence(token=token(not_before=NOW + HOUR), call=call(challenge=INVALID)),
        "by nbf, without a URL": evidence(token=token(not_before=NOW + HOUR)),
        "by the time of issue": evidence(
            token=token(issued_at=NOW + 10 * MINUTE, expires_at=NOW + HOUR),
            call=call(challenge=INVALID),
        ),
        "by the API's words": evidence(token=opaque(), call=call(text="Jwt not yet valid")),
    },
    "wrong_audience": {
        "with a slash more than the API's": evidence(
            token=token(audience=("https://api.example.com/v1/",)),
            call=call(challenge=INVALID),
            resource=replace(RESOURCE, resource="https://api.example.com/v1"),
        ),
        "by the API's words": evidence(
            call=call(
                challenge='Bearer error="invalid_token", error_description="The audience \'a\' is invalid"'
            )
        ),
        "by the API's words in plain text": evidence(
            call=call(403, text="Audiences in Jwt are not allowed", body_kind="text")
        ),
        "by the API's metadata": evidence(
            token=token(audience=("https://other.example.com",)),
            call=call(challenge=INVALID),
            resource=replace(RESOURCE, resource="https://api.example.com"),
        ),
        "by the names of the hosts": evidence(
            token=token(audience=("https://graph.example.org",)), call=call(challenge=INVALID)
        ),
        "than the profile requests": evidence(
            token=token(audience=("invoices",)),
            profile=profile(audiences=("orders",), audience_key="audience"),
            call=call(),
        ),
        "Keycloak's account": evidence(token=token(audience=("account",)), call=call()),
        "alive, and refused without a word": evidence(
            token=token(audience=("orders-api",)),
            call=call(challenge=INVALID),
            issuer=issuer(introspection={"active": True}),
        ),
        "a fresh token is refused as well": evidence(
            token=token(audience=("orders-api",)),
            call=call(challenge=INVALID),
            fresh_token=token(),
            fresh_call=call(challenge=INVALID),
        ),
    },
    "wrong_issuer": {
        "by the API's words": evidence(call=call(text="Jwt issuer is not configured")),
        "by the API's metadata": evidence(
            call=call(challenge=INVALID),
            resource=replace(RESOURCE, authorization_servers=("https://login.example.com",)),
        ),
        "staging token, production API": evidence(
            token=token(issuer="https://id.staging.example.com"),
            profile=profile(issuer=None),
            issuer=issuer(issuer=None, key_ids=None),
            call=call(challenge=INVALID),
        ),
        "than the profile trusts": evidence(
            token=token(issuer="https://other.example.com", stored=False),
            call=call(challenge=INVALID),
        ),
        "Azure's text": evidence(
            call=call(
                code="InvalidAuthenticationTokenTenant",
                text="The access token is from the wrong issuer 'https://sts.windows.net/x/'.",
            )
        ),
    },
    "missing_scope": {
        "named by the challenge": evidence(
            call=call(403, challenge='Bearer error="insufficient_scope", scope="orders:write"')
        ),
        "without a name": evidence(call=call(403, challenge='Bearer error="insufficient_scope"')),
        "named by the body": evidence(
            call=call(403, code="insufficient_scope", required_scopes=("orders:write",))
        ),
        "Google's reason": evidence(
            call=call(
                403,
                code="PERMISSION_DENIED",
                text="ACCESS_TOKEN_SCOPE_INSUFFICIENT | Request had insufficient authentication scopes.",
            )
        ),
        "GitHub's headers": evidence(
            token=opaque(scopes=("gist",)),
            call=call(403, headers={"x-accepted-oauth-scopes": "repo", "x-oauth-scopes": "gist"}),
        ),
        "Slack's 200": evidence(
            token=opaque(scopes=("chat:write",)),
            call=call(200, code="missing_scope", required_scopes=("channels:read",)),
        ),
        "requested and not granted": evidence(
            profile=profile(scopes=("orders:read", "orders:write")), call=call(403)
        ),
    },
    "not_permitted": {
        "by the API's words": evidence(
            call=call(403, text="Must have admin rights to Repository.", body_kind="text")
        ),
        "although it has the scope": evidence(
            call=call(403, challenge='Bearer error="insufficient_scope", scope="orders:read"')
        ),
        "Kubernetes": evidence(
            call=call(
                403,
                code="Forbidden",
                text='pods is forbidden: User "u" cannot list resource "pods"',
            )
        ),
    },
    "revoked": {
        "by introspection": evidence(
            call=call(challenge=INVALID), issuer=issuer(introspection={"active": False})
        ),
        "by introspection, without a URL": evidence(issuer=issuer(introspection={"active": False})),
        "from this computer": evidence(call=call(), events=EventFacts(revoked_at=NOW - HOUR)),
        "by the API's words": evidence(
            token=opaque(),
            call=call(
                code="invalid_token",
                text="Token was revoked. You have to re-authorize from the user.",
            ),
        ),
        "a fresh token works": evidence(
            call=call(challenge=INVALID), fresh_token=token(), fresh_call=call(200)
        ),
        "UserInfo refuses it": evidence(
            call=call(challenge=INVALID), issuer=issuer(userinfo_status=401)
        ),
        "its session has ended": evidence(
            call=call(challenge=INVALID),
            fresh_error=RefusedError("the server refused the refresh token", error="invalid_grant"),
        ),
        "called expired before its time": evidence(
            call=call(challenge='Bearer error="invalid_token", error_description="token expired"')
        ),
        "opaque, inactive": evidence(
            token=opaque(stated_expiry=NOW + HOUR),
            call=call(),
            issuer=issuer(introspection={"active": False}),
        ),
    },
    "key_rotated": {
        "another key has its ID": evidence(
            token=token(signature="invalid"), call=call(challenge=INVALID)
        ),
        "the kid is gone": evidence(
            token=token(signature="unchecked"),
            call=call(challenge=INVALID),
            issuer=issuer(key_ids=("k2", "k3")),
        ),
        "the kid is gone, without a URL": evidence(
            token=token(signature="unchecked"), issuer=issuer(key_ids=("k2",))
        ),
        "by the API's words": evidence(
            token=token(signature="unchecked"),
            call=call(
                challenge='Bearer error="invalid_token", error_description="The signature key was not found"'
            ),
            issuer=issuer(key_ids=None),
        ),
        "the API has an old copy": evidence(
            call=call(text="Jwks doesn't have key to match kid or alg from Jwt")
        ),
    },
    "jwks_unreachable": {
        "from here, and the API refuses": evidence(
            token=token(signature="unchecked"),
            call=call(challenge=INVALID),
            issuer=issuer(
                key_ids=None, jwks_error=UnreachableError("can't connect to id.example.com")
            ),
        ),
        "by the API's words": evidence(call=call(text="Jwks remote fetch is failed")),
        "by the API's 500": evidence(
            call=call(
                500,
                text="An error occurred while attempting to decode the Jwt: Couldn't retrieve remote JWK set",
            ),
            issuer=issuer(
                key_ids=None, jwks_error=RefusedError("id.example.com answers 503", status=503)
            ),
        ),
    },
    "mangled": {
        "in quotes": evidence(token=token(mangling=("it is in quotes",)), call=call()),
        "truncated": evidence(
            token=opaque(length=800, part_of_stored=1200, stored=False),
            call=call(challenge=INVALID),
        ),
        "damaged": evidence(
            token=opaque(
                damage="it starts like a JWT but has 2 parts instead of 3: was it cut off?"
            ),
            call=call(
                text="Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
            ),
        ),
        "by its signature": evidence(
            token=token(signature="invalid", stored=False), call=call(challenge=INVALID)
        ),
        "without a URL": evidence(token=token(mangling=("it ends with a line break",))),
        "and introspection calls it inactive": evidence(
            token=token(signature="invalid", stored=False),
            call=call(),
            issuer=issuer(introspection={"active": False}),
        ),
        "and the server fails": evidence(
            token=token(mangling=("it has a line break in it",)), call=call(400)
        ),
        "unsigned": evidence(token=token(header={"alg": "none"}, signature="invalid"), call=call()),
    },
    "wrong_token_kind": {
        "an ID token": evidence(
            token=token(role="id", role_sign="it has nonce and at_hash", audience=("batch",)),
            call=call(
                challenge='Bearer error="invalid_token", error_description="The aud claim is not valid"'
            ),
        ),
        "an ID token, refused without a word": evidence(
            token=token(role="id", audience=("batch",)), call=call()
        ),
        "a refresh token": evidence(token=opaque(role="refresh"), call=call(challenge=INVALID)),
        "a refresh token, without a URL": evidence(token=opaque(role="refresh")),
        "by the API's words": evidence(
            token=token(role="unknown"), call=call(code="not_allowed_token_type", status=200)
        ),
    },
    "opaque_at_jwt_api": {
        "Envoy's text": evidence(
            token=opaque(),
            call=call(
                text="Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
            ),
        ),
        "Spring's text": evidence(
            token=opaque(),
            call=call(
                challenge='Bearer error="invalid_token", error_description="Invalid JWT serialization: Missing dot delimiter(s)"'
            ),
        ),
        "alive, and refused without a word": evidence(
            token=opaque(),
            call=call(challenge=INVALID),
            issuer=issuer(introspection={"active": True}),
        ),
        "Auth0 without an audience": evidence(
            token=opaque(), profile=profile(provider="auth0"), call=call(challenge=INVALID)
        ),
    },
    "other_account": {
        "issued to another profile": evidence(
            token=token(stored=False), call=call(403), events=EventFacts(issued_to="billing")
        ),
        "of another client": evidence(
            token=token(client="other", stored=False), call=call(challenge=INVALID)
        ),
        "of another user": evidence(
            token=token(claims={"preferred_username": "bob"}),
            profile=profile(username="alice"),
            call=call(403),
        ),
        "without a URL": evidence(
            token=token(stored=False), events=EventFacts(issued_to="billing")
        ),
    },
    "bound_token_sent_bare": {
        "DPoP": evidence(
            token=token(bound_to="dpop"),
            profile=profile(dpop=True),
            call=call(challenge='DPoP algs="ES256", Bearer'),
        ),
        "DPoP where only DPoP is offered": evidence(
            token=token(bound_to="dpop"), call=call(challenge='DPoP algs="ES256"')
        ),
        "a certificate": evidence(
            token=token(bound_to="certificate"), call=call(challenge=INVALID)
        ),
        "another key": evidence(
            token=token(bound_to="dpop", holds_bound_key=False),
            call=call(
                challenge='DPoP error="invalid_token"', proof="dpop", carrier="Authorization: DPoP"
            ),
        ),
        "without the nonce": evidence(
            token=token(bound_to="dpop", holds_bound_key=True),
            call=call(
                challenge='DPoP error="use_dpop_nonce"',
                proof="dpop",
                carrier="Authorization: DPoP",
                headers={"dpop-nonce": "n-1"},
            ),
        ),
    },
    "step_up_needed": {
        "acr": evidence(
            call=call(challenge='Bearer error="insufficient_user_authentication", acr_values="mfa"')
        ),
        "max_age": evidence(
            token=token(claims={"auth_time": NOW - DAY}),
            call=call(challenge='Bearer error="insufficient_user_authentication", max_age="300"'),
        ),
        "Microsoft's claims challenge": evidence(
            call=call(challenge='Bearer error="insufficient_claims", claims="e30="')
        ),
    },
    "wrong_scheme": {
        "Token instead of Bearer": evidence(
            call=call(challenge="Bearer", carrier="Authorization: Token")
        ),
        "Basic is expected": evidence(call=call(challenge='Basic realm="x"')),
        "the API saw no token": evidence(
            call=call(text="No API key found in request"),
            bare_call=bare(text="No API key found in request"),
        ),
        "another header than the provider's": evidence(
            profile=profile(carriers=("X-Api-Token",)), call=call()
        ),
        "AWS signatures": evidence(
            call=call(
                403,
                text="'eyJ' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer eyJ'.",
            )
        ),
        "DPoP is required": evidence(call=call(challenge='DPoP algs="ES256"')),
        "nothing was sent": evidence(call=call(carrier=None)),
    },
    "too_large": {
        "431": evidence(token=LARGE, call=call(431, request_header_size=9200)),
        "nginx": evidence(
            token=LARGE,
            call=call(
                400,
                body_kind="html",
                page_title="400 Request Header Or Cookie Too Large",
                request_header_size=9200,
            ),
        ),
        "a bare 400": evidence(
            token=LARGE, call=call(400, request_header_size=9200), bare_call=bare()
        ),
        "502 of a proxy": evidence(
            token=LARGE,
            call=call(502, body_kind="html", page_title="502 Bad Gateway"),
            bare_call=bare(),
        ),
        "HAProxy's bare 400": evidence(
            token=LARGE,
            call=call(400, body_kind="html", page_title="400 Bad request"),
            bare_call=bare(),
        ),
        "a closed connection": evidence(
            token=LARGE, call=call(failure="broken_off"), bare_call=bare()
        ),
    },
    "intermediary": {
        "407": evidence(call=call(407, proxy="proxy.example.com:3128")),
        "a login page with 200": evidence(
            call=call(200, body_kind="html", page_title="Sign in", is_sign_in_page=True)
        ),
        "a login page with 401": evidence(
            call=call(401, body_kind="html", page_title="Sign in", is_sign_in_page=True)
        ),
        "a redirect to a login": evidence(
            call=call(302, headers={"location": "https://sso.example.com/login?next=x"})
        ),
        "a captive portal": evidence(call=call(511, body_kind="html")),
        "Cloudflare": evidence(
            call=call(
                403,
                body_kind="html",
                page_title="Attention Required! | Cloudflare",
                headers={"server": "cloudflare"},
            )
        ),
        "a page with and without the token": evidence(
            call=call(403, body_kind="html", page_title="403 Forbidden"),
            bare_call=bare(403, body_kind="html"),
        ),
    },
    "redirect_dropped_token": {
        "another host": evidence(
            call=call(
                301, headers={"location": "https://www.example.com/orders"}, follows_redirects=True
            )
        ),
        "http to https": evidence(
            call=call(
                None,
                url="http://api.example.com/orders",
                carrier=None,
                withheld="the URL is not https",
                server_time=None,
                received_at=None,
            ),
            bare_call=bare(301, url="http://api.example.com/orders", headers={"location": API}),
        ),
        "a saved chain": evidence(
            call=call(
                401,
                challenge="Bearer",
                is_saved=True,
                carrier=None,
                redirected_from=("http://api.example.com/orders",),
            )
        ),
    },
    "rate_limited": {
        "429": evidence(call=call(429, headers={"retry-after": "30"})),
        "403 with headers": evidence(
            call=call(
                403,
                headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 600)},
            )
        ),
        "403 in words": evidence(call=call(403, text="API rate limit exceeded for user ID 1.")),
        "Slack": evidence(token=opaque(), call=call(200, code="ratelimited")),
    },
    "api_down": {
        "503": evidence(call=call(503)),
        "502 with and without the token": evidence(call=call(502), bare_call=bare(502)),
        "500": evidence(call=call(500), bare_call=bare(500)),
        "refused connection": evidence(call=call(failure="connect")),
        "timeout": evidence(call=call(failure="timeout")),
        "and the token has expired": evidence(token=EXPIRED, call=call(failure="connect")),
    },
    "dns": {
        "no such host": evidence(
            call=call(
                failure="dns",
                failure_error=UnreachableError("there is no host named api.example.com"),
            )
        )
    },
    "tls": {
        "untrusted": evidence(
            call=call(
                failure="tls",
                failure_error=TlsError("the certificate of api.example.com has expired"),
            )
        )
    },
    "no_token": {
        "sign-in required": Evidence(
            now=NOW,
            token_error=LoginRequiredError(
                "profile 'orders' has no token", fix="tokencli login orders"
            ),
            profile=profile(),
        ),
        "nothing stored": Evidence(now=NOW, profile=profile()),
    },
    "nothing_wrong": {
        "200": evidence(call=call(200)),
        "204": evidence(call=call(204, body_kind="empty")),
        "304": evidence(call=call(304, body_kind="empty")),
        "200 without a token as well": evidence(call=call(200), bare_call=bare(200)),
        "200 although the key is gone": evidence(call=call(200), issuer=issuer(key_ids=("k2",))),
        "200 although the audience is another": evidence(
            token=token(audience=("x",)), call=call(200)
        ),
        "no URL": evidence(open_questions=(OpenQuestion("call", "no URL was given"),)),
        "404": evidence(call=call(404)),
        "405": evidence(call=call(405)),
        "200 and the clock is a little off": evidence(
            call=call(200, server_ahead=5 * MINUTE), issuer=issuer(server_time=NOW + 5 * MINUTE)
        ),
    },
}

NAMED_FIRST["intermediary"]["a proxy that can't be reached"] = evidence(
    call=call(
        failure="connect",
        proxy="proxy.example.com:3128",
        failure_error=UnreachableError("can't connect to the proxy proxy.example.com:3128"),
    )
)
NAMED_FIRST["mangled"]["as given, and accepted as it was issued"] = evidence(
    token=token(mangling=("it is in quotes",)), call=call(200)
)
NAMED_FIRST["wrong_scheme"]["the API answers as without a token"] = evidence(
    call=call(), bare_call=bare(challenge=None), issuer=issuer(introspection={"active": True})
)
NAMED_FIRST["intermediary"]["a challenge as without a token"] = evidence(
    call=call(challenge='Bearer realm="orders"'),
    bare_call=bare(challenge='Bearer realm="orders"'),
    issuer=issuer(introspection={"active": True}),
)
NAMED_FIRST["intermediary"]["the API misses the header that was sent"] = evidence(
    call=call(text="Missing Authorization Header"),
    bare_call=bare(challenge=None, text="Missing Authorization Header"),
)
NAMED_FIRST["expired"]["GraphQL's 200"] = evidence(
    token=EXPIRED, call=call(200, code="UNAUTHENTICATED", text="jwt expired")
)
NAMED_FIRST["key_rotated"]["the signature is valid, and the API denies it"] = evidence(
    call=call(challenge=INVALID, text="Signed JWT rejected: Invalid signature")
)
NAMED_FIRST["revoked"]["a saved reply alone"] = Evidence(
    now=NOW, call=call(text="Token was revoked.", is_saved=True, carrier=None)
)
NAMED_FIRST["missing_scope"]["a saved reply alone"] = Evidence(
    now=NOW,
    call=call(
        403, challenge='Bearer error="insufficient_scope", scope="a"', is_saved=True, carrier=None
    ),
)
NAMED_FIRST["wrong_audience"]["a saved reply alone"] = Evidence(
    now=NOW, call=call(text="Invalid audience", is_saved=True, carrier=None)
)

NOT_NAMED: dict[str, dict[str, Evidence]] = {
    "expired": {
        "valid": evidence(call=call(challenge=INVALID)),
        "only the local clock says so": evidence(
            token=token(issued_at=NOW - 4 * HOUR, expires_at=NOW - HOUR),
            call=call(challenge=INVALID, server_ahead=-3 * HOUR),
            issuer=issuer(server_time=NOW - 3 * HOUR),
        ),
        "accepted": evidence(token=EXPIRED, call=call(200)),
    },
    "revoked": {
        "expired": NAMED_FIRST["expired"]["and introspection calls it inactive"],
        "a fresh token is refused as well": NAMED_FIRST["wrong_audience"][
            "a fresh token is refused as well"
        ],
        "active": NAMED_FIRST["wrong_audience"]["alive, and refused without a word"],
        "of another issuer": evidence(
            token=token(issuer="https://other.example.com"),
            call=call(),
            issuer=issuer(introspection={"active": False}),
        ),
        "mangled": NAMED_FIRST["mangled"]["and introspection calls it inactive"],
        "403": evidence(call=call(403)),
    },
    "local_clock": {
        "in step": evidence(call=call(challenge=INVALID)),
        "unknown": evidence(issuer=issuer(server_time=None)),
    },
    "not_yet_valid": {
        "only by the local clock": NAMED_FIRST["local_clock"][
            "behind, so that the token seems to start later"
        ],
        "valid": evidence(token=token(not_before=NOW - MINUTE), call=call()),
    },
    "wrong_audience": {
        "the API's own": evidence(
            call=call(challenge=INVALID),
            resource=replace(RESOURCE, resource="https://api.example.com/"),
        ),
        "an ID token": NAMED_FIRST["wrong_token_kind"]["an ID token"],
        "403": evidence(call=call(403)),
    },
    "wrong_issuer": {
        "a trusted one": evidence(
            call=call(challenge=INVALID),
            resource=replace(RESOURCE, authorization_servers=(f"{ISSUER}/",)),
        ),
    },
    "missing_scope": {
        "it has the scope": NAMED_FIRST["not_permitted"]["although it has the scope"],
        "401": evidence(call=call(challenge=INVALID)),
        "rate limit": NAMED_FIRST["rate_limited"]["403 with headers"],
    },
    "not_permitted": {
        "scope": NAMED_FIRST["missing_scope"]["named by the challenge"],
        "401": evidence(call=call(challenge=INVALID)),
    },
    "key_rotated": {
        "published": evidence(call=call(challenge=INVALID)),
        "opaque": evidence(token=opaque(), call=call(text="invalid signature")),
    },
    "jwks_unreachable": {
        "fetched": evidence(call=call(challenge=INVALID)),
        "opaque": evidence(
            token=opaque(), call=call(), issuer=issuer(jwks_error=UnreachableError("x"))
        ),
    },
    "mangled": {
        "the key is gone": evidence(
            token=token(signature="invalid"), call=call(), issuer=issuer(key_ids=("k2",))
        ),
        "opaque": NAMED_FIRST["opaque_at_jwt_api"]["Envoy's text"],
        "valid": evidence(call=call(text="invalid signature")),
    },
    "opaque_at_jwt_api": {
        "a JWT": evidence(call=call(challenge=INVALID)),
        "403": evidence(token=opaque(), call=call(403)),
    },
    "bound_token_sent_bare": {
        "with a proof": evidence(
            token=token(bound_to="dpop", holds_bound_key=True),
            call=call(403, proof="dpop", carrier="Authorization: DPoP"),
        ),
    },
    "wrong_scheme": {"Bearer": evidence(call=call(challenge=INVALID))},
    "too_large": {"small": evidence(call=call(400), bare_call=bare())},
    "intermediary": {
        "JSON": evidence(call=call(403)),
        "a page of the API": evidence(call=call(200, body_kind="html")),
    },
    "redirect_dropped_token": {
        "a login": NAMED_FIRST["intermediary"]["a redirect to a login"],
        "within the origin": evidence(
            call=call(401, redirected_from=("https://api.example.com/v1",), is_saved=True)
        ),
    },
    "rate_limited": {"403": evidence(call=call(403)), "503": evidence(call=call(503))},
    "api_down": {
        "401": evidence(call=call()),
        "its keys": NAMED_FIRST["jwks_unreachable"]["by the API's 500"],
    },
    "other_account": {
        "its own": evidence(call=call(challenge=INVALID), events=EventFacts(issued_to="orders"))
    },
    "no_token": {"a saved reply alone": Evidence(now=NOW, call=call(429, is_saved=True))},
    "nothing_wrong": {
        "401": evidence(call=call()),
        "403": evidence(call=call(403)),
        "expired": evidence(token=EXPIRED),
    },
    "dns": {"connect": evidence(call=call(failure="connect"))},
    "tls": {"connect": evidence(call=call(failure="connect"))},
    "step_up_needed": {"401": evidence(call=call(challenge=INVALID))},
    "wrong_token_kind": {"an access token": evidence(call=call(challenge=INVALID))},
}


def flatten(families: dict[str, dict[str, Evidence]]) -> list[object]:
    """Return the parameters of a test: the cause and one record of its family."""
    return [
        pytest.param(cause, record, id=f"{cause}-{name}")
        for cause, family in families.items()
        for name, record in family.items()
    ]


@pytest.mark.parametrize(("cause", "record"), flatten(NAMED_FIRST))
def test_named_first(cause: str, record: Evidence) -> None:
    """The cause is the first one, with evidence, and it alone is certain unless others are facts too."""
    findings = rank_causes(record)
    assert findings[0].id == cause, [(each.id, each.confidence) for each in findings]
    assert findings[0].evidence


@pytest.mark.parametrize(("cause", "record"), flatten(NOT_NAMED))
def test_not_named(cause: str, record: Evidence) -> None:
    """The control lacks what makes the cause, and doesn't name it."""
    assert cause not in [finding.id for finding in rank_causes(record)]


def test_every_cause_has_a_family_and_a_control() -> None:
    """A cause that is added needs both."""
    assert set(CAUSES) == set(NAMED_FIRST) == set(NOT_NAMED)


@pytest.mark.parametrize(
    ("one", "other", "record"),
    [
        pytest.param("missing_scope", "not_permitted", evidence(call=call(403)), id="a bare 403"),
        pytest.param(
            "missing_scope",
            "not_permitted",
            evidence(call=call(403, text="Resource not accessible by integration")),
            id="GitHub's 403",
        ),
        pytest.param(
            "expired",
            "local_clock",
            evidence(
                call=call(text="Jwt is expired", server_time=None, received_at=None),
                issuer=issuer(server_time=None, received_at=None),
            ),
            id="called expired, and nobody told the time",
        ),
        pytest.param(
            "wrong_issuer",
            "other_account",
            evidence(
                token=token(issuer=f"{ISSUER}/tenant-b", stored=False),
                profile=profile(issuer=f"{ISSUER}/tenant-a"),
                issuer=issuer(issuer=f"{ISSUER}/tenant-a", key_ids=None),
                call=call(challenge=INVALID),
            ),
            id="another tenant",
        ),
        pytest.param(
            "key_rotated",
            "jwks_unreachable",
            evidence(call=call(text="Jwks doesn't have key to match kid or alg from Jwt")),
            id="a key cache in the API",
        ),
    ],
)
def test_ambiguous_pairs(one: str, other: str, record: Evidence) -> None:
    """What can't be told apart from outside is listed together, not as certain, with a question."""
    found = {finding.id: finding for finding in rank_causes(record)}
    assert {one, other} <= found.keys(), list(found)
    for name in (one, other):
        assert found[name].confidence != "certain"
        assert found[name].question


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (NAMED_FIRST["nothing_wrong"]["200"], 0),
        (NAMED_FIRST["local_clock"]["ahead, without a URL"], 0),
        (NAMED_FIRST["no_token"]["nothing stored"], 4),
        (NAMED_FIRST["expired"]["by the server's clock"], 9),
        (NAMED_FIRST["expired"]["by the server's clock only"], 9),
        (NAMED_FIRST["wrong_scheme"]["Basic is expected"], 9),
        (NAMED_FIRST["too_large"]["431"], 9),
        (NAMED_FIRST["not_permitted"]["by the API's words"], 5),
        (NAMED_FIRST["rate_limited"]["429"], 5),
        (NAMED_FIRST["jwks_unreachable"]["by the API's words"], 6),
        (NAMED_FIRST["intermediary"]["407"], 6),
        (NAMED_FIRST["redirect_dropped_token"]["another host"], 6),
        (NAMED_FIRST["api_down"]["503"], 6),
        (NAMED_FIRST["dns"]["no such host"], 6),
        (NAMED_FIRST["tls"]["untrusted"], 6),
    ],
)
def test_exit_codes(record: Evidence, code: int) -> None:
    """The first cause decides, and a clock that is off alone is no failure."""
    assert exit_code(rank_causes(record)) == code


GRAPH = token(
    audience=("https://graph.microsoft.com",), header={"alg": "RS256", "kid": "k1", "nonce": "n"}
)
SIGNATURE_REFUSED = call(challenge=INVALID, text="Signature verification failed")


def rank(record: Evidence) -> dict[str, str]:
    """Return id -> confidence."""
    return {finding.id: finding.confidence for finding in rank_causes(record)}


def test_a_header_that_was_sent_and_is_missed() -> None:
    """Both who removed it and another place are named, and what decides between them."""
    text = "Missing Authorization Header"
    first, second = rank_causes(
        evidence(call=call(text=text), bare_call=bare(challenge=None, text=text))
    )[:2]
    assert (first.id, first.confidence) == ("intermediary", "likely")
    assert second.id == "wrong_scheme"
    assert second.confidence != "certain"
    assert first.question
    assert second.question


def test_a_token_of_a_well_known_api() -> None:
    """It comes before the doubts about the signature, and only at another host."""
    assert next(iter(rank(evidence(token=GRAPH, call=SIGNATURE_REFUSED)))) == "wrong_audience"
    at_home = replace(SIGNATURE_REFUSED, url="https://graph.microsoft.com/v1.0/me")
    assert "wrong_audience" not in rank(evidence(token=GRAPH, call=at_home))


def test_the_host_in_the_audience_is_a_weak_sign() -> None:
    """It is only possible, and a refusal of UserInfo comes first if the token is for it."""
    other = token(audience=("https://other.example.org",), scopes=("openid",))
    refused = evidence(token=other, call=call(), issuer=issuer(userinfo_status=401))
    assert rank(refused)["wrong_audience"] == "possible"
    assert next(iter(rank(refused))) == "revoked"
    unfit = replace(refused, token=replace(other, scopes=("orders:read",)))
    assert rank(unfit).get("revoked") != "likely"


def test_a_fresh_token_refused_in_the_same_way() -> None:
    """It rules out that the token was revoked, but not that the API has an old copy of the keys."""
    tried = evidence(
        call=SIGNATURE_REFUSED, fresh_token=token(), fresh_call=SIGNATURE_REFUSED, bare_call=bare()
    )
    first = rank_causes(tried)[0]
    assert (first.id, first.fix) == ("key_rotated", None)
    assert first.title == "the API doesn't know the key that signed the token"
    silent = evidence(call=call(), fresh_token=token(), fresh_call=call())
    assert "revoked" not in rank(silent)


def test_a_fresh_token_that_is_accepted() -> None:
    """It shows that the token is sent in the right way, to the API, and by the right issuer."""
    tried = evidence(
        call=call(challenge="Bearer"),
        bare_call=bare(),
        fresh_token=token(),
        fresh_call=call(200),
    )
    assert not rank(tried).keys() & {"wrong_scheme", "intermediary", "wrong_issuer"}


@pytest.mark.parametrize(
    ("cause", "ahead", "changes"),
    [
        ("expired", 2 * HOUR - 6, {}),
        ("not_yet_valid", -2 * HOUR + 6, {"not_before": NOW - 30 * MINUTE}),
    ],
)
def test_the_clock_of_the_api_is_off(cause: str, ahead: float, changes: dict[str, float]) -> None:
    """Two clocks against one: the API's is off, also if the issuer is on the same host."""
    record = evidence(
        token=token(**changes),
        call=call(challenge=INVALID, server_ahead=ahead, url=f"{ISSUER}:8443/orders"),
    )
    first = rank_causes(record)[0]
    assert (first.id, first.fix) == (cause, None)
    assert "the API's clock, which is off" in (first.title or "")
    assert any("2 hours" in sentence for sentence in first.evidence)
    assert "local_clock" not in rank(record)


@pytest.mark.parametrize(
    "role",
    ["client_assertion", "dpop_proof", "logout_token", "request_object", "saml_assertion",
     "authorization_code", "client_secret", "api_key"],
)  # fmt: skip
def test_what_is_no_access_token(role: TokenRole) -> None:
    """Whatever else is sent in its place is named."""
    assert next(iter(rank(evidence(token=opaque(role=role), call=call())))) == "wrong_token_kind"


def test_a_404_that_may_hide() -> None:
    """GitHub's headers name the scope; without them the account may lack access."""
    headers = {"x-github-request-id": "1", "x-oauth-scopes": "gist"}
    scoped = call(404, headers={**headers, "x-accepted-oauth-scopes": "repo"})
    first = rank_causes(evidence(token=opaque(scopes=("gist",)), call=scoped))[0]
    assert first.id == "missing_scope"
    assert first.fix == "tokencli profiles edit orders --set 'scope=orders:read repo'"
    hidden = rank_causes(evidence(token=opaque(), call=call(404, headers=headers)))
    assert [finding.id for finding in hidden] == ["not_permitted"]
    assert exit_code(hidden) == 5


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("https://id.example.com/t/v2.0", "https://id.example.com/t/v1.0"),
        ("https://login.microsoftonline.com/11-22/v2.0", "https://sts.windows.net/11-22/"),
    ],
)
def test_another_version_of_the_issuer(ours: str, theirs: str) -> None:
    """It is no other account, and a new token of the same version doesn't help."""
    first, *others = rank_causes(
        evidence(
            token=token(issuer=theirs),
            profile=profile(issuer=ours),
            call=call(text="The iss claim is not valid"),
        )
    )
    assert (first.id, first.fix) == ("wrong_issuer", None)
    assert any("another version of the same issuer" in sentence for sentence in first.evidence)
    assert "other_account" not in [each.id for each in others]


def test_a_claims_challenge_is_decoded() -> None:
    """Microsoft Entra names the authentication context in base64; the fix requests it."""
    demand = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    claims = base64.b64encode(json.dumps(demand).encode()).decode()
    first = rank_causes(
        evidence(
            profile=profile(is_interactive=True),
            call=call(challenge=f'Bearer error="insufficient_claims", claims="{claims}"'),
        )
    )[0]
    assert first.id == "step_up_needed"
    assert any("acrs c1" in sentence for sentence in first.evidence)
    assert "params.claims=" in (first.fix or "")


def test_a_key_that_the_challenge_wants_in_another_header() -> None:
    """The header is named as the API spells it."""
    challenge = 'AzureApiManagementKey realm="x",name="Ocp-Apim-Subscription-Key",type="header"'
    first = rank_causes(evidence(call=call(challenge=challenge)))[0]
    assert (first.id, first.confidence) == ("wrong_scheme", "likely")
    assert any("Ocp-Apim-Subscription-Key" in sentence for sentence in first.evidence)


def test_another_certificate_than_the_bound_one() -> None:
    """Both thumbprints are shown."""
    bound = token(
        bound_to="certificate",
        holds_bound_key=False,
        thumbprint_of_profile="B" * 43,
        claims={"cnf": {"x5t#S256": "A" * 43}},
    )
    first = rank_causes(evidence(token=bound, call=call(proof="certificate")))[0]
    assert first.id == "bound_token_sent_bare"
    assert first.fix == "tokencli refresh orders"
    assert any("AAAA" in sentence and "BBBB" in sentence for sentence in first.evidence)


def test_an_api_that_is_switched_off_for_the_project() -> None:
    """It isn't the account's rights that are missing."""
    text = "Drive API has not been used in project 1 before or it is disabled. | SERVICE_DISABLED"
    first = rank_causes(evidence(call=call(403, text=text, code="PERMISSION_DENIED")))[0]
    assert (first.id, first.title) == ("not_permitted", "the API is switched off for the project")
    assert any("administers the project" in sentence for sentence in first.evidence)


def test_missing_authentication_token_may_mean_an_unknown_path() -> None:
    """Amazon API Gateway answers so for a path or method that it doesn't have."""
    found = rank_causes(evidence(call=call(403, text="Missing Authentication Token")))
    first = next(each for each in found if each.id == "wrong_scheme")
    assert any("no such path" in sentence for sentence in first.evidence)


def test_cloudflare_says_that_it_answered() -> None:
    """Its header is evidence enough, whatever the page says."""
    first = rank_causes(
        evidence(call=call(403, headers={"cf-mitigated": "challenge"}, body_kind="html"))
    )[0]
    assert (first.id, first.confidence) == ("intermediary", "certain")
    assert any("Cf-Mitigated" in sentence for sentence in first.evidence)


@pytest.mark.parametrize(("request_sent", "confidence"), [(True, "certain"), (False, "likely")])
def test_connection_that_is_closed(request_sent: bool, confidence: str) -> None:
    """Only if the request was sent is it certain that the API is what closes the connection."""
    error = UnreachableError("api.example.com closed the connection")
    error.request_sent = request_sent
    dropped = call(failure="broken_off", failure_error=error)
    first = rank_causes(evidence(call=dropped, bare_call=replace(dropped, carrier=None)))[0]
    assert (first.id, first.confidence) == ("api_down", confidence)


@pytest.mark.parametrize(("stored", "fix"), [(True, None), (False, "tokencli get orders")])
def test_another_kind_that_is_stored_has_no_fix(stored: bool, fix: str | None) -> None:
    """`get` returns the stored token, so it helps only if that is another one."""
    wrong = token(role="id", audience=("batch",), stored=stored)
    first = rank_causes(evidence(token=wrong, call=call()))[0]
    assert (first.id, first.fix) == ("wrong_token_kind", fix)


def test_the_time_since_the_expiry_is_rounded_down() -> None:
    """As in `the token expired 6 minutes ago` elsewhere in the report."""
    old = token(expires_at=NOW - 419)
    saved = call(challenge=INVALID, is_saved=True, server_time=NOW)
    for each in (saved, call(challenge=INVALID)):
        first = rank_causes(evidence(token=old, call=each))[0]
        assert first.id == "expired"
        assert "expired 6 minutes" in first.evidence[0]


def test_an_outage_says_when_to_call_again() -> None:
    """By Retry-After."""
    first = rank_causes(evidence(call=call(503, headers={"retry-after": "120"})))[0]
    assert first.id == "api_down"
    assert any("2 minutes" in sentence for sentence in first.evidence)


def test_rbac_of_a_mesh_may_be_about_the_scope_or_the_account() -> None:
    """Istio's text doesn't tell them apart, so none is certain."""
    found = rank_causes(evidence(call=call(403, text="RBAC: access denied", body_kind="text")))
    assert {"missing_scope", "not_permitted"} <= {each.id for each in found}
    assert "certain" not in {each.confidence for each in found}


@pytest.mark.parametrize(
    ("claims", "remedy"), [({"groups": ["g" * 40] * 200}, "claim groups"), ({}, "fewer scopes")]
)
def test_too_large_says_who_can_do_what(claims: dict[str, object], remedy: str) -> None:
    """No command helps, so the evidence has the remedy."""
    first = rank_causes(evidence(token=token(length=9000, claims=claims), call=call(431)))[0]
    assert first.id == "too_large"
    assert any(remedy in sentence for sentence in first.evidence)


def test_nothing_is_wrong_but_renewal_fails() -> None:
    """The token is still valid; that it won't be renewed is said."""
    events = EventFacts(last_failure="invalid_grant", failing_since=NOW - HOUR)
    for each in (evidence(events=events), evidence(events=events, call=call(200))):
        first = rank_causes(each)[0]
        assert first.id == "nothing_wrong"
        assert any(
            "renewing it has failed since" in sentence and "tokencli log orders" in sentence
            for sentence in first.evidence
        )
