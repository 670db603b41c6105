"""What a refusal most likely means, and what helps: one table, from the special to the general.

A row applies if every column that it fills matches the evidence: the grant, the client
authentication, the HTTP status, the error code, the server's own words, and what the profile has. In a
row without `says`, either the code or the status has to match.
To teach tokencli a refusal, add a row above the more general ones, and a case to
`tests/unit/oauth/test_refusal_hints.py`. The troubleshooting page is generated from this table.
"""

import re
from collections.abc import Container, Mapping
from dataclasses import field
from typing import Literal

from tokencli.fast_dataclass import dataclass
from tokencli.oauth.grants import GRANTS, is_interactive, load_grant

ENTER_SECRET = "enter the secret"
"""Fix: `tokencli login PROFILE --again` if it prompts for a blamed secret, otherwise none."""
SIGN_IN = "sign in"
"""Fix: `tokencli login PROFILE` if the grant is interactive, otherwise as `ENTER_SECRET`."""
EDIT = "tokencli profiles edit {profile}"

OVERLOAD_STATUSES = (429, 503)
"""Statuses that say more than a generic error code: the request was not processed."""
GENERIC_CODES = (
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "server_error",
)
"""Codes of RFC 6749 section 5.2 that some servers send with every failure."""

_SECRET_METHODS = ("client_secret_basic", "client_secret_post")
_SIGNED_METHODS = ("client_secret_jwt", "private_key_jwt")
_UNSIGNED_METHODS = (*_SECRET_METHODS, "tls_client_auth", "none")
_LOGINS = (*(name for name in GRANTS if "password" in load_grant(name).required_inputs), "custom")
"""Grants that send a user's credentials themselves."""
_SIGN_INS = tuple(filter(is_interactive, GRANTS))
_METHOD = r"(?P<method>client_secret_(?:basic|post|jwt)|private_key_jwt|tls_client_auth)"
_WRONG = r"(?:invalid|wrong|incorrect|bad|mismatch\w*|unknown|(?:not|n't) (?:valid|correct|match|accepted))"
_MISSING = r"(?:missing|required|absent|(?:not|n't) (?:provided|present|found|included|given|specified)|must be (?:provided|present|set|included))"
_FORBIDDEN = r"(?:(?:not|n't) (?:\w+ )?(?:allowed|authori[sz]ed|permitted|enabled|supported|configured|assigned|registered|whitelisted)|unauthorized|disallowed|disabled)"
_REFUSED = r"(?:" + _FORBIDDEN + r"|not (?:\w+ )?found|unknown|invalid)"
_LOCKED = r"(?:locked|lock(?:ed)?.?out|blocked|suspended|temporarily (?:disabled|locked)|too many (?:failed|invalid|wrong|login|authentication|attempts)|attempts exceeded)"
_DISABLED = r"(?:disabled|deactivated|inactive|deleted|terminated|not active|not enabled)"
_TIME = r"not (?:yet )?(?:active|valid yet)|not yet valid|in the (?:future|past)|expired|too (?:old|far|early|late)|\b(?:iat|nbf|exp)\b|clock|time.?stamp|skew|issued.?at|before its time|time (?:range|frame|window)"
_CLOCK = (
    r"not yet (?:active|valid)|not valid yet|in the future|clock|\b(?:iat|nbf)\b|time.?stamp|skew"
)
"""Words about time that a wrong clock explains, with a signed proof in the request and without."""

_PARAMETER = (
    r"missing (?:required |mandatory )?(?:form |request |body |query )?(?:parameter|param|field|argument)s?(?:\(s\))?\W{0,3}(?P<parameter>[a-z]\w*)|(?:parameter|field|argument)\W{0,3}(?P<parameter2>[a-z]\w*)\W{0,2} (?:is |was )?"
    + _MISSING
    + r"|missing (?P<parameter5>[a-z]\w*) (?:parameter|param|field)|must contain the following parameter\W+(?P<parameter3>\w+)|\b(?P<parameter4>[a-z]+_[a-z_]+)\W{0,2} (?:is |was )?"
    + _MISSING
)
_BAD_CLIENT = (
    r"(?:client|app(?:lication)?).{0,12}(?:secret|credentials?)\b.{0,40}(?:"
    + _WRONG
    + r"|failed|refused)|"
    + _WRONG
    + r" (?:client|app(?:lication)?)(?: or invalid client)?.{0,4}(?:secret|credentials)|client.?id or client.?secret|validating client secret|incorrect_client_credentials|bad_client_secret"
)

_BOILERPLATE = re.compile(
    r"\(e\.g\.[^)]*\)|The provided authorization grant"
    r"|or refresh token is invalid, expired, revoked, does not match the redirection URI[^.;]*"
    r"|is invalid, expired,? (?:or )?revoked, (?:or )?does not match the redirection URI[^.;]*"
    r"|due to unknown client, no client authentication included, or unsupported authentication method"
    r"|is missing a required parameter, includes an [^.;]*"
    r"|The requested scope is invalid, unknown, (?:or )?malformed",
    re.IGNORECASE,
)
"""Sentences of RFC 6749 section 5.2, which say nothing about the case at hand."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that is known about a refusal. The clues that rows match are put together here only."""

    grant: str = ""
    """The grant of the refused request, e.g. `refresh_token`; `custom` for a provider's own request,
    and empty for a request to another endpoint."""
    client_auth: str = ""
    """The client authentication method; empty if the request has none of OAuth's."""
    status: int | None = None
    """The HTTP status; None for a redirect."""
    code: str = ""
    """The server's error code; empty if there is none."""
    text: str = ""
    """What the server said in words."""
    facts: frozenset[str] = frozenset()
    """The profile's keys and secrets that are set, `offers GRANT` for what the provider has, and
    `interactive`, `special characters` (in the client's credentials), `signed assertion`,
    `time-bound proof` (an assertion or a DPoP proof), `clock off`, `HTML page`,
    `sends NAME` for the parameters of a form."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Further values for the placeholders of hints."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A row: when it applies, the likely cause, and what helps."""

    cause: str
    """A clause. `{name}` is a group of `says`, or a value of `Explanation`'s."""
    grants: tuple[str, ...] = ()
    client_auth: tuple[str, ...] = ()
    statuses: Container[int] = ()
    codes: tuple[str, ...] = ()
    """Error codes; `""` stands for none."""
    says: str = ""
    """A regular expression for what the server said, without regard to case."""
    given: tuple[str, ...] = ()
    """Facts that must hold; with `!` in front, those that must not. `{name}` is a group of `says`."""
    blames: tuple[str, ...] = ()
    """The secrets that may be wrong."""
    setting: str = ""
    """The profile's key that may be wrong. If an option set it, the option is named instead."""
    fix: str | None = None
    """A command for `{profile}`, ENTER_SECRET, SIGN_IN, or None if no command helps."""


def find_hint(
    evidence: Evidence, *, by: Literal["says", "code", "status"]
) -> tuple[Hint | None, dict[str, str]]:
    """Return the first row that applies, with the groups of its `says`.

    `by` selects the rows: those with `says`, or of the others those with a code or without one.
    """
    code = "" if evidence.code in GENERIC_CODES else f"{evidence.code} "  # it may be words as well
    text = code + _BOILERPLATE.sub(" ", evidence.text)
    for hint in HINTS:
        groups = _match_hint(hint, evidence, text, by)
        if groups is not None:
            return hint, groups
    return None, {}


def speaks_of_time(evidence: Evidence) -> bool:
    """Return whether the server's words are about time."""
    return bool(re.search(_TIME, _BOILERPLATE.sub(" ", evidence.text), re.IGNORECASE))


def _match_hint(
    hint: Hint, evidence: Evidence, text: str, by: Literal["says", "code", "status"]
) -> dict[str, str] | None:
    column = {"says": hint.says, "code": hint.codes, "status": hint.statuses or not hint.codes}
    if not column[by] or (by != "says" and hint.says):
        return None
    if (
        (hint.grants and evidence.grant not in hint.grants)
        or (hint.client_auth and evidence.client_auth not in hint.client_auth)
        or (hint.statuses and by != "code" and evidence.status not in hint.statuses)
        or (hint.codes and by != "status" and evidence.code not in hint.codes)
        or not all(
            (fact.removeprefix("!") in evidence.facts) != fact.startswith("!")
            for fact in hint.given
            if "{" not in fact
        )
    ):
        return None
    if not hint.says:
        return {}
    for found in re.finditer(hint.says, text, re.IGNORECASE):
        groups = {name.rstrip("2345"): value for name, value in found.groupdict().items() if value}
        if groups.get("method") != evidence.client_auth or not evidence.client_auth:
            given = (fact.format(**groups) for fact in hint.given if "{" in fact)
            return groups if evidence.facts.issuperset(given) else None
    return None


HINTS: tuple[Hint, ...] = (
    # The clock.
    Hint(
        "{clock}, so the server most likely refuses the time in the signed assertion or the DPoP proof; set the clock, e.g. with NTP",
        codes=("invalid_client", "invalid_grant", "invalid_dpop_proof", "invalid_request", "unauthorized_client", "access_denied"), given=("time-bound proof", "clock off"),
    ),
    Hint(
        "{clock}, so the server most likely refuses the time in the signed assertion or the DPoP proof; set the clock, e.g. with NTP",
        statuses=(400, 401, 403, 500), given=("time-bound proof", "clock off"),
    ),
    # The server names a setting of the profile.
    Hint(
        "the server requires DPoP for this client",
        says=r"dpop\b.{0,40}" + _MISSING + r"|(?:missing|requires?|expects?|without|no) (?:an? |the )?dpop|use_dpop_nonce|invalid_dpop_proof|sender.constrained",
        given=("!dpop",), setting="dpop", fix="tokencli profiles edit {profile} --set dpop=true",
    ),
    Hint(
        "the server asked for a DPoP nonce again, although its latest one was sent",
        codes=("use_dpop_nonce",), given=("dpop",),
    ),
    Hint(
        "the server does not accept the DPoP proof, e.g. because a proxy changes the URL or the clocks differ",
        codes=("invalid_dpop_proof",), given=("dpop",),
    ),
    Hint(
        "the server requires pushed authorization requests (PAR) for this client",
        says=r"pushed.authori[sz]ation.requests?.{0,40}(?:must|required|only|missing|mandatory)|(?:requires?|must use|only).{0,20}(?:pushed.authori[sz]ation|(?-i:\bPAR\b))|request_uri.{0,20}" + _MISSING,
        given=("!par",), setting="par", fix="tokencli profiles edit {profile} --set par=true",
    ),
    Hint(
        "the server's registration of this client says {method}, but the profile says {client_auth}",
        client_auth=(*_SECRET_METHODS, *_SIGNED_METHODS, "tls_client_auth", "none"), says=r"\b" + _METHOD + r"\b(?!.{0,3} (?:is |was )?(?:not|n't|unsupported|disabled))",
        setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth={method}",
    ),
    Hint(
        "the server expects an assertion signed with the client's private key",
        says=r"client_assertion(?:_type)?\W+(?:parameter )?(?:is |was )?" + _MISSING + r"|" + _MISSING + r".{0,30}client_assertion",
        client_auth=_UNSIGNED_METHODS, given=("private_key",),
        setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=private_key_jwt",
    ),
    Hint(
        "the server expects an assertion signed with the client's secret (client_secret_jwt) or with its private key (private_key_jwt)",
        says=r"client_assertion(?:_type)?\W+(?:parameter )?(?:is |was )?" + _MISSING + r"|" + _MISSING + r".{0,30}client_assertion",
        client_auth=_UNSIGNED_METHODS,
        setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=client_secret_jwt",
    ),
    Hint(
        "this client is registered as public, so it must not send a secret or an assertion",
        says=r"(?:is public|public client).{0,60}(?:neither|no|not|n't).{0,40}(?:secret|assertion|authenticat)",
        client_auth=(*_SECRET_METHODS, *_SIGNED_METHODS),
        setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=none",
    ),
    Hint(
        "the server requires TLS with a client certificate; set client_cert and client_key",
        says=r"(?:client|ssl|tls|mtls).certificate.{0,30}(?:" + _MISSING + r"|was not sent)|no (?:required )?(?:client|ssl|tls) certificate|certificate required",
        setting="client_cert", fix=EDIT,
    ),
    Hint(
        "the server looks for the client ID in the body, so it does not accept client_secret_basic for this client",
        says=r"(?:missing|required|no)\W+(?:\w+\W+){0,2}client_?id\b|client_?id\W{0,2} (?:\w+ )?(?:is |was )?" + _MISSING,
        client_auth=("client_secret_basic",), setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=client_secret_post",
    ),
    Hint(
        "the server expects the client's credentials in an Authorization header",
        says=r"(?:authorization header|http basic|basic auth\w*).{0,30}(?:required|missing|must|expected)|(?:must|only).{0,40}(?:authorization header|http basic|basic auth)",
        client_auth=("client_secret_post",), setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=client_secret_basic",
    ),
    Hint(
        "the server expects the client's credentials in the body",
        says=r"(?:client|credentials|secret).{0,40}(?:must|only|expected|required).{0,30}\bbody\b",
        client_auth=("client_secret_basic",), setting="client_auth", fix="tokencli profiles edit {profile} --set client_auth=client_secret_post",
    ),
    Hint(
        "the server expects this client to authenticate: set client_auth, e.g. to client_secret_basic",
        says=r"no client authentication mechanism|must authenticate|client authentication (?:is )?(?:required|missing)", client_auth=("none",), setting="client_auth", fix=EDIT,
    ),
    Hint(
        "the server does not accept {client_auth} for this client",
        says=r"(?:client |token.endpoint.)auth\w* method.{0,60}" + _REFUSED + r"|(?:unsupported|different|wrong|mismatch\w*|invalid) (?:client |token.endpoint.)?auth\w* method|no client authentication mechanism|must authenticate|multiple client credentials|more than one (?:mechanism|method)",
        client_auth=(*_SECRET_METHODS, *_SIGNED_METHODS, "tls_client_auth", "none"),
        setting="client_auth", fix=EDIT,
    ),
    Hint(
        "the server does not accept the audience (`aud`) of the signed assertion",
        says=r"(?:aud\b|audience).{0,40}(?:must be|" + _WRONG + r")|" + _WRONG + r".{0,20}(?:aud\b|audience)", given=("signed assertion",),
        setting="assertion_audience", fix="tokencli profiles edit {profile} --set assertion_audience={other_audience}",
    ),
    Hint(
        "the server requires an `audience`, the identifier of the API",
        says=r"audience.{0,30}" + _MISSING + r"|(?:missing|required|no).{0,30}audience|default audience", given=("!audience",),
        setting="audience", fix=EDIT,
    ),
    Hint(
        "the server does not know this `audience`, or the client is not allowed to use it",
        says=r"audience.{0,60}" + _REFUSED + r"|" + _WRONG + r".{0,20}audience|service not enabled within domain|client.grant|not authorized to access \W?http",
        setting="audience", fix=EDIT,
    ),
    Hint(
        "the server requires a `resource`, or does not know the one in the profile",
        says=r"resource (?:indicator|parameter|server).{0,60}(?:" + _MISSING + r"|" + _REFUSED + r")",
        setting="resource", fix=EDIT,
    ),
    Hint(
        "the server does not know the target service (`resource` or `audience`), or the client is not allowed to use it",
        codes=("invalid_target",), setting="resource", fix=EDIT,
    ),
    Hint(
        "the redirect URI {redirect_uri} is not registered for this client; redirect_host, redirect_port and redirect_path change it",
        says=r"redirect.?ur[il]s?.{0,60}(?:" + _WRONG + r"|" + _REFUSED + r"|n't match|not match)|" + _WRONG + r".{0,20}redirect.?ur[il]|redirect_uri_mismatch",
    ),
    Hint(
        "the server requires the scope {scope}",
        says=r"(?:missing|requires?|must (?:contain|include|request)).{0,30}scopes?\(?s?\)?\W{1,4}(?P<scope>[a-z][\w.:/-]*)|(?P<scope2>openid)\W? scope (?:must be|is)",
        setting="scope", fix="tokencli profiles edit {profile} --set {with_scope}",
    ),
    Hint(
        "the server requires a scope",
        says=r"\bscopes?\b.{0,20}" + _MISSING + r"|(?:missing|required|at least one).{0,30}\bscopes?\b|AADSTS900144.{0,60}'scope'", given=("!scope",),
        setting="scope", fix=EDIT,
    ),
    Hint(
        "with client credentials, the scope must be the API's URI followed by /.default",
        says=r"AADSTS1002012", grants=("client_credentials",), setting="scope", fix=EDIT,
    ),
    Hint(
        "a scope is unknown, malformed, or not allowed for this client",
        says=r"\bscopes?\b.{0,60}" + _REFUSED + r"|(?:" + _WRONG + r"|malformed).{0,20}\bscopes?\b",
        setting="scope", fix=EDIT,
    ),
    Hint(
        "the identity store ID is wrong",
        says=r"identity.?store", given=("identity_store_id",), setting="identity_store_id", fix=EDIT,
    ),
    Hint(
        "the server does not know this tenant or realm",
        says=r"(?:realm|tenant|organi[sz]ation|environment)\b.{0,60}(?:not exist|n't exist|not found|unknown|not enabled)",
        fix=EDIT,
    ),
    # The account.
    Hint(
        "the account is locked, usually after several wrong passwords; wait, or ask an administrator to unlock it",
        says=_LOCKED + r"|\bdata 775\b", grants=(*_LOGINS, "", *_SIGN_INS, "jwt_bearer"),
    ),
    Hint(
        "the account is disabled or has expired; ask an administrator to enable it",
        says=r"(?:account|user|login|org(?:ani[sz]ation)?)\b.{0,30}" + _DISABLED + r"|" + _DISABLED + r" (?:user|account|org)|(?:account|user)\b.{0,20} expired|user_disabled|\bdata (?:533|701)\b",
    ),
    Hint(
        "the password has expired or must be changed; sign in to the server in a browser and change it",
        says=r"password.{0,20}(?:expired|must be changed|change|reset)|(?:expired|change).{0,12}password|\bdata (?:532|773)\b|PASSWORD_(?:WARN|EXPIRED)|password_leaked",
        grants=_LOGINS,
    ),
    Hint(
        "the user must complete the account setup first, e.g. accept terms or change the password; sign in to the server in a browser",
        says=r"not fully set up|required action|account.{0,20}(?:incomplete|not verified|unverified)|email.{0,12}(?:not verified|unverified)|not (?:yet )?confirmed|terms.{0,12}accept",
    ),
    Hint(
        "the account needs multi-factor authentication, which the password grant can't do; sign in with grant = \"device_code\" instead",
        says=r"AADSTS5007[469]|AADSTS50158|\b(?:mfa|2fa)\b|mfa_required|multi.?factor|second factor|two.factor|\b[ht]?otp\b",
        grants=_LOGINS, given=("offers device_code",), setting="grant", fix="tokencli profiles edit {profile} --set grant=device_code",
    ),
    Hint(
        "the account needs multi-factor authentication, which this grant can't do",
        says=r"AADSTS5007[469]|AADSTS50158|\b(?:mfa|2fa)\b|mfa_required|multi.?factor|second factor|two.factor|\b[ht]?otp\b",
        grants=_LOGINS,
    ),
    Hint(
        "the server requires the user to sign in again, e.g. with a second factor",
        says=r"\b(?:mfa|2fa)\b|mfa_required|multi.?factor|invalid_rapt|reauth|session (?:control|lifetime)",
        given=("interactive",), fix=SIGN_IN,
    ),
    Hint(
        "the user or an administrator has not consented to this client yet",
        says=r"consent_required|consent.{0,20}(?:required|missing|not)|(?:has ?n.t|not) (?:yet )?(?:approved|consented)", given=("interactive",), fix=SIGN_IN,
    ),
    Hint(
        "the user or an administrator must consent to this client first, in a browser",
        says=r"consent_required|consent.{0,20}(?:required|missing|not)|(?:has ?n.t|not) (?:yet )?(?:approved|consented)",
    ),
    Hint(
        "the user must sign in interactively, which this grant can't do; sign in with grant = \"device_code\" instead",
        codes=("interaction_required", "login_required", "account_selection_required", "unmet_authentication_requirements"), given=("!interactive", "offers device_code"),
        setting="grant", fix="tokencli profiles edit {profile} --set grant=device_code",
    ),
    Hint(
        "the server needs input from the user, but could not ask for it",
        codes=("interaction_required", "login_required", "account_selection_required", "consent_required", "unmet_authentication_requirements"), fix=SIGN_IN,
    ),
    Hint(
        "a policy of the server does not allow this sign-in; ask its administrators",
        says=r"conditional access|login hours|policy evaluation failed|no_matching_policy|access policy|admin_policy_enforced|org_internal",
    ),
    Hint(
        "the user is not assigned to this application; ask its administrators",
        says=r"user.{0,30}not assigned|invalid_app_access|not admin approved",
    ),
    Hint(
        "the server allows this only from certain networks; ask its administrators, or use their VPN",
        says=r"(?:\bip\b|address|network|location).{0,60}(?:allow.?list|white.?list|not (?:allowed|permitted|authorized|trusted)|blocked|restricted|denied)|ip restricted",
    ),
    Hint(
        "the server does not know this user name",
        says=r"(?:user|account)(?:name| name)?\b.{0,30}(?:not found|not exist|n't exist|unknown)|(?:unknown|no such) (?:user|account)|EMAIL_NOT_FOUND|INVALID_EMAIL",
        grants=(*_LOGINS, "jwt_bearer"), setting="username", fix=EDIT,
    ),
    # The client.
    Hint(
        "the client secret has expired; create a new one at the server",
        says=r"secret.{0,40}expired|expired.{0,20}secret", blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "the API key has expired; create a new one at the server",
        says=r"(?:api|access|subscription).?key.{0,20}expired|expired.{0,20}(?:api|access).?key", blames=("api_key",), fix=ENTER_SECRET,
    ),
    Hint(
        "the API key is wrong",
        says=r"(?:api|access|subscription).?key.{0,20}" + _WRONG + r"|" + _WRONG + r" (?:api|access|subscription).?key", blames=("api_key",), fix=ENTER_SECRET,
    ),
    Hint(
        "the client has been deleted or disabled at the server; ask its administrators",
        says=r"client (?:was |is |has been )?(?:deleted|disabled|inactive|suspended)|(?:deleted|disabled)_client|(?:disabled|inactive) client|app(?:lication)? (?:was |is |has been )?(?:deleted|disabled)",
    ),
    Hint(
        "the server does not know the client ID {client_id}",
        says=r"(?:unknown|invalid|unrecogni[sz]ed|bad) (?:oauth )?(?:client|app(?:lication)?)[ _-]?(?:id\b|identifier)(?! or\b)|invalid_client_id|client_?(?:id|identifier)\W{0,3} (?:was |is |does )?(?:not found|invalid|unknown|not exist|not registered|not recogni[sz]ed)|client (?:was |is )?(?:not found|not registered|unknown)|client (?:does not|doesn't) exist|no such (?:client|app)|unknown client|(?:invalid value for|invalid) '?client_id\b(?! or\b)",
        setting="client_id", fix=EDIT,
    ),
    Hint(
        "the client ID or the client secret is wrong, or contains special characters that the server reads differently (basic_encoding = \"{other_encoding}\")",
        says=_BAD_CLIENT,
        client_auth=("client_secret_basic",), given=("special characters",), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "the client ID or the client secret is wrong",
        says=_BAD_CLIENT,
        client_auth=(*_SECRET_METHODS, "client_secret_jwt"), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "the client ID {client_id} is unknown, or the server expects this client to authenticate: set client_auth",
        says=_BAD_CLIENT, client_auth=("none",), setting="client_auth", fix=EDIT,
    ),
    Hint(
        "the client's key or certificate is not the one that is registered for it, or the client ID {client_id} is unknown",
        says=_BAD_CLIENT, client_auth=("private_key_jwt", "tls_client_auth"), blames=("private_key",), setting="client_auth", fix=EDIT,
    ),
    Hint(
        "the server does not let this client use this grant ({grant}); ask its administrators to allow it",
        says=r"(?:grant.?types?|authorization grant|flow|service account|direct access|response.type)\b.{0,60}" + _FORBIDDEN + r"|(?:not |n't )(?:allowed|enabled|authori[sz]ed|permitted).{0,60}(?:grant|flow|service account|this method)|unauthorized to retrieve|no client credentials user",
        codes=("unauthorized_client", "invalid_request", "invalid_client", "access_denied", "unsupported_response_type", "device_flow_disabled"),
    ),
    Hint(
        "the server has no default user directory for the password grant; ask its administrators to set one",
        says=r"not configured with default connection", grants=("password",),
    ),
    # The assertion.
    Hint(
        "{clock}, so the server sees a wrong time in the signed assertion or the DPoP proof; set the clock, e.g. with NTP",
        says=_TIME, given=("time-bound proof", "clock off"),
    ),
    Hint(
        "{clock}; set the clock, e.g. with NTP", says=_CLOCK, given=("clock off",),
    ),
    Hint(
        "the server refuses the time in the signed assertion or the DPoP proof, so this computer's clock and the server's differ; compare them, and set the one that is wrong",
        says=_TIME, grants=("client_credentials", "jwt_bearer", "password", "custom", ""), given=("time-bound proof",),
    ),
    Hint(
        "the server can't verify the assertion's signature: the private key is not the one registered there, or key_id names another key",
        says=r"signature|\bkid\b|(?:no|unable to|find|load|unknown|matching).{0,20}\bkeys?\b|jwks", given=("signed assertion", "private_key"), blames=("private_key",), setting="key_id", fix=ENTER_SECRET,
    ),
    # The refresh token, or the code.
    Hint(
        "the refresh token has expired, was revoked, or was used before",
        says=r"refresh.?token\W{1,3}(?:\w+ ){0,3}" + _WRONG + r"(?! or expired)|" + _WRONG + r".{0,5}refresh.?token", grants=("refresh_token",), codes=("unauthorized_client", "invalid_request", "access_denied"), blames=("refresh_token",), fix=SIGN_IN,
    ),
    Hint(
        "the refresh token was used before, so the server has ended the session; another program may be using it as well",
        says=r"re-?use|already.{0,10}(?:used|redeemed|consumed)|replay|stale token|used (?:twice|before|more than)|rotated", grants=("refresh_token",), blames=("refresh_token",), fix=SIGN_IN,
    ),
    Hint(
        "the refresh token has expired",
        says=r"(?<!or )expired(?! or |, )|inactivity", grants=("refresh_token",), blames=("refresh_token",), fix=SIGN_IN,
    ),
    Hint(
        "the session has ended: the user signed out or changed the password, or the refresh token was revoked",
        says=r"(?<!or )revoked|not active|session|offline|signed? ?out", grants=("refresh_token",), blames=("refresh_token",), fix=SIGN_IN,
    ),
    Hint(
        "the token to exchange has expired, or the server doesn't accept its issuer or audience",
        says=r"(?:subject|actor).?token|invalid token", grants=("token_exchange",),
    ),
    Hint(
        "the user declined the sign-in, or the server denied it",
        codes=("access_denied", "authorization_declined", "user_denied"), grants=_SIGN_INS, fix=SIGN_IN,
    ),
    Hint(
        "the code expired before the sign-in was finished, or was used before",
        says=_WRONG + r" (?:auth\w* )?code\b|\bcode\b.{0,40}(?:expired|used|redeemed|invalid|not valid|not found)|expired_token|bad_verification_code|pkce|code.verifier", grants=_SIGN_INS, fix=SIGN_IN,
    ),
    # The user's credentials.
    Hint(
        "the user name, the password or the identity store ID is wrong",
        says=r"credentials|password|log.?in failed|(?<!client )authentication failed", grants=_LOGINS, given=("password", "identity_store_id"), codes=("", "invalid_grant", "access_denied", "unauthorized"), blames=("password",), fix=ENTER_SECRET,
    ),
    Hint(
        "the user name or the password is wrong",
        says=_WRONG + r"[ _]?(?:user ?name|user|e-?mail|log.?in)?(?:[ _](?:or|and)[ _]|/|, )?(?:[ _]?(?:the[ _])?(?:password|pwd|passcode))\b|" + _WRONG + r"[ _](?:user |log.?in )?credentials|(?:password|user ?credentials|(?<!client )credentials)\W.{0,30}" + _WRONG + r"|INVALID_(?:PASSWORD|LOGIN)|no active account|failed to bind|\bdata 52[5e]\b|(?<!client )authentication fail|log.?in failed|" + _WRONG + r" log.?in\b",
        grants=_LOGINS, given=("password",), blames=("password",), fix=ENTER_SECRET,
    ),
    # A gateway in front of the server, or the wrong place.
    Hint(
        "a firewall in front of the server blocked the request, e.g. because of this computer's network; ask its administrators, and tell them the ID if the page has one",
        says=r"attention required|just a moment|cloudflare|request (?:was )?(?:blocked|rejected)|requested url was rejected|access denied.{0,200}reference #|incapsula|imperva|akamai|zscaler|forti(?:gate|guard|net)|forcepoint|web application firewall|\bwaf\b|captcha|are you (?:a )?(?:human|robot)", given=("HTML page",),
    ),
    Hint(
        "the server replied with a sign-in page, so this is not the token endpoint, or a gateway requires a sign-in",
        says=r"sign.?in|log.?in|password|sso", given=("HTML page",), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "there is nothing at this URL: Amazon API Gateway replies like this if the path or the method is unknown",
        says=r"^\W*missing authentication token\W*$", statuses=(403,), setting="token_url", fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server expects HTTPS: the URL starts with http://, or a proxy in front of the server doesn't tell it that the request arrived over HTTPS",
        says=r"(?:https|ssl) (?:is )?required|plain HTTP request", setting="token_url", fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server does not find an API key in the request, so it expects the key under another name or in another place, or an additional key",
        says=_MISSING + r" (?:\w+ )?(?:api|subscription).?key|no (?:api|subscription).?key|(?:api|subscription).?key.{0,20}" + _MISSING, fix="tokencli profiles show {profile}",
    ),
    # The server names a parameter.
    Hint(
        "the server does not accept a parameter of the request",
        says=r"validation error|\bfield (?:is )?required|given data was invalid", statuses=(400, 422), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server does not find the parameter {parameter}, which was sent, so it probably expects another format than {content_type}, or a gateway dropped the body",
        says=_PARAMETER, codes=("", "invalid_request", "invalid_grant", "invalid_client"), given=("sends {parameter}",), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server requires the parameter {parameter}, which the request doesn't have",
        says=_PARAMETER,
        codes=("", "invalid_request", "invalid_grant", "invalid_client"), fix=EDIT,
    ),
    # Error codes.
    Hint(
        "the server is overloaded or under maintenance; try again in a minute", codes=("temporarily_unavailable",),
    ),
    Hint(
        "too many requests in a short time; {wait}",
        codes=("slow_down", "too_many_requests", "rate_limit_exceeded", "rate_limited", "over_rate_limit", "E0000047"),
        statuses=(429,),
    ),
    Hint(
        "a scope is unknown, malformed, or not allowed for this client",
        codes=("invalid_scope", "insufficient_scope"), setting="scope", fix=EDIT,
    ),
    Hint(
        "the server does not support this grant, or knows it under another name", codes=("unsupported_grant_type",), setting="grant", fix=EDIT,
    ),
    Hint(
        "this client is not allowed to use authorization codes", codes=("unsupported_response_type",), setting="grant",
    ),
    Hint(
        "this client is not allowed to use this grant ({grant}); ask the server's administrators to allow it", codes=("unauthorized_client",),
    ),
    Hint(
        "the server's registration of this client is incomplete or wrong; ask its administrators", codes=("invalid_client_metadata", "invalid_redirect_uri", "invalid_software_statement"),
    ),
    Hint(
        "the server does not accept the pushed or signed authorization request", codes=("invalid_request_uri", "invalid_request_object"), fix=SIGN_IN,
    ),
    Hint(
        "the user name, the password or the identity store ID is wrong, or the user is not allowed to sign in",
        codes=("invalid_grant",), grants=("password",), given=("identity_store_id",), blames=("password",), fix=ENTER_SECRET,
    ),
    Hint(
        "the user name or the password is wrong, or the account is locked or disabled",
        codes=("invalid_grant", "access_denied"), grants=_LOGINS, blames=("password",), fix=ENTER_SECRET,
    ),
    Hint(
        "the refresh token has expired, was revoked, or was used before",
        codes=("invalid_grant", "bad_refresh_token", "invalid_refresh_token", "invalid_token", "token_inactive"), grants=("refresh_token",), blames=("refresh_token",), fix=SIGN_IN,
    ),
    Hint(
        "the code expired before the sign-in was finished, or was used before",
        codes=("invalid_grant", "expired_token"), grants=_SIGN_INS, fix=SIGN_IN,
    ),
    Hint(
        "the server does not accept the assertion: its issuer, subject, audience or key is not registered there, or it has expired",
        codes=("invalid_grant",), grants=("jwt_bearer",), fix=EDIT,
    ),
    Hint(
        "the token to exchange has expired, or the server doesn't accept its issuer or audience",
        codes=("invalid_grant", "invalid_request", "invalid_token"), grants=("token_exchange",),
    ),
    Hint(
        "the credentials are wrong, or a code or token in the request is invalid or has expired",
        codes=("invalid_grant",), blames=("*",), fix=ENTER_SECRET,
    ),
    Hint(
        "the client ID {client_id} is unknown, or the server expects this client to authenticate: set client_auth",
        codes=("invalid_client",), client_auth=("none",), setting="client_id", fix=EDIT,
    ),
    Hint(
        "the client ID or the client secret is wrong, or contains special characters that the server reads differently (basic_encoding = \"{other_encoding}\"), or the server expects a method other than {client_auth}",
        codes=("invalid_client",), client_auth=("client_secret_basic",), given=("special characters",), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "the client ID or the client secret is wrong, or the server expects a client authentication method other than {client_auth}",
        codes=("invalid_client",), client_auth=(*_SECRET_METHODS, "client_secret_jwt"), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "the server does not accept the signed assertion: the client's key is not registered there, or its `aud` is wrong (assertion_audience), or the server expects another client authentication method",
        codes=("invalid_client",), client_auth=("private_key_jwt",), blames=("private_key",), setting="client_auth", fix=EDIT,
    ),
    Hint(
        "the client certificate is not registered for this client, or a gateway did not pass it on to the server",
        codes=("invalid_client",), client_auth=("tls_client_auth",), setting="client_cert", fix=EDIT,
    ),
    Hint(
        "the server does not accept the client's credentials", codes=("invalid_client",), fix=EDIT,
    ),
    Hint(
        "the client is not authorized for this audience or scope, or its credentials are wrong",
        codes=("access_denied",), grants=("client_credentials",), blames=("client_secret",), setting="audience", fix=EDIT,
    ),
    Hint(
        "the server or the user denied the request", codes=("access_denied", "authorization_declined"),
    ),
    Hint(
        "a parameter is missing, repeated or wrong", codes=("invalid_request",), fix="tokencli profiles show {profile}",
    ),
    # Statuses. An empty 401 or 403 proves nothing.
    Hint(
        "the service is not available; {wait}", statuses=(503,),
    ),
    Hint(
        "the account is locked; wait, or ask an administrator to unlock it", statuses=(423,),
    ),
    Hint(
        "the refresh token has expired or was revoked, or the server does not accept the client's credentials", statuses=(400, 401, 403), grants=("refresh_token",), blames=("refresh_token", "client_secret"), fix=SIGN_IN,
    ),
    Hint(
        "{unexplained}the user name or the password is wrong, the identity store ID is wrong, the account is locked or disabled, the client ID or the client secret is wrong",
        statuses=(401, 403), grants=("password",), given=("identity_store_id",), blames=("password", "client_secret"), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the user name or the password is wrong, the account is locked or disabled, the client ID or the client secret is wrong",
        statuses=(401,), grants=("password",), client_auth=(*_SECRET_METHODS, *_SIGNED_METHODS), blames=("password", "client_secret"), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the user name or the password is wrong, the account is locked or disabled, the client ID is unknown, the server expects this client to authenticate",
        statuses=(401,), grants=("password",), blames=("password",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the user name or the password is wrong, the account is locked or disabled, the user or the client is not allowed to get this token, a firewall blocks this network",
        statuses=(403,), grants=("password",), blames=("password",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the {secrets} is wrong or has expired, the account is locked or disabled, a gateway in front of the server refused the request",
        statuses=(401,), grants=("custom",), blames=("*",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the {secrets} is wrong, the account is not allowed to get this token, a firewall blocks this network",
        statuses=(403,), grants=("custom",), blames=("*",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the client ID or the client secret is wrong, the special characters in them need basic_encoding = \"{other_encoding}\", the server expects a client authentication method other than {client_auth}",
        statuses=(401,), client_auth=("client_secret_basic",), given=("special characters",), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the client ID or the client secret is wrong or expired, the server expects a client authentication method other than {client_auth}, a gateway in front of the server refused the request",
        statuses=(401,), client_auth=(*_SECRET_METHODS, "client_secret_jwt"), blames=("client_secret",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the client's key or certificate is not registered at the server, the server expects a client authentication method other than {client_auth}, a gateway in front of the server refused the request",
        statuses=(401,), client_auth=("private_key_jwt", "tls_client_auth"), blames=("private_key",), fix=EDIT,
    ),
    Hint(
        "{unexplained}the client ID {client_id} is unknown, the server expects this client to authenticate, a gateway in front of the server refused the request",
        statuses=(401,), client_auth=("none",), setting="client_id", fix=EDIT,
    ),
    Hint(
        "the server does not accept the credentials", statuses=(401,), blames=("*",), fix=ENTER_SECRET,
    ),
    Hint(
        "{unexplained}the client is not allowed to get this token or to use this scope, the credentials are wrong, a firewall blocks this network; ask the server's administrators", statuses=(403,),
    ),
    Hint(
        "there is nothing at this URL, so it is probably not the token endpoint", statuses=(404, 410), setting="token_url", fix="tokencli profiles show {profile}",
    ),
    Hint(
        "this URL does not accept POST, so it is probably not the token endpoint", statuses=(405,), setting="token_url", fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server expects the request in another format ({content_type} was sent); the provider's `request.body` sets the format", statuses=(406, 415), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the proxy that the profile's `proxy` names requires authentication", statuses=(407,), given=("proxy",), setting="proxy", fix=EDIT,
    ),
    Hint(
        "the proxy requires authentication", statuses=(407,), fix="{set_proxy}",
    ),
    Hint(
        "the server is busy; {wait}", statuses=(408, 425),
    ),
    Hint(
        "this server is not responsible for the host name in the URL", statuses=(421,), setting="token_url", fix="tokencli profiles show {profile}",
    ),
    Hint(
        "{unexplained}the {secrets} is wrong, a parameter of the request is missing or wrong",
        statuses=(400,), grants=_LOGINS, blames=("*",), fix=ENTER_SECRET,
    ),
    Hint(
        "a parameter of the request is wrong", statuses=(400, 422), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "the server does not accept the request; ask its administrators", statuses=range(400, 500),
    ),
    Hint(
        "the server does not support this kind of request", statuses=(501,), fix="tokencli profiles show {profile}",
    ),
    Hint(
        "a gateway received an invalid response from the server; {wait}", statuses=(502,),
    ),
    Hint(
        "a gateway timed out waiting for the server; {wait}", statuses=(504,),
    ),
    Hint(
        "the server had an internal error; if it persists, tell the server's administrators", codes=("server_error",), statuses=range(500, 600),
    ),
)  # fmt: skip
"""The rows, of which the first that applies is used; but a provider's own meaning of a code or status
comes before the rows for that code or status."""
