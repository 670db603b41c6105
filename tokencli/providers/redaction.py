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

_VALUE_PATTERN = r"""(?:"(?:[^"\\]|\\.)*+"?|'[^']*+'?|[^\s,;&}<]+)"""
# Possessive, so each word is read once: a server may send a megabyte of them.
_NAMED_SECRET = re.compile(
    rf"""(?ix) ( ["']? (?<![\w.-]) (?= [\w.-]* (?:{SECRET_NAME_PATTERN}) )   # a name that holds a secret
           [\w.-]++ ["']?+ \s*+ [:=] \s*+ ) {_VALUE_PATTERN}   # and its value
    """
)
_AUTH_CREDENTIALS = re.compile(r"(?i)\b(bearer|basic|dpop)\s+[A-Za-z0-9._~+/=-]{4,}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,4}")
_TOKEN_LIKE = re.compile(r"[A-Za-z0-9_~+/=-]{24,}")
_UUID = re.compile(r"(?i)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ERROR_CODE = re.compile(r"(?i)^[\"']?(?:error|status|error_|http_)[\w.-]*code")


def redact_text(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return `text` with known secrets, values of secret names and token-like words masked."""
    text = mask_secrets(text, secrets)
    text = _NAMED_SECRET.sub(_mask_named_secret, text)
    text = _AUTH_CREDENTIALS.sub(lambda match: f"{match[1]} {MASK}", text)
    text = _JWT.sub(MASK, text)
    return _TOKEN_LIKE.sub(_mask_token_like, text)


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

    These are the plain text, percent-encoding, base64, and the escapes of HTML and JSON.
    """
    plain = secret.reveal()
    if len(plain) < 4:  # masking every "a" would hide the message and show the secret's length
        return []
    raw = plain.encode(errors="surrogatepass")
    escaped = plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    spellings = {
        plain,
        quote(raw, safe=""),
        quote_plus(raw),
        b64encode(raw).decode().rstrip("="),
        escaped,
        escaped.replace('"', "&quot;").replace("'", "&#x27;"),
        json.dumps(plain)[1:-1],
        json.dumps(plain, ensure_ascii=False)[1:-1],
    }
    return sorted(spellings, key=len, reverse=True)


def _mask_named_secret(match: re.Match[str]) -> str:
    return match[0] if _ERROR_CODE.match(match[1]) else match[1] + MASK


def _mask_token_like(match: re.Match[str]) -> str:
    word = match[0]
    is_plain = _UUID.fullmatch(word) or not (
        any(map(str.isdigit, word)) and any(map(str.isalpha, word))
    )
    return word if is_plain else MASK
