"""Imported modules: the fast path alone in a warm run, nothing unused in a cold run."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.bench.scripts import empty_script
from tests.conftest import script
from tests.fast_path_world import TOKENS, World, world
from tokencli.sandbox.server import Sandbox

HOT = {"tokencli", "tokencli.__main__", "tokencli.fastpath", "tokencli.fastpath.reader"}
"""Modules that a warm run loads in addition to those of an empty console script."""
UNUSED = {
    "typer", "pydantic", "pydantic_core", "rich", "tomllib", "tomlkit", "platformdirs", "keyring",
    "importlib_metadata", "charset_normalizer.cd", "filelock", "asyncio", "zoneinfo", "html",
    "prompt_toolkit", "jmespath", "joserfc", "yaml", "truststore", "trustme", "multiprocessing", "xml",
    "webbrowser",
    "tokencli.config.load", "tokencli.config.profile_schema", "tokencli.providers.catalog", "tokencli.sandbox",
    "tokencli.net.errors", "tokencli.net.tls_errors", "tokencli.terminal.browser", "tokencli.commands.registry",
    "tokencli.oauth.dpop", "tokencli.jwt.sign", "tokencli.machine", "tokencli.token_event",
}  # fmt: skip
"""Modules that a plain cold `get` does not need."""


@pytest.fixture
def place() -> Iterator[World]:
    """Provide an environment with cached tokens."""
    with world() as made:
        made.make()
        yield made


def loaded(path: str, *argv: str, environ: Mapping[str, str]) -> tuple[set[str], str]:
    """Return the modules that a console script imports, and its output."""
    done = subprocess.run(
        [path, *argv],
        env={**environ, "PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}, done.stdout


@pytest.mark.parametrize(
    "argv", [["get"], ["get", "p"], ["export", "q.2"], ["completion", "--profiles"]]
)
def test_warm_run_loads_four_modules(argv: list[str], place: World, tmp_path: Path) -> None:
    """Exactly these, besides what an empty console script of the same environment loads."""
    empty = empty_script(tmp_path)
    bare, _ = loaded(str(empty), environ=place.environ)
    warm, out = loaded(script(), *argv, environ=place.environ)
    assert out
    assert warm - bare == HOT
    assert bare - warm <= {empty.stem, "empty_main"}


def test_warm_exec_loads_one_more(place: World, tmp_path: Path) -> None:
    """Besides the four, only what replaces the process."""
    empty = empty_script(tmp_path)
    bare, _ = loaded(str(empty), environ=place.environ)
    warm, out = loaded(script(), "exec", "p", "--", "printenv", "P_TOKEN", environ=place.environ)
    assert out == TOKENS["p"] + "\n"
    assert warm - bare == {*HOT, "tokencli.fastpath.launcher"}


def test_cold_run_loads_nothing_unused(place: World) -> None:
    """With a cached profile: no TOML, validation, command line parser or keyring library."""
    with Sandbox(lifetime=0) as sandbox:
        place.config.write_text(sandbox.render_config(state_dir=str(place.state)))
        os.utime(place.config, (1, 1))
        loaded(script(), "get", "groupid", environ=place.environ)
        before = sandbox.database.token_requests
        modules, out = loaded(script(), "get", "groupid", environ=place.environ)
        assert sandbox.database.token_requests == before + 1
    assert out.startswith("eyJ")
    assert TOKENS["p"] not in out
    tops = modules | {name.split(".")[0] for name in modules}
    assert tops & UNUSED == set()


def test_request_loads_little_more_than_get(place: World) -> None:
    """With a stored token: no TOML, validation, command line parser or diagnosis.

    Each reply is looked at for a nonce of DPoP, which is read by the module that makes proofs.
    """
    with Sandbox() as sandbox:
        place.config.write_text(sandbox.render_config(state_dir=str(place.state)))
        os.utime(place.config, (1, 1))
        words = ("request", "groupid", "me")
        loaded(script(), *words, environ=place.environ)
        modules, out = loaded(script(), *words, environ=place.environ)
    assert '"subject"' in out
    tops = modules | {name.split(".")[0] for name in modules}
    assert tops & UNUSED == {"tokencli.oauth.dpop", "tokencli.jwt.sign"}
    assert {name for name in modules if name.startswith("tokencli.diagnosis")} == set()


def test_names_need_no_validation(place: World) -> None:
    """Completion without a cached list reads the configuration, but loads no pydantic."""
    modules, out = loaded(script(), "completion", "--profiles", environ=place.without_copies())
    assert out == "p\nq.2\n"
    tops = {name.split(".")[0] for name in modules}
    assert "tomllib" in tops
    assert tops & {"pydantic", "typer", "rich", "requests"} == set()


def test_list_of_profiles_loads_no_other_command(place: World) -> None:
    """It validates and looks into the stores, but needs no command line parser and no HTTP."""
    modules, out = loaded(script(), "profiles", environ=place.environ)
    assert out.startswith("NAME")
    tops = {name.split(".")[0] for name in modules}
    assert tops & {"typer", "rich", "requests", "tomlkit", "prompt_toolkit"} == set()


def test_validation_reads_no_source_code() -> None:
    """Descriptions come from docstrings, which are parsed only for the JSON Schema and the reference."""
    config = """
        [providers.own]
        title = "Own"
        endpoints.token = "https://{host}/login"
        fields.host.kind = "host"
        reply.access_token = "token"
        request = { body = "json", send = { user = "{username}", password = "{password}" } }
        [profiles.p]
        provider = "own"
        host = "a.example"
        username = "u"
        [profiles.q]
        provider = "oauth2"
        issuer = "https://a.example"
        client_id = "c"
    """
    code = (
        "import linecache, pathlib, sys\n"
        "from tokencli.config.load import Config\n"
        "config = Config(pathlib.Path('/config.toml'), sys.argv[1], {})\n"
        "print([config.get_profile(name).name for name in config.profile_names()])\n"
        "print([name for name in linecache.cache if name != '<string>'])"  # -c itself, since 3.13
    )
    done = subprocess.run(
        [sys.executable, "-c", code, config], capture_output=True, text=True, check=True
    )
    assert done.stdout == "['p', 'q']\n[]\n"
