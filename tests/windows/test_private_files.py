"""Access lists, DPAPI and the hot copy, under Wine."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Result
from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox

ENCRYPTED = b"tokencli-dpapi-1 S-1-5-"
SLOW_MODULES = {"typer", "pydantic", "keyring", "requests", "platformdirs", "typing", "logging"}
WHICH_MODULES = """
import atexit, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
from tokencli.__main__ import main
sys.argv = ["tokencli", "get", "socialid"]
main()
"""


def list_modes(folder: Path) -> set[tuple[bool, int]]:
    """Return whether each thing in a folder is a directory, and what others than its owner may do.

    Wine maps access lists to modes, and gives the group what the owner has, as far as the umask allows.
    """
    return {(path.is_dir(), path.stat().st_mode & 0o007) for path in folder.rglob("*")}


@pytest.mark.promise("files with tokens have access lists with their user alone", "Wine")
@pytest.mark.promise(
    '`store = "file"` encrypts tokens with DPAPI, and what 0.1 left in clear text', "Wine"
)
def test_stored_tokens_are_private_and_encrypted(windows: Windows, sandbox: Sandbox) -> None:
    """Nobody else can open a file; clear text is replaced, and an error names another user's data."""
    env = windows.configure(sandbox, "file")
    state = windows.home / "AppData" / "Local" / "tokencli"

    def get_stored() -> Result:
        """Print the token of the store, without its hot copy."""
        shutil.rmtree(state / "hot", ignore_errors=True)
        return windows.tokencli("get", "socialid", env=env)

    first = get_stored()
    assert (first.code, first.err) == (0, ""), first
    assert list_modes(state / "tokens") == {(False, 0)}
    assert list_modes(state / "hot") == {(True, 0), (False, 0)}
    (token_file,) = (state / "tokens").iterdir()
    data = token_file.read_bytes()
    assert data.startswith(ENCRYPTED)
    code = (
        "import pathlib, sys; from tokencli import platforms;"
        "path = pathlib.Path(sys.argv[1]); platform = platforms.current();"
        "sys.stdout.buffer.write(platform.decrypt(path.read_bytes(), str(path)))"
    )
    clear = windows.run_raw("python", "-c", code, windows.path(token_file)).stdout
    assert json.loads(clear)["version"] == 1
    token_file.write_bytes(clear)
    token_file.chmod(0o644)  # as 0.1 left it
    token_file.parent.chmod(0o755)
    again = get_stored()
    assert (again.code, again.out, again.err) == (0, first.out, ""), again
    assert token_file.read_bytes().startswith(ENCRYPTED)
    assert list_modes(state / "tokens") == {(False, 0)}
    assert sandbox.database.token_requests == 1
    head, _, blob = data.partition(b"\n")
    token_file.write_bytes(head[:-4] + b"7777\n" + blob)
    foreign = get_stored()
    assert foreign.code == 8, foreign
    assert "encrypted for another user of Windows" in foreign.err
    assert "fix: del " in foreign.err
    token_file.write_bytes(data)
    token_file.chmod(0o644)
    opened = get_stored()
    assert opened.code == 8, opened
    assert "cause: its access list names Everyone" in opened.err
    assert "fix: icacls " in opened.err
    assert "chmod" not in opened.err


@pytest.mark.promise("a warm `get` reads an encrypted hot copy, and loads no library", "Wine")
def test_a_warm_get_loads_nothing(windows: Windows, sandbox: Sandbox) -> None:
    """It prints the same bytes, until the configuration changes or the user logs out."""
    env = windows.configure(sandbox, "keyring")
    first = windows.tokencli("get", "socialid", env=env)
    assert first.code == 0, first
    warm = windows.run("python", "-c", WHICH_MODULES, env=env)
    assert (warm.code, warm.out) == (0, first.out), warm
    loaded = set(warm.err.split())
    assert "ctypes" in loaded
    assert not loaded & SLOW_MODULES
    assert windows.tokencli("get", "socialid", env=env).out == first.out
    config = windows.work / "config.toml"
    config.write_bytes(config.read_bytes())
    cold = windows.run("python", "-c", WHICH_MODULES, env=env)
    assert (cold.code, cold.out) == (0, first.out), cold
    assert "tomllib" in cold.err
    (copy,) = windows.home.rglob("token-socialid")
    assert copy.read_bytes().startswith(ENCRYPTED)
    assert windows.tokencli("logout", "socialid", env=env).code == 0
    assert not copy.exists()


@pytest.mark.promise("long paths, and a `state_dir` on a drive that doesn't exist", "Wine")
def test_odd_state_directories(windows: Windows, sandbox: Sandbox) -> None:
    """A path beyond 260 characters works; a missing drive is named, at once."""
    env = windows.configure(sandbox, "file")
    config = windows.work / "config.toml"
    text = config.read_text(encoding="utf-8")
    long = windows.path(windows.work) + "\\" + "\\".join(["d" * 90] * 3)
    config.write_text(f"state_dir = '{long}'\n{text}", encoding="utf-8")
    first = windows.tokencli("get", "socialid", env=env)
    assert (first.code, first.err) == (0, ""), first
    shutil.rmtree(windows.home / "AppData" / "Local" / "tokencli" / "hot")
    assert windows.tokencli("get", "socialid", env=env).out == first.out
    assert sandbox.database.token_requests == 1
    far = Path(windows.work, *(["d" * 90] * 3), "config.toml")
    shutil.copy(config, far)
    env_far = {"TOKENCLI_CONFIG": windows.path(far)}
    edited = windows.tokencli("profiles", "use", "socialid", env=env_far)
    assert edited.code == 0, edited
    assert 'default_profile = "socialid"' in far.read_text(encoding="utf-8")
    config.write_text(f"state_dir = 'Q:\\none'\n{text}", encoding="utf-8")
    missing = windows.tokencli("get", "socialid", env=env)
    assert missing.code == 8, missing
    assert "there is no drive Q:" in missing.err
