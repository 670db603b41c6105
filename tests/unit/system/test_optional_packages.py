"""The command that adds an optional package works in the environment that tokencli runs in."""

import sys
from pathlib import Path

import pytest

from tokencli.system import optional_packages
from tokencli.system.optional_packages import build_package_command


def find_all(program: str) -> str:
    """Find every program."""
    return f"/usr/bin/{program}"


def find_none(program: str) -> None:
    """Find no program."""


@pytest.fixture
def without_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment as uv makes one."""
    real = optional_packages.find_spec
    monkeypatch.setattr(
        optional_packages, "find_spec", lambda name: None if name == "pip" else real(name)
    )


def test_environment_of_pipx(tmp_path: Path) -> None:
    """Pipx gets to know of the package, under the name of its environment."""
    prefix = tmp_path / "tokencli-dev"
    prefix.mkdir()
    (prefix / "pipx_metadata.json").touch()
    command = build_package_command("aiohttp", prefix=str(prefix), find=find_all)
    assert command == "pipx inject tokencli-dev aiohttp"


def test_environment_of_pipx_without_pipx(tmp_path: Path) -> None:
    """Pipx isn't suggested if it can't be run; its environments can use pip."""
    (tmp_path / "pipx_metadata.json").touch()
    command = build_package_command("aiohttp", prefix=str(tmp_path), find=find_none)
    assert command == f"{sys.executable} -m pip install aiohttp"


def test_environment_of_uv_tool(tmp_path: Path) -> None:
    """Uv installs into the tool's environment, even if that has a pip."""
    (tmp_path / "uv-receipt.toml").touch()
    command = build_package_command("aiohttp", prefix=str(tmp_path), find=find_all)
    assert command == f"uv pip install --python {sys.executable} aiohttp"


@pytest.mark.usefixtures("without_pip")
def test_environment_without_pip() -> None:
    """Pip isn't suggested where it is missing; without uv it is installed first."""
    command = build_package_command("aiohttp", find=find_all)
    assert command == f"uv pip install --python {sys.executable} aiohttp"
    command = build_package_command("aiohttp", find=find_none)
    assert command == (f"{sys.executable} -m ensurepip && {sys.executable} -m pip install aiohttp")


def test_environment_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip refuses to change it, so nothing is suggested."""
    monkeypatch.setattr(optional_packages, "_is_managed_by_system", lambda: True)
    assert build_package_command("aiohttp", find=find_none) is None
