"""A long text in several short ones, for keyrings whose items are small (Windows: 1280 characters).

The parts are written first, under the name of a generation that is not in use; the head, which
counts them and has their digest, is written last. So at every moment the head that is there belongs
to parts that are complete.
"""

import json
from hashlib import sha256

from tokencli.errors import KeyringError
from tokencli.frozen import dataclass

_MOST = 256
"""Parts; more would be a token set larger than any that is kept."""


@dataclass(frozen=True, slots=True)
class Head:
    """What the head says of its parts."""

    generation: str
    """`a` or `b`; a new text is written to the other one."""
    parts: int
    digest: str

    def dump(self) -> str:
        """Return the head as it is kept."""
        return json.dumps(
            {
                "version": 1,
                "parts": self.parts,
                "generation": self.generation,
                "sha256": self.digest,
            }
        )


def cut(text: str, limit: int) -> list[str]:
    """Return `text`, which is ASCII, in parts of at most `limit` characters.

    Raises:
        KeyringError: it is too long even so.
    """
    parts = [text[at : at + limit] for at in range(0, len(text), limit)]
    if len(parts) > _MOST:
        raise KeyringError(
            f"a token set of {len(text)} characters is too long for this system's keyring",
            hint='keep tokens of this profile in a file: store = "file"',
        )
    return parts


def head(text: str, parts: int, after: Head | None) -> Head:
    """Return the head for `text` in `parts` parts, in the generation that `after` does not use."""
    generation = "b" if after is not None and after.generation == "a" else "a"
    return Head(generation, parts, sha256(text.encode()).hexdigest())


def read_head(text: str | None) -> Head | None:
    """Return the head in `text`, or None where it is something else."""
    try:
        found = json.loads(text or "")
        match found:
            case {
                "version": 1,
                "parts": int(parts),
                "generation": "a" | "b",
                "sha256": str(digest),
            }:
                return Head(found["generation"], parts, digest) if 0 < parts <= _MOST else None
    except (ValueError, RecursionError):
        pass
    return None


def join(found: Head, parts: list[str | None]) -> str:
    """Return the whole text; raises ValueError where a part is missing or another's."""
    text = "".join(part or "" for part in parts)
    if None in parts or sha256(text.encode(errors="surrogatepass")).hexdigest() != found.digest:
        raise ValueError("parts do not match their head")
    return text
