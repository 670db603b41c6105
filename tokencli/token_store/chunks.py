"""A long text in several short ones, for keyrings whose items are small (Windows: 1280 characters).

The parts are written first, under the name of a generation that is not in use; the head, which
counts them and has their digest, is written last. So at every moment the head that is there belongs
to parts that are complete.
"""

import json
from hashlib import sha256

from tokencli.errors import KeyringError
from tokencli.fast_dataclass import dataclass

_MAX_CHUNKS = 256
"""Parts; more would be a token set larger than any that is kept."""


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """What the head says of its parts."""

    generation: str
    """`a` or `b`; a new text is written to the other one."""
    chunk_count: int
    digest: str

    def to_json(self) -> str:
        """Return the head as it is kept."""
        return json.dumps(
            {
                "version": 1,
                "parts": self.chunk_count,
                "generation": self.generation,
                "sha256": self.digest,
            }
        )


def split_text(text: str, limit: int) -> list[str]:
    """Return `text`, which is ASCII, in parts of at most `limit` characters.

    Raises:
        KeyringError: it is too long even so.
    """
    parts = [text[at : at + limit] for at in range(0, len(text), limit)]
    if len(parts) > _MAX_CHUNKS:
        raise KeyringError(
            f"a token set of {len(text)} characters is too long for this system's keyring",
            fix='keep tokens of this profile in a file: store = "file"',
        )
    return parts


def build_header(text: str, parts: int, after: ChunkHeader | None) -> ChunkHeader:
    """Return the head for `text` in `parts` parts, in the generation that `after` does not use."""
    generation = "b" if after is not None and after.generation == "a" else "a"
    return ChunkHeader(generation, parts, sha256(text.encode()).hexdigest())


def parse_header(text: str | None) -> ChunkHeader | None:
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
                return (
                    ChunkHeader(found["generation"], parts, digest)
                    if 0 < parts <= _MAX_CHUNKS
                    else None
                )
    except (ValueError, RecursionError):
        pass
    return None


def join_chunks(found: ChunkHeader, parts: list[str | None]) -> str:
    """Return the whole text; raises ValueError where a part is missing or another's."""
    text = "".join(part or "" for part in parts)
    if None in parts or sha256(text.encode(errors="surrogatepass")).hexdigest() != found.digest:
        raise ValueError("parts do not match their head")
    return text
