"""Remove secrets from text that a server sent, before it is quoted.

Names and shapes count as well as known values, because a server may quote a token that tokencli has
never seen.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from tokencli.models import HttpRequest, Profile, Secret

MASK = "***"
SECRET_NAME_PATTERN = (
    "token|secret|password|passwd|pwd|assertion|credential|authorization|cookie|api_?key|code"
)

# Patterns are compiled on first use: start-up cost.
_VALUE_PATTERN = r"""(?:"(?:[^"\\]|\\.)*+"?|'[^']*+'?|[^\s,;&}<]+)"""
# Possessive, so each word is read once: a server may send a megabyte of them.
_NAMED_SECRET = rf"""(?ix)
    ( ["']? (?<![\w.-]) (?= [\w.-]* (?:{SECRET_NAME_PATTERN}) )   # a name that holds a secret
      [\w.-]++ ["']?+ \s*+ [:=] \s*+ ) {_VALUE_PATTERN}   # and its value
"""
_AUTH_CREDENTIALS = r"(?i)\b(bearer|basic|dpop)\s+([A-Za-z0-9._~+/=-]{4,})"
_WORD = r"[A-Za-z][a-z]{0,15}|[A-Z]{2,5}"
"""A word of prose, which after a name or scheme isn't its value."""
_CLUE = (
    r"(?i)(?:has|have|is|was|not|no|null|none|empty|missing|required|expired|invalid|revoked|unknown|"
    r"inactive|disabled|locked|denied|malformed|mismatch|unsupported|wrong|incorrect|failed|rejected)[.!]?"
)
"""A word that says what is wrong, even if it is the last one."""
_NO_SECRET_NAME = r"(?i)(?:_?(?:type|method|endpoint|uri|url|alg|lifetime|expires_?in|policy|count|length)s?)[\"']?\s*[:=]\s*$"
"""The end of a name that holds no secret, such as `token_type`."""
_ERROR_CODE_VALUE = r"""["']?(?:[A-Z]{1,12}[_-]?\d{1,10}|[A-Z]+(?:_[A-Z]+)*|[a-z]+(?:[_-][a-z]+)+|(?:[a-z]{2,15}\.){1,4}[A-Za-z]{2,30}|(?:[A-Z][a-z]{1,15}){2,8}|\d{1,5})["']?"""
"""A value of `code` that is an error code: `E0000004`, `INVALID_TOKEN`, `invalid_grant`, `TokenExpired`, `40101`."""
_ID_LABEL = (
    r"(?i)(?:trace|correlation|request|transaction|activity|incident|error|event|support|ray|operation)[ _-]?id\W{0,4}(?:is\W{1,3})?$"
    r"|traceparent\W{0,4}$|reference\W{0,4}$"
)
"""What stands before an ID by which the server's administrators find the request."""
_JWT = r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}"
_TOKEN_LIKE = r"[A-Za-z0-9_~+/=-]{24,}"
_UUID = r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ERROR_CODE = r"(?i)^[\"']?(?:error|status|error_|http_)[\w.-]*code"


def redact_text(text: str, secrets: Iterable[Secret] = (), public: Iterable[str] = ()) -> str:
    """Return `text` with known secrets, values of secret names and token-like words masked.

    What says why something failed is kept: words of prose, error codes, UUIDs, and IDs of requests.
    So are the values in `public`, unless they are named like a secret.
    """
    secrets = tuple(secrets)
    exact = {secret.reveal() for secret in secrets}
    kept = {value for value in public if value not in exact}
    text = mask_secrets(text, secrets)
    text = re.sub(_NAMED_SECRET, lambda match: _mask_named_secret(match, exact), text)
    text = re.sub(_AUTH_CREDENTIALS, _mask_credentials, text)
    text = re.sub(_JWT, MASK, text)
    return re.sub(_TOKEN_LIKE, lambda match: _mask_token_like(match, kept), text)


def mask_secrets(text: str, secrets: Iterable[Secret]) -> str:
    """Return `text` with only these secrets masked, for text that tokencli wrote itself."""
    for secret in secrets:
        for form in list_spellings(secret):
            text = text.replace(form, MASK)
    return text


def redact_reply_text(
    profile: Profile, request: HttpRequest, text: str, reply_tokens: tuple[Secret, ...]
) -> str:
    """Return text from a token reply with its tokens and the request's secrets masked.

    A word of the profile's scope is kept.
    """
    scopes = (profile.scope or "").split()
    secrets = (*request.secrets, *reply_tokens)
    return mask_secrets(text, [secret for secret in secrets if secret.reveal() not in scopes])


def redact_name(name: str, secrets: Iterable[Secret]) -> str:
    """Return the name of a header or member with secrets masked, in upper or lower case."""
    for secret in secrets:
        if secret and name.lower() == secret.reveal().lower():
            return MASK
        for form in list_spellings(secret):
            name = re.sub(re.escape(form), MASK, name, flags=re.IGNORECASE)
    return redact_text(name)


def redact_fields(text: str, names: Iterable[str]) -> str:
    """Return `text` with the values of these names masked, as in JSON, forms, XML and prose."""
    alternatives = "|".join(re.escape(name) for name in names)
    if not alternatives:
        return text
    field = rf"(?i)((?<![\w.-])(?:{alternatives})[\"']?+\s*+[:=>]\s*+)"
    return re.sub(rf"{field}{_VALUE_PATTERN}", rf"\g<1>{MASK}", text)


def list_spellings(secret: Secret) -> list[str]:
    """Return the spellings of a secret, longest first.

    These are the plain text, percent-encoding once and twice, base64, hexadecimal digits, and the
    escapes of HTML and JSON.
    """
    plain = secret.reveal()
    if len(plain) < 4:  # masking every "a" would hide the message and show the secret's length
        return []
    raw = plain.encode(errors="surrogatepass")
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    in_json = json.dumps(plain)[1:-1]
    percent_encoded = (quote(raw, safe=""), quote_plus(raw))
    spellings = {
        plain,
        *percent_encoded,
        *(re.sub(r"%..", lambda found: found[0].lower(), text) for text in percent_encoded),
        quote(percent_encoded[0], safe=""),
        raw.hex(),
        raw.hex().upper(),
        b64encode(raw).decode().rstrip("="),
        escaped,
        *(
            escaped.replace('"', "&quot;").replace("'", apostrophe)
            for apostrophe in ("&#x27;", "&#39;", "&apos;")
        ),
        in_json,
        in_json.replace("/", "\\/"),
        in_json.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
        json.dumps(plain, ensure_ascii=False)[1:-1],
    }
    return sorted(sorted(spellings), key=len, reverse=True)


def _mask_named_secret(match: re.Match[str], secrets: set[str]) -> str:
    name, value = match[1], match[0][len(match[1]) :]
    if re.match(_ERROR_CODE, name) or re.search(_NO_SECRET_NAME, name):
        return match[0]
    if value.strip("\"'") not in secrets and (
        _is_error_code(match, value) or _is_prose(match, value)
    ):
        return match[0]
    return name + MASK


def _is_error_code(match: re.Match[str], value: str) -> bool:
    name = match[1].strip("\"':= ").lower()
    return name == "code" and re.fullmatch(_ERROR_CODE_VALUE, value) is not None


def _is_prose(match: re.Match[str], value: str) -> bool:
    """Return whether a sentence goes on after a name and a colon: `invalid_token: it has expired`."""
    if not match[1].endswith((": ", ":\t")):
        return False
    if re.fullmatch(_CLUE, value):
        return True
    return re.fullmatch(_WORD, value) is not None and bool(
        re.match(r"\s+[A-Za-z]", match.string[match.end() : match.end() + 20])
    )


def _mask_credentials(match: re.Match[str]) -> str:
    scheme, value = match.groups()
    after = match.string[match.end() : match.end() + 1]
    is_param = value.endswith("=") and value[:-1].replace("_", "").islower() and after == '"'
    return match[0] if is_param or re.fullmatch(_WORD, value.rstrip(".")) else f"{scheme} {MASK}"


def _mask_token_like(match: re.Match[str], public: set[str]) -> str:
    word = match[0]
    if word in public or re.search(
        _ID_LABEL, match.string[max(0, match.start() - 40) : match.start()]
    ):
        return word
    parts = re.split("[/=]", word)
    if any(re.fullmatch(_UUID, part) for part in parts):  # in a path, or as a parameter
        parts = [part for part in parts if not re.fullmatch(_UUID, part)]
        return word if not any(char.isdigit() for part in parts for char in part) else MASK
    is_plain = not (any(map(str.isdigit, word)) and any(map(str.isalpha, word)))
    return word if is_plain else MASK
