"""Causes of a token that is for another API, from another issuer, or of another account."""

import re
from urllib.parse import urlsplit

from tokencli.diagnosis.causes import facts, reply
from tokencli.diagnosis.causes.finding import Finding, find
from tokencli.diagnosis.causes.reply import read_statements
from tokencli.diagnosis.evidence import Evidence
from tokencli.humanize import join_alternatives
from tokencli.shell_words import quote

_ENVIRONMENTS = {
    "production": r"prod|production|live",
    "staging": r"stag(?:e|ing)|stg|preprod|pre-prod|preview",
    "test": r"tests?|testing|qa|uat|int|integration",
    "development": r"dev|develop|development|local|sandbox|demo",
}
_FOREIGN_APIS = {
    "graph.microsoft.com": "Microsoft Graph",
    "00000003-0000-0000-c000-000000000000": "Microsoft Graph",
    "graph.windows.net": "Azure AD Graph",
    "00000002-0000-0000-c000-000000000000": "Azure AD Graph",
    "management.azure.com": "Azure Resource Manager",
    "management.core.windows.net": "Azure Resource Manager",
    "vault.azure.net": "Azure Key Vault",
    "storage.azure.com": "Azure Storage",
    "outlook.office.com": "Outlook",
    "outlook.office365.com": "Outlook",
    "sts.amazonaws.com": "AWS STS",
    "www.googleapis.com": "Google's APIs",
    "oauth2.googleapis.com": "Google's token endpoint",
}
"""Host or application ID in `aud` -> the API that it names."""
_VERSION = re.compile(r"/v\d+(?:\.\d+)?(?=/|$)")
_USER_CLAIMS = ("preferred_username", "upn", "unique_name", "email", "username")


def judge_wrong_audience(evidence: Evidence) -> Finding | None:
    """The API isn't among the token's audiences."""
    token, call = evidence.token, evidence.call
    said = read_statements(call).get("wrong_audience")
    if call is not None and not reply.is_refused(call) and said is None:
        return None
    if facts.works_with_fresh_token(evidence) and facts.same_audience(evidence):
        return None
    audience = facts.token_audience(evidence)
    shown = facts.list_names(audience) if audience else None
    resource = evidence.resource.resource if evidence.resource else None
    expected = said.expected if said and said.expected else resource
    answer = reply.describe_answer(call) if call else None
    is_listed = facts.fits_audience(evidence)
    current = (
        f"the token's audience is {shown}"
        if shown
        else "the token names no audience"
        if token is not None and token.kind == "jwt"
        else None
    )
    fix = facts.audience_command(evidence, resource if resource and not is_listed else None)
    if said is not None and said.is_name:
        return find(
            "wrong_audience",
            "likely" if is_listed else "certain",
            (answer, f"{current}; the API expects {expected}" if current and expected else current),
            fix=fix,
        )
    if token is None:
        return None
    if is_listed:
        slash = _describe_slash(evidence, audience)
        if slash is None or call is None or not reply.is_unspecific(call):
            return None
        return find("wrong_audience", "likely", (slash, answer))
    if resource is not None and audience:
        return find(
            "wrong_audience",
            "certain" if call is not None and call.status == 401 else "likely",
            (
                f"the token's audience is {shown}, and the API's metadata names {resource}",
                answer,
            ),
            fix=fix,
        )
    profile = evidence.profile
    if (
        profile is not None
        and profile.audiences
        and audience
        and not any(reply.same_url(one, other) for one in audience for other in profile.audiences)
    ):
        return find(
            "wrong_audience",
            "likely",
            (
                f"the token's audience is {shown}, and profile {profile.name} requests"
                f" {facts.list_names(profile.audiences)}",
                answer,
            ),
            fix=facts.renew_command(evidence),
        )
    if call is None or not reply.is_refused(call):
        return None
    if call.status == 401 and (foreign := _describe_foreign_api(evidence, audience)) is not None:
        return find("wrong_audience", "likely", (foreign, answer))
    if not reply.is_unspecific(call) or (token.kind == "opaque" and not audience):
        return None
    strange = _describe_strange_audience(evidence, audience)
    is_valid = facts.is_alive(evidence) and strange is None and token.bound_to is None
    return find(
        "wrong_audience",
        "likely" if is_valid and not facts.is_challenged_as_without_token(evidence) else "possible",
        (strange or current, "the token is otherwise valid" if is_valid else None, answer),
        question=f"Which audience does {reply.name_host(call)} expect?",
    )


def _describe_slash(evidence: Evidence, audience: tuple[str, ...]) -> str | None:
    """Say so if the token's audience is the API's but for a slash at the end (RFC 7519 section 2)."""
    resource = evidence.resource.resource if evidence.resource else None
    expected = resource or (evidence.call.url if evidence.call else None)
    if expected is None or expected in audience:
        return None
    similar = next((each for each in audience if reply.same_url(each, expected)), None)
    if similar is None or (reply.origin(similar)[1] and not urlsplit(similar).path.strip("/")):
        return None  # without a path, both are the same URL (RFC 9110 section 4.2.3)
    source = "the API's metadata names" if resource else "the call goes to"
    return (
        f"the token's audience is {similar}, and {source} {expected}: many APIs compare them"
        " character by character"
    )


def _describe_foreign_api(evidence: Evidence, audience: tuple[str, ...]) -> str | None:
    """Say so if the audience is a well-known API at another host, or is the issuer's own API."""
    call, token = evidence.call, evidence.token
    if call is None or token is None:
        return None
    host = reply.name_host(call)
    names = [each for each in audience if each != token.client]
    if names == ["account"]:
        return (
            "the token's audience is account, Keycloak's own account API: no client scope adds the"
            f" audience of {host}"
        )
    for name in names:
        known = reply.hostname(name) or name.lower()
        if known in _FOREIGN_APIS and _site(known) != _site(host):
            unverifiable = (
                "; only it can verify their signature, as the nonce in their header shows"
                if "nonce" in token.header
                else ""
            )
            return (
                f"the token's audience is {name}, {_FOREIGN_APIS[known]}, and the call goes to {host}:"
                f" such tokens are for {_FOREIGN_APIS[known]} alone{unverifiable}"
            )
    return None


def _describe_strange_audience(evidence: Evidence, audience: tuple[str, ...]) -> str | None:
    """Say so if every audience is a URL of another site; many APIs have an audience of any name."""
    call, token = evidence.call, evidence.token
    if call is None or token is None or not audience:
        return None
    host = reply.name_host(call)
    names = [each for each in audience if each != token.client]
    hosts = [reply.origin(each)[1] for each in names if each.startswith(("https://", "http://"))]
    if not hosts or len(hosts) != len(names):
        return None
    if any(name is None or _site(name) == _site(host) for name in hosts):
        return None
    return f"the token is for {facts.list_names(audience)}, and the call goes to {host}"


def _site(host: str) -> str:
    return host if re.fullmatch(r"[\d.:]+", host) else ".".join(host.split(".")[-2:])


def judge_wrong_issuer(evidence: Evidence) -> Finding | None:
    """The API trusts another issuer, or another environment of it."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    profile, said = evidence.profile, read_statements(call).get("wrong_issuer")
    if call is not None and not reply.is_refused(call):
        return None
    issuer = token.issuer
    answer = reply.describe_answer(call) if call else None
    current = f"the token's issuer is {issuer}" if issuer else None
    trusted = evidence.resource.authorization_servers if evidence.resource else ()
    is_trusted = issuer is not None and any(reply.same_url(issuer, each) for each in trusted)
    fix = _rival_command(evidence)
    if said is not None and said.is_name and not is_trusted:
        expects = f"the API expects {said.expected}" if said.expected else None
        return find(
            "wrong_issuer",
            "certain",
            (
                answer,
                f"{current}; {expects}" if current and expects else current,
                _describe_version(evidence),
                _environments(evidence),
            ),
            fix=fix,
        )
    if issuer is None and _is_unknown_to_issuer(evidence):
        return find(
            "wrong_issuer",
            "likely",
            (
                f"{facts.issuer_host(evidence)} says by introspection that the token isn't active, and"
                " nothing shows that it ever issued it",
                answer,
            ),
            fix=facts.renew_command(evidence),
            question="Where does the token come from?",
        )
    if is_trusted or issuer is None or _works_from_same_issuer(evidence):
        return None
    if trusted:
        return find(
            "wrong_issuer",
            "certain" if call is not None and call.status == 401 else "likely",
            (
                f"{current}, and the API's metadata names {facts.list_names(trusted)}",
                answer,
                _environments(evidence),
            ),
            fix=fix,
        )
    environments, version = _environments(evidence), _describe_version(evidence)
    if profile is not None and profile.issuer and not reply.same_url(issuer, profile.issuer):
        return find(
            "wrong_issuer",
            "likely",
            (
                f"{current}, and profile {profile.name} trusts {profile.issuer}",
                version,
                environments,
                answer,
            ),
            fix=fix or (None if version and token.stored else facts.renew_command(evidence)),
            question=_account_question(evidence),
        )
    if call is None or not (reply.is_unspecific(call) or said or environments):
        return None
    if environments:
        return find("wrong_issuer", "likely", (environments, answer), fix=fix)
    return find(
        "wrong_issuer",
        "possible",
        (current, answer),
        fix=fix,
        question=f"Which issuer does {reply.name_host(call)} trust?",
    )


def _works_from_same_issuer(evidence: Evidence) -> bool:
    fresh, token = evidence.fresh_token, evidence.token
    return facts.works_with_fresh_token(evidence) and (
        fresh is None or token is None or fresh.issuer == token.issuer
    )


def _describe_version(evidence: Evidence) -> str | None:
    """Say so if the token's issuer is the profile's in another version, e.g. v1.0 instead of v2.0."""
    token, profile = evidence.token, evidence.profile
    ours, theirs = profile and profile.issuer, token and token.issuer
    if not ours or not theirs or reply.same_url(ours, theirs):
        return None
    tenant = _find_entra_tenant(ours)
    if _VERSION.sub("", ours).rstrip("/") != _VERSION.sub("", theirs).rstrip("/") and (
        tenant is None or tenant != _find_entra_tenant(theirs)
    ):
        return None
    return (
        f"{theirs} is another version of the same issuer as {ours}; which version a token has is"
        " set at the issuer, usually for the API"
    )


def _find_entra_tenant(url: str) -> str | None:
    """Return the tenant of an issuer of Microsoft Entra, whose v1.0 and v2.0 have different hosts."""
    hosts = ("sts.windows.net", "login.microsoftonline.com")
    return urlsplit(url).path.split("/")[1] if reply.hostname(url) in hosts else None


def _is_unknown_to_issuer(evidence: Evidence) -> bool:
    """Tell whether the issuer doesn't know an opaque token that isn't from this computer either."""
    token = evidence.token
    if token is None or token.kind != "opaque" or token.damage or token.mangling:
        return False
    inactive = (evidence.issuer.introspection or {}).get("active") is False
    return inactive and token.role == "unknown" and not facts.is_from_here(evidence)


def _environments(evidence: Evidence) -> str | None:
    """Say so if the token's issuer belongs to another environment than the API, by their names."""
    token, call = evidence.token, evidence.call
    if token is None or call is None or not token.issuer:
        return None
    of_token, of_api = _environment(token.issuer), _environment(call.url)
    if of_token in (None, of_api) or {of_token, of_api} == {"production", None}:
        return None
    if of_token == "development" and of_api is None:
        return None  # a vendor's tenant for developers, e.g. dev-123.okta.com, may be the only one
    api_side = f"a {of_api} API" if of_api else f"no {of_token} API by its name"
    return (
        f"the token comes from a {of_token} issuer ({reply.origin(token.issuer)[1]}), and"
        f" {reply.name_host(call)} is {api_side}"
    )


def _environment(url: str) -> str | None:
    """Return the environment that a URL's host or path names; None if it names none."""
    host = reply.origin(url)[1] or ""
    path = url.split(host, 1)[-1] if host else ""
    words = re.split(r"[^a-z]+", f"{host} {path}".lower())
    for name, pattern in _ENVIRONMENTS.items():
        if any(re.fullmatch(pattern, word) for word in words):
            return name
    return None


def _rival_command(evidence: Evidence) -> str | None:
    call = evidence.call
    if not evidence.rival_profiles or call is None:
        return None
    return f"tokencli why {evidence.rival_profiles[0]} {quote(call.url)}"


def _account_question(evidence: Evidence) -> str:
    call = evidence.call
    api = reply.name_host(call) if call else "the API"
    return f"Which issuer, and whose account there, does {api} expect?"


def judge_other_account(evidence: Evidence) -> Finding | None:
    """The token belongs to another profile, tenant, client or user than expected."""
    token, call = evidence.token or facts.UNKNOWN_TOKEN, evidence.call
    profile, said = evidence.profile, read_statements(call).get("other_account")
    refused = reply.is_refused(call) or (call is not None and call.status == 404)
    if call is not None and not refused:
        return None
    answer = reply.describe_answer(call) if call else None
    signs = _account_signs(evidence)
    owner = evidence.events.issued_to
    is_foreign = owner is not None and profile is not None and owner != profile.name
    fix = _rival_command(evidence)
    if fix is None and is_foreign and profile is not None:
        fix = f"tokencli get {profile.command_line_name}"
    elif fix is None and signs and profile is not None:
        fix = (
            f"tokencli login {profile.command_line_name} --again"
            if token.stored
            else f"tokencli get {profile.command_line_name}"
        )
    if said is not None and said.is_name:
        return find("other_account", "certain" if signs else "likely", (answer, *signs), fix=fix)
    if not signs:
        if evidence.rival_profiles and call is not None and call.status in (401, 403, 404):
            return find(
                "other_account",
                "possible",
                (
                    f"the token of profile {join_alternatives(evidence.rival_profiles)} fits what the API asks for",
                    answer,
                ),
                fix=fix,
            )
        return None
    other_issuer = (
        profile is not None
        and profile.issuer is not None
        and token.issuer is not None
        and not reply.same_url(profile.issuer, token.issuer)
    )
    return find(
        "other_account",
        "likely",
        (*signs, answer),
        fix=fix,
        question=_account_question(evidence) if other_issuer else None,
    )


def _account_signs(evidence: Evidence) -> list[str]:
    token, profile, signs = evidence.token, evidence.profile, []
    if token is None or profile is None:
        return []
    owner = evidence.events.issued_to
    if owner is not None and owner != profile.name:
        signs.append(f"the token was issued to profile {owner}, not to {profile.name}")
    elif not token.stored and evidence.same_token_as and profile.name not in evidence.same_token_as:
        signs.append(f"it is the token of profile {join_alternatives(evidence.same_token_as)}")
    if profile.client_id and token.client and token.client != profile.client_id:
        signs.append(
            f"the token was issued to client {token.client}, and profile {profile.name} is client"
            f" {profile.client_id}"
        )
    user = _user(evidence)
    if profile.username and user and user.casefold() != profile.username.casefold():
        local = profile.username.partition("@")[0].casefold()
        if user.partition("@")[0].casefold() != local:
            signs.append(
                f"the token is of user {user}, and profile {profile.name} has {profile.username}"
            )
    if profile.issuer and token.issuer and not reply.same_url(profile.issuer, token.issuer):
        ours, theirs = reply.origin(profile.issuer), reply.origin(token.issuer)
        if ours == theirs and _describe_version(evidence) is None:
            signs.append(
                f"the token is of {token.issuer}, another tenant of {ours[1]} than {profile.issuer}"
            )
    return signs


def _user(evidence: Evidence) -> str | None:
    token = evidence.token
    for source in (evidence.issuer.userinfo or {}, token.claims if token else {}):
        for name in _USER_CLAIMS:
            value = source.get(name)
            if isinstance(value, str) and value:
                return value
    return None
