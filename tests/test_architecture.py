"""The house stands as it was drawn: import directions, one door per library, modules of one room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tokencli

PACKAGE = Path(tokencli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

NOUNS = {"model", "secret", "ports", "browsing", "keeping", "errors", "printable", "providers"}
"""What everybody may import; of `providers`, `model` needs the spec."""
VERBS = {"grants", "providers", "clientauth", "dpop", "formats", "jwt"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "printable": set(),
    "ports": {"model", "browsing", "keeping"},
    "keeping": {"model"},
    "browsing": {"model", "errors"},
    "secret": set(),
    "model": {"providers", "secret"},
    "jwt": NOUNS | {"jwt"},
    "formats": NOUNS | VERBS,
    "grants": NOUNS | VERBS,
    "clientauth": NOUNS | {"jwt"},
    "dpop": NOUNS | {"jwt"},
    "providers": NOUNS | VERBS,
    "config": NOUNS | VERBS | {"config"},
    "actions": NOUNS | VERBS | {"actions", "config", "stores"},
    "adapters": NOUNS | {"adapters"},
    "sources": NOUNS | {"sources", "adapters"},
    "stores": NOUNS | {"stores", "sources", "adapters", "hot"},
    "sandbox": NOUNS | {"sandbox", "config"},
    "app": NOUNS | {"actions", "config", "sources", "stores", "adapters", "hot"},
    "cli": NOUNS | VERBS | {"app", "cli", "actions", "config", "adapters", "sandbox"},
    "api": NOUNS | {"app", "actions"},
    "__main__": {"cli", "hot"},
    "hot": set(),
    "frozen": set(),
    "__init__": set(),
}
"""Room -> the rooms that it may import; itself an upper bound, as everything here is."""

ONE_DOOR = {
    "requests": {"adapters"},
    "urllib3": {"adapters"},
    "truststore": {"adapters"},
    "typer": {"cli"},
    "rich": {"cli"},
    "keyring": {"sources"},
    "tomlkit": {"config"},
    "pydantic": {"config"},
    "filelock": {"stores"},
    "joserfc": {"sandbox", "jwt"},
    "cryptography": {"sandbox", "jwt", "adapters"},
    "trustme": {"sandbox"},
    "jmespath": {"providers"},
    "segno": {"adapters"},
    "yaml": {"providers"},
}
"""Library -> the only rooms that know it."""


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, wherever in it, but for type checking."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or ""


def room(path: Path) -> str:
    """Return the room of a module: its top-level package or module name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    """A module imports only the rooms that the design lets it, lazily or not."""
    own = room(path)
    for name in imports(path):
        if name.startswith("tokencli."):
            target = name.split(".")[1]
            assert target in MAY_IMPORT[own] | {own, "frozen"}, f"{own} must not import {target}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_one_door(path: Path) -> None:
    """requests, typer, rich and the others are known to one room each."""
    for name in imports(path):
        rooms = ONE_DOOR.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{room(path)} must not import {name}"


def test_actions_know_only_the_stores_key() -> None:
    """Of the stores an action may derive the key, a pure function; a store is handed to it."""
    for path in (PACKAGE / "actions").glob("*.py"):
        for name in imports(path):
            if name.startswith("tokencli.stores"):
                assert name == "tokencli.stores.key", path


def test_only_the_view_knows_rich() -> None:
    """`rich` is imported by cli/view*.py alone."""
    users = {p.name for p in MODULES if any(n.split(".")[0] == "rich" for n in imports(p))}
    assert all(name.startswith("view") for name in users)


def test_modules_are_one_room_each() -> None:
    """No module is longer than 250 lines."""
    sizes = {str(p.relative_to(PACKAGE)): len(p.read_text().splitlines()) for p in MODULES}
    assert {name: size for name, size in sizes.items() if size > 250} == {}


def test_no_room_is_a_lumber_room() -> None:
    """No module is called utils, helpers, common, shared, manager or base."""
    banned = {"utils", "helpers", "common", "shared", "manager", "base"}
    assert {p.stem for p in MODULES} & banned == set()


def test_the_package_itself_imports_nothing() -> None:
    """`import tokencli` costs nothing; what it offers is found on first use."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
