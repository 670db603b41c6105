"""What of a reply is small enough to be kept: the rest never costs the tokens beside it."""

import json
from collections.abc import Mapping
from typing import Any

MAX_TOKEN = 64 * 1024
"""Characters of an access token, and of a refresh token as it is written into a record."""
LONGEST_TYPE = 100
"""Characters of a token type that are kept: one that is longer can't be used in any case."""
MOST = {"id_token": 48 * 1024, "scope": 16 * 1024}
"""Optional member -> the most that it may take in a record."""
OUTPUTS = 48 * 1024
"""The most that all further outputs together may take in a record."""


def written(text: str) -> int:
    """Return the characters that a text takes in a record, which is JSON in ASCII."""
    return len(json.dumps(text))


def fitting(name: str, value: Any, remarks: list[str]) -> Any:
    """Return an optional member, or None where it is too long to be kept."""
    if not isinstance(value, str) or written(value) <= MOST[name]:
        return value
    remarks.append(
        f"its {name.replace('_', ' ')} is longer than {MOST[name]} characters, and was left"
    )
    return None


def fitting_outputs(found: Mapping[str, str], remarks: list[str]) -> dict[str, str]:
    """Return the further outputs as far as they are not too long to be kept."""
    kept, left = {}, OUTPUTS
    for name, value in found.items():
        left -= written(name) + written(value) + 2
        if left < 0:
            remarks.append(
                f"its further values take more than {OUTPUTS} characters; {name} was left"
            )
            break
        kept[name] = value
    return kept
