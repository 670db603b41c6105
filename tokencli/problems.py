"""Say what is wrong where in a configuration, and what was probably meant."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

from tokencli.errors import ConfigProblem
from tokencli.toml_writer import KeyPath as KeyPath
from tokencli.toml_writer import format_key_path

_KEY_SYNONYMS = {
    "user": "username",
    "login": "username",
    "email": "email_address",
    "mail": "email_address",
    "hostname": "host",
    "server": "host",
    "url": "token_url",
    "endpoint": "token_url",
    "secret": "client_secret",
    "scopes": "scope",
    "ca": "ca_file",
    "cert": "ca_file",
    "variable": "export",
    "profile": "profiles",
    "provider": "providers",
}
"""What people call a key -> what it may be called here."""


class InvalidValueError(ValueError):
    """A value is wrong; the message never quotes it."""

    def __init__(
        self, what: str, right: str | None = None, *, quote: bool = True, clause: bool = False
    ) -> None:
        super().__init__(what)
        self.message = what
        """`is empty`; or, with `clause`, a clause of its own: `a host has no path`."""
        self.suggestion = right
        self.may_quote = quote
        """Whether the value may be shown beside the message: not where it could be a secret."""
        self.is_clause = clause

    def describe_value(self, value: str | None) -> str:
        """Return what is wrong, after the value where one is given."""
        if value is None:
            return self.message
        return f"{value}: {self.message}" if self.is_clause else f"{value} {self.message}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, before its line is known."""

    key_path: KeyPath
    message: str
    suggestion: str | None = None

    def to_problem(self, line: int | None) -> ConfigProblem:
        """Return it as the error reports it."""
        return ConfigProblem(
            where=format_key_path(self.key_path),
            what=self.message,
            line=line,
            right=self.suggestion,
        )


def closest_match(written: str, known: Iterable[str]) -> str | None:
    """Return the known word that `written` is probably a slip for."""
    by_fold = {word.casefold(): word for word in known}
    fold = written.casefold()
    if fold in by_fold:
        return by_fold[fold]
    if _KEY_SYNONYMS.get(fold) in by_fold:
        return by_fold[_KEY_SYNONYMS[fold]]
    close = get_close_matches(fold[:100], by_fold, n=1, cutoff=0.7)
    return by_fold[close[0]] if close else None


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Offer the word that was probably meant, else list what there is."""
    words = list(known)
    likely = closest_match(written, words)
    if likely is not None:
        return f"did you mean {likely}?"
    if not words:
        return "there is none yet"
    more = f" and {len(words) - 20} more" if len(words) > 20 else ""
    return f"there is: {', '.join(words[:20])}{more}"


def quote_value(value: object) -> str:
    """Quote a value that is not secret, shortened; of a URL no user, query or fragment."""
    if isinstance(value, str):
        if "://" in value:
            return repr(_strip_url_secrets(value)[:100])
        return repr(value if len(value) <= 80 else value[:80] + "…")
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text[:80]


def _strip_url_secrets(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "…"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
