"""Errors for a refused request and for an unreadable reply: what they mean, likely cause, fix."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tokencli.errors import RefusedError, ReplyError
from tokencli.humanize import compare_clock, humanize_duration, join_alternatives
from tokencli.models import HttpReply, HttpRequest, Profile
from tokencli.oauth.grants import GRANTS, is_interactive, load_grant
from tokencli.providers.redaction import redact_text
from tokencli.shell_words import quote, user_shell

if TYPE_CHECKING:
    from tokencli.oauth.refusal_hints import Evidence, Hint
    from tokencli.oauth.server_reason import ServerReason
    from tokencli.provider_schema import ErrorMeaning

MAX_QUOTE = 200
"""Characters of a server's text that a message quotes at most, unless it is the reason of a refusal."""
_TOKEN_IN_OBJECT = rb"(?is)\s*\{.*[\"'](?:access|refresh|id)_?token[\"']\s*:"
_BARE_TOKEN = rb"\s*[A-Za-z0-9._~+/=-]{8,}\s*"
PLAIN_MEDIA_TYPE = r"[A-Za-z-]{1,20}/[A-Za-z.+-]{1,40}"
"""A media type that may be shown; any other could be a token."""
UNEXPLAINED = "the reply doesn't say why; "
RESERVED_CHARACTERS = set("%+&=: /?#")
"""Characters that RFC 6749 and raw HTTP Basic authentication encode differently."""

_LOGIN = "tokencli login {profile}"
_LOGIN_AGAIN = "tokencli login {profile} --again"
_ENTERED_KINDS = ("keyring", "prompt")
"""Secret sources that `login --again` prompts for."""
_PLACEHOLDER = r"\{(\w+)\}"


class Explanation(NamedTuple):
    """What a refusal most likely means, and what helps."""

    cause: str
    fix: str | None
    blamed_secrets: tuple[str, ...] = ()
    """The profile's secrets that may be wrong."""


def get_endpoint_host(profile: Profile) -> str:
    """Return the host of the token endpoint, with its port if the URL has one."""
    return urlsplit(profile.token_url).netloc


def refusal_error(
    profile: Profile, request: HttpRequest, reply: HttpReply, reason: "ServerReason"
) -> RefusedError:
    """Return the error for a refusal, with the server's own reason and what it most likely means."""
    evidence = collect_evidence(profile, request, reply, reason)
    cause, fix, blamed_secrets = explain_refusal(profile, evidence)
    cause += _remark_on_clock(evidence, cause)
    return RefusedError(
        f"{get_endpoint_host(profile)} refused the request"
        f" ({quote_refusal(request, reply, reason)})",
        cause=cause,
        fix=fix,
        status=reply.status,
        error=reason.code,
        description=reason.text,
        blamed_secrets=blamed_secrets,
        request_ids=reason.request_ids,
        retry_after=reply.retry_after,
        clock_skew=reply.clock_skew,
    )


def redirect_refusal_error(profile: Profile, code: str, text: str) -> RefusedError:
    """Return the error for an error response in a redirect (RFC 6749 section 4.1.2.1)."""
    from tokencli.oauth.refusal_hints import Evidence
    from tokencli.oauth.server_reason import MAX_CODE, MAX_REASON

    code, text = redact_text(code)[:MAX_CODE], redact_text(text)[:MAX_REASON]
    said = f"{code}: {text}" if text else code
    facts = frozenset(list_profile_facts(profile))
    cause, fix, blamed_secrets = explain_refusal(
        profile, Evidence("authorization_code", code=code, text=text, facts=facts)
    )
    return RefusedError(
        f"{urlsplit(profile.endpoints.get('authorization', '')).netloc} ended the sign-in ({said})",
        cause=cause,
        fix=fix,
        error=code,
        description=text or None,
        blamed_secrets=blamed_secrets,
    )


def collect_evidence(
    profile: Profile, request: HttpRequest, reply: HttpReply, reason: "ServerReason"
) -> "Evidence":
    """Return everything that is known about a refused request; see `Evidence.facts`."""
    from tokencli.oauth.refusal_hints import Evidence  # start-up cost: only refusals need it

    is_custom = profile.provider.request.is_custom
    facts = list_profile_facts(profile)
    if profile.client_auth == "client_secret_basic" and _has_special_characters(request):
        facts.add("special characters")
    if (
        profile.provider.signed
        if is_custom
        else profile.client_auth in ("client_secret_jwt", "private_key_jwt")
        or "private_key" in load_grant(request.grant).one_of_secrets
    ):
        facts.add("signed assertion")
    if "signed assertion" in facts or "DPoP" in request.headers:
        facts.add("time-bound proof")
    if reply.clock_skew is not None:
        facts.add("clock off")
    if reason.is_html:
        facts.add("HTML page")
    if request.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        facts |= {f"sends {name}" for name, _ in parse_qsl(request.body.decode(errors="replace"))}
    return Evidence(
        grant=request.grant if request.grant in ("", *GRANTS) else "custom",
        client_auth="" if is_custom else profile.client_auth,
        status=reply.status,
        code=reason.code or "",
        text=reason.text or "",
        facts=frozenset(facts),
        details={
            "grant": request.grant or profile.grant,
            "unexplained": f"{'' if reason.text else UNEXPLAINED}possible causes, most likely first: ",
            "clock": ""
            if reply.clock_skew is None
            else compare_clock(reply.clock_skew, "the server's"),
            "content_type": request.headers.get("Content-Type", "no body"),
            "wait": "try again in a minute"
            if reply.retry_after is None
            else f"the server says to wait {humanize_duration(reply.retry_after)}",
        },
    )


def _has_special_characters(request: HttpRequest) -> bool:
    """Return whether client ID or secret differ with and without form-encoding (RFC 6749 2.3.1)."""
    from base64 import b64decode

    scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Basic":
        return False
    try:
        parts = b64decode(pair).decode(errors="replace").split(":", 1)
    except ValueError:  # a header of the provider's
        return False
    return any(set(part) & RESERVED_CHARACTERS or not part.isascii() for part in parts)


def _remark_on_clock(evidence: "Evidence", cause: str) -> str:
    """Return what the clock has to do with a refusal, unless the cause says it; empty if nothing."""
    from tokencli.oauth.refusal_hints import speaks_of_time

    clock = evidence.details["clock"]
    if clock:
        return "" if clock in cause else f"; also, {clock}"
    if "time-bound proof" in evidence.facts and speaks_of_time(evidence) and "clock" not in cause:
        return "; or this computer's clock and the server's differ"
    return ""


def list_profile_facts(profile: Profile) -> set[str]:
    """Return what is known about a profile as facts for the table of hints."""
    settings = {
        "scope": profile.scope, "dpop": profile.dpop, "par": profile.sign_in.par,
        "proxy": profile.connection.proxy,
        "interactive": is_interactive(profile.grant),
        **{f"offers {grant}": True for grant in profile.provider.grants},
    }  # fmt: skip
    given = {name for name, value in settings.items() if value}
    return given.union(profile.values, profile.secrets, profile.params)


def explain_refusal(profile: Profile, evidence: "Evidence") -> Explanation:
    """Return what a refusal most likely means, and what helps."""
    hint, groups = choose_hint(profile, evidence)
    return _fill_hint(profile, hint, {**evidence.details, **groups})


def choose_hint(profile: Profile, evidence: "Evidence") -> tuple["Hint", dict[str, str]]:
    """Return the row of the table, or the provider's own meaning, that explains a refusal.

    A vendor's own code says most, e.g. `AADSTS50126`, and then what the server says in words, unless
    the provider explains its error code. Then come error code and status, of which a provider's own
    meaning comes first.
    """
    from tokencli.oauth.refusal_hints import GENERIC_CODES, OVERLOAD_STATUSES, Hint, find_hint
    from tokencli.providers.error_codes import find_refusal_meaning, find_standard_meaning

    code = evidence.code
    own_status = profile.provider.errors.status.get(str(evidence.status))
    hint: Hint | None = None
    groups: dict[str, str] = {}
    if evidence.status not in OVERLOAD_STATUSES or code not in ("", *GENERIC_CODES):
        meaning, is_specific = find_refusal_meaning(profile.provider, code, evidence.text)
        decoded = meaning and _hint_of_meaning(profile, meaning)
        if not is_specific or not _is_user_defined(profile):
            hint, groups = find_hint(evidence, by="says")
        if hint and hint.blames and own_status and not evidence.client_auth:
            hint = None  # a provider that describes its own login knows best what is wrong
        if meaning and decoded and is_specific and not _says_more(profile, hint, groups, meaning):
            hint, groups = decoded, {}
        hint = hint or decoded or find_hint(evidence, by="code")[0]
        if hint is None and (standard := find_standard_meaning(code)):
            hint = _hint_of_meaning(profile, standard)
    if hint is None and own_status is not None:
        hint = _hint_of_meaning(profile, own_status)
    hint = (
        hint
        or find_hint(evidence, by="status")[0]
        or Hint("the server sent an error instead of a token")
    )
    return hint, groups


def _says_more(
    profile: Profile, hint: "Hint | None", groups: Mapping[str, str], meaning: "ErrorMeaning"
) -> bool:
    """Return whether a row says more than a vendor's code for which no command helps here.

    That is so if the row names a value other than the grant, which is no news, or if it has a command
    for what is the user's own job.
    """
    from tokencli.providers.error_codes import JOBS

    if hint is None or _fill_hint(profile, _hint_of_meaning(profile, meaning), {}).fix is not None:
        return False
    return bool(set(re.findall(_PLACEHOLDER, hint.cause)) - {"grant"}) or (
        JOBS[meaning.whose] == "you" and _fill_hint(profile, hint, groups).fix is not None
    )


def _hint_of_meaning(profile: Profile, meaning: "ErrorMeaning") -> "Hint":
    """Return a provider's meaning of a code or status as a row of the table."""
    from tokencli.oauth.refusal_hints import ENTER_SECRET, SIGN_IN, Hint

    cause, fix, setting = meaning.what, meaning.do, meaning.setting or ""
    may_blame = meaning.whose == "you" and not setting
    if fix is None and meaning.whose in ("you", "profile", "provider"):
        fix = "tokencli profiles show {profile}"
    elif fix is not None and fix[:1].isupper():  # a sentence
        cause, fix, may_blame = f"{cause}; {fix[0].lower()}{fix[1:]}", None, False
    elif fix == _LOGIN_AGAIN:
        fix = ENTER_SECRET
    elif fix == _LOGIN:
        fix, may_blame = SIGN_IN, False
    elif fix is not None:
        fix = fix.replace(_LOGIN, "tokencli login {login_name}")
    is_secret = setting == "refresh_token" or setting in profile.secrets
    blames = (setting,) if is_secret else ("*",) if may_blame else ()
    return Hint(cause, blames=blames, setting="" if is_secret else setting, fix=fix)


def _fill_hint(profile: Profile, hint: "Hint", known: Mapping[str, str]) -> Explanation:
    from tokencli.oauth.refusal_hints import EDIT, ENTER_SECRET, SIGN_IN

    if hint.setting and profile.value_sources.get(hint.setting) == f"--{hint.setting}":
        return Explanation(
            f"most likely the {hint.setting} given with --{hint.setting} is wrong; without that option,"
            f" the profile's {hint.setting} is used",
            f"tokencli {'login' if is_interactive(profile.grant) else 'get'} {profile.name}",
        )
    blames = profile.secrets if hint.blames == ("*",) else hint.blames
    refs = [profile.secrets[name] for name in blames if name in profile.secrets]
    can_enter = bool(refs) and refs[0].kind in _ENTERED_KINDS  # the most likely one counts
    values = {**_list_hint_values(profile, known), **known}
    cause = _fill(hint.cause, values)
    if given := [ref for ref in refs if ref.kind not in _ENTERED_KINDS]:
        sources = " and ".join(f"the {ref.name} from {ref.describe_source()}" for ref in given)
        cause += f"; the profile reads {sources}"
    fix = hint.fix
    if fix == SIGN_IN and is_interactive(profile.grant):
        fix = "tokencli login {login_name}"
    elif fix in (ENTER_SECRET, SIGN_IN):
        fix = "tokencli login {login_name} --again" if can_enter else None
    elif fix is not None and not all(name in values for name in re.findall(_PLACEHOLDER, fix)):
        fix = EDIT
    names = {ref.name for ref in refs} | {"refresh_token"}.intersection(blames)
    return Explanation(cause, fix and _fill(fix, values), tuple(sorted(names)))


def _describe_redirect_uri(profile: Profile) -> str:
    """Return the redirect URI, with PORT if any free port is used."""
    sign_in = profile.sign_in
    host = sign_in.redirect_host or profile.provider.redirect_host
    return f"http://{host}:{sign_in.redirect_port or 'PORT'}{sign_in.redirect_path}"


def _list_hint_values(profile: Profile, known: Mapping[str, str]) -> dict[str, str]:
    """Return the values for the placeholders of a hint."""
    values = {
        "profile": profile.name,
        "login_name": profile.command_line_name,
        "grant": profile.grant,
        "client_auth": profile.client_auth,
        "client_id": profile.values.get("client_id", ""),
        "other_encoding": "raw" if profile.basic_encoding == "rfc6749" else "rfc6749",
        "redirect_uri": _describe_redirect_uri(profile),
        "secrets": join_alternatives([name.replace("_", " ") for name in profile.secrets])
        if profile.secrets
        else "credential",
        "set_proxy": user_shell().set_variable("HTTPS_PROXY", "http://USER:PASSWORD@PROXY:PORT"),
        "with_scope": quote("scope=" + f"{profile.scope or ''} {known.get('scope', '')}".strip()),
    }
    if profile.issuer is not None:
        audience = profile.signing.audience or "issuer"
        values["other_audience"] = "token_endpoint" if audience == "issuer" else "issuer"
    return values


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(_PLACEHOLDER, lambda found: values.get(found[1], found[0]), text)


def quote_refusal(request: HttpRequest, reply: HttpReply, reason: "ServerReason") -> str:
    """Return status, error code, reason and request IDs, without repetitions."""
    quoted = f"HTTP {reply.status}"
    if reason.code:
        quoted += f", {reason.code}"
    if reason.text:
        quoted += f": {reason.text}"
    elif not reason.code and reply.body.strip():
        quoted += f", {_get_content_type(request, reply) or 'a body'} instead of an OAuth error"
    for name, value in reason.request_ids.items():
        quoted += f"; {name} {value}"
    return quoted


def malformed_reply_error(
    profile: Profile,
    request: HttpRequest,
    reply: HttpReply,
    problem: str,
    *,
    token: bool = True,
    ambiguous: bool = False,
) -> ReplyError:
    """Return the error for a reply that is neither a refusal nor what was expected.

    `token` says whether a token was expected, `ambiguous` whether the reply has one that can be read in
    several ways. Nothing of the body is quoted, because any word of it may be a token.
    """
    problem = redact_text(problem, request.secrets)
    content_type = _get_content_type(request, reply)
    if not re.fullmatch(PLAIN_MEDIA_TYPE, content_type):
        content_type = "unknown content type" if content_type else "no content type"
    cause = (
        f"{profile.token_url.split('?')[0]} may not be the {'token' if token else 'right'} endpoint"
    )
    fix: str | None = (
        suggest_description(profile) if token else f"tokencli profiles show {profile.name}"
    )
    if ambiguous or (token and re.match(_TOKEN_IN_OBJECT, reply.body) and not _is_json(reply.body)):
        cause = (
            "the server does send tokens, but in a reply that only its administrators can correct"
        )
        fix = None
    elif token and re.fullmatch(_BARE_TOKEN, reply.body):
        cause = (
            "the whole text may be the token; to read it as one, a provider needs"
            ' access_token = "text:" in [reply]'
        )
    elif token and _is_user_defined(profile):
        cause += (
            f", or the token is not where access_token in [reply] of provider {profile.provider.name!r}"
            " says, or this is a refusal and [errors] doesn't say where its code is"
        )
    return ReplyError(
        f"can't read {'a token from ' if token else ''}the reply of {get_endpoint_host(profile)}"
        f" (HTTP {reply.status}, {content_type}, {len(reply.body)} bytes): {problem}",
        cause=cause,
        fix=fix,
    )


def suggest_description(profile: Profile) -> str:
    """Return the command that shows where a token is looked for: at which URL, at which place."""
    if _is_user_defined(profile):
        return f"tokencli providers show {profile.provider.name}"
    return f"tokencli profiles show {profile.name}"


def _is_user_defined(profile: Profile) -> bool:
    from tokencli.providers.catalog import BUILTIN_NAMES

    return profile.provider.name not in BUILTIN_NAMES


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _get_content_type(request: HttpRequest, reply: HttpReply) -> str:
    content_type = reply.headers.get("content-type", "").split(";")[0].strip()
    return redact_text(content_type, request.secrets)[:60]
