"""How a token leaves the program: as text of its own (`get`), or as variables (`export`).

A format is given values and returns text; it sees no profile's settings and does no I/O. One file
and one row of a table each.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from tokencli.errors import UsageError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile, Secret, TokenSet

TOKEN_FORMATS: dict[str, str] = {
    "raw": "tokencli.formats.raw:render",
    "header": "tokencli.formats.header:render",
    "query": "tokencli.formats.query:render",
    "json": "tokencli.formats.json:render_token_object",
    "dpop": "tokencli.formats.dpop:render",
}
"""What `get --format` takes -> `module:function` of (profile's name, token, now), and for `dpop`
of the request that is meant."""

PROVIDER_USAGE_FORMATS: dict[str, str] = {
    "header": "tokencli.formats.header:render_as_used",
    "query": "tokencli.formats.query:render_as_used",
}
"""The same where the provider says how its token is used: of (profile, token, now, secrets)."""

DIALECTS: dict[str, str] = {
    "sh": "tokencli.formats.sh:DIALECT",
    "bash": "tokencli.formats.sh:DIALECT",
    "zsh": "tokencli.formats.sh:DIALECT",
    "dash": "tokencli.formats.sh:DIALECT",
    "ksh": "tokencli.formats.sh:DIALECT",
    "mksh": "tokencli.formats.sh:DIALECT",
    "busybox": "tokencli.formats.sh:DIALECT",
    "fish": "tokencli.formats.fish:DIALECT",
    "powershell": "tokencli.formats.powershell:DIALECT",
    "pwsh": "tokencli.formats.powershell:DIALECT",
    "cmd": "tokencli.formats.cmd:DIALECT",
    "dotenv": "tokencli.formats.dotenv:DIALECT",
    "docker": "tokencli.formats.docker:DIALECT",
    "github_actions": "tokencli.formats.github_actions:DIALECT",
    "k8s": "tokencli.formats.k8s:DIALECT",
    "json": "tokencli.formats.json:DIALECT",
}
"""What `export --shell` and `--format` take -> `module:attribute` of a Dialect."""

Variables = Sequence[tuple[str, str]]
"""Names and values in order; the token's own comes first."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to write variables, for a shell or for another consumer."""

    render: Callable[[Variables], str]
    """Return what sets the variables; raises ReplyError for a value and UsageError for a name
    that can't be written safely."""
    render_unset: Callable[[Sequence[str]], str] | None = None
    """Return what unsets the variables; None for data."""
    failure_text: str = ""
    """What to print where there is no token, so that whoever evaluates it notices."""
    find_warning: Callable[[Variables], str | None] | None = None
    """Return what somebody has to know before using what was rendered, if anything."""


def require_token_format(name: str) -> None:
    """Raise UsageError unless `get` knows the format."""
    if name not in TOKEN_FORMATS:
        raise UsageError(
            f"there is no format {name!r}: it is one of {', '.join(TOKEN_FORMATS)}",
            fix="tokencli export --help" if name in DIALECTS else "tokencli get --help",
        )


def render_token(
    name: str,
    profile: Profile,
    token: TokenSet,
    now: float,
    beside: Mapping[str, Secret] | None = None,
    **meant: str | None,
) -> str:
    """Return the token as `get --format NAME` prints it; `dpop` takes `method`, `url` and `nonce`.

    `beside` holds the profile's secrets that go with the token, where its provider's `use` has any.

    Raises:
        UsageError, ReplyError.
    """
    require_token_format(name)
    if name in PROVIDER_USAGE_FORMATS and profile.provider.use:
        as_used = cast(Callable[..., str], _load_attribute(PROVIDER_USAGE_FORMATS[name]))
        return as_used(profile, token, now, beside or {})
    render = cast(Callable[..., str], _load_attribute(TOKEN_FORMATS[name]))
    return render(profile.name, token, now, **meant)


def load_dialect(name: str) -> Dialect:
    """Return the dialect of that name; raises UsageError."""
    if name not in DIALECTS:
        raise UsageError(
            f"there is no shell or format {name!r}: it is one of {', '.join(DIALECTS)}",
            fix="tokencli export --help",
        )
    return cast(Dialect, _load_attribute(DIALECTS[name]))


def eval_failure_text(argv: Sequence[str]) -> str:
    """Return what a failed `export` prints, judging by its command line alone.

    `eval ""` succeeds and leaves the old token standing, so `eval` is given something that fails.
    Where the dialect can't be made out it is `false`, which most shells know.
    """
    said: dict[str, str] = {}
    for place, word in enumerate(argv):
        option, equals, value = word.partition("=")
        said[option] = value if equals else "".join(argv[place + 1 : place + 2])
    name = said.get("--shell") or said.get("--format") or "sh"
    return load_dialect(name if name in DIALECTS else "sh").failure_text


def _load_attribute(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)
