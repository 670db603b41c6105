"""Problems of a configuration: where they are, what is wrong, and what was probably meant."""

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

from tokencli.errors import ConfigProblem
from tokencli.toml_writer import KeyPath as KeyPath
from tokencli.toml_writer import format_key_path

MAX_LISTED = 8
"""Names listed in a message; more than that are counted."""

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
"""Other common names of a key -> what it may be called here."""


class InvalidValueError(ValueError):
    """A value is wrong. The message never quotes it."""

    def __init__(
        self,
        message: str,
        suggestion: str | None = None,
        *,
        quote: bool = True,
        clause: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        """A predicate such as `is empty`; with `clause`, a clause such as `a host has no path`."""
        self.suggestion = suggestion
        self.may_quote = quote
        """Whether the value may be shown with the message: False if it could be a secret."""
        self.is_clause = clause

    def describe_value(self, value: str | None) -> str:
        """Return the message, after the value if one is given."""
        if value is None:
            return self.message
        return f"{value}: {self.message}" if self.is_clause else f"{value} {self.message}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem whose line is not known yet."""

    key_path: KeyPath
    message: str
    suggestion: str | None = None

    def to_problem(self, line: int | None) -> ConfigProblem:
        """Return the problem with its line, as a ConfigError reports it."""
        return ConfigProblem(
            where=format_key_path(self.key_path),
            what=self.message,
            line=line,
            right=self.suggestion,
        )


def count_problems(problems: Sized) -> str:
    """Return `1 problem` or e.g. `3 problems`."""
    return "1 problem" if len(problems) == 1 else f"{len(problems)} problems"


def list_names(names: Iterable[str]) -> str:
    """Return names separated by commas; of a long list the first 8 and the number of the others."""
    listed = list(names)
    more = f" and {len(listed) - MAX_LISTED} more" if len(listed) > MAX_LISTED else ""
    return ", ".join(listed[:MAX_LISTED]) + more


def closest_match(written: str, known: Iterable[str]) -> str | None:
    """Return the known word that `written` is probably a misspelling of."""
    by_fold = {word.casefold(): word for word in known}
    fold = written.casefold()
    if fold in by_fold:
        return by_fold[fold]
    if _KEY_SYNONYMS.get(fold) in by_fold:
        return by_fold[_KEY_SYNONYMS[fold]]
    close = get_close_matches(fold[:100], by_fold, n=1, cutoff=0.7)
    return by_fold[close[0]] if close else None


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """Suggest the word that was probably meant, or list the known ones."""
    words = list(known)
    likely = closest_match(written, words)
    if likely is not None:
        return f"did you mean {likely}?"
    return f"known: {list_names(words)}" if words else "none is defined yet"


def quote_value(value: object) -> str:
    """Quote a value that is not secret, shortened; user info, query and fragment of a URL are cut."""
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
