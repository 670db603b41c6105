"""Split a long text into chunks, for keyrings with small items (Windows: 1280 characters).

The chunks are written first, under the name of the generation that is not in use. The header, with
their number and digest, is written last. So the stored header always belongs to complete chunks.
"""

import json
from hashlib import sha256

from tokencli.errors import KeyringError
from tokencli.fast_dataclass import dataclass

_MAX_CHUNKS = 256
"""Enough for the largest token set that is stored."""


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """The header: which chunks belong to the text."""

    generation: str
    """`a` or `b`; the next text uses the other one."""
    chunk_count: int
    digest: str

    def to_json(self) -> str:
        """Return the stored form."""
        return json.dumps(
            {
                "version": 1,
                "parts": self.chunk_count,
                "generation": self.generation,
                "sha256": self.digest,
            }
        )


def split_text(text: str, limit: int) -> list[str]:
    """Return `text`, which is ASCII, in chunks of at most `limit` characters.

    Raises:
        KeyringError: there would be too many chunks.
    """
    chunks = [text[at : at + limit] for at in range(0, len(text), limit)]
    if len(chunks) > _MAX_CHUNKS:
        raise KeyringError(
            f"a token set of {len(text)} characters is too long for this system's keyring",
            fix='store this profile\'s tokens in a file: store = "file"',
        )
    return chunks


def build_header(text: str, count: int, previous: ChunkHeader | None) -> ChunkHeader:
    """Return the header for `text` in `count` chunks, in the generation `previous` doesn't use."""
    generation = "b" if previous is not None and previous.generation == "a" else "a"
    return ChunkHeader(generation, count, sha256(text.encode()).hexdigest())


def parse_header(text: str | None) -> ChunkHeader | None:
    """Return the header in `text`, or None if it is not a header."""
    try:
        match json.loads(text or ""):
            case {
                "version": 1,
                "parts": int(count),
                "generation": "a" | "b" as generation,
                "sha256": str(digest),
            } if 0 < count <= _MAX_CHUNKS:
                return ChunkHeader(generation, count, digest)
    except (ValueError, RecursionError):
        pass
    return None


def join_chunks(header: ChunkHeader, chunks: list[str | None]) -> str:
    """Return the whole text; raises ValueError if a chunk is missing or doesn't belong to it."""
    text = "".join(chunk or "" for chunk in chunks)
    digest = sha256(text.encode(errors="surrogatepass")).hexdigest()
    if None in chunks or digest != header.digest:
        raise ValueError("the chunks do not match their header")
    return text
