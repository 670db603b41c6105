"""Write a value as inline TOML, on one line that any terminal may show."""

import json
import re
from collections.abc import Mapping
from typing import Any


def to_inline_toml(value: Any) -> str:
    """Return a value as inline TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        members = (
            f"{key if re.fullmatch('[A-Za-z0-9_-]+', key) else to_inline_toml(key)} = {to_inline_toml(one)}"
            for key, one in value.items()
        )
        return f"{{ {', '.join(members)} }}" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(to_inline_toml, value))}]"
    if isinstance(value, str):
        return _INVISIBLE_CHARACTERS.sub(
            lambda found: f"\\u{ord(found[0]):04x}", _quote_text(value)
        )
    return str(value)


def _quote_text(text: str) -> str:
    return json.dumps(text.encode(errors="replace").decode(), ensure_ascii=False)


_INVISIBLE_CHARACTERS = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
"""What a terminal might obey or not show."""
