"""The generated parts of README, manual and man page: compared by a test, written by `python -m tests.documents`.

A block stands between `<!-- generated: KIND ARGUMENTS -->` and `<!-- /generated -->`. Its kind is a
row of RENDERERS. What a command prints is never typed by hand: a `capture` runs the lines of its
block that begin with `$ ` against a sandbox and shows what they print.
"""

import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import tokencli
from tests import (
    completions,
    keyring_session,
    man_page,
    platform_promises,
    transcripts,
    why_record,
)
from tests.conftest import ALONE, PROXIES
from tests.unit.oauth.test_refusal_hints import CASES, Case, find_row
from tokencli.commands.help import INTEGRATIONS, PAGES, read_page, summarize_page
from tokencli.diagnosis.checks import CHECKS
from tokencli.oauth.client_authentication import AUTH_METHODS
from tokencli.oauth.refusal_hints import ENTER_SECRET, HINTS, SIGN_IN, Hint
from tokencli.oauth.refusals import UNEXPLAINED
from tokencli.providers.error_codes import ErrorCode, list_error_codes, load_builtin_providers
from tokencli.sandbox.groupid import GroupId
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.scenarios import SCENARIOS
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
GROUPID_SETUP = (
    "tokencli profiles add groupid --provider groupid --host demomachine:4443"
    " --username jdoe --client-id 7d1c0f52-made-up --identity-store-id 1"
)
FOREIGN = ("XDG_", "DBUS_", "PYTHON", "REQUESTS_CA", "CURL_CA", "SSL_CERT")
"""Prefixes of variables that would reach into a capture from outside."""
ANSWERS = {
    "typo": (
        "https://demomachine:4443/GroupID",
        "7d1c0f52-made-up",
        "jdoe",
        "1",
        "/etc/ssl/demo-ca.pem",
        "wrong-password",
        GroupId.secrets["client_secret"],
        GroupId.secrets["password"],
        GroupId.secrets["client_secret"],
    )
}
"""What is typed at the prompts of a capture, one after the other."""
PROMPT_TIMEOUT_S = 20
CA_NAME = re.compile(r"OU=Testing CA #[^,\s]+,O=trustme v[\d.]+")
"""The name of the sandbox's CA, which is another one in each run."""
"""A prompt for a secret."""
MAX_EXAMPLE_CHARS = 120
"""Characters of a server's words in the table of refusals."""
MAX_TOKEN_CHARS = 56
"""Characters of a token that a capture shows."""
LONG_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_.-]{60,}|\b[0-9a-f]{64}\b")
VOLATILE = {
    r"\beyJ[A-Za-z0-9_.-]+…?": "TOKEN",
    r"127\.0\.0\.1(?::|%3A)\d+": "HOST",
    r"\b(state|code_challenge|nonce)=[\w-]{43}": r"\1=RANDOM",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?": "TIME",
    r"\b1[789]\d{8}\b": "EPOCH",
    r"\b[0-9a-f]{16,64}…?": "HEX",
    r"\"[A-Za-z0-9_-]{43}\"": "KID",
    r"\b(?:in )?\d+ (?:second|minute|hour|year)s?\b(?: ago)?|\bnow\b": "DURATION",
}
"""What differs from one capture to the next, and what it is compared as."""


def documents() -> list[Path]:
    """Return the files with generated blocks."""
    return [README, *sorted(MANUAL.glob("*.md"))]


def run_tokencli(*words: str) -> str:
    """Return what a command prints."""
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOKENCLI_", "XDG_"))
    }
    done = subprocess.run(
        [BIN / "tokencli", *words],
        env={**environ, "HOME": "/nonexistent", "COLUMNS": "100", "TERM": "dumb"},
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
    """Return the table of the manual's pages, with links relative to `arguments`, or of the integrations."""
    if arguments == "integrations":
        names, directory = INTEGRATIONS, ""
    else:
        names, directory = tuple(name for name in PAGES if name not in INTEGRATIONS), arguments
    lines = ["| page | what it explains |", "|---|---|"]
    for name in names:
        title = read_page(name).splitlines()[0].removeprefix("# ")
        lines.append(f"| [{title}]({directory}{name}.md) | {summarize_page(name)} |")
    return "".join(f"{line}\n" for line in lines)


def render_providers(_: str, __: str) -> str:
    """Return the table of the built-in providers."""
    lines = ["| provider | system | grants, the default first |", "|---|---|---|"]
    for row in json.loads(run_tokencli("providers", "--json"))["providers"]:
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


def render_provider_keys(_: str, __: str) -> str:
    """Return the keys that the built-in providers add, by provider."""
    schema = json.loads(run_tokencli("profiles", "schema"))
    usual = set(schema["$defs"]["ProfileTable"]["properties"])
    lines = []
    for table in schema["$defs"].values():
        properties = table.get("properties", {})
        provider = properties.get("provider", {}).get("const")
        added = sorted(set(properties) - usual)
        if provider and added:
            lines.append(f"**{provider}**\n\n")
            lines += [
                f"{_render_key(name, properties[name], schema['$defs'], required=False)}\n"
                for name in added
            ]
            lines.append("\n")
    return "".join(lines)


def _render_key(
    name: str, about: Mapping[str, Any], definitions: Mapping[str, Any], *, required: bool
) -> str:
    notes = [_render_type(about, definitions)]
    if required:
        notes.append("required")
    elif about.get("default") is not None:
        default = json.dumps(about["default"])
        notes.append(
            f"default `{default.replace('.0', 's') if notes == ['duration'] else default}`"
        )
    description = str(about.get("description", "")).rstrip(".")
    text = f"- `{name}` ({', '.join(notes)}): {description}."
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


def render_refusals(_: str, __: str) -> str:
    """Return the table of hints."""
    lines = ["| the server says, e.g. | if | likely cause | what helps |", "|---|---|---|---|"]
    rows = [(find_row(case), case) for case in CASES]
    for hint in HINTS:
        case = next(case for row, case in rows if row is hint)
        cause = hint.cause.replace(
            "{unexplained}",
            f"{'' if hint.says else UNEXPLAINED}possible causes, most likely first: ",
        )
        cause = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), cause)
        cells = (_describe_reply(case), _describe_situation(hint), cause, _describe_fix(hint))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "".join(f"{line}\n" for line in lines)


def render_scenarios(_: str, __: str) -> str:
    """Return the table of the sandbox's scenarios."""
    rows = [f"| `{name}` | {scenario.summary} |" for name, scenario in SCENARIOS.items()]
    return "".join(f"{line}\n" for line in ("| scenario | what is wrong |", "|---|---|", *rows))


def render_error_codes(_: str, __: str) -> str:
    """Return the lists of the built-in providers' error codes, one for each page of a vendor."""
    lines = []
    for provider in load_builtin_providers():
        codes = list_error_codes(provider)
        if codes:
            lines += [f"## {provider.title}", ""]
        for doc, group in groupby(codes, key=lambda code: code.doc):
            lines += [f"From [the vendor's page]({doc}):", "", *map(_render_error_code, group), ""]
    return "".join(f"{line}\n" for line in lines)


def _render_error_code(code: ErrorCode) -> str:
    action = (code.action or "").replace("{profile}", "PROFILE")
    action = f"`{action}`" if action.startswith("tokencli ") else f"{action}."
    return f"- `{code.code}` ({code.job.replace('_', ' ')}): {code.meaning.what}. {action}"


def render_causes(_: str, __: str) -> str:
    """Return the table of what `why` named in each scenario."""
    return why_record.render_table(why_record.read_record())


def render_errors(_: str, __: str) -> str:
    """Return the table of the errors that the Python API raises, the most general first."""
    lines = ["| class | base class | exit code | `code` | meaning |", "|---|---|---:|---|---|"]
    public = [
        value for name in tokencli.__all__ if isinstance(value := getattr(tokencli, name), type)
    ]
    classes = [value for value in public if issubclass(value, tokencli.TokencliError)]
    for error in sorted(classes, key=lambda error: (error.exit_code, len(error.__mro__))):
        base, summary = error.__bases__[0].__name__, (error.__doc__ or "").splitlines()[0]
        lines.append(
            f"| `{error.__name__}` | `{base}` | {error.exit_code} | `{error.code}` | {summary} |"
        )
    return "".join(f"{line}\n" for line in lines)


def render_checks(_: str, __: str) -> str:
    """Return the table of the checks of `doctor`."""
    lines = [
        "| id | what is checked | exit code | not run if one of these failed |",
        "|---|---|---:|---|",
    ]
    lines += [
        f"| `{name}` | {spec.sentence} | {'' if spec.exit_code == 1 else spec.exit_code} |"
        f" {', '.join(f'`{ground}`' for ground in spec.after)} |"
        for name, spec in CHECKS.items()
    ]
    return "".join(f"{line}\n" for line in lines)


def _describe_reply(case: Case) -> str:
    """Return a reply that a row explains."""
    body = case.body if isinstance(case.body, str) else json.dumps(case.body, ensure_ascii=False)
    if isinstance(case.body, dict) and "error" in case.body and isinstance(case.body["error"], str):
        said = case.body.get("error_description", "")
        body = case.body["error"] + (f": {said}" if said else "")
    page = re.search("<title>(.*?)<", body)
    body = body if len(body) <= MAX_EXAMPLE_CHARS else f"{body[:MAX_EXAMPLE_CHARS]}…"
    body = f"a page “{page[1]}”" if page else f"`{body}`" if body else ""
    status = "" if body and case.status == 400 else f"HTTP {case.status}"
    return ", ".join(filter(None, (status, body)))


def _describe_situation(hint: Hint) -> str:
    """Return the conditions of a row besides the reply."""
    methods = ("any",) if len(hint.client_auth) == len(AUTH_METHODS) else hint.client_auth
    columns = {
        "grant": [grant for grant in hint.grants if grant],
        "auth": methods,
        "with": [fact for fact in hint.given if not fact.startswith("!")],
        "without": [fact[1:] for fact in hint.given if fact.startswith("!")],
    }
    return "; ".join(f"{name}: {', '.join(values)}" for name, values in columns.items() if values)


def _describe_fix(hint: Hint) -> str:
    commands = {
        None: "",
        ENTER_SECRET: "`tokencli login PROFILE --again`",
        SIGN_IN: "`tokencli login PROFILE`",
    }
    text = (hint.fix or "").replace("{with_scope}", "scope=SCOPE")
    text = text.replace("{set_proxy}", "export HTTPS_PROXY=http://USER:PASSWORD@PROXY:PORT")
    text = re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), text)
    return commands.get(hint.fix, f"`{text}`")


def render_capture(arguments: str, old: str) -> str:
    """Run the `$ ` lines of a block against one sandbox and return them with what they print.

    Arguments: `fresh` starts with an empty configuration, `setup=groupid` adds a profile to it,
    and `answers=typo` types the rows of ANSWERS at prompts.
    """
    commands = re.findall(r"^\$ ((?:.*\\\n)*.*)", old, re.MULTILINE)
    options = dict(word.partition("=")[::2] for word in arguments.split())
    answers = list(ANSWERS.get(options.get("answers", ""), ()))
    with scratch_world(fresh="fresh" in options) as world:
        if "setup" in options:
            world.run(GROUPID_SETUP)
        shown = [f"$ {command}\n{world.show(command, answers)}" for command in commands]
    new = "```console\n" + "\n".join(shown) + "```\n"
    return old if normalize(old) == normalize(new) else new


def render_transcript(arguments: str, old: str) -> str:
    """Walk a path of `transcripts.PATHS` in a terminal, from an empty configuration."""
    shown = []
    with scratch_world(fresh=True) as world:
        ca_file = world.home / "demo-ca.pem"
        world.environ["CI_SECRET"] = OAuth2.secrets["client_secret"]
        world.environ["BROWSER"] = f"env SSL_CERT_FILE={ca_file} {world.environ['BROWSER']}"
        ca_file.write_bytes(Path(world.aliases["/etc/ssl/demo-ca.pem"]).read_bytes())
        with transcripts.json_login(world.home / "acme-ca.pem") as acme:
            world.aliases["acme.example:8443"] = acme
            for step in transcripts.PATHS[arguments]:
                answers = [(prompt, world.localize(typed)) for prompt, typed in step.answers]
                local = transcripts.Step(world.localize(step.command), answers)
                printed = transcripts.run_step(local, world.environ, world.home)
                typed = re.sub(r"(?<!\\)\n", "\n$ ", step.command)
                shown.append(f"$ {typed}\n{world.globalize(printed)}")
    new = "```console\n" + "\n".join(shown) + "```\n"
    return old if normalize(old) == normalize(new) else new


@dataclass(frozen=True)
class World:
    """A sandbox, an unlocked keyring if this machine has one, and an empty home."""

    environ: dict[str, str]
    home: Path
    aliases: dict[str, str]
    """What a document shows -> what it is here."""

    def run(self, script: str, shell: str = "sh") -> subprocess.CompletedProcess[str]:
        """Run a script with stdout and stderr in one."""
        return subprocess.run(
            [shell, "-c", self.localize(script)],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
            timeout=120,
        )

    def localize(self, script: str) -> str:
        """Replace what a document shows by what it is here."""
        for shown, here in self.aliases.items():
            script = script.replace(shown, here)
        return script

    def show(self, command: str, answers: list[str]) -> str:
        """Run a command, typing answers at its prompts, and return what a document shows of it."""
        if answers and command.startswith(("tokencli login", "tokencli profiles add")):
            printed = _run_in_terminal(self.localize(command), self, answers)
        else:
            printed = self.run(command).stdout
        return self.globalize(printed)

    def globalize(self, printed: str) -> str:
        """Replace what it is here by what a document shows, and cut tokens."""
        for shown, here in self.aliases.items():
            printed = printed.replace(here, shown)
        printed = CA_NAME.sub("CN=Demo CA", printed)
        printed = printed.replace(str(self.home), "~").rstrip() + "\n"
        return LONG_TOKEN.sub(lambda found: found[0][:MAX_TOKEN_CHARS] + "…", printed)


def _run_in_terminal(command: str, world: World, answers: list[str]) -> str:
    """Run a command in a terminal and answer its prompts one after the other, questions with yes."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["sh", "-c", command],
        env=world.environ,
        cwd=world.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    printed = b""
    while True:
        if not select.select([ours], [], [], PROMPT_TIMEOUT_S)[0]:
            process.kill()
            raise AssertionError(f"{command} waits for an answer: {printed.decode()}")
        try:
            chunk = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        printed += chunk
        if printed.endswith((b"[Y/n]: ", b"[y/N]: ")):
            os.write(ours, b"y\n")
        elif answers and printed.endswith(b": "):
            os.write(ours, world.localize(answers.pop(0)).encode() + b"\n")
    os.close(ours)
    process.wait(30)
    return printed.decode().replace("\r\n", "\n")


@contextmanager
def scratch_world(
    *, fresh: bool = False, stubs: Mapping[str, str] | None = None
) -> Iterator[World]:
    """Run a sandbox and a keyring, and yield a world in which commands find both.

    Profile groupid takes its password from $GROUPID_PASSWORD, and profile corp is an OAuth client.
    """
    with (
        Sandbox(sign_in="alice") as running,
        tempfile.TemporaryDirectory() as folder,
        ExitStack() as stack,
    ):
        place = Path(folder)
        home = place / "home"
        home.mkdir()
        config = Path(running.config_file)
        text = re.sub(
            r'password = \{ file = "[^"]*groupid.password" \}',
            'password = { env = "GROUPID_PASSWORD" }',
            config.read_text(),
        )
        config.write_text(text)
        environ = {
            name: value
            for name, value in running.build_environ(os.environ).items()
            if not name.startswith((*FOREIGN, "TOKENCLI_PROFILE"))
            and name.upper() not in (*PROXIES, *ALONE)
        }
        bin_folder = place / "bin"
        bin_folder.mkdir()
        for name, script in (stubs or {}).items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_folder / name).chmod(0o755)
        environ |= {
            "HOME": str(home),
            "PATH": os.pathsep.join((str(bin_folder), str(BIN), os.environ["PATH"])),
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "COLUMNS": "100",
            "TZ": "UTC",
            "GROUPID_PASSWORD": GroupId.secrets["password"],
            "PASSWORD": GroupId.secrets["password"],
            "CLIENT_SECRET": GroupId.secrets["client_secret"],
        }
        if fresh:
            del environ["TOKENCLI_CONFIG"]
        if not keyring_session.missing():
            address = stack.enter_context(keyring_session.private_bus(place))
            environ |= stack.enter_context(keyring_session.gnome_keyring(place, address))
        aliases = {
            "demomachine:4443": running.url.removeprefix("https://"),
            "/etc/ssl/demo-ca.pem": running.ca_file,
            "/tmp/sandbox": str(config.parent),
        }
        yield World(environ, home, aliases)


def normalize(text: str) -> str:
    """Replace what differs from run to run, so that captures can be compared."""
    for pattern, name in VOLATILE.items():
        text = re.sub(pattern, name, text)
    return re.sub(r" +", " ", text)


def render_promises(_: str, __: str) -> str:
    """Return the table of what was seen on which platform."""
    return platform_promises.render_table(platform_promises.read_promises())


RENDERERS: dict[str, Callable[[str, str], str]] = {
    "help": render_help,
    "output": render_output,
    "pages": render_pages,
    "providers": render_providers,
    "keys": render_keys,
    "provider-keys": render_provider_keys,
    "refusals": render_refusals,
    "error-codes": render_error_codes,
    "errors": render_errors,
    "scenarios": render_scenarios,
    "checks": render_checks,
    "causes": render_causes,
    "promises": render_promises,
    "capture": render_capture,
    "transcript": render_transcript,
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
