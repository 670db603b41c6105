"""Take what is expected out of a document of others; anything else counts as absent."""

from typing import Any


def as_table(value: Any) -> dict[str, Any]:
    """Return a table, or an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def as_rows(value: Any) -> list[dict[str, Any]]:
    """Return the tables of a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Return text; a number or a boolean as JSON writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def first_text(*values: Any) -> str:
    """Return the first of the values that is text and not empty."""
    return next((found for value in values if (found := as_text(value))), "")


def as_pairs(value: Any, *, name: str = "key") -> list[tuple[str, str]]:
    """Return names and values of a list of rows that are not disabled, or of a table."""
    if isinstance(value, dict):
        return [(str(key), as_text(one)) for key, one in value.items()]
    return [
        (found, as_text(row.get("value")))
        for row in as_rows(value)
        if (found := as_text(row.get(name)))
        and not row.get("disabled")
        and row.get("enabled", True)
    ]
