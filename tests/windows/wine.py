"""A Windows installation with CPython in Wine, made of packages from registries and cached.

`with Windows(folder) as windows:` copies it, installs the built wheel in it, and
`windows.tokencli("get", "x")` runs the console script as a process. CPython for Windows comes from
Maven Central, the dependencies from PyPI; what Wine 8 lacks is compiled here by MinGW.
"""

import inspect
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from filelock import FileLock

from tests.conftest import IN_CI, Result
from tokencli.sandbox.server import Sandbox

ROOT = Path(__file__).parent.parent.parent
CACHE = Path.home() / ".cache" / "tokencli-tests"
"""Where the installation is kept; read before any test is given a home of its own."""
INSTALL = "apt-get install -y --no-install-recommends wine wine64 gcc-mingw-w64-x86-64 maven"
PROGRAMS = ("wine", "wineserver", "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-objdump", "mvn")

CPYTHON = "org.bytedeco:cpython:3.11.3-1.5.9:jar:windows-x86_64"
"""The whole CPython for Windows, as JavaCPP's preset ships it."""
IN_JAR = "org/bytedeco/cpython/windows-x86_64"
UNUSED = (
    "include",
    "libs",
    "share",
    "bin",
    "lib/test",
    "lib/idlelib",
    "lib/tkinter",
    "lib/lib2to3",
)
WINDOWS_ONLY = ("colorama", "pywin32-ctypes", "tzdata")
"""Distributions that dependencies have for Windows only, so that pip leaves them out on Linux."""
LINUX_ONLY = ("secretstorage", "jeepney")
"""Packages that dependencies have for Linux only, which pip brings along."""
EXTRAS = ("httpx", "proxy")

ENVIRONMENT = {
    "WINEDEBUG": "-all",
    "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYDANTIC_DISABLE_PLUGINS": "1",  # there are none; looking for them is a tenth of a start
    "LC_ALL": "C.UTF-8",  # how Wine reads arguments and names of files
}


def summary() -> str | None:
    """Return one line about the tests that are left out and how to install what they need, or None."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if not absent:
        return None
    return f"left out: the tests under Wine, for want of {absent[0]}; to have them: {INSTALL}"


def require() -> None:
    """Skip the test if Wine or what the installation is made with is missing; in CI, fail it."""
    if line := summary():
        if IN_CI:
            pytest.fail(line)
        pytest.skip(line)


@cache
def installation() -> Path:
    """Return the folder with `python` and `prefix` (a WINEPREFIX), making both the first time.

    It is made elsewhere and renamed, so that it is there whole or not at all.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    place = CACHE / f"wine-{_inputs()}"
    if place.exists():
        return place
    with FileLock(CACHE / "wine.lock"):
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=CACHE, prefix="wine-") as made:
                _make(Path(made))
                Path(made, "made").rename(place)
    return place


def _inputs() -> str:
    digest = sha256(repr((CPYTHON, _requirements(), _call("wine", "--version"))).encode())
    for source in (*map(inspect.getsource, (_make, _forward)), _shim().read_text(encoding="ascii")):
        digest.update(source.encode())
    return digest.hexdigest()[:16]


def _shim() -> Path:
    return Path(__file__).with_name("bcryptprimitives.c")


def _requirements() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = (project["dependencies"], *(project["optional-dependencies"][e] for e in EXTRAS))
    return [each.partition(";")[0].strip() for found in lists for each in found] + [*WINDOWS_ONLY]


def _make(folder: Path) -> None:
    """Make the installation as `made` in a folder."""
    made = folder / "made"
    python, prefix = made / "python", made / "prefix"
    _call("mvn", "-q", "dependency:copy", f"-Dartifact={CPYTHON}", f"-DoutputDirectory={folder}")
    (jar,) = folder.glob("*.jar")
    shutil.unpack_archive(jar, folder / "jar", "zip")
    (folder / "jar" / IN_JAR).rename(_made_parent(python))
    for name in UNUSED:
        shutil.rmtree(python / name)
    (python / "lib").rename(python / "Lib")
    site = python / "Lib" / "site-packages"
    shutil.rmtree(site)
    for name in ("pip", "setuptools"):
        for path in (python / "Lib").glob(f"{name}*"):
            path.rename(_made_parent(site / path.name))
    (python / "Scripts").mkdir()
    _call(
        *(sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", "--no-compile"),
        *("--platform", "win_amd64", "--python-version", "3.11", "--implementation", "cp"),
        *("--target", str(folder / "site"), *_requirements()),
    )
    for path in (folder / "site").iterdir():
        if not path.name.lower().startswith(LINUX_ONLY) and path.name != "bin":
            path.rename(site / path.name)
    _forward(python / "python3.dll", python / "python311.dll", folder)
    env = {**ENVIRONMENT, "WINEPREFIX": str(prefix)}
    prefix.mkdir()
    system = prefix / "drive_c" / "windows" / "system32"
    gcc = ("x86_64-w64-mingw32-gcc", "-shared", "-O1", "-o")
    # Processes don't find each other's pipes here, so no `-j`.
    compile_all = (
        f"import compileall; compileall.compile_dir({windows_path(python / 'Lib')!r}, quiet=2)"
    )
    try:
        _call("wine", "wineboot", "--init", env=env)
        _call("wine", "winecfg", "-v", "win10", env=env)
        _call(*gcc, str(system / "bcryptprimitives.dll"), str(_shim()), "-ladvapi32")
        _call("wine", str(python / "python.exe"), "-c", compile_all, env=env)
    finally:
        end(env)


def _made_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _forward(library: Path, target: Path, folder: Path) -> None:
    """Make a DLL whose every export is that of another DLL: python3.dll, the stable ABI's name."""
    listed = _call("x86_64-w64-mingw32-objdump", "-p", str(target))
    table = listed.partition("[Ordinal/Name Pointer] Table")[2]
    names = re.findall(r"^\s*\[ *\d+\] (\w+)$", table, re.MULTILINE)
    definition = folder / "python3.def"
    lines = ("EXPORTS", *(f"{name}={target.stem}.{name}" for name in names))
    definition.write_text("\n".join(lines), encoding="ascii")
    _call("x86_64-w64-mingw32-gcc", "-shared", "-nostdlib", "-o", str(library), str(definition))


def _call(*command: str, env: Mapping[str, str] | None = None) -> str:
    """Run a program, without a display or a terminal, and return its output."""
    inherited = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    done = subprocess.run(
        command,
        env={**inherited, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def end(env: Mapping[str, str]) -> None:
    """End all processes of a prefix, and wait until the last has written the registry."""
    for option in ("-k", "-w"):
        subprocess.run(["wineserver", option], env={**os.environ, **env}, check=False)


def windows_path(path: Path) -> str:
    """Return the name of a Linux path on Windows, on the drive Z that is Linux' root directory."""
    return "Z:" + str(path.absolute()).replace("/", "\\")


def build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout in a folder."""
    _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("*.whl")
    return wheel


class Windows:
    r"""A private copy of the installation, as a context manager: C: is copied, the system files are shared.

    Python is in C:\Python311. `install` puts the wheel there with pip for Windows.
    """

    def __init__(self, folder: Path) -> None:
        made = installation()
        self.prefix = folder
        self.drive = folder / "drive_c"
        self.home = self.drive / "users" / pwd.getpwuid(os.geteuid()).pw_name
        self.work = self.home / "work"
        folder.mkdir(parents=True)
        for path in (made / "prefix").iterdir():
            if path.name != "drive_c":
                _copy(path, folder / path.name)
        self.drive.mkdir()
        for path in (made / "prefix" / "drive_c").iterdir():
            if path.name == "users":
                _copy(path, self.drive / path.name)
            else:
                (self.drive / path.name).symlink_to(path)
        self.work.mkdir()
        self.python = self.drive / "Python311"
        self.site = self.python / "Lib" / "site-packages"
        shared = made / "python"
        for real in (self.python, self.python / "Lib", self.site, self.python / "Scripts"):
            real.mkdir()
            for path in (shared / real.relative_to(self.python)).iterdir():
                if path.name not in ("Lib", "site-packages", "Scripts"):
                    (real / path.name).symlink_to(path)

    def __enter__(self) -> "Windows":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end(self.environment())

    def install(self, wheel: Path) -> None:
        """Install a wheel with pip for Windows, whose dependencies are there."""
        arguments = (
            "install",
            "-q",
            "--no-index",
            "--no-warn-script-location",
            windows_path(wheel),
        )
        done = self.run("python", "-m", "pip", *arguments, timeout=120)
        assert done.code == 0, done

    def restore(self) -> None:
        """Take away what the user's programs stored in files."""
        for folder in (self.home / "AppData" / "Local" / "tokencli", self.work):
            shutil.rmtree(folder, ignore_errors=True)
        self.work.mkdir()

    def path(self, path: Path) -> str:
        """Return the name that a file has on Windows: on C:, or else on Z:."""
        if path.is_relative_to(self.drive):
            return "C:\\" + str(path.relative_to(self.drive)).replace("/", "\\")
        return windows_path(path)

    def tokencli(self, *args: str, **options: Any) -> Result:
        """Run the console script."""
        return self.run("tokencli", *args, **options)

    def environment(self, env: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables of a process; Wine adds Windows' own ones."""
        return {
            **{name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ},
            **ENVIRONMENT,
            "WINEPREFIX": str(self.prefix),
            **(env or {}),
        }

    def command(self, *args: str) -> list[str]:
        """Return the Linux command that runs a program; `python` and `tokencli` are those in C:."""
        places = {
            "python": self.python / "python.exe",
            "tokencli": self.python / "Scripts" / "tokencli.exe",
        }
        return ["wine", str(places.get(args[0], args[0])), *args[1:]]

    def run(self, *args: str, **options: Any) -> Result:
        """Run a program with pipes, and return its exit status and its output, which is UTF-8."""
        done = self.run_raw(*args, **options)
        out, err = (each.decode("utf-8", "replace") for each in (done.stdout, done.stderr))
        return Result(done.returncode, out.replace("\r\n", "\n"), err.replace("\r\n", "\n"))

    def run_raw(
        self,
        *args: str,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program with pipes, and return what it wrote as bytes."""
        return subprocess.run(
            self.command(*args),
            env=self.environment(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            cwd=cwd or self.work,
            timeout=timeout,
            check=False,
        )

    def configure(self, sandbox: Sandbox, store: str) -> dict[str, str]:
        """Write a sandbox's configuration for Windows, and return the variable that names it."""
        kept = [
            line.replace('"/', '"Z:/').replace('store = "file"', f'store = "{store}"')
            for line in Path(sandbox.config_file).read_text(encoding="utf-8").splitlines()
            if not line.startswith(("isolated =", "state_dir ="))
        ]
        config = self.work / "config.toml"
        config.write_text("\n".join(kept) + "\n", encoding="utf-8")
        config.chmod(0o600)
        return {"TOKENCLI_CONFIG": self.path(config)}

    def kill(self, program: str) -> None:
        """End all processes of a program by TerminateProcess, which they can't handle."""
        done = self.run("taskkill", "/f", "/im", program)
        assert done.code == 0, done


def _copy(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.copytree(path, target, symlinks=True)
    else:
        shutil.copy2(path, target, follow_symlinks=False)


if __name__ == "__main__":  # `.ci/run` makes it before any test's time runs
    installation()
