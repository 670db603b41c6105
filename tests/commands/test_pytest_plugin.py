"""The pytest fixture `tokencli_sandbox`, in the test run of another project."""

import os
import re
import socket
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tokencli.commands.help import read_page

PYTHON_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_pytest(
    project: Path, text: str, *options: str, conftest: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project with one test module."""
    project.mkdir(exist_ok=True)
    (project / "test_it.py").write_text(text)
    (project / "conftest.py").write_text(conftest)
    (project / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_examples_of_the_manual_pass(tmp_path: Path) -> None:
    """The page's tests and its conftest.py work as they are written."""
    tests, conftest = PYTHON_BLOCK.findall(read_page("sandbox"))
    done = run_pytest(tmp_path / "project", tests, conftest="")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    own = (
        "import subprocess, tokencli\n"
        "def test_bob(tokencli_sandbox):\n"
        "    subprocess.run(['tokencli', 'login', 'corp'], check=True)\n"
        "    token = tokencli.token('corp')\n"
        "    issued = tokencli_sandbox.issued_tokens[-1]\n"
        "    assert (issued.token, issued.subject, issued.state) == (token, 'bob', 'active')\n"
        "    assert issued.expires_at - issued.issued_at == 300\n"
        "    assert tokencli_sandbox.users['bob'].password == 'made-up'\n"
        "    assert 'corp' in tokencli_sandbox.profiles\n"
        "    assert tokencli_sandbox.requests[-1].kind == 'token'\n"
    ).replace(
        "'tokencli', 'login'", f"{str(Path(sys.executable).with_name('tokencli'))!r}, 'login'"
    )
    done = run_pytest(tmp_path / "project", own, conftest=conftest)
    assert done.returncode == 0, done.stdout


def test_each_test_has_its_own_sandbox_also_in_parallel(tmp_path: Path) -> None:
    """With pytest-xdist no test sees another one's tokens, port or files."""
    text = (
        "import os, pytest, tokencli\n"
        "@pytest.mark.parametrize('number', range(8))\n"
        "def test_own(number, tokencli_sandbox):\n"
        "    assert tokencli_sandbox.issued_tokens == ()\n"
        "    assert os.environ['TOKENCLI_CONFIG'] == tokencli_sandbox.config_file\n"
        "    token = tokencli.token('oauth2')\n"
        "    assert [each.token for each in tokencli_sandbox.issued_tokens] == [token]\n"
    )
    done = run_pytest(tmp_path / "project", text, "-n", "4")
    assert done.returncode == 0, done.stdout
    assert "8 passed" in done.stdout


def test_environment_and_files_are_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a test, failed or not, variables are restored and no file or token is left."""
    monkeypatch.setenv("TOKENCLI_PROFILE", "mine")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    text = (
        "import os, tokencli\n"
        "BEFORE = dict(os.environ)\n"
        "def test_fails(tokencli_sandbox):\n"
        "    assert 'TOKENCLI_PROFILE' not in os.environ\n"
        "    tokencli.token()\n"
        "    assert not os.environ['SANDBOX_URL']\n"
        "def test_after():\n"
        "    now = {k: v for k, v in os.environ.items() if k != 'PYTEST_CURRENT_TEST'}\n"
        "    assert now == {k: v for k, v in BEFORE.items() if k != 'PYTEST_CURRENT_TEST'}\n"
    )
    done = run_pytest(tmp_path / "project", text)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert list((tmp_path / "tmp").glob("tokencli-*")) == []
    runtime = Path(os.environ["XDG_RUNTIME_DIR"])
    assert [path for path in runtime.rglob("*") if path.is_file()] == []


def test_other_test_runs_are_not_affected(tmp_path: Path) -> None:
    """Where the fixture isn't used, only the plugin's own module is imported."""
    (plugin,) = entry_points(group="pytest11", name="tokencli")
    assert plugin.value == "tokencli.pytest_plugin"
    text = (
        "import sys\n"
        "def test_it():\n"
        "    ours = {name for name in sys.modules if name.startswith('tokencli')}\n"
        "    assert ours == {'tokencli', 'tokencli.pytest_plugin'}\n"
        "    assert not {'requests', 'pydantic', 'typer', 'joserfc', 'trustme'} & set(sys.modules)\n"
    )
    done = run_pytest(tmp_path / "project", text)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"users": {"users": {"bob": {"pasword": "x"}}}}, "did you mean password?"),
        ({"users": "absent.toml"}, "can't read --users absent.toml"),
        ({"sign_in": "alcie"}, "did you mean alice?"),
        ({"lifetimes": "5m"}, "unknown option 'lifetimes'"),
        ({"user": "users.toml"}, "did you mean users?"),
        ({"users": 5}, "must be a file or a mapping, not int"),
        ({"sign_in": 5}, "there is no such user"),
        ({"port": "8443"}, "must be a number from 0 to 65535"),
        ({"port": 65536}, "must be a number from 0 to 65535"),
        (None, "must return a dictionary"),
    ],
)
def test_wrong_options_are_explained(tmp_path: Path, options: object, said: str) -> None:
    """The test fails with what is wrong and what was probably meant, without a traceback."""
    conftest = (
        f"import pytest\n@pytest.fixture\ndef tokencli_sandbox_options():\n    return {options!r}\n"
    )
    done = run_pytest(
        tmp_path / "project", "def test_it(tokencli_sandbox): ...\n", conftest=conftest
    )
    assert "1 error" in done.stdout and "Traceback" not in done.stdout
    assert "During handling" not in done.stdout and "pytest_plugin.py" not in done.stdout
    assert said in done.stdout


def test_port_in_use_is_explained(tmp_path: Path) -> None:
    """The test fails with the address, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        text = (
            "import pytest\n@pytest.fixture\n"
            f"def tokencli_sandbox_options():\n    return {{'port': {port}}}\n"
            "def test_it(tokencli_sandbox): ...\n"
        )
        done = run_pytest(tmp_path / "project", text)
    assert f"can't listen on 127.0.0.1:{port}" in done.stdout
    assert "pytest_plugin.py" not in done.stdout
