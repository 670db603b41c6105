"""The house stands as it was drawn: import directions, one door per library, modules of one room."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tokencli

PACKAGE = Path(tokencli.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

NOUNS = {
    "duration", "errors", "fast_dataclass", "humanize", "models", "problems", "protocols",
    "provider_schema", "sanitize", "secret", "toml_writer",
}  # fmt: skip
"""What every room may import: types and errors."""
MAY_IMPORT: dict[str, set[str]] = {
    "duration": set(),
    "errors": {"fast_dataclass"},
    "fast_dataclass": set(),
    "humanize": set(),
    "sanitize": set(),
    "secret": {"fast_dataclass"},
    "provider_schema": {"fast_dataclass"},
    "models": {"errors", "fast_dataclass", "provider_schema", "secret"},
    "problems": {"errors", "toml_writer"},
    "toml_writer": set(),
    "protocols": NOUNS,
    "jwt": NOUNS,
    "formats": NOUNS | {"oauth"},
    "oauth": NOUNS | {"jwt", "providers"},
    "providers": NOUNS | {"jwt"},
    "importers": NOUNS | {"config", "providers"},
    "config": NOUNS
    | {"formats", "jwt", "oauth", "providers", "secret_sources", "system", "token_store"},
    "core": NOUNS
    | {
        "config",
        "formats",
        "importers",
        "jwt",
        "oauth",
        "providers",
        "secret_sources",
        "token_store",
    },
    "system": NOUNS,
    "net": NOUNS | {"providers", "system"},
    "terminal": NOUNS | {"providers", "system"},
    "secret_sources": NOUNS | {"providers", "system"},
    "token_store": NOUNS | {"providers", "secret_sources", "system"},
    "fastpath": NOUNS | {"system"},
    "sandbox": NOUNS | {"config"},
    "app": NOUNS
    | {
        "config",
        "core",
        "fastpath",
        "net",
        "oauth",
        "secret_sources",
        "system",
        "terminal",
        "token_store",
    },
    "commands": NOUNS
    | {"app", "config", "core", "fastpath", "formats", "importers", "jwt", "providers"}
    | {"sandbox", "system", "terminal"},
    "api": NOUNS | {"app", "core", "oauth"},
    "__main__": {"commands", "fastpath"},
    "__init__": {"api"},
}
"""Room -> the rooms that it may import; itself an upper bound, as everything here is."""

ONE_DOOR = {
    "requests": {"net"},
    "urllib3": {"net"},
    "truststore": {"net"},
    "typer": {"commands"},
    "rich": {"commands"},
    "keyring": {"secret_sources"},
    "tomlkit": {"config"},
    "pydantic": {"config", "providers"},
    "filelock": {"system"},
    "joserfc": {"sandbox", "jwt"},
    "cryptography": {"sandbox", "jwt", "net"},
    "trustme": {"sandbox"},
    "jmespath": {"providers"},
    "segno": {"terminal"},
    "yaml": {"importers"},
}
"""Library -> the only rooms that know it."""


FAST_PATH_READER = "tokencli.fastpath.reader"
"""It imports nothing, so every room may import its rules."""


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
            assert name == FAST_PATH_READER or target in MAY_IMPORT[own] | {own, "__version__"}, (
                f"{own} must not import {target}"
            )


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_each_library_has_one_door(path: Path) -> None:
    """requests, typer, rich and the others are known to one room each."""
    for name in imports(path):
        rooms = ONE_DOOR.get(name.split(".")[0])
        assert rooms is None or room(path) in rooms, f"{room(path)} must not import {name}"


def test_the_fast_path_reader_imports_nothing() -> None:
    """Nothing but sys, os, time and the version, so that a warm `get` is fast."""
    path = PACKAGE / "fastpath" / "reader.py"
    assert set(imports(path)) == {"collections.abc", "os", "sys", "time", "tokencli"}


def test_core_imports_no_store_and_no_secret_source() -> None:
    """Only the pure modules: the credential key and the table of secret sources."""
    pure = {"tokencli.token_store.credential_key", "tokencli.secret_sources"}
    for path in (PACKAGE / "core").glob("*.py"):
        for name in imports(path):
            if name.startswith(("tokencli.token_store", "tokencli.secret_sources")):
                assert name in pure, path


def test_only_the_view_knows_rich() -> None:
    """`rich` is imported by commands/tables.py alone."""
    users = {p.name for p in MODULES if any(n.split(".")[0] == "rich" for n in imports(p))}
    assert users == {"tables.py"}


def test_no_room_is_a_lumber_room() -> None:
    """No module is called utils, helpers, common, shared, manager or base."""
    banned = {"utils", "helpers", "common", "shared", "manager", "base"}
    assert {p.stem for p in MODULES} & banned == set()


def test_the_package_itself_imports_nothing() -> None:
    """`import tokencli` costs nothing; what it offers is found on first use."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    assert not any(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
