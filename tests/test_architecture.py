"""The architecture page tells the truth: import directions, circles, libraries and names of modules."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import architecture
from tests.architecture import PACKAGE

MODULES = sorted(PACKAGE.rglob("*.py"))

OUTSIDE = {"fastpath", "net", "proxy", "sandbox", "secret_sources", "terminal", "token_store"}
"""Rooms that implement protocols for the world outside; only `app` and `commands` import them."""
OUTSIDE_MAY_IMPORT = {"platforms", "providers", "system"}
"""Besides protocols, models and errors."""
SYSTEM_USERS = {"app", "commands", "config"}
"""What else may import `system` and `platforms`."""
PURE = {
    "tokencli.config.toml_positions",
    "tokencli.fastpath.reader",
    "tokencli.secret_sources",
    "tokencli.token_store",
    "tokencli.token_store.credential_key",
}
"""Modules without I/O that any room may import: the fast path's rules, two tables, the key, TOML's lines."""
EXCEPTIONS = {
    ("tokencli.token_store.auto", "tokencli.secret_sources.keyring_client"),
    ("tokencli.token_store.keyring", "tokencli.secret_sources.keyring_client"),
}
"""Imports against these rules. Remove a row once its import is gone; add none."""

PLATFORM_NAME_READERS = {
    "fastpath/launcher.py": "a warm `exec` imports nothing but the reader",
    "fastpath/reader.py": "a warm `get` imports nothing but sys, os and time",
    "fastpath/windows_reader.py": "a warm `get` imports it, and mypy checks for Linux",
    "shell_words.py": "errors have commands in them, and import nothing above",
    "system/output_relay.py": "termios is a module of POSIX systems",
    "terminal/line_reader.py": "termios is a module of POSIX systems",
}
"""Modules outside of `platforms` that ask which system this is -> why."""

ONE_DOOR = {
    "requests": {"net", "api"},
    "httpx": {"api"},
    "httpie": {"api"},
    "urllib3": {"net"},
    "truststore": {"net"},
    "typer": {"commands"},
    "rich": {"commands", "terminal"},
    "keyring": {"secret_sources"},
    "tomlkit": {"config"},
    "pydantic": {"config", "providers"},
    "filelock": {"system"},
    "joserfc": {"sandbox", "jwt"},
    "cryptography": {"sandbox", "jwt", "net"},
    "trustme": {"sandbox"},
    "jmespath": {"providers"},
    "segno": {"terminal"},
    "prompt_toolkit": {"terminal"},
    "yaml": {"importers"},
    "aiohttp": {"proxy"},
    "multidict": {"proxy"},
    "yarl": {"proxy"},
    "pytest": {"pytest_plugin"},
}
"""Library -> the only rooms that import it."""


def room(path: Path) -> str:
    """Return the room of a module: its top-level package or module name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def module_name(path: Path) -> str:
    """Return a module's dotted name."""
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    return name.removesuffix(".__init__")


NAMES = {module_name(path) for path in MODULES}


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, anywhere in it; submodules by their own name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for name in node.names:
                submodule = f"{node.module}.{name.name}"
                yield submodule if submodule in NAMES else node.module or ""


def package_imports() -> dict[str, set[str]]:
    """Return which modules of the package each one imports, without the package itself."""
    return {
        module_name(path): {
            name for name in imports(path) if name in NAMES - {"tokencli", module_name(path)}
        }
        for path in MODULES
        if path != PACKAGE / "__init__.py"  # imports the API on first use of `tokencli.get`
    }


def is_allowed(importer: str, imported: str) -> bool:
    """Tell whether the drawing has this import."""
    layers = architecture.read_layers()
    depth = {name: number for number, layer in enumerate(layers) for name in layer}
    user, used = (name.split(".")[1] for name in (importer, imported))
    if user == used or imported in PURE:
        return True
    if user == "platforms":
        return depth.get(used, 0) >= depth["errors"]
    if user == "system" or user in OUTSIDE:
        is_below = used in depth and depth[used] >= depth["protocols"]
        return is_below or used == "platforms" or (user in OUTSIDE and used in OUTSIDE_MAY_IMPORT)
    if used in ("platforms", "system"):
        return user in SYSTEM_USERS
    if used in OUTSIDE:
        others = (("__main__", "fastpath"), ("pytest_plugin", "sandbox"))
        return user in ("app", "commands") or (user, used) in others
    return depth[user] < depth[used]


def test_every_room_is_in_the_drawing() -> None:
    """Each room of the package is a layer or lies outside, and there are no others."""
    drawn = set().union(*architecture.read_layers()) | OUTSIDE | {"platforms", "system"}
    assert drawn == {room(path) for path in MODULES} - {"__init__"}


def test_imports_go_one_way() -> None:
    """A module imports what lies below it, lazily or not; the exceptions can only become fewer."""
    against = {
        (importer, imported)
        for importer, names in package_imports().items()
        for imported in names
        if not is_allowed(importer, imported)
    }
    assert against - EXCEPTIONS == set(), "imports against the drawing in the architecture page"
    assert EXCEPTIONS - against == set(), "no longer needed: remove them from EXCEPTIONS"


def find_circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that import each other, directly or not."""

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for name in graph[waiting.pop()] - seen:
                seen.add(name)
                waiting.append(name)
        return seen

    reach = {name: reachable(name) for name in graph}
    circles = {
        tuple(sorted(other for other in reach[name] if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return [list(circle) for circle in sorted(circles)]


def test_circles_are_found() -> None:
    """The search itself works."""
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_modules_import_each_other() -> None:
    """There is no circle, and imports inside functions or for type checkers count as well."""
    assert find_circles(package_imports()) == []


def test_paths_in_the_page_exist() -> None:
    """Each file and folder that the architecture page names is in the package or in `tests/`."""
    missing = [
        name
        for name in sorted(architecture.list_paths())
        if not ((PACKAGE.parent if name.startswith("tests/") else PACKAGE) / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_one_door(path: Path) -> None:
    """requests, typer, rich and the others are imported by one room each."""
    for name in imports(path):
        rooms = ONE_DOOR.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{room(path)} must not import {name}"


def test_one_room_knows_the_platform() -> None:
    """Outside of `platforms`, no module looks at `sys.platform` or `os.name` without a reason."""

    def asks(path: Path) -> bool:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        return bool(names & {"sys.platform", "os.name", "platform.system"})

    found = {path.relative_to(PACKAGE).as_posix() for path in MODULES if asks(path)}
    readers = {name for name in found if not name.startswith("platforms/")}
    assert readers == set(PLATFORM_NAME_READERS)


def test_fast_path_reader_imports_nothing() -> None:
    """Nothing but sys, os, time and the version, so that a warm `get` is fast."""
    path = PACKAGE / "fastpath" / "reader.py"
    on_windows = "tokencli.fastpath.windows_reader"
    assert set(imports(path)) == {"collections.abc", "os", "sys", "time", "tokencli", on_windows}
    privacy = PACKAGE / "platforms" / "windows_privacy.py"
    assert set(imports(privacy)) == {"collections.abc"}
    assert set(imports(PACKAGE / "fastpath" / "windows_reader.py")) == {
        "collections.abc",
        "os",
        "sys",
        "tokencli.platforms.windows_file_api",
        "tokencli.platforms.windows_files",
        "tokencli.platforms.windows_privacy",
    }


def test_three_modules_import_rich() -> None:
    """`rich` is imported for tables, live views and the wait line, and nowhere else."""
    users = {p.name for p in MODULES if any(n.split(".")[0] == "rich" for n in imports(p))}
    assert users == {"tables.py", "live_view.py", "wait_line.py"}


def test_module_names_say_something() -> None:
    """No module is called utils, helpers, common, shared, manager or base."""
    banned = {"utils", "helpers", "common", "shared", "manager", "base"}
    assert {p.stem for p in MODULES} & banned == set()


def test_package_imports_nothing() -> None:
    """`import tokencli` costs nothing; its attributes are loaded on first use."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
