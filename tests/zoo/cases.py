"""The request and response of each endpoint of `endpoints.json`.

The first request is the data's own, with this file's values in it. What the data says in prose only
(how to refresh, what the token is, its lifetime, how it is used) is in the tables here.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit
from xml.sax.saxutils import escape

from tests.zoo.server import Asked

NOW = 1_925_082_245.0
"""2031-01-02T01:04:05Z: the moment at which the documented replies are given."""
HERE = Path(__file__).parent
ENDPOINTS: dict[str, dict[str, Any]] = {
    item["id"]: item for item in json.loads((HERE / "endpoints.json").read_text(encoding="utf-8"))
}
NOT_EXPRESSIBLE = {
    "extreme-slx": "the token is good on one TCP connection alone, and a program that hands tokens"
    " out has no connection to share",
}

HARD = "&=+%\"'<{}>\\;"
"""Characters that mean something in a form, a URL, JSON, XML or a template."""
VALUES: dict[str, str] = {
    "username": "demo",
    "password": f"canary-password-7f3a{HARD}",
    "client_id": "batch",
    "client_secret": f"canary-secret-91be{HARD}",
    "account_id": "acc 1",
    "role_id": "role-1",
    "secret_id": f"canary-secret-id{HARD}",
    "secret_key": f"canary-secret-key{HARD}",
    "namespace": "ns1",
    "user_token": "canary-user-token",
    "app_token": "canary-app-token",
    "handle": "demo.example.test",
    "app_password": f"canary-app-password{HARD}",
    "user": "1234",
    "pcc": "AB12",
    "domain": "AA",
    "referer": "https://app.example.test",
    "tenant": "ten/ant",
    "tenant_id": "tenant-1",
    "aad_access_token": "canary-aad-token",
    "oauth_token": "canary-oauth-token",
    "app_id": "app-1",
    "api_password": f"canary-api-password{HARD}",
    "account": "my account",
    "login": "host/app",
    "api_key": "canary-api-key",
    "key": "canary-key-51c2",
    "secret": f"canary-secret-2{HARD}",
    "region": "westeurope",
    "service": "registry.example.test",
    "security_token": "canary-security-token",
    "shipper_number": "A1B2C3",
    "refresh_token": f"canary-refresh-token{HARD}",
    "apikey": f"canary-apikey{HARD}",
    "pat_name": "pat",
    "pat_secret": f"canary-pat-secret{HARD}",
    "site": "demo",
    "subscription_key": "canary-subscription-key",
    "app_key": "app-key-1",
    "app_secret": f"canary-app-secret{HARD}",
    "email": "demo@example.test",
    "api": "https://service.example.test/",
    "pod": "dm-us",
}
OTHERWISE: dict[str, dict[str, str]] = {
    "proxmox-ticket": {"username": "root@pam"},
    "bkash": {"password": "canary-password-7f3a"},  # it travels in a header
    "visualvault": {"key": "batch", "secret": VALUES["client_secret"]},
    "portone-v1": {"key": "key-1"},
    "bitwarden-personal": {"client_id": "user.1234", "uuid": "1234"},
    "azure-acr": {"service": "demo.azurecr.example.test", "scope": "repository:demo:pull"},
    "docker-registry-token": {"scope": "repository:demo/app:pull,push"},
    "square-oauth": {"scope": "PAYMENTS_READ"},
    "aws-cognito-initiateauth": {"region": "eu-west-1"},
    "apereo-cas-rest": {"service": "https://app.example.test/cb"},
}
"""Values that one endpoint wants otherwise."""

USER_BASIC = frozenset(
    ("docker-registry-token", "stackstorm-auth", "cisco-fmc", "oracle-unifier-v1", "oracle-sbc",
     "upland-ol-connect", "openshift-challenge")
)  # fmt: skip
"""Endpoints whose Basic is a user's name and password, as they are."""
RAW_BASIC = frozenset(("backblaze-b2", "mtn-momo"))
"""Endpoints whose Basic is an id and a key, as they are."""


def b64(text: str) -> str:
    """Return the base64 of a text."""
    return base64.b64encode(text.encode()).decode()


def values_of(name: str) -> dict[str, str]:
    """Return the test values of an endpoint."""
    return VALUES | OTHERWISE.get(name, {})


def filled(template: Any, values: Mapping[str, str], escaped: Any = str) -> Any:
    """Put the values into the documented request, independently of the program's templates."""
    if isinstance(template, dict):
        return {key: filled(value, values, escaped) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values, escaped) for value in template]
    if not isinstance(template, str):
        return template
    v = values
    special = {
        "{urlencode(login)}": quote(v["login"], safe=""),
        "{published-constant}": "published-constant",
        "{xml(username)}": escape(v["username"], {'"': "&quot;", "'": "&apos;"}),
        "{xml(password)}": escape(v["password"], {'"': "&quot;", "'": "&apos;"}),
        "{hmac_sha256_b64(username+client_id, client_secret)}": base64.b64encode(
            hmac.digest(
                v["client_secret"].encode(),
                (v["username"] + v["client_id"]).encode(),
                hashlib.sha256,
            )
        ).decode(),
        "{base64( base64('V1:'+user+':'+pcc+':'+domain) + ':' + base64(password) )}": b64(
            b64("V1:" + v["user"] + ":" + v["pcc"] + ":" + v["domain"]) + ":" + b64(v["password"])
        ),
    }
    if template in special:
        return special[template]
    for text, value in special.items():
        template = template.replace(text, value)
    return re.sub(r"\{([a-z_]+)\}", lambda m: escaped(v[m[1]]) if m[1] in v else m[0], template)


def basic_of(name: str, values: Mapping[str, str]) -> str:
    """Return the Basic header that the endpoint requires."""
    if name in USER_BASIC:
        return f"Basic {b64(values['username'] + ':' + values['password'])}"
    parts = (values["client_id"], values["client_secret"])
    if name not in RAW_BASIC:
        parts = (quote_plus(parts[0]), quote_plus(parts[1]))
    return f"Basic {b64(':'.join(parts))}"


def first(name: str) -> Asked:
    """Return the documented request for a token."""
    item, values = ENDPOINTS[name], values_of(name)
    told = item["request"]
    headers = {
        key: filled(value, values)
        for key, value in told["headers"].items()
        if key != "Content-Length"
    }
    if told["client_auth"].startswith("basic"):
        headers["Authorization"] = basic_of(name, values)
    url = filled(told["path"], values, lambda text: quote(text, safe=""))
    kind = told["body_kind"]
    body: Any = None
    if kind in ("form", "query"):
        body = list(filled(told["params"], values).items())
    elif kind == "json":
        body = filled(told.get("body_example", told["params"]), values)
    elif kind == "text":
        body = filled(told["body_example"], values)
    return Asked(told["method"], url, kind, body, headers, reply_of(item["reply"]))


def reply_of(reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return the documented response; a placeholder for a JWT becomes one that lives for 600 s."""
    text = json.dumps(reply).replace('"eyJfake.jwt.sig"', f'"{jwt()}"')
    text = text.replace('"eyJfakeA.jwt.sig"', f'"{jwt()}"')
    return dict(json.loads(text))


def jwt(life: int = 600) -> str:
    """Return a JWT without a signature, issued now."""
    parts = ({"alg": "none"}, {"iat": int(NOW), "exp": int(NOW) + life})
    encoded = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)
    return f"{'.'.join(encoded)}.sig"


def host_of(name: str) -> str:
    """Return the server in an endpoint's documented URL."""
    return urlsplit(first(name).url).netloc


TOKENS: dict[str, tuple[str, float | None]] = {
    "zoom-s2s": ("fake-zoom-token", 3600),
    "docker-registry-token": ("fake-registry-jwt", 300),
    "vault-approle": ("hvs.fake", 1200),
    "etcd-v3-auth": ("fakeTok.9", 300),
    "argocd-session": (jwt(), 600),
    "airflow3-auth-token": (jwt(), 600),
    "glpi-initsession": ("83af-fake-session", 1440),
    "bluesky-createsession": (jwt(), 600),
    "stackstorm-auth": ("fake-st2-token", 7200),
    "phonepe-oauth": (jwt(), 600),
    "cisco-fmc": ("fake-fmc-access", 1800),
    "sabre-v2": ("T1RLfake", 604800),
    "arcgis-generatetoken": ("fake-arcgis-token", 3600),
    "oracle-unifier-v1": ("eyJ0eXAiOiJEQiJ9.fake", 15552000),
    "oracle-sbc": ("fake-sbc-token", 600),
    "bigfix-inventory": ("fake-bfi-token", 315576000),
    "upland-ol-connect": ("fakeConnectToken123", 1800),
    "netbox-provision": ("9fc9fake", 315576000),
    "azure-acr": (jwt(), 600),
    "thingsboard": (jwt(), 600),
    "azure-ad-v1": (jwt(), 600),
    "yandex-iam": ("t1.fake", 50400.123456),
    "qq-bot": ("FAKE_QQ_TOKEN", 7200),
    "kabu-station": ("fakekabu", 28800),
    "cyberark-conjur": (
        b64('{"protected": "fake", "payload": "fake", "signature": "fake"}'),
        480,
    ),
    "openstack-swift-v1": ("AUTH_tkfake", 22043),
    "openshift-challenge": ("sha256~fake", 86400),
    "proxmox-ticket": ("PVE:root@pam:4EEC61E2::fake", 7200),
    "dvla-authenticate": (jwt(), 600),
    "zabbix-user-login": ("0424bd59fake", 900),
    "azure-cognitive-issuetoken": (jwt(), 600),
    "visualvault": ("fakeVV", 3600),
    "panos-keygen": ("gJlQfake==", 315576000),
    "gocardless-bad": (jwt(), 600),
    "apereo-cas-rest": ("ST-1-fake", None),
    "salesforce-password": ("00Dfake!AQfake", 7200),
    "ups-oauth": (jwt(), 600),
    "backblaze-b2": ("4_000fake", 86400),
    "zoho-writer": ("1000.fake", 3600),
    "square-oauth": ("EAAAfake", 2588155),
    "ibm-cloud-iam": (jwt(), 600),
    "informatica-iics": ("9KA1fake", 1800),
    "microstrategy": ("qjtu5fake", 1800),
    "tableau-signin": ("12ab34|fake", 637538),
    "aws-imdsv2": ("AQAEfake==", 21600),
    "bluecat-v1": ("fake1234=", 300),
    "checkmarx-sast": (jwt(), 600),
    "cyberark-pvwa": ("fakeCyberArkSessionToken", 1200),
    "slack-token-rotation": ("xoxe.xoxb-1-fake", 43200),
    "aws-cognito-initiateauth": (jwt(), 600),
    "withings": ("fakeW", 10800),
    "mtn-momo": (jwt(), 600),
    "bkash": (jwt(), 600),
    "bitwarden-personal": (jwt(), 600),
    "portone-v1": ("fakeP", 1800),
    "ibm-hmc-logon": ("fakeHMC", 900),
    "jquants-v1": ("fakeId", 86400),
    "serpro-integra": ("fakeS", 2008),
}
"""The token of the documented reply, and its life in seconds; None where it is at an end at once."""

USES: dict[str, tuple[str, ...]] = {
    "vault-approle": ("X-Vault-Token: {token}",),
    "etcd-v3-auth": ("Authorization: {token}",),
    "glpi-initsession": ("Session-Token: {token}", "App-Token: canary-app-token"),
    "stackstorm-auth": ("X-Auth-Token: {token}",),
    "phonepe-oauth": ("Authorization: O-Bearer {token}",),
    "cisco-fmc": ("X-auth-access-token: {token}",),
    "arcgis-generatetoken": (
        "X-Esri-Authorization: Bearer {token}",
        "Referer: https://app.example.test",
    ),
    "bigfix-inventory": ("?token={token}",),
    "upland-ol-connect": ("auth_token: {token}",),
    "netbox-provision": ("Authorization: Token {token}",),
    "thingsboard": ("X-Authorization: Bearer {token}",),
    "qq-bot": ("Authorization: QQBot {token}",),
    "kabu-station": ("X-API-KEY: {token}",),
    "cyberark-conjur": ('Authorization: Token token="{token}"',),
    "openstack-swift-v1": ("X-Auth-Token: {token}",),
    "proxmox-ticket": ("Cookie: PVEAuthCookie={token}", "CSRFPreventionToken: 4EEC61E2:fake"),
    "dvla-authenticate": ("Authorization: {token}", "x-api-key: canary-api-key"),
    "panos-keygen": ("X-PAN-KEY: {token}",),
    "apereo-cas-rest": ("?ticket={token}",),
    "backblaze-b2": ("Authorization: {token}",),
    "zoho-writer": ("Authorization: Zoho-oauthtoken {token}",),
    "informatica-iics": ("INFA-SESSION-ID: {token}",),
    "microstrategy": ("X-MSTR-AuthToken: {token}", "Cookie: JSESSIONID=3AD8fake"),
    "tableau-signin": ("X-Tableau-Auth: {token}",),
    "aws-imdsv2": ("X-aws-ec2-metadata-token: {token}",),
    "bluecat-v1": ("Authorization: BAMAuthToken: {token}",),
    "cyberark-pvwa": ("Authorization: {token}",),
    "mtn-momo": (
        "Authorization: Bearer {token}",
        "X-Target-Environment: sandbox",
        "Ocp-Apim-Subscription-Key: canary-subscription-key",
    ),
    "bkash": ("Authorization: {token}", "X-APP-Key: app-key-1"),
    "portone-v1": ("Authorization: {token}",),
    "ibm-hmc-logon": ("X-API-Session: {token}",),
    "serpro-integra": ("Authorization: Bearer {token}", f"jwt_token: {jwt()}"),
}
"""How the token is used; where nothing stands here: `Authorization: Bearer {token}`."""


def later(name: str) -> list[Asked]:
    """Return an endpoint's further documented requests: a refresh, or a second step."""
    v = values_of(name)
    host = f"https://{host_of(name)}"
    told = first(name)
    same: dict[str, Any] = {"status": 200, "headers": {}} | told.reply
    user = {"Authorization": basic_of(name, v)} if name in USER_BASIC else {}
    body: Any
    match name:
        case "docker-registry-token":
            body = [("grant_type", "refresh_token"), ("service", v["service"]), ("scope", v["scope"]),
                    ("client_id", "tokencli"), ("refresh_token", "fake-offline-token")]  # fmt: skip
            return [Asked("POST", told.url, "form", body, {}, same)]
        case "vault-approle":
            headers = {"X-Vault-Token": "hvs.fake", "X-Vault-Namespace": "ns1"}
            return [Asked("POST", f"{host}/v1/auth/token/renew-self", "none", None, headers, same)]
        case "bluesky-createsession":
            headers = {"Authorization": "Bearer eyJfakeR.jwt.sig"}
            url = f"{host}/xrpc/com.atproto.server.refreshSession"
            return [Asked("POST", url, "none", None, headers, same)]
        case "cisco-fmc":
            headers = {
                "X-auth-access-token": "fake-fmc-access",
                "X-auth-refresh-token": "fake-fmc-refresh",
            }
            url = f"{host}/api/fmc_platform/v1/auth/refreshtoken"
            return [Asked("POST", url, "none", None, headers, same)]
        case "oracle-sbc":
            headers = {**user, "Accept": "application/xml"}
            return [Asked("POST", told.url, "form", [("token", "fake-sbc-token")], headers, same)]
        case "azure-acr":
            body = [("grant_type", "refresh_token"), ("service", v["service"]), ("scope", v["scope"]),
                    ("refresh_token", "eyJfakeR.jwt.sig")]  # fmt: skip
            reply = same | {"body": {"access_token": jwt()}}
            return [Asked("POST", f"{host}/oauth2/token", "form", body, {}, reply)]
        case "thingsboard":
            body = {"refreshToken": "eyJfakeR.jwt.sig"}
            return [Asked("POST", f"{host}/api/auth/token", "json", body, {}, same)]
        case "visualvault":
            body = [("grant_type", "refresh_token"), ("refresh_token", "fakeR"),
                    ("client_id", v["client_id"]), ("client_secret", v["client_secret"])]  # fmt: skip
            return [Asked("POST", told.url, "form", body, {}, same)]
        case "proxmox-ticket":
            body = [("username", "root@pam"), ("password", "PVE:root@pam:4EEC61E2::fake")]
            return [Asked("POST", told.url, "form", body, {}, same)]
        case "gocardless-bad":
            reply = same | {"body": {"access": jwt(), "access_expires": 86400}}
            body = {"refresh": "eyJfakeR.jwt.sig"}
            return [Asked("POST", f"{host}/api/v2/token/refresh/", "json", body, {}, reply)]
        case "apereo-cas-rest":
            reply = {
                "status": 200,
                "content_type": "text/plain",
                "body": "ST-1-fake",
                "headers": {},
            }
            url = f"{host}/cas/v1/tickets/TGT-1-fake"
            return [Asked("POST", url, "form", [("service", v["service"])], {}, reply)]
        case "square-oauth":
            body = {**told.body, "refresh_token": "EQAAfake"}
            return [Asked("POST", told.url, "json", body, told.headers, same)]
        case "slack-token-rotation" | "withings":
            spent = {"slack-token-rotation": "xoxe-1-fake", "withings": "fakeR"}[name]
            body = [(key, spent if key == "refresh_token" else value) for key, value in told.body]
            return [Asked("POST", told.url, "form", body, {}, same)]
        case "zoho-writer":
            return [told]
        case "aws-cognito-initiateauth":
            hashed = told.body["AuthParameters"]["SECRET_HASH"]
            body = {
                "AuthFlow": "REFRESH_TOKEN_AUTH",
                "ClientId": "batch",
                "AuthParameters": {"REFRESH_TOKEN": "fakeR", "SECRET_HASH": hashed},
            }
            return [Asked("POST", told.url, "json", body, told.headers, same)]
        case "bkash":
            url = f"{host}/v1.2.0-beta/tokenized/checkout/token/refresh"
            return [
                Asked(
                    "POST", url, "json", {**told.body, "refresh_token": "fakeR"}, told.headers, same
                )
            ]
        case "jquants-v1":
            reply = same | {"body": {"idToken": "fakeId"}}
            url = f"{host}/v1/token/auth_refresh"
            return [Asked("POST", url, "query", [("refreshtoken", "fakeR")], {}, reply)]
        case _:
            return []
