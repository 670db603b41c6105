"""The generated parts of README, manual and man page: compared by a test, written by `python -m tests.documents`.

A block stands between `<!-- generated: KIND ARGUMENTS -->` and `<!-- /generated -->`. Its kind is a
row of RENDERERS. What a command prints is never typed by hand: a `capture` runs the lines of its
block that begin with `$ ` against a sandbox and shows what they print.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import completions, man_page
from tokencli.commands.help import PAGES, read_page, summarize_page
from tokencli.sandbox.server import Sandbox

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
MANUAL = ROOT / "tokencli" / "manual"
BIN = Path(sys.executable).parent
BLOCK = re.compile(
    r"(?P<head><!-- generated: (?P<kind>\S+)(?P<arguments>[^\n]*?) -->\n)"
    r"(?P<text>.*?)(?P<foot><!-- /generated -->\n)",
    re.DOTALL,
)
MAX_TOKEN_CHARS = 56
"""Characters of a token that a capture shows."""
LONG_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_.-]{60,}|\b[0-9a-f]{64}\b")
VOLATILE = {
    r"\beyJ[A-Za-z0-9_.-]+…?": "TOKEN",
    r"127\.0\.0\.1:\d+": "HOST",
    r"/tmp/\S*?(?=/(?:config\.toml|ca\.pem|state|home))|/tmp/tokencli-sandbox-\w+": "FOLDER",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?": "TIME",
    r"\b1[789]\d{8}\b": "EPOCH",
    r"\b[0-9a-f]{16,64}…?": "HEX",
    r"\"[A-Za-z0-9_-]{43}\"": "KID",
    r"\b(?:in )?\d+ (?:second|minute)s?\b(?: ago)?|\bnow\b": "DURATION",
}
"""What differs from one capture to the next, and what it is compared as."""


def documents() -> list[Path]:
    """Return the files with generated blocks."""
    return [README, *sorted(MANUAL.glob("*.md"))]


def run_tokencli(*words: str) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        [BIN / "tokencli", *words],
        env={**os.environ, "COLUMNS": "100", "TERM": "dumb"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return done.stdout


def render_help(arguments: str, _: str) -> str:
    """Return a command's help as a code block."""
    return f"```text\n{run_tokencli(*arguments.split()[1:], '--help')}```\n"


def render_output(arguments: str, _: str) -> str:
    """Return a command's output, which is Markdown."""
    return run_tokencli(*arguments.split()[1:])


def render_pages(arguments: str, _: str) -> str:
    """Return the table of the manual's pages, with links relative to `arguments`."""
    lines = ["| page | what it explains |", "|---|---|"]
    for name in PAGES:
        title = read_page(name).splitlines()[0].removeprefix("# ")
        lines.append(f"| [{title}]({arguments}{name}.md) | {summarize_page(name)} |")
    return "".join(f"{line}\n" for line in lines)


def render_providers(_: str, __: str) -> str:
    """Return the table of the built-in providers."""
    lines = ["| provider | system | grants, the default first |", "|---|---|---|"]
    for row in json.loads(run_tokencli("providers", "--json", "--config", os.devnull))["providers"]:
        grants = ", ".join(f"`{grant}`" for grant in row["grants"])
        lines.append(f"| `{row['name']}` | {row['title']} | {grants} |")
    return "".join(f"{line}\n" for line in lines)


def render_keys(arguments: str, _: str) -> str:
    """Return the list of the configuration's keys: `top`, or those of every profile."""
    schema = json.loads(run_tokencli("profiles", "schema"))
    if arguments == "top":
        properties, required = schema["properties"], []
    else:
        table = schema["$defs"]["ProfileTable"]
        properties, required = table["properties"], table.get("required", [])
    return "".join(
        f"{_render_key(name, about, schema['$defs'], required=name in required)}\n"
        for name, about in sorted(properties.items())
    )


def _render_key(
    name: str, about: Mapping[str, Any], definitions: Mapping[str, Any], *, required: bool
) -> str:
    notes = [_render_type(about, definitions)]
    if required:
        notes.append("required")
    elif about.get("default") is not None:
        notes.append(f"default `{json.dumps(about['default'])}`")
    text = f"- `{name}` ({', '.join(notes)}): {about.get('description', '')}"
    if about.get("examples"):
        text += f" Example: `{json.dumps(about['examples'][0])}`"
    return text


def _render_type(about: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "enum" in about:
        return " | ".join(f"`{json.dumps(value)}`" for value in about["enum"])
    if "$ref" in about:
        return "secret source" if about["$ref"].endswith("SecretSourceTable") else "table"
    if "anyOf" in about:
        kinds = dict.fromkeys(
            _render_type(one, definitions) for one in about["anyOf"] if one.get("type") != "null"
        )
        patterns = [one.get("pattern", "") for one in about["anyOf"]]
        if any("h)?" in pattern for pattern in patterns):
            return "duration"
        return " | ".join(kinds)
    kinds_of = {
        "string": "text",
        "boolean": "true | false",
        "integer": "whole number",
        "number": "number",
        "array": "array",
        "object": "table",
    }
    return kinds_of.get(about.get("type", ""), "text")


def render_capture(arguments: str, old: str) -> str:
    """Run the `$ ` lines of a block against one sandbox and return them with what they print."""
    commands = re.findall(r"^\$ (.*)$", old, re.MULTILINE)
    with sandbox_environ(arguments) as environ:
        shown = [f"$ {command}\n{_run_shown(command, environ)}" for command in commands]
    new = "```console\n" + "\n".join(shown) + "```\n"
    return old if normalize(old) == normalize(new) else new


def _run_shown(command: str, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        env=environ,
        cwd=environ["HOME"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return LONG_TOKEN.sub(lambda found: found[0][:MAX_TOKEN_CHARS] + "…", done.stdout)


@contextmanager
def sandbox_environ(options: str = "", extra_config: str = "") -> Iterator[dict[str, str]]:
    """Run a sandbox and yield the environment of a shell that uses it, with an empty home."""
    faults = {
        name.removeprefix("--").replace("-", "_"): value
        for name, _, value in (word.partition("=") for word in options.split())
    }
    with Sandbox(**faults) as running, tempfile.TemporaryDirectory() as folder:
        config = Path(running.config_file)
        config.write_text(config.read_text() + extra_config.replace("{ca_file}", running.ca_file))
        environ = {
            name: value
            for name, value in running.build_environ(os.environ).items()
            if not name.startswith(("XDG_", "DBUS_", "PYTHON")) and name not in ("CI", "NO_COLOR")
        }
        home = Path(folder) / "home"
        home.mkdir()
        yield {
            **environ,
            "HOME": str(home),
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
        }


def normalize(text: str) -> str:
    """Replace what differs from run to run, so that captures can be compared."""
    for pattern, name in VOLATILE.items():
        text = re.sub(pattern, name, text)
    return re.sub(r" +", " ", text)


RENDERERS: dict[str, Callable[[str, str], str]] = {
    "help": render_help,
    "output": render_output,
    "pages": render_pages,
    "providers": render_providers,
    "keys": render_keys,
    "capture": render_capture,
}
"""Kind of block -> what renders it, given its arguments and its present text."""


def render_document(text: str) -> str:
    """Return a document with every generated block rendered anew."""
    return BLOCK.sub(
        lambda found: (
            found["head"]
            + RENDERERS[found["kind"]](found["arguments"].strip(), found["text"])
            + found["foot"]
        ),
        text,
    )


def main() -> None:
    """Write every generated file and block anew."""
    for path in documents():
        path.write_text(render_document(path.read_text(encoding="utf-8")), encoding="utf-8")
    man_page.main()
    completions.main()


if __name__ == "__main__":
    main()
