"""README, manual and man page: what is generated is fresh, and every command in them runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import documents, keyring_session, man_page
from tests.documents import BLOCK, MANUAL, README, RENDERERS, ROOT, World
from tests.documents import documents as files
from tests.unit.token_store.samples import memory_folder
from tokencli.commands.help import PAGES

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
MAX_README_BYTES = 12 * 1024

NOT_RUN = {
    "tokencli proxy groupid --to https://groupid.example.com:4443/GroupIDDataService/api/": "runs until"
    " Ctrl-C: tests/e2e/consumers/test_proxy.py",
    "tokencli sandbox": "runs until Ctrl-C: tests/commands/test_sandbox.py",
    'printf \'%s\\n\' "$PASSWORD" "$CLIENT_SECRET" | tokencli login groupid --stdin': "the sandbox's"
    " profile keeps no secret in the keyring: tests/e2e/test_three_systems.py",
    "tokencli login work": "asks for secrets: the walk-through in README.md is a capture of it",
    "tokencli get work": "needs the line before it",
    'eval "$(tokencli export work)"': "needs the line before it",
    "tokencli profiles add work": "asks for settings: the walk-through in README.md is a capture of it",
    "tokencli login corp --no-browser": "needs a user who opens the URL: tests/e2e/test_sign_in.py",
    "tokencli profiles edit groupid --secret password=prompt": "later lines would ask",
    "tokencli inspect corp --watch": "needs a terminal: tests/e2e/test_watch.py",
    "tokencli inspect corp --lint": "ends with 9, because the sandbox's token has an email address:"
    " tests/unit/jwt/test_lint.py",
    "tokencli inspect - --profile corp --lint < token.txt": "likewise",
    "tokencli inspect diff corp": "needs an earlier token: tests/commands/test_inspect_diff.py",
    "tokencli status": "ends with 4, because of the sandbox's profiles without a login:"
    " tests/commands/test_status.py",
    "tokencli doctor --all       # every profile": "likewise: tests/e2e/test_doctor.py",
    "tokencli status --watch": "needs a terminal: tests/e2e/test_watch.py",
    "tokencli status --format openmetrics > /var/lib/node_exporter/tokencli.prom.new": "needs"
    " node_exporter's directory: tests/commands/test_status.py",
    "mv /var/lib/node_exporter/tokencli.prom.new /var/lib/node_exporter/tokencli.prom": "likewise",
    "tokencli keep groupid --to groupid.token": "runs until it is ended:"
    " tests/e2e/consumers/test_keep.py",
    "tokencli get groupid --clip": "needs a clipboard: tests/e2e/test_clipboard.py",
    "tokencli get groupid --clip --clip-clear 20s": "likewise",
    ".venv/bin/python -m tests.bench": "takes minutes",
    ".venv/bin/python -m tests.documents": "writes the repository",
    ".venv/bin/python -m tests.servers.record": "writes the repository",
    ".venv/bin/python -m tests.why_record": "writes the repository",
    ".venv/bin/python -m tests.fuzz reply --seconds 60": "takes a minute: tests/fuzz/test_fuzz.py",
    ".venv/bin/pytest -m long": "is a test run",
    ".venv/bin/pytest -m long -n 2 tests/windows": "is a test run",
    "BROWSER_PICTURES=pictures .venv/bin/pytest tests/e2e/test_browser.py": "is a test run",
    ".venv/bin/pytest tests/unit/net/test_faults.py tests/e2e/test_faults.py": "is a test run",
    **dict.fromkeys(
        (
            "tokencli curl groupid -- https://demomachine:4443/GroupIDDataService/api/me",
            "tokencli curl groupid -- -fsS https://demomachine:4443/GroupIDDataService/api/me",
        ),
        "is not the server of the sandbox's API: tests/e2e/consumers/test_curl.py",
    ),
    **dict.fromkeys(
        (
            "tokencli why groupid https://demomachine:4443/api/groups",
            "tokencli why corp https://api.example.com/orders",
            "tokencli why corp https://api.example.com/orders -X POST -H 'Accept: text/csv' -d @order.json",
            "pbpaste | tokencli why - https://api.example.com/orders --profile corp",
            "pbpaste | tokencli why --curl -",
            "tokencli why corp https://api.example.com/orders --response reply.txt",
            "tokencli why corp https://api.example.com/orders --probe",
        ),
        "calls an API that isn't there: tests/commands/test_why.py",
    ),
}
"""Lines of pages that the test leaves out, and why. Of tokencli's the options are still checked."""

NOT_RUN_LANGUAGES = {
    "powershell": "not every machine has it: tests/e2e/test_powershell_recipes.py runs the page PowerShell",
    "bat": "cmd is Windows' own",
    "zsh": "writes into zsh's function path",
}
PLAIN_LANGUAGES = {"text", "toml", "hcl", "ini", "yaml", "json", "console", "python", "sh", "fish"}

PROGRAMS = (
    "newman",
    "pip",
    "npm",
    "bru",
    "httpyac",
    "terraform",
    "pipx",
    "uv",
    "docker",
    "openssl",
    "sleep",
    "sync-groups",
)
STUBS = {
    **dict.fromkeys(PROGRAMS, "exit 0"),
    "curl": "for word; do case $word in @-|-K-) cat > /dev/null;; esac; done; exit 0",
    "kubectl": "cat > /dev/null",
    "pass": "echo made-up-secret-of-the-api",
}
"""Programs of others that pages call, and what is run instead."""

OPENAPI = """
openapi: 3.0.0
info: {title: Acme, version: "1"}
servers: [{url: "https://acme.example.com"}]
components:
  securitySchemes:
    one: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://acme.example.com/token", scopes: {}}}}
    two: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://acme.example.com/token2", scopes: {}}}}
paths: {}
"""

GENERATED = [
    pytest.param(path, number, id=f"{path.name}-{number}-{found['kind']}")
    for path in files()
    for number, found in enumerate(BLOCK.finditer(path.read_text(encoding="utf-8")))
]


def fences(path: Path, *languages: str) -> list[str]:
    """Return the code blocks of a page in these languages."""
    return [
        text
        for language, text in FENCE.findall(path.read_text(encoding="utf-8"))
        if language in languages
    ]


@pytest.mark.parametrize(("path", "number"), GENERATED)
def test_generated_blocks_are_fresh(path: Path, number: int) -> None:
    """A block is what its command prints today; `python -m tests.documents` writes it anew."""
    found = list(BLOCK.finditer(path.read_text(encoding="utf-8")))[number]
    if "answers=" in found["arguments"] or found["kind"] == "transcript":
        keyring_session.require()
    fresh = RENDERERS[found["kind"]](found["arguments"].strip(), found["text"])
    assert found["text"] == fresh


def test_the_man_page_is_fresh() -> None:
    """tokencli(1) is what the commands say today; `python -m tests.documents` writes it anew."""
    assert man_page.FILE.read_text(encoding="utf-8") == man_page.render_man_page()


@pytest.mark.skipif(shutil.which("groff") is None, reason="apt-get install groff")
def test_the_man_page_is_good_roff() -> None:
    """groff has no warning about it."""
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8", man_page.FILE], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.long
@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_command_in_a_page_runs(path: Path) -> None:
    """The `sh` and `fish` blocks of a page run one after the other, and each line succeeds."""
    blocks = [
        ("fish" if language == "fish" else "bash", text)
        for language, text in FENCE.findall(path.read_text(encoding="utf-8"))
        if language in ("sh", "fish")
    ]
    if not blocks:
        return
    if path.stem in ("README", "secrets"):
        keyring_session.require()
    failures = []
    with documents.scratch_world(stubs=STUBS) as world, memory_folder() as memory:
        world.environ["XDG_RUNTIME_DIR"] = str(memory)  # `exec --file` needs one
        _write_files(world)
        for shell, text in blocks:
            if shutil.which(shell) is None:
                continue
            joined = re.sub(r"\\\n\s*", "", text)
            kept = [line for line in joined.splitlines() if line not in NOT_RUN]
            head = "set -euo pipefail\n" if shell == "bash" else ""
            done = world.run(head + "\n".join(kept), shell)
            if done.returncode != 0:
                failures.append(f"{text}-> {done.returncode}\n{done.stdout}")
    assert not failures, "\n\n".join(failures)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_scripts_stop_without_a_token(shell: str) -> None:
    """With `set -e`, no form that a page recommends for scripts goes on after a failure."""
    forms = set()
    for path in files():
        for text in fences(path, "sh", "console"):
            lines = re.sub(r"\\\n\s*", "", text).splitlines()
            forms |= {re.sub(r"^\$ |\s+#.*", "", each) for each in lines if _gets_variable(each)}
        for text in fences(path, "yaml"):
            forms |= {each.strip(" -") for each in text.splitlines() if _gets_variable(each)}
    assert {'eval "$(tokencli export groupid)"', 'eval "$(tokencli export ci)"'} < forms
    assert "ACCESS_TOKEN=$(tokencli get groupid --min-ttl 10m)" in forms
    with documents.scratch_world() as world:
        world.environ["TOKENCLI_CONFIG"] = str(world.home / "missing.toml")
        for form in sorted(forms):
            done = world.run(f"set -e\n{form}\necho went on", shell)
            assert done.returncode and "went on" not in done.stdout, f"{form}\n{done.stdout}"
            assert "=$(" not in form or done.returncode == 3, "the assignment keeps the exit code"


def _gets_variable(line: str) -> bool:
    """Tell whether a line sets variables from what `get` or `export` prints."""
    is_code = re.search(r'(?:^|[ ])(?:eval "|\w+=)\$\(tokencli (?:get|export)\b', line) is not None
    return is_code and "--unset" not in line and "next: " not in line


def _write_files(world: World) -> None:
    """Write what the pages' commands read."""
    (world.home / "openapi.yaml").write_text(OPENAPI)
    (world.home / "acme.toml").write_text(
        next(text for text in fences(MANUAL / "any-endpoint.md", "toml") if "[providers." in text)
    )
    secrets = world.home / ".secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "groupid-password").write_text(world.environ["PASSWORD"])
    (secrets / "groupid-client").write_text(world.environ["CLIENT_SECRET"])
    world.environ["GITHUB_ENV"] = str(world.home / "github_env")
    Path(world.environ["GITHUB_ENV"]).touch()
    (world.home / "users.toml").write_text(
        next(text for text in fences(MANUAL / "sandbox.md", "toml") if "[users." in text)
    )
    url = world.environ["SANDBOX_URL"]
    world.environ["SSL_CERT_FILE"] = world.environ["SANDBOX_CA_FILE"]
    world.aliases["https://login.example.com/realms/acme"] = f"{url}/oauth2"
    world.aliases["https://api.example.com/v1"] = f"{url}/oauth2/resource"
    signed_in = world.run(
        "tokencli login corp && tokencli login corp --scope read && tokencli get corp > token.txt"
    )
    assert signed_in.returncode == 0, signed_in.stdout


@pytest.mark.parametrize("line", [line for line in NOT_RUN if line.startswith("tokencli ")])
def test_commands_that_are_not_run_have_these_options(line: str) -> None:
    """Their options exist, and a page still has the line."""
    command = line.partition(" | ")[0].partition(" -- ")[0].split()[1:]
    documents.run_tokencli(*command, "--help")
    texts = [re.sub(r"\\\n\s*", "", path.read_text(encoding="utf-8")) for path in files()]
    assert any(f"\n{line}\n" in text for text in texts)


def test_every_language_of_a_block_is_known() -> None:
    """No block escapes the tests by a language that nothing looks at."""
    used = {
        language
        for path in files()
        for language, _ in FENCE.findall(path.read_text(encoding="utf-8"))
    }
    assert used <= PLAIN_LANGUAGES | set(NOT_RUN_LANGUAGES)


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_every_configuration_in_a_page_is_valid(path: Path, tmp_path: Path) -> None:
    """A TOML block with tables is a configuration that loads without a problem."""
    for text in fences(path, "toml"):
        if "[profiles." in text:
            file = tmp_path / "config.toml"
            file.write_text(text)
            file.chmod(0o600)
            done = subprocess.run(
                [documents.BIN / "tokencli", "profiles", "--json", "--config", file],
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{text}\n{done.stderr}"
            assert '"problems"' not in done.stdout or '"problems": []' in done.stdout, done.stdout


def test_python_in_the_manual_runs() -> None:
    """Each example of the Python API works against the sandbox."""
    with documents.scratch_world() as world:
        for number, text in enumerate(fences(MANUAL / "python-api.md", "python")):
            program = world.home / f"example{number}.py"
            program.write_text(
                "import os\n"
                "url = os.environ['SANDBOX_URL'] + '/GroupIDDataService/api/me'\n"
                f"ca_file = os.environ['SANDBOX_CA_FILE']\n{text}"
            )
            done = world.run(f"{sys.executable} {program}")
            assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_links_lead_to_files(path: Path) -> None:
    """Every relative link of a page leads to a file; inside the manual to another page."""
    for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if not target.startswith("https://"):
            assert (path.parent / target).is_file(), target
            assert path == README or target.removesuffix(".md") in PAGES


def test_the_readme_is_short_and_has_the_two_set_up_lines() -> None:
    """Between 8 and 12 kB; `.ci/run` and newcomers rely on these lines letter by letter."""
    text = README.read_text(encoding="utf-8")
    assert 8_000 < len(text.encode()) < MAX_README_BYTES
    for line in (
        "    python3 -m venv .venv && .venv/bin/pip install -q . &&"
        " .venv/bin/tokencli sandbox -- tokencli get groupid",
        "    python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/pytest",
    ):
        assert f"\n{line}\n" in text


def test_the_exit_codes_are_documented() -> None:
    """Every exit code of an error is in the table of the troubleshooting page."""
    from tokencli import errors

    shown = {
        int(code)
        for codes, _ in man_page.EXIT_CODE.findall(
            (MANUAL / "troubleshooting.md").read_text(encoding="utf-8")
        )
        for code in codes.split(",")
    }
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    used = {kind.exit_code for kind in kinds if issubclass(kind, errors.TokencliError)}
    assert used | {0, 129, 130, 141, 143} == shown


def test_the_wheels_files_are_in_the_repository() -> None:
    """What pyproject.toml shares exists."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert all((ROOT / file).is_file() for file in shared)
