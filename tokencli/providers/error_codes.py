"""Recognize the error codes of identity providers in a text, and say what they mean.

The meanings are data: `[errors.codes]` in each provider's file. A code is a word such as `E0000004`,
or, for servers that only send texts, the telling part of such a text.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from html import unescape
from urllib.parse import unquote_plus

from tokencli.fast_dataclass import dataclass
from tokencli.provider_schema import ErrorMeaning, Provider
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin, load_error_codes

STANDARD_PROVIDER = "oauth2"
"""The provider whose codes are those of the RFCs."""
MAX_TEXT = 1024 * 1024
"""Characters of a text that are looked at."""
JOBS = {
    "you": "you",
    "profile": "you",
    "provider": "you",
    "client": "administrator",
    "server": "administrator",
    "administrator": "administrator",
    "api_owner": "api_owner",
    "vendor": "vendor",
    "nobody": "nobody",
}
"""`whose` in a provider's file -> whose job it is for a person who looks the code up."""
NUMBERED_WORD = r"(?<![\w.-])[A-Za-z]{1,20}[_-]?\d{3,12}(?![\w-])"
"""What looks like a code of one vendor only, e.g. `AADSTS50126`."""
_MAX_WORD = 64
"""Characters of a word that may be a misspelled code."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz_-"
_BARE_NUMBER = r"(?<![\w.:-])\d{5,9}(?![\w.:-])"


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code that a provider documents."""

    code: str
    provider: Provider
    meaning: ErrorMeaning

    @property
    def is_text(self) -> bool:
        """Whether it is part of a message, for servers that send no codes."""
        return " " in self.code

    @property
    def is_numbered(self) -> bool:
        """Whether it looks like no other vendor's code, because it has a number."""
        return re.fullmatch(NUMBERED_WORD, self.code) is not None

    @property
    def job(self) -> str:
        """Whose job it is: `you`, `administrator`, `api_owner`, `vendor`, or `nobody` (it passes)."""
        return JOBS[self.meaning.whose]

    @property
    def action(self) -> str | None:
        """What to do, as a sentence or a command."""
        return self.meaning.do

    @property
    def doc(self) -> str | None:
        """The page that documents it."""
        return self.meaning.doc or self.provider.doc


def list_error_codes(provider: Provider) -> tuple[ErrorCode, ...]:
    """Return the codes of a provider in the order of its file."""
    return tuple(
        ErrorCode(code, provider, meaning) for code, meaning in load_error_codes(provider).items()
    )


def load_builtin_providers() -> tuple[Provider, ...]:
    """Return all built-in providers, the one of the RFCs last."""
    names = sorted(BUILTIN_NAMES, key=lambda name: (name == STANDARD_PROVIDER, name))
    return tuple(map(load_builtin, names))


def find_error_codes(text: str, providers: Sequence[Provider]) -> tuple[ErrorCode, ...]:
    """Return the codes in a text, in the order in which they appear.

    Letters count without regard to case, and a code with a number may be given as the number alone.
    Codes that say more hide those of the RFCs that accompany them. A code that is also an everyday
    word must be quoted or alone, and an HTTP status alone and of the only provider. A code that
    several providers explain is listed for the RFCs first.
    """
    plain = decode_text(text[:MAX_TEXT]).casefold()
    words = {word.strip(".-") for word in re.findall(r"[\w.-]+", plain)} - {""}
    numbers = set(re.findall(_BARE_NUMBER, plain))

    def is_there(code: ErrorCode) -> bool:
        name = code.code.casefold()
        if code.is_text:
            return name in plain
        if name.isdecimal():
            return len(providers) == 1 and plain.removeprefix("http").strip() == name
        if name.isalpha():
            return plain == name or f'"{name}"' in plain
        return name in words or (code.is_numbered and name.lstrip(_LETTERS) in numbers)

    found = [code for each in providers for code in list_error_codes(each) if is_there(code)]
    if any(code.is_text or code.is_numbered for code in found):
        found = [code for code in found if not _is_general(code)]
    found = [code for code in found if not any(_is_part_of(code, other) for other in found)]
    return tuple(sorted(found, key=lambda code: _find_position(code, plain)))


def decode_text(text: str) -> str:
    """Return a text as a person reads it, in one line: also from a URL, a page, JSON or a terminal."""
    text = re.sub(r"\x1b\[[\d;]*[mK]", "", unescape(text))
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"\\[nrt]", " ", text).replace("\\", "")
    if re.search(r"%[0-9a-fA-F]{2}|=[\w.-]+\+", text):
        text = unquote_plus(unquote_plus(text))  # a URL in a URL is encoded twice
    return " ".join(text.split())


def find_refusal_meaning(
    provider: Provider, code: str, text: str
) -> tuple[ErrorMeaning | None, bool]:
    """Return what a refusal means to its provider, and whether it says more than RFC 6749 does.

    A vendor's number or text says most. A numbered code of another vendor counts as well, because a
    profile may use the provider `oauth2`; that provider's own codes are those of the RFCs.
    """
    own = {} if provider.name == STANDARD_PROVIDER else load_error_codes(provider)
    if code in own and code not in _standard_codes():
        return own[code], True
    said = f"{code} {text}"
    found = [
        each for each in find_error_codes(said, [provider]) if each.is_text or each.is_numbered
    ]
    if not found and re.search(NUMBERED_WORD, said):
        others = find_error_codes(said, load_builtin_providers())
        found = [each for each in others if each.is_numbered]
    if found:
        return found[0].meaning, True
    return own.get(code), False


def find_vendor_codes(text: str, provider_name: str | None) -> tuple[ErrorCode, ...]:
    """Return the codes in an API's reply that say more than the RFCs do.

    They are codes of the built-in provider of that name, or else numbered ones of any vendor.
    """
    if provider_name in BUILTIN_NAMES and provider_name != STANDARD_PROVIDER:
        own = find_error_codes(text, [load_builtin(provider_name)])
        if found := tuple(code for code in own if code.code not in _standard_codes()):
            return found
    if re.search(NUMBERED_WORD, text[:MAX_TEXT]) is None:
        return ()
    others = find_error_codes(text, load_builtin_providers())
    return tuple(code for code in others if code.is_numbered)


def find_standard_meaning(code: str) -> ErrorMeaning | None:
    """Return what a code of the RFCs means."""
    return _standard_codes().get(code)


def _standard_codes() -> Mapping[str, ErrorMeaning]:
    return load_error_codes(load_builtin(STANDARD_PROVIDER))


def suggest_codes(text: str, providers: Iterable[Provider]) -> tuple[ErrorCode, ...]:
    """Return the documented codes that are most like an unknown one."""
    known = {
        code.code.casefold(): code
        for provider in providers
        for code in list_error_codes(provider)
        if not code.is_text and not code.code.isdecimal()
    }
    words = re.findall(rf"(?<![\w.-])[\w.-]{{1,{_MAX_WORD}}}(?![\w.-])", text[:MAX_TEXT].casefold())
    close = (
        match
        for word in words[:20]
        for match in sorted(
            get_close_matches(word, known, 8, 0.8), key=lambda name: len(name) != len(word)
        )
    )
    return tuple(known[name] for name in dict.fromkeys(close))[:3]


def _is_part_of(code: ErrorCode, other: ErrorCode) -> bool:
    return (
        code.is_text
        and other.provider is code.provider
        and len(code.code) < len(other.code)
        and code.code.casefold() in other.code.casefold()
    )


def _is_general(code: ErrorCode) -> bool:
    """Return whether it is a code of the RFCs or an everyday word, which goes with better ones."""
    return code.code in _standard_codes() or code.code.isalpha()


def _find_position(code: ErrorCode, plain: str) -> tuple[int, bool]:
    at = plain.find(code.code.casefold())
    return at if at >= 0 else len(plain), code.provider.name != STANDARD_PROVIDER
