"""What of a reply is small enough to be kept: the rest never costs the tokens beside it."""

import json
from collections.abc import Mapping
from typing import Any

MAX_TOKEN_LENGTH = 64 * 1024
"""Characters of an access token, and of a refresh token as it is written into a record."""
MAX_TOKEN_TYPE_LENGTH = 100
"""Characters of a token type that are kept: one that is longer can't be used in any case."""
MAX_MEMBER_LENGTHS = {"id_token": 48 * 1024, "scope": 16 * 1024}
"""Optional member -> the most that it may take in a record."""
MAX_OUTPUTS_LENGTH = 48 * 1024
"""The most that all further outputs together may take in a record."""


def stored_length(text: str) -> int:
    """Return the characters that a text takes in a record, which is JSON in ASCII."""
    return len(json.dumps(text))


def drop_if_too_long(name: str, value: Any, remarks: list[str]) -> Any:
    """Return an optional member, or None where it is too long to be kept."""
    if not isinstance(value, str) or stored_length(value) <= MAX_MEMBER_LENGTHS[name]:
        return value
    remarks.append(
        f"its {name.replace('_', ' ')} is longer than {MAX_MEMBER_LENGTHS[name]} characters, and was left"
    )
    return None


def drop_excess_outputs(found: Mapping[str, str], remarks: list[str]) -> dict[str, str]:
    """Return the further outputs as far as they are not too long to be kept."""
    kept, left = {}, MAX_OUTPUTS_LENGTH
    for name, value in found.items():
        left -= stored_length(name) + stored_length(value) + 2
        if left < 0:
            remarks.append(
                f"its further values take more than {MAX_OUTPUTS_LENGTH} characters; {name} was left"
            )
            break
        kept[name] = value
    return kept
