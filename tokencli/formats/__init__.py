"""Output formats: token formats for `get --format`, and dialects for `export`.

A format receives values and returns text; it does no I/O. A new one is a file and a row of a table
below.
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
    "curl": "tokencli.formats.curl:render",
    "json": "tokencli.formats.json:render_token_object",
    "dpop": "tokencli.formats.dpop:render",
    "netrc": "tokencli.formats.netrc:render",
    "template": "tokencli.formats.template:render",
    "exec_credential": "tokencli.formats.exec_credential:render",
    "aws_process": "tokencli.formats.aws_process:render",
    "terraform": "tokencli.formats.terraform:render",
}
"""`get --format` -> `module:function` of (profile name, token, now, **options)."""

FORMAT_OPTIONS: dict[str, tuple[str, ...]] = {
    "method": ("dpop",),
    "url": ("dpop", "netrc"),
    "nonce": ("dpop",),
    "template": ("template",),
    "exec_info": ("exec_credential",),
}
"""Option of `get`, or of FORMAT_VARIABLES -> the formats that have it."""

FORMAT_VARIABLES: dict[str, tuple[str, str]] = {
    "exec_credential": ("exec_info", "KUBERNETES_EXEC_INFO"),
}
"""Format -> one of its options, and the environment variable with the option's value."""

OPTION_CHECKS: dict[str, str] = {
    "dpop": "tokencli.formats.dpop:check_options",
    "netrc": "tokencli.formats.netrc:check_options",
    "template": "tokencli.formats.template:check_options",
    "exec_credential": "tokencli.formats.exec_credential:check_options",
    "aws_process": "tokencli.formats.aws_process:check_options",
    "terraform": "tokencli.formats.terraform:check_options",
}
"""Format with options -> `module:function` of (profile, **options) that returns those for `render`."""

PROVIDER_USAGE_FORMATS: dict[str, str] = {
    "header": "tokencli.formats.header:render_as_used",
    "query": "tokencli.formats.query:render_as_used",
    "curl": "tokencli.formats.curl:render_as_used",
}
"""The same if the provider defines how its token is used: of (profile, token, now, secrets)."""

SHELLS: dict[str, str] = {
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
}
"""`export --shell` -> `module:attribute` of its Dialect. The names of one Dialect are next to each other."""

DATA_FORMATS: dict[str, str] = {
    "dotenv": "tokencli.formats.dotenv:DIALECT",
    "docker": "tokencli.formats.docker:DIALECT",
    "github_actions": "tokencli.formats.github_actions:DIALECT",
    "gitlab": "tokencli.formats.gitlab:DIALECT",
    "k8s": "tokencli.formats.k8s:DIALECT",
    "json": "tokencli.formats.json:DIALECT",
    "postman": "tokencli.formats.postman:DIALECT",
    "bruno": "tokencli.formats.bruno:DIALECT",
    "http_client": "tokencli.formats.http_client:DIALECT",
}
"""`export --format` -> `module:attribute` of its Dialect."""

DIALECTS: dict[str, str] = {**SHELLS, **DATA_FORMATS}
"""Both tables; each of the two options accepts all names."""

Variables = Sequence[tuple[str, str]]
"""Names and values in order; the access token comes first."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How variables are written for a shell or another consumer."""

    render: Callable[[Variables], str]
    """Return statements that set the variables; raises ReplyError for a value, and UsageError for a
    name, that can't be written safely."""
    render_unset: Callable[[Sequence[str]], str] | None = None
    """Return statements that unset the variables; None for a data format."""
    failure_text: str = ""
    """Printed if no token can be obtained; evaluating it fails."""
    find_warning: Callable[[Variables], str | None] | None = None
    """Return a warning about using the output, or None."""


def require_token_format(name: str, profile: str | None = None) -> None:
    """Raise UsageError unless `get` supports the format; `profile` is named in its fix."""
    if name not in TOKEN_FORMATS:
        raise UsageError(
            f"unknown format {name!r}: use {', '.join(TOKEN_FORMATS)}",
            fix=_suggest_command("export", name, profile)
            if name in DIALECTS
            else "tokencli get --help",
        )


def check_format_options(
    name: str, profile: Profile, options: Mapping[str, str]
) -> Mapping[str, str]:
    """Return the options with which `render_token` prints the token in this format.

    Raises:
        UsageError: the format doesn't have such an option, lacks one, or doesn't suit the profile.
            The errors of the format's own check.
    """
    for option in options:
        if name not in FORMAT_OPTIONS[option]:
            raise UsageError(f"--{option} requires --format {' or '.join(FORMAT_OPTIONS[option])}")
    if name not in OPTION_CHECKS:
        return {}
    check = cast(Callable[..., Mapping[str, str]], _load_attribute(OPTION_CHECKS[name]))
    return check(profile, **options)


def render_token(
    name: str,
    profile: Profile,
    token: TokenSet,
    now: float,
    secrets: Mapping[str, Secret] | None = None,
    **options: str,
) -> str:
    """Return the token as `get --format NAME` prints it.

    `secrets` are the profile's secrets that its provider's `use` sends with the token.
    `options` are what `check_format_options` returned.

    Raises:
        UsageError: the format is unknown, or doesn't suit the token. ReplyError: the token has
            characters that the format can't carry.
    """
    require_token_format(name)
    if name in PROVIDER_USAGE_FORMATS and profile.provider.use:
        render_as_used = cast(Callable[..., str], _load_attribute(PROVIDER_USAGE_FORMATS[name]))
        return render_as_used(profile, token, now, secrets or {})
    render = cast(Callable[..., str], _load_attribute(TOKEN_FORMATS[name]))
    return render(profile.name, token, now, **options)


def describe_shells() -> list[str]:
    """Return the shells for the help of `export`, each with its other names in parentheses."""
    names_by_dialect: dict[str, list[str]] = {}
    for name, dialect in SHELLS.items():
        names_by_dialect.setdefault(dialect, []).append(name)
    notes = {
        name: f"also {', '.join(others)}" for name, *others in names_by_dialect.values() if others
    }
    notes["sh"] = f"default; {notes['sh']}"
    return [
        f"{name} ({notes[name]})" if name in notes else name
        for name, *_ in names_by_dialect.values()
    ]


def _suggest_command(command: str, name: str, profile: str | None) -> str:
    from tokencli.shell_words import join  # rarely needed

    return join(["tokencli", command, *([profile] if profile else []), "--format", name])


def load_dialect(name: str, profile: str | None = None) -> Dialect:
    """Return the dialect of that name, or raise UsageError; `profile` is named in its fix."""
    if name not in DIALECTS:
        raise UsageError(
            f"unknown shell or format {name!r}: use {', '.join(DIALECTS)}",
            fix=_suggest_command("get", name, profile)
            if name in TOKEN_FORMATS
            else "tokencli export --help",
        )
    return cast(Dialect, _load_attribute(DIALECTS[name]))


def eval_failure_text(argv: Sequence[str]) -> str:
    """Return what a failed `export` with this command line prints.

    `eval ""` would succeed and leave an old token in place, so `eval` gets a statement that fails:
    `false`, which most shells know, if the command line names no dialect.
    """
    values: dict[str, str] = {}
    for index, word in enumerate(argv):
        option, equals, value = word.partition("=")
        values[option] = value if equals else "".join(argv[index + 1 : index + 2])
    name = values.get("--shell") or values.get("--format") or "sh"
    return load_dialect(name if name in DIALECTS else "sh").failure_text


def _load_attribute(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
