"""The unit, compose file and pod of the page Keep: checked by their own tools, and their commands run."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from tests.conftest import IN_CI, script
from tests.e2e.consumers.keeper import Keeper, first_token, keep, managing, wait_until
from tokencli.commands.help import read_page
from tokencli.sandbox.server import Sandbox

__all__ = ["keep"]

MAX_EXPOSURE = 2.0
"""What `systemd-analyze security` says of the unit, from 0 to 10; services that set nothing have 9.6."""
STOP_EXIT_CODES = "2 3 4 5"


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a sandbox and use its configuration."""
    with Sandbox() as running:
        monkeypatch.setenv("TOKENCLI_CONFIG", running.config_file)
        yield running


def read_block(language: str, first_line: str) -> str:
    """Return the code block of the page that begins with this line."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", read_page("keep"), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if block.startswith(first_line))
    return str(found)


def read_unit() -> str:
    return read_block("ini", "# /etc/systemd/system/tokencli-groupid.service\n")


def read_setting(name: str) -> str:
    """Return the value of a setting in the unit."""
    found = re.search(rf"^{name}=(.*)$", read_unit(), re.MULTILINE)
    assert found is not None
    return found[1]


def read_compose() -> dict[str, Any]:
    return dict(yaml.safe_load(read_block("yaml", "# compose.yaml\n")))


def read_pod() -> dict[str, Any]:
    return dict(yaml.safe_load(read_block("yaml", "# pod.yaml\n")))


@pytest.fixture
def unit_file(tmp_path: Path) -> Path:
    """The unit as a file, with a program that exists."""
    path = tmp_path / "tokencli-groupid.service"
    path.write_text(read_unit().replace("/usr/local/bin/tokencli", script()))
    return path


needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None and not IN_CI, reason="apt-get install systemd"
)


@needs_systemd
def test_systemd_accepts_the_unit(unit_file: Path) -> None:
    """systemd knows every setting and value."""
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit_file], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_systemd
def test_the_unit_is_hardened(unit_file: Path) -> None:
    """systemd's own assessment of the unit's isolation is OK."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", unit_file],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None and float(found[1]) <= MAX_EXPOSURE, done.stdout


def test_the_unit_runs(sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path) -> None:
    """ExecStart makes the service ready, ExecReload renews the token, and a stop is no failure."""
    program, command, *words = shlex.split(read_setting("ExecStart"))
    assert (program, command) == ("/usr/local/bin/tokencli", "keep")
    arguments = [
        word.replace("/run/tokencli", str(tmp_path)).replace(
            "/etc/tokencli/config.toml", sandbox.config_file
        )
        for word in words
    ]
    address = str(tmp_path / "notify")
    with managing(address) as manager:
        keeper = keep(*arguments, env={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "60000000"})
        manager.receive_until("READY=1")
        path = tmp_path / "groupid"
        token = path.read_text()
        assert path.stat().st_mode & 0o777 == 0o640
        reload = ["sh", "-c", read_setting("ExecReload")]
        subprocess.run(reload, env={**os.environ, "MAINPID": str(keeper.process.pid)}, check=True)
        manager.receive_until("RELOADING=1")
        manager.receive_until("READY=1")
        assert path.read_text() != token
        assert keeper.end() == 0


def test_the_unit_does_not_restart_for_a_wrong_password(
    sandbox: Sandbox, keep: Callable[..., Keeper], tmp_path: Path
) -> None:
    """The exit code of refused credentials is one of those after which systemd starts nothing."""
    (sandbox.directory / "groupid.password").write_text("canary-of-a-password")
    code = keep("groupid", "--to", str(tmp_path / "token")).wait_for_end()
    assert read_setting("RestartPreventExitStatus") == STOP_EXIT_CODES
    assert str(code) in STOP_EXIT_CODES.split()


def test_credentials_of_the_unit_are_those_of_its_configuration() -> None:
    """Each credential that systemd loads is a file that the profile names."""
    names = re.findall(r"^LoadCredential=(\w+):", read_unit(), re.MULTILINE)
    configuration = read_block("toml", "isolated = true\n")
    directory = "/run/credentials/tokencli-groupid.service"
    assert names == ["password", "client_secret"]
    assert all(f'{name} = {{ file = "{directory}/{name}" }}' in configuration for name in names)


def test_compose_file_is_valid() -> None:
    """It follows the compose specification, strictly: unknown keys are errors."""
    text = read_block("yaml", "# compose.yaml\n")
    PyCompose.from_yaml(text)
    with pytest.raises(ValueError, match="healthchek"):
        PyCompose.from_yaml(text.replace("healthcheck:", "healthchek:"))


def test_pod_is_valid() -> None:
    """It follows the schema of Kubernetes, strictly: unknown keys are errors."""
    version, pod = kubernetes_validate.latest_version(), read_pod()
    kubernetes_validate.validate(pod, version, strict=True)
    pod["spec"]["initContainers"][0]["startupProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="startupProb"):
        kubernetes_validate.validate(pod, version, strict=True)


def read_compose_service() -> tuple[list[str], list[str]]:
    service = read_compose()["services"]["token"]
    marker, *probe = service["healthcheck"]["test"]
    assert marker == "CMD"
    return service["command"], probe


def read_pod_container() -> tuple[list[str], list[str]]:
    (container,) = read_pod()["spec"]["initContainers"]
    assert container["restartPolicy"] == "Always"
    return container["args"], container["startupProbe"]["exec"]["command"]


@pytest.mark.parametrize("read", [read_compose_service, read_pod_container])
def test_container_becomes_healthy(
    sandbox: Sandbox,
    keep: Callable[..., Keeper],
    tmp_path: Path,
    read: Callable[[], tuple[list[str], list[str]]],
) -> None:
    """The container's command writes the token, which is what its health check waits for."""
    arguments, probe = read()

    def is_healthy() -> bool:
        return subprocess.run(move(probe), check=False).returncode == 0

    def move(words: Sequence[str]) -> list[str]:
        return [word.replace("/tokens", str(tmp_path)) for word in words]

    command, *words = move(arguments)
    assert command == "keep"
    (sandbox.directory / "groupid.password").rename(tmp_path / "password")
    keeper = keep(*words)
    keeper.wait_for("error: ")
    assert not is_healthy()
    (tmp_path / "password").rename(sandbox.directory / "groupid.password")
    wait_until(is_healthy)
    assert first_token(tmp_path / "groupid" / "token")
    assert keeper.end() == 0


def test_containers_share_the_volume() -> None:
    """The application reads the volume that the sidecar writes, and starts when the token is there."""
    services = read_compose()["services"]
    assert services["app"]["depends_on"]["token"]["condition"] == "service_healthy"
    assert services["app"]["volumes"] == ["tokens:/tokens:ro"]
    pod = read_pod()["spec"]
    mounts = [
        each["mountPath"]
        for container in (*pod["initContainers"], *pod["containers"])
        for each in container["volumeMounts"]
        if each["name"] == "tokens"
    ]
    assert mounts == ["/tokens", "/tokens"]
    (volume,) = (each for each in pod["volumes"] if each["name"] == "tokens")
    assert volume["emptyDir"]["medium"] == "Memory"
