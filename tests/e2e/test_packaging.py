"""The documented ways to install the program, each carried out, and the versions that it supports.

The tools and the dependencies come from PyPI.
"""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.bench.scripts import empty_script
from tests.fast_path_world import World, world
from tests.unit.test_imports_budget import HOT, UNUSED, loaded
from tokencli import __version__

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
ENVIRON = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("XDG_", "PYTHON", "VIRTUAL_ENV", "PYTEST_", "TOKENCLI_"))
}
"""The environment before a test changes it: it says where packages and their CA come from."""
SHARED_DATA = {
    "share/man/man1/tokencli.1",
    "share/bash-completion/completions/tokencli",
    "share/zsh/site-functions/_tokencli",
    "share/fish/vendor_completions.d/tokencli.fish",
}
LOWEST_SUITE = (
    "tests/unit/net/test_tls_context.py",
    "tests/unit/net/test_proxy.py",
    "tests/unit/jwt/test_verify.py",
    "tests/unit/oauth/test_client_authentication.py",
    "tests/unit/oauth/test_dpop.py",
    "tests/unit/providers/test_template_values.py",
    "tests/unit/config/test_config_file.py",
    "tests/unit/importers/test_document.py",
    "tests/unit/secret_sources/test_keyring_client.py",
    "tests/unit/system/test_user_dirs.py",
    "tests/unit/terminal/test_prompts.py",
    "tests/unit/terminal/test_qr_code.py",
    "tests/unit/commands/test_tables.py",
    "tests/contract/test_sandbox_systems.py",
)
"""Tests that use each dependency."""
PYTHON_SUITE = (
    "tests/unit/net/test_tls_context.py",
    "tests/unit/system/test_signals.py",
    "tests/unit/system/test_timeout.py",
    "tests/unit/terminal/test_console_while_waiting.py",
    "tests/unit/config/test_config_file.py",
    "tests/unit/test_imports_budget.py",
)
"""Tests of what differs among versions of Python: signals, threads, TLS, terminals, imports."""

Shell = Callable[..., str]


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the packaging tools and return the directory of their commands."""
    venv = tmp_path_factory.mktemp("tools") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    subprocess.run(
        [venv / "bin" / "pip", "install", "-q", "build", "pipx", "shiv", "uv"],
        env=ENVIRON,
        check=True,
    )
    return venv / "bin"


@pytest.fixture
def shell(tools: Path, tmp_path: Path) -> Shell:
    """Run a line of a page in the repository, with the tools and what they install in PATH."""
    home = tmp_path / "new-home"
    home.mkdir()

    def run(line: str, cwd: Path = ROOT) -> str:
        path = os.pathsep.join([str(home / ".local/bin"), str(tools), ENVIRON["PATH"]])
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=cwd,
            env={**ENVIRON, "HOME": str(home), "PATH": path, "UV_CACHE_DIR": str(tools / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture
def place() -> Iterator[World]:
    """Provide an environment with cached tokens."""
    with world() as made:
        made.make()
        yield made


def documented(pattern: str, page: str) -> str:
    """Return the one line of a page's code that matches."""
    (line,) = re.findall(rf"^{pattern}$", (ROOT / page).read_text(), re.MULTILINE)
    return str(line)


def minor_version(python: str) -> str:
    """Return `3.13` for an interpreter."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def other_pythons() -> dict[str, str]:
    """Find the supported interpreters on this machine, besides the running version."""
    candidates = [
        *Path.home().glob(".pyenv/versions/*/bin/python3"),
        *(Path(folder) / f"python3.{minor}" for folder in os.get_exec_path() for minor in range(11, 20)),
    ]  # fmt: skip
    found = {minor_version(str(path)): str(path) for path in candidates if path.exists()}
    own = "{}.{}".format(*sys.version_info[:2])
    return {
        version: path
        for version, path in found.items()
        if re.fullmatch(r"3\.1[1-9]", version) and version != own
    }


OTHER_PYTHONS = other_pythons()


@pytest.mark.parametrize("tool", ["pipx", "uv tool"])
def test_the_documented_installation(tool: str, shell: Shell, tmp_path: Path) -> None:
    """README and manual have the same command; after it, the program works, with its man page."""
    line = documented(rf"{tool} install .*", "README.md")
    assert line == documented(rf"{tool} install .*", "tokencli/manual/getting-started.md")
    shell(line)
    assert shell("command -v tokencli").startswith(str(tmp_path))
    assert shell("tokencli --version") == f"tokencli {__version__}\n"
    assert shell("tokencli sandbox -- tokencli get groupid").startswith("eyJ")
    if tool == "pipx":
        assert (tmp_path / "new-home/.local/share/man/man1/tokencli.1").exists()


def test_a_wheel_from_the_source_distribution(shell: Shell, tmp_path: Path) -> None:
    """`python -m build` makes both; the wheel has the man page and the completions."""
    shell(f"python -m build --outdir {tmp_path}/dist .")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (source,) = (tmp_path / "dist").glob("*.tar.gz")
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split(".data/data/")[1] for n in names if ".data/data/" in n} == SHARED_DATA
    assert "tokencli/py.typed" in names
    with tarfile.open(source) as archive:
        top = {name.split("/")[1] for name in archive.getnames() if "/" in name}
    assert {"pyproject.toml", "README.md", "LICENSE", "tokencli", "tests"} <= top


def test_a_single_file(shell: Shell, tmp_path: Path, place: World, tools: Path) -> None:
    """The documented zipapp works, and a warm `get` adds nothing to shiv's own start but four modules."""
    line = documented(r"pipx run shiv .*", "tokencli/manual/platforms.md")
    shell(line.replace("tokencli.pyz .", f"{tmp_path}/tokencli.pyz ."))
    program = tmp_path / "new-home" / ".local" / "bin" / "tokencli"
    program.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "tokencli.pyz").rename(program)
    assert shell("tokencli sandbox -- tokencli get groupid").startswith("eyJ")

    environ = {**place.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    environ["SHIV_ROOT"] = str(tmp_path / "extracted")
    loaded(str(program), "get", "p", environ=environ)  # extracts the file
    warm, out = loaded(str(program), "get", "p", environ=environ)
    assert out
    assert {name for name in warm if name.split(".")[0] == "tokencli"} <= HOT
    assert {name.split(".")[0] for name in warm} & (UNUSED | {"requests", "urllib3"}) == set()
    bare, _ = loaded(str(empty_script(tmp_path)), environ=place.environ)
    third_party = {name for name in warm - bare - HOT if "site-packages" in name}
    assert third_party == set()


def test_the_lowest_versions_of_dependencies(tools: Path, tmp_path: Path) -> None:
    """The bounds in pyproject.toml are true: a part of the suite passes with exactly these versions."""
    python = make_environment(tools, tmp_path, sys.executable, "--resolution", "lowest-direct")
    listed = subprocess.run(
        [tools / "uv", "pip", "freeze", "--python", python],
        env=ENVIRON, capture_output=True, text=True, check=True,
    ).stdout.lower()  # fmt: skip
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in project["dependencies"]:
        ((name, bound),) = re.findall(r"^([\w-]+)>=([\d.]+)(?:;.*)?$", requirement)
        if "win32" not in requirement:
            name = name.replace("_", "-")
            assert re.search(rf"^{name}=={re.escape(bound)}(\.0)*$", listed, re.MULTILINE), listed
    run_suite(python, LOWEST_SUITE)


@pytest.mark.parametrize("version", sorted(OTHER_PYTHONS))
def test_other_versions_of_python(version: str, tools: Path, tmp_path: Path) -> None:
    """A part of the suite passes with each supported version of Python that is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]
    run_suite(make_environment(tools, tmp_path, OTHER_PYTHONS[version]), PYTHON_SUITE)


def make_environment(tools: Path, folder: Path, python: str, *options: str) -> Path:
    """Make a virtual environment with the program and what its tests need; return its Python."""
    uv = [str(tools / "uv"), "--cache-dir", str(tools / "cache"), "-q"]
    subprocess.run([*uv, "venv", "--python", python, folder / "venv"], env=ENVIRON, check=True)
    found = folder / "venv" / "bin" / "python"
    subprocess.run(
        [*uv, "pip", "install", "--python", found, *options, "-e", ".[test]"],
        cwd=ROOT, env=ENVIRON, check=True,
    )  # fmt: skip
    return found


def run_suite(python: Path, tests: tuple[str, ...]) -> None:
    """Run tests with that interpreter, in one process."""
    done = subprocess.run(
        [python, "-m", "pytest", "-n", "0", "-m", "not long", *tests],
        cwd=ROOT, env=ENVIRON, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
