"""pip and uv with `keyring-tokencli` and with a script around it, and uv with its variable."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.conftest import name_apis, script
from tests.e2e.consumers.expiries import set_lifetime, until_expired
from tests.e2e.consumers.registry import Registry, running_registry
from tokencli.commands.help import read_page
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

PACKAGES = [f"demo{letter}" for letter in "abcd"]
UV = Path(sys.executable).with_name("uv")


@pytest.fixture
def index(short_lived: Sandbox, tmp_path: Path) -> Iterator[Registry]:
    """Run an index with some packages (PEP 503)."""
    set_lifetime(short_lived, 6)
    with running_registry(short_lived, tmp_path) as registry:
        for name in PACKAGES:
            wheel = f"{name}-1.0-py3-none-any.whl"
            page = f'<a href="/files/{wheel}">{wheel}</a>'.encode()
            registry.files[f"/simple/{name}/"] = ("text/html", page)
            registry.files[f"/files/{wheel}"] = ("application/zip", make_wheel(name))
        yield registry


def make_wheel(name: str) -> bytes:
    """Return a wheel with one module; each depends on the next, so that they are fetched one by one."""
    number = PACKAGES.index(name)
    requires = "".join(f"Requires-Dist: {each}\n" for each in PACKAGES[number + 1 : number + 2])
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: demo\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return buffer.getvalue()


@pytest.fixture
def environ(index: Registry, tmp_path: Path) -> dict[str, str]:
    """Return an environment with the link `keyring` of the page, for a profile whose API is the index."""
    config = Path(index.sandbox.config_file)
    config.write_text(name_apis(config.read_text(), {"oauth2": f"{index.url}/simple/"}))
    folder = tmp_path / "index-token"
    folder.mkdir()
    (folder / "keyring").symlink_to(Path(script()).with_name("keyring-tokencli"))
    return {
        **os.environ,
        "PATH": os.pathsep.join((str(folder), str(Path(script()).parent), os.environ["PATH"])),
        "PIP_CERT": str(index.ca_file),
        "SSL_CERT_FILE": str(index.ca_file),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def write_script(folder: Path, registry: Registry) -> None:
    """Replace the link by the script of the page, for this index."""
    text = read_page("pip").partition("```text\n")[2].partition("```")[0]
    text = text.replace("--host pypi.example.com", f"--host {registry.url}")
    keyring = folder / "keyring"
    keyring.unlink()
    keyring.write_text(text.replace("--profile corp", "--profile oauth2"))
    keyring.chmod(0o755)


def index_url(registry: Registry, user: str = "oauth2accesstoken@") -> str:
    """Return the URL of the index with a user in it."""
    return registry.url.replace("https://", f"https://{user}") + "/simple/"


def run(*command: str | Path, environ: dict[str, str]) -> str:
    """Run a program that succeeds, and return what it printed."""
    done = subprocess.run(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def assert_secret(registry: Registry, text: str) -> None:
    """Check that no token is in a text."""
    assert registry.sandbox.issued_tokens
    assert not any(token.token in text for token in registry.sandbox.issued_tokens)


def test_tokens_expire_during_an_installation_by_pip(
    index: Registry, environ: dict[str, str], tmp_path: Path
) -> None:
    """pip asks again after each 401; the token is in neither its output nor its log."""
    index.slow_paths = {f"/simple/{name}/" for name in PACKAGES[:3]}
    printed = run(
        *(sys.executable, "-m", "pip", "install", "-vvv", "--no-cache-dir"),
        *("--log", tmp_path / "log", "--target", tmp_path / "out"),
        *("--keyring-provider", "subprocess", "--index-url", index_url(index), PACKAGES[0]),
        environ=environ,
    )
    assert {path.name for path in (tmp_path / "out").glob("*.py")} == {f"{p}.py" for p in PACKAGES}
    states = [token.state for token in index.sandbox.issued_tokens]
    assert states.count("expired") >= 3
    assert index.refusals >= 2
    assert_secret(index, printed + (tmp_path / "log").read_text())


def test_tokens_expire_between_runs_of_uv(
    index: Registry, environ: dict[str, str], tmp_path: Path
) -> None:
    """Each run gets a token that lives long enough: from the script, or in the index's variable."""
    write_script(tmp_path / "index-token", index)
    uv = (UV, "pip", "install", "-vv", "--no-cache", "--no-deps")
    name = PACKAGES[0]
    for number in until_expired(index.sandbox):
        target = tmp_path / str(number)
        with_script = ("--keyring-provider", "subprocess", "--index-url", index_url(index), name)
        printed = run(*uv, "--target", target, *with_script, environ=environ)
        assert (target / f"{name}.py").is_file()

        token = run("tokencli", "get", "oauth2", environ=environ).strip()
        variables = {
            "UV_INDEX_ACME_PASSWORD": token,
            "UV_INDEX_ACME_USERNAME": "oauth2accesstoken",
        }
        named = ("--index", f"acme={index_url(index, user='')}", "--index-strategy", "first-index")
        target = tmp_path / f"{number}-variable"
        printed += run(*uv, "--target", target, *named, name, environ={**environ, **variables})
        assert (target / f"{name}.py").is_file()
        assert_secret(index, printed)
    assert index.refusals == 0


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-m", "pip", "install", "--no-input", "--no-cache-dir"),
        (UV, "pip", "install", "--no-cache"),
    ],
    ids=["pip", "uv"],
)
def test_failure_shows_tokenclis_message(
    command: tuple[str, ...], index: Registry, environ: dict[str, str], tmp_path: Path
) -> None:
    """The installation fails, and the message says why there is no token."""
    index.sandbox.set_faults(fail="503")
    options = ("--target", tmp_path / "out", "--keyring-provider", "subprocess")
    done = subprocess.run(
        [*command, *options, "--index-url", index_url(index), PACKAGES[0]],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert "tokencli: error: " in done.stderr
    assert "refused the request (HTTP 503" in done.stderr
