"""Find the token in what somebody pasted, piped or saved: a header, an assignment, a reply, a URL.

Texts quote only names from the input, never a value, because any value can be a secret.
"""

import binascii
import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, unquote

from tokencli.errors import InvalidTokenError
from tokencli.jwt.decode import DecodedToken, decode_token

MAX_DEPTH = 8
"""How often a value that was found may contain another one, e.g. JSON in a parameter."""
IN_LONGER_TEXT = "the token was found in a longer text"
TOKEN_MEMBERS = ("access_token", "id_token", "refresh_token", "token", "jwt", "assertion")
"""Names of members and parameters that contain a token, the most interesting first."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
_QUOTES = "\"'`\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb"
_INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060"))
_JWT_PATTERN = r"eyJ[\w+/-]*={0,2}(?:\.[\w+/-]*={0,2}){1,4}(?:~[\w.~-]*)?"
"""A JWS, JWE or SD-JWT; with two parts it is a damaged one."""
_JWT = re.compile(rf"(?<![\w.~+/-]){_JWT_PATTERN}", re.ASCII)
_AUTH_SCHEME = re.compile(
    r"(?i)(?:(?:proxy-)?authorization\s*[:=]\s*)?(?:bearer|dpop|token)(?:\s+(?![=:])|$)"
)
_AUTH_HEADER = re.compile(r"(?i)\bauthorization\s*:\s*(?:bearer|dpop|token)\s+([^\s\"',;]+)")
_ASSIGNMENT = re.compile(
    r"""(?x) ^ (?:export\s+|set(?:x|env)?\s+|-?-?header\s+|\$env:|\$)?
    (?P<name>[A-Za-z_][\w.-]*) \s* (?P<sign>:?=|:\s) \s* (?P<value>[^=\s].*) $"""
)
_ELLIPSIS = re.compile(r"\u2026|\.\.\.|\[truncated[^\]]{0,40}\]|<snip>|<truncated>")
_TERMINAL_STYLE = re.compile(r"\x1b\[[\d;]*[mK]")
_SOFT_LINE_BREAK = re.compile(r"[\\=]\r?\n\s*")
"""The end of a line that goes on: in a shell, and in quoted-printable (RFC 2045 section 6.7)."""
_CUT_JWT = re.compile(r"(?<![\w.+/-])eyJ[\w.+/=~-]*?(\u2026|\.\.\.)")
_URL_OR_FORM_START = re.compile(r"[a-zA-Z][\w+.-]*://|[#?]|[\w.-]+=[^\s&]*&")
_ERROR_CODE = re.compile(r"[a-z][a-z_]{2,40}")
_FOREIGN_FORMATS = (
    (r"(?i)(?:null|none|nil|undefined|nan|true|false|\(null\)|\[object object\])$",
     "a word that programs print if a value is missing"),
    (r"\$\w+$|\$\{[^}]*\}$|\$\(.*\)$|\$env:\w+$|%\w+%$|\{\{.*\}\}$",
     "the name of a variable instead of its value"),
    (r"(?i)<[\w .-]+>$|(?:your|insert)[-_ ]?(?:\w+[-_ ])*token(?:[-_ ]?(?:goes[-_ ]?)?here)?$",
     "a placeholder"),
    (r"[a-zA-Z][\w+.-]*://\S*$", "a URL without one"),
    (r"(?i)www-authenticate:", "the challenge of a server"),
    (r"(?i)basic\s+\S+$|authorization:\s*basic\s", "HTTP Basic credentials (id and secret)"),
    (r"(?i)(?:negotiate|ntlm)\s+\S", "a Kerberos or NTLM credential"),
    (r"-----BEGIN ", "a key or certificate in PEM"),
    (r"(?i)<!doctype html|<html", "an HTML page, e.g. a sign-in page"),
    (r"(?s)(?:<\?xml.*)?<(?:\w+:)?(?:Assertion|Response|EncryptedAssertion)\b", "a SAML assertion"),
    (r"(?:PHNhbW|PD94bWwg|PEFzc2VydGlvb|PFJlc3BvbnNl)[\w+/=-]*$", "a SAML assertion in base64"),
    (r"<", "XML"),
    (r"ssh-(?:rsa|ed25519)\s", "an SSH key"),
)  # fmt: skip
"""How other things start (a regular expression) -> what they are."""


@dataclass(frozen=True, slots=True)
class PastedToken:
    """A token, and what was done to find it."""

    token: str
    remarks: tuple[str, ...] = ()


def decode_input(raw: bytes) -> PastedToken:
    """Decode bytes as the text that they most likely are; PowerShell writes UTF-16, for example."""
    for mark, encoding, name in _BYTE_ORDER_MARKS:
        if raw.startswith(mark):
            text = raw[len(mark) :].decode(encoding, "replace")
            return PastedToken(text, (f"the input starts with a byte order mark of {name}",))
    for encoding, zeros in (("utf-16-le", raw[1::2]), ("utf-16-be", raw[::2])):
        if len(raw) >= 4 and len(zeros) == len(raw) // 2 and not any(zeros):
            return PastedToken(raw.decode(encoding, "replace"), ("the input is UTF-16",))
    return PastedToken(raw.decode("utf-8", "replace"))


def find_pasted_token(pasted: str, *, prefer: str = "access_token") -> PastedToken:
    """Return the token in a text.

    Without a token that can be decoded, the result is the text without quotes and line breaks, which
    may be an opaque token. `prefer` is the member to take from a reply that has several tokens.

    Raises:
        InvalidTokenError: there is none, more than one, or a part of one, and which.
    """
    remarks = []
    text = _TERMINAL_STYLE.sub("", pasted.translate(_INVISIBLE)).strip()
    if "\ufeff" in pasted:
        remarks.append("the input starts with a byte order mark")
    found = _Finder(prefer).find(text)
    return PastedToken(found.token, (*remarks, *found.remarks))


class _Finder:
    """Find a token in a text, from the most specific form to the most general."""

    def __init__(self, prefer: str) -> None:
        self.members = (prefer, *(name for name in TOKEN_MEMBERS if name != prefer))
        self.depth = 0

    def find(self, text: str) -> PastedToken:
        """Return the token in `text`, which may be a value found in another text."""
        self.depth += 1
        text = _strip_quotes(text)
        if not text:
            raise InvalidTokenError("the token is empty")
        if text.startswith("HTTP/") and len(parts := re.split(r"\n\r?\n", text, maxsplit=1)) == 2:
            text = _strip_quotes(parts[1])
        found = self._find_in_json(text) if text.startswith(("{", "[")) else None
        if found is not None:
            return found
        joined = "".join(text.split())
        decoded = decode_token(joined)
        if decoded.kind != "opaque" and decoded.damage is None:
            return PastedToken(joined)
        if (found := _find_encoded(text, joined)) is not None:
            return found
        if decoded.kind != "opaque":
            _raise_if_shortened(text, ())
            return PastedToken(joined)
        if joined == text:
            _raise_if_glued(joined, decoded)
        candidates = list(dict.fromkeys(map(_strip_full_stop, _JWT.findall(text))))
        _raise_if_shortened(text, candidates)
        if len(candidates) > 1:
            return self._choose(text, candidates)
        if self.depth <= MAX_DEPTH and (found := self._find_parameter(text)) is not None:
            return found
        if candidates and candidates[0] != joined:
            usual = _AUTH_SCHEME.match(text) is not None and len(text.split()) <= 3
            return PastedToken(candidates[0], () if usual else (IN_LONGER_TEXT,))
        _raise_if_foreign(text)
        return _find_opaque(text)

    def _find_in_json(self, text: str) -> PastedToken | None:
        """Return the token of a JSON document, or None if it isn't one or has none."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        serialized = _compact_serialization(document)
        if serialized is not None:
            return serialized
        strings = list(_walk(document))
        named = {_normalize_name(name): value for name, value in strings}
        if found := self._find_member(named, "a JSON reply"):
            return found
        if isinstance(document, dict) and document.get("error"):
            raise _error_response_error("a reply", document["error"])
        if isinstance(document, dict) and {"iss", "exp", "sub", "alg"} & document.keys():
            raise InvalidTokenError(
                "not a token: it is the decoded content of one, without its signature"
            )
        if any(_JWT.search(value) for _, value in strings):
            return None
        raise InvalidTokenError("not a token: a JSON document without one")

    def _find_member(self, named: Mapping[str, str], where: str) -> PastedToken | None:
        """Return the most interesting token among named values, or None if there is none."""
        present = [name for name in self.members if named.get(_normalize_name(name))]
        if not present:
            return None
        name, *others = present
        if name != self.members[0] == "id_token":
            raise InvalidTokenError(f"{where} has no id_token, only {', '.join(present)}")
        more = f", which also has {', '.join(others)}" if others else ""
        found = self.find(named[_normalize_name(name)])
        return PastedToken(found.token, (f"it is the {name} of {where}{more}", *found.remarks))

    def _find_parameter(self, text: str) -> PastedToken | None:
        """Return the token of a URL, a form, a cookie header or an assignment."""
        if _URL_OR_FORM_START.match(text) and len(text.split()) == 1:
            query = re.split(r"[#?]", text, maxsplit=1)[-1].replace("#", "&").replace("?", "&")
            parameters = dict(parse_qsl(query))
            named = {_normalize_name(name): value for name, value in parameters.items()}
            if found := self._find_member(named, "a URL or form"):
                return found
            if "code" in parameters:
                raise InvalidTokenError(
                    "not a token: a redirect with an authorization code, which must be exchanged for one"
                )
            if "SAMLResponse" in parameters:
                raise InvalidTokenError("not a token: a SAML response")
            if "error" in parameters:
                raise _error_response_error("a redirect", parameters["error"])
        if _AUTH_SCHEME.match(text):
            return None
        lines = [line.strip() for line in text.splitlines()]
        assignments = [
            _ASSIGNMENT.match(line) for line in lines if line and not line.startswith("#")
        ]
        matches = [assignment for assignment in assignments if assignment is not None]
        if not matches or len(matches) < len(assignments):
            return None
        if len(matches) > 1:
            named = {_normalize_name(match["name"]): match["value"] for match in matches}
            return self._find_member(named, "a list of assignments")
        name, value = matches[0]["name"], matches[0]["value"].rstrip(";,").strip()
        if name.lower() in ("cookie", "set-cookie"):
            return self._find_cookie(value)
        if name.lower() in ("authorization", "proxy-authorization"):
            return self.find(value)
        if name.lower() == "www-authenticate":
            return None
        found = self.find(value)
        return PastedToken(found.token, (f"it was assigned to {name[:80]}", *found.remarks))

    def _find_cookie(self, value: str) -> PastedToken | None:
        pairs = [pair.strip().partition("=") for pair in value.split(";")]
        tokens = {name: item for name, _, item in pairs if decode_token(item).kind != "opaque"}
        if len(tokens) != 1:
            return None
        ((name, token),) = tokens.items()
        return PastedToken(token, (f"it is the value of the cookie {name[:80]}",))

    def _choose(self, text: str, candidates: Sequence[str]) -> PastedToken:
        """Choose by name between several tokens, or raise."""
        for name in self.members:
            pattern = name.replace("_", "_?")
            named = re.search(
                rf"""(?i)(?<![a-z]){pattern}["']?\s*[:=]\s*["']?(?P<token>(?-i:{_JWT_PATTERN}))""",
                text,
            )
            if named is not None:
                remark = f"it is the {name}, one of {len(candidates)} tokens in the text"
                return PastedToken(named["token"], (remark,))
        raise InvalidTokenError(
            f"{len(candidates)} tokens were given, but only one can be inspected at a time"
        )


def _find_encoded(text: str, joined: str) -> PastedToken | None:
    """Return a JWT that was encoded once more, wrapped, or followed by a mark; None if there is none."""
    forms = [(_SOFT_LINE_BREAK.sub("", text), "its lines were joined")]
    if "%" in joined:
        forms.append((unquote(joined), "it was percent-encoded"))
    if joined.startswith("ZXlK"):  # eyJ
        with suppress(binascii.Error, UnicodeDecodeError):
            raw = binascii.a2b_base64(joined + "=" * (-len(joined) % 4))
            forms.append((raw.decode(), "it was encoded in base64, as in a Kubernetes Secret"))
    forms.append((joined.rstrip("%$\\\0"), "a character after it was ignored"))
    for form, remark in forms:
        token = "".join(form.split())
        decoded = decode_token(token)
        if token != joined and decoded.kind != "opaque" and decoded.damage is None:
            return PastedToken(token, (remark,))
    return None


def _raise_if_glued(joined: str, decoded: DecodedToken) -> None:
    """Raise if a text with damage is a JWT that is followed by another one at once."""
    if decoded.damage is None or joined.count(".") != 4:
        return
    for start in islice(re.finditer(r"(?<=\w)eyJ", joined), 20):
        halves = map(decode_token, (joined[: start.start()], joined[start.start() :]))
        if all(half.kind != "opaque" and half.damage is None for half in halves):
            raise InvalidTokenError(
                "2 tokens were given, without a space between them, but only one can be inspected at a time"
            )


def _find_opaque(text: str) -> PastedToken:
    """Return an opaque token, without scheme and line breaks."""
    in_headers = set(_AUTH_HEADER.findall(text))
    if len(in_headers) == 1 and len(text.split()) > 3:
        return PastedToken(in_headers.pop(), (IN_LONGER_TEXT,))
    token = _strip_quotes(_AUTH_SCHEME.sub("", text, count=1))
    if not token or re.fullmatch(r"(?i)authorization\s*[:=]", token):
        raise InvalidTokenError("the token is empty")
    _raise_if_foreign(token)
    if "\0" in token or "\ufffd" in token:
        raise InvalidTokenError("not a token: it is binary data, or text in an unknown encoding")
    lines = [line.strip() for line in token.splitlines()]
    if len(lines) > 1 and " " not in "".join(lines) and not _is_wrapped(lines):
        raise InvalidTokenError(
            f"{len(lines)} lines were given, but only one token can be inspected at a time"
        )
    return PastedToken("".join(lines))


def _strip_quotes(text: str) -> str:
    return text.strip().rstrip(";,").strip().strip(_QUOTES).strip()


def _strip_full_stop(candidate: str) -> str:
    """Return a token without the full stop of the sentence that it ends."""
    shorter = candidate.rstrip(".")
    if decode_token(candidate).kind == "opaque" and decode_token(shorter).kind != "opaque":
        return shorter
    return candidate


def _normalize_name(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Tell whether the lines are one text that was wrapped at a fixed width."""
    return len({len(line) for line in lines[:-1]}) == 1 and 0 < len(lines[-1]) < len(lines[0])


def _raise_if_shortened(text: str, candidates: Sequence[str]) -> None:
    """Raise if somebody or some program left a part of the token out."""
    cut = _CUT_JWT.search(text)
    if cut is not None and cut.end() == len(text.rstrip(_QUOTES + " \n,;}")):
        raise InvalidTokenError(
            f"the token is truncated at its end ({cut[1]}), so it can't be decoded"
        )
    whole = any(decode_token(candidate).kind != "opaque" for candidate in candidates)
    for ellipsis in _ELLIPSIS.finditer(text):
        before = text[max(0, ellipsis.start() - 80) : ellipsis.start()]
        word = re.split(r"[^\w.+/=-]", before)[-1]
        if not re.search(r"[\w-]{3}$|eyJ[\w.-]*$", word) or (whole and "eyJ" not in word):
            continue
        rest = text[ellipsis.end() :].strip(_QUOTES + " \n,;}")
        where = "in the middle" if rest else "at its end"
        raise InvalidTokenError(
            f"the token is truncated {where} ({ellipsis[0]}), so it can't be decoded"
        )
    if not whole and re.search(r"(?i)\*{3,}|\[(?:redacted|masked)\]|<(?:redacted|masked)>", text):
        raise InvalidTokenError("the token is masked, so it can't be decoded")


def _error_response_error(what: str, code: object) -> InvalidTokenError:
    """Quote only what can be no secret: an error code as in RFC 6749 section 5.2."""
    is_code = isinstance(code, str) and _ERROR_CODE.fullmatch(code)
    return InvalidTokenError(
        f"not a token: {what} with {f'the error {code!r}' if is_code else 'an error'}"
    )


def _raise_if_foreign(text: str) -> None:
    for start, what in _FOREIGN_FORMATS:
        if re.match(start, text):
            raise InvalidTokenError(f"not a bearer token: {what}")


def _walk(document: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield the strings of a document with the name of their member, the outermost last."""
    if isinstance(document, str | int) and not isinstance(document, bool):
        yield name, str(document)
    elif isinstance(document, dict | list) and depth < 10:
        named = isinstance(document, dict)
        members = document.items() if isinstance(document, dict) else enumerate(document)
        for key, value in sorted(members, key=lambda item: isinstance(item[1], str | int)):
            yield from _walk(value, str(key) if named else f"{name}[{key}]", depth + 1)


def _compact_serialization(document: Any) -> PastedToken | None:
    """Return the compact form of a JWS or JWE in JSON (RFC 7515 section 7.2, RFC 7516 section 7.2)."""
    if not isinstance(document, dict):
        return None
    names: tuple[str, ...]
    if isinstance(document.get("payload"), str):
        signers = document.get("signatures", [document])
        what, names = "JWS", ("protected", "payload", "signature")
    elif isinstance(document.get("ciphertext"), str):
        signers = document.get("recipients", [document])
        what, names = "JWE", ("protected", "encrypted_key", "iv", "ciphertext", "tag")
    else:
        return None
    if not isinstance(signers, list) or not signers or not isinstance(signers[0], dict):
        raise InvalidTokenError(f"not a token: a damaged {what} in JSON")
    members = {**document, **signers[0]}
    parts = [members.get(name, "") for name in names]
    if not all(isinstance(part, str) for part in parts) or not parts[0]:
        raise InvalidTokenError(f"not a token: a {what} in JSON without a protected header")
    more = f"; only the first of {len(signers)} is shown" if len(signers) > 1 else ""
    return PastedToken(".".join(parts), (f"it is a {what} in JSON serialization{more}",))
