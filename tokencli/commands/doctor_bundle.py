"""Write the report of `doctor --bundle`: a text to read, or JSON."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from pathlib import Path

from tokencli import __version__, platforms
from tokencli.commands import output
from tokencli.commands.doctor_context import DoctorApp
from tokencli.config.load import Config
from tokencli.diagnosis.check_runner import CheckResult
from tokencli.diagnosis.support_bundle import CONTENTS, BundleInput, build_bundle
from tokencli.errors import UsageError
from tokencli.formats.json import dump_json_line
from tokencli.models import Profile
from tokencli.protocols import Terminal
from tokencli.sanitize import sanitize_text
from tokencli.shell_words import quote
from tokencli.system.private_files import write_atomically

LIBRARIES = (
    "requests", "urllib3", "certifi", "truststore", "cryptography", "joserfc", "keyring",
    "secretstorage", "jeepney", "pydantic", "typer", "rich", "prompt_toolkit", "tomlkit", "PySocks",
)  # fmt: skip
"""The libraries whose versions a report has."""
HEADING = """tokencli support report
Look at it before you send it. Secrets are left out. A text in <angle brackets> is masked:
equal ones stand for equal values, which can't be recovered from them.
"""


@dataclass(frozen=True, slots=True)
class Examination:
    """What was checked, and the results."""

    results: Sequence[CheckResult]
    config: Config | None
    profiles: Sequence[Profile]


def confirm_overwriting(path: Path, command: str, terminal: Terminal) -> None:
    """Ask before an existing file is replaced; raises UsageError if that isn't allowed.

    The `command` is the one that writes the report, without `--bundle`.
    """
    if path.is_dir():
        inside = path / "report.txt"
        raise UsageError(f"{path} is a directory", fix=f"{command} --bundle {quote(str(inside))}")
    if not os.path.lexists(path):
        return
    reason = "exists already, and is not replaced without asking"
    if terminal.interactive:
        if terminal.ask_yes_no(f"Replace {path}?", default=False):
            return
        reason = "is kept, so there is no report"
    others = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in count(2))
    other = next(each for each in others if not os.path.lexists(each))
    raise UsageError(f"{path} {reason}", fix=f"{command} --bundle {quote(str(other))}")


def write_bundle(
    file: str, app: DoctorApp, examined: Examination, terminal: Terminal, *, as_json: bool
) -> None:
    """Write the report, readable by the user only, and say what is in it."""
    given = BundleInput(
        app.clock.now(),
        collect_versions(),
        app.environ,
        *platforms.current().find_user(app.environ),
        examined.results,
        examined.config,
        examined.profiles,
    )
    bundle = build_bundle(given, app)
    text = dump_json_line(bundle) if as_json else render_bundle(bundle)
    if file == "-":
        output.write_stdout(text)
        return
    write_atomically(Path(file), text.encode("utf-8", "backslashreplace"))
    terminal.print_note(f"wrote {file}; look at it before you send it", whole=True)
    terminal.print_note(f"it contains: {CONTENTS}", whole=True)


def collect_versions() -> dict[str, str]:
    """Return the versions of tokencli, Python, the system and the libraries."""
    versions = {
        "tokencli": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "platform": platform.platform(),
        "encoding": getattr(sys.stdout, "encoding", None) or "none",
    }
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def render_bundle(bundle: Mapping[str, object]) -> str:
    """Return the report as an indented text."""
    return "".join(f"{line}\n" for line in (HEADING, *_render_value(bundle, 0)))


def _render_value(value: object, depth: int) -> Iterator[str]:
    """Yield the lines of a table, a list or a single value."""
    indent = "  " * depth
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, Mapping | list) and each:
                yield f"{indent}{sanitize_text(str(key))}:"
                yield from _render_value(each, depth + 1)
            else:
                yield f"{indent}{sanitize_text(str(key))}: {_render_scalar(each)}"
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, Mapping):
                known = {key: member for key, member in each.items() if member is not None}
                first, *rest = list(_render_value(known, depth + 1)) or [f"{indent}  -"]
                yield f"{indent}- {first.lstrip()}"
                yield from rest
            else:
                yield f"{indent}- {_render_scalar(each)}"


def _render_scalar(value: object) -> str:
    if value is None or value in ({}, []):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return sanitize_text(str(value))
