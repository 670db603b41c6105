"""Texts that are too long for one item of the keyring, in several (Windows: 1280 characters each)."""

import json
from hashlib import sha256

from tokencli.fast_dataclass import dataclass

MAX_CHUNKS = 256
"""Enough for the largest token set that is stored."""
GENERATIONS = ("a", "b")


@dataclass(frozen=True, slots=True)
class ChunkHeader:
    """The item that says which chunks a text was split into.

    The chunks are written first, under the generation that is not in use, and the header last. So the
    stored header always belongs to complete chunks.
    """

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


def count_units(text: str) -> int:
    """Return the number of UTF-16 units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def split_text(text: str, limit: int) -> list[str]:
    """Return the text in chunks of at most `limit` UTF-16 units."""
    step = limit if count_units(text) == len(text) else limit // 2
    return [text[at : at + step] for at in range(0, len(text), step)]


def build_header(text: str, count: int, previous: ChunkHeader | None) -> ChunkHeader:
    """Return the header for `text` in `count` chunks, in the generation `previous` doesn't use."""
    generation = "b" if previous is not None and previous.generation == "a" else "a"
    return ChunkHeader(generation, count, _hash_text(text))


def parse_header(text: str | None) -> ChunkHeader | None:
    """Return the header in `text`, or None if it is not a header."""
    try:
        match json.loads(text or ""):
            case {
                "version": 1,
                "parts": int(count),
                "generation": "a" | "b" as generation,
                "sha256": str(digest),
            } if 0 < count <= MAX_CHUNKS:
                return ChunkHeader(generation, count, digest)
    except (ValueError, RecursionError):
        pass
    return None


def join_chunks(header: ChunkHeader, chunks: list[str | None]) -> str | None:
    """Return the whole text, or None if a chunk is missing or doesn't belong to it."""
    text = "".join(chunk or "" for chunk in chunks)
    return None if None in chunks or _hash_text(text) != header.digest else text


def _hash_text(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
