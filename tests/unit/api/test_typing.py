"""The Python API to a type checker: what mypy knows of an installed tokencli is what it is."""

import inspect
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

import tokencli
from tests.commands.test_documents import MANUAL, README, fences

GIVEN = 'url: str = ""\nca_file: str = ""\n'
"""What the examples leave to the reader."""
WRONG = {
    'tokencli.token("p").decode()': "attr-defined",
    "tokencli.token(min_ttl=object())": "arg-type",
    'tokencli.token("p", "config.toml")': "call-arg",
    "tokencli.TokenAuth(5)": "arg-type",
    "tokencli.HttpxTokenAuth(profil='p')": "call-arg",
    "tokencli.inspect('x').expiry": "attr-defined",
    "tokencli.TokencliError('x').exit_kode": "attr-defined",
    "tokencli.nothing": "attr-defined",
    'httpx.get("", auth=tokencli.TokenAuth)': "arg-type",
}
"""A wrong use -> the code of mypy's error."""
USES = """
from datetime import timedelta
from pathlib import Path
from typing import assert_type

import httpx
import requests
import tokencli
from tokencli.errors import TokencliError

text = tokencli.token("p", config=Path("c"), scope="a b", min_ttl=timedelta(minutes=5), force=True)
assert_type(text, str)
assert_type(tokencli.token(min_ttl="5m"), str)
session = requests.Session()
session.auth = tokencli.TokenAuth("p", min_ttl=300, scope="a")
assert_type(requests.get("", auth=session.auth), requests.Response)
assert_type(httpx.Client(auth=tokencli.HttpxTokenAuth(config="c")), httpx.Client)
found = tokencli.inspect(text)
assert_type(found, tokencli.Inspection)
assert_type(found.expires_at, float | None)
assert_type(found.scopes, tuple[str, ...])
try:
    pass
except tokencli.RefusedError as error:
    assert_type(error.status, int | None)
    assert_type(error.exit_code, int)
    base: TokencliError = error
    assert_type(base.fix, str | None)
"""


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a wheel of tokencli, and return the Python of that environment.

    The other packages are those of the running Python.
    """
    hatchling = pytest.importorskip("hatchling.builders.wheel")
    folder = tmp_path_factory.mktemp("installed")
    builder = hatchling.WheelBuilder(str(MANUAL.parents[1]))
    wheel = next(builder.build(directory=str(folder), versions=["standard"]))
    venv.create(folder / "venv", with_pip=False)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv" / "bin" / "python"


def check(checker: Path, folder: Path, programs: list[str]) -> str:
    """Return what `mypy --strict` says about programs that use the installed package."""
    for number, text in enumerate(programs):
        (folder / f"program{number}.py").write_text(text)
    names = [f"program{number}.py" for number in range(len(programs))]
    cache = checker.parents[2] / "cache"
    options = ["--strict", "--cache-dir", str(cache), "--python-executable", str(checker)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *names],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout


def test_examples_are_typed(checker: Path, tmp_path: Path) -> None:
    """`mypy --strict` accepts each Python example of README and manual.

    Those for pytest are left out, as tests are usually written without annotations.
    """
    pages = [README, *sorted(MANUAL.glob("*.md"))]
    texts = [text for page in pages for text in fences(page, "python")]
    examples = [GIVEN + text for text in texts if "tokencli_sandbox" not in text]
    assert len(examples) >= 7
    assert check(checker, tmp_path, examples).startswith("Success: no issues found")


def test_types_are_those_of_the_manual(checker: Path, tmp_path: Path) -> None:
    """Every argument and result has its type, not `Any` or `object`."""
    assert check(checker, tmp_path, [USES]).startswith("Success: no issues found")


def test_wrong_uses_are_found(checker: Path, tmp_path: Path) -> None:
    """A wrong argument, attribute or name is an error of its line."""
    text = "import httpx\nimport tokencli\n" + "".join(f"{line}\n" for line in WRONG)
    found = check(checker, tmp_path, [text])
    for number, (line, code) in enumerate(WRONG.items(), 3):
        assert any(
            at.startswith(f"program0.py:{number}: error:") and at.endswith(f"[{code}]")
            for at in found.splitlines()
        ), f"{line}\n{found}"


@pytest.mark.parametrize("name", [*tokencli.__all__, "HttpxTokenAuth"])
def test_every_public_name_is_documented(name: str) -> None:
    """Each class and function has a docstring, and the functions name their arguments in it."""
    public = getattr(tokencli, name)
    assert inspect.getdoc(public)
    if inspect.isfunction(public):
        text = public.__doc__ or ""
        assert all(argument in text for argument in inspect.signature(public).parameters)


def test_running_code_is_what_type_checkers_read() -> None:
    """mypy's stubtest finds no difference in names, arguments and defaults."""
    modules = ["tokencli.api", "tokencli.errors"]
    settings = Path(__file__).parents[3] / "pyproject.toml"
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "--mypy-config-file", settings, *modules],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_lazy_names_are_those_that_type_checkers_read() -> None:
    """What `tokencli/__init__.py` imports for type checkers can be imported, and there is no more."""
    text = Path(tokencli.__file__).read_text(encoding="utf-8")
    imported = [
        line.split(" import ")[1].split(" as ")[0]
        for line in text.splitlines()
        if line.startswith("    from tokencli") and " as " in line
    ]
    assert sorted(imported) == sorted([*tokencli.__all__, "HttpxTokenAuth"])
