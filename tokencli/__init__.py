"""Fetch, refresh, inspect and export bearer tokens.

`tokencli/manual/architecture.md` (`tokencli help architecture`) describes the structure.
"""

__version__ = "0.2.0.dev0"


def __getattr__(name: str) -> object:
    """Import the public names on first use (PEP 562), so that `import tokencli` costs nothing."""
    if name in ("TokenAuth", "token"):
        from tokencli import api

        attribute: object = getattr(api, name)
        return attribute
    raise AttributeError(f"module 'tokencli' has no attribute {name!r}")
