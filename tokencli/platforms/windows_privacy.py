"""What counts as private on Windows. A warm `get` imports this, so it imports nothing."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ENCRYPTED_HEAD = b"tokencli-dpapi-1 "
"""Start of encrypted data; the user's security identifier, a newline and the blob of DPAPI follow."""
ENTROPY = b"tokencli"
"""What DPAPI mixes into the key, so that a blob of another program is not taken for one of ours."""
TRUSTED = ("S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4")
"""SYSTEM and Administrators, who can read everything as root can; CREATOR OWNER and OWNER RIGHTS."""
READ = 0x1 | 1 << 31 | 1 << 28
"""FILE_READ_DATA or FILE_LIST_DIRECTORY, GENERIC_READ and GENERIC_ALL."""
WRITE = 0x2 | 0x4 | 0x40 | 0x10000 | 0x40000 | 0x80000 | 1 << 30 | 1 << 28
"""Change or append data, delete it or what is inside, change its access list or owner, GENERIC_WRITE."""


def list_others(user: str, grants: "Sequence[tuple[str, int]]", rights: int) -> list[str]:
    """Return the security identifiers of the others to whom an access list grants any of the rights."""
    found = (sid for sid, mask in grants if mask & rights and sid != user and sid not in TRUSTED)
    return list(dict.fromkeys(found))
