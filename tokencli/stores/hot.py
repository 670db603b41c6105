"""Write what `tokencli.hot` reads: disposable records in the user's memory-backed runtime directory.

`<runtime>/tokencli/hot/<path of the configuration, % for />/` holds, for one configuration: the
access token of each profile (never a refresh token, never a secret) under the profile's name; which
profile is the default; the names of all; and what each profile amounts to. Everything there is
derived, good only while the configuration is unchanged, and may be removed at any time.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor
from pathlib import Path

from tokencli import hot
from tokencli.errors import StorageError
from tokencli.model import Binding, Profile, Secret, StoredToken, TokenSet
from tokencli.ports import TokenStore
from tokencli.stores import files
from tokencli.stores.folders import directory, names
from tokencli.stores.places import runtime_dir

_B64TOKEN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")
_SETTLED_S = 0.05, 3.0
"""A configuration changed less than so long ago might change again without a later time on it: on
file systems that count fractions of a second, and on those that don't."""


class Records:
    """The records of one configuration, as it was when `stamp` was taken."""

    def __init__(self, config: str | None, environ: Mapping[str, str]) -> None:
        known = sys.platform == "linux" and config is not None and "\n" not in config
        self._config = config if known else None
        self._environ = environ
        self._stamp: str | None = None
        try:
            self._stamp = hot.stamp_of(self._config) if self._config is not None else None
        except (OSError, ValueError):
            return

    def read(self, kind: str, name: str = "") -> list[str] | None:
        """Return the lines of a record, or None where there is none that is certain."""
        if self._config is None or self._stamp is None:
            return None
        try:
            return hot.read(kind, name, self._config, self._environ, self._stamp)
        except (OSError, ValueError):
            return None

    def write(self, kind: str, name: str, lines: Sequence[str]) -> bool:
        """Write a record and tell whether it could be; nothing depends on one, so nothing is raised."""
        root = self._root()
        if root is None or self._config is None or self._stamp is None:
            return False
        whole = [hot.head_of(kind), self._config, self._stamp, name, *lines]
        if any("\n" in line for line in whole) or not self._unchanged():
            return False
        place = root / hot.folder_of(self._config)
        path = place / hot.file_of(kind, name)
        data = "".join(f"{line}\n" for line in whole).encode("utf-8", "surrogateescape") * 2
        changed = int(self._stamp.split()[0])
        try:
            for folder in (root.parent, root, place):
                directory(folder)
            files.write(path, data)
            # A shell can compare two files' times, and nothing else of a configuration.
            os.utime(path, ns=(changed, changed))
        except (StorageError, OSError, ValueError):
            return False
        return True

    def drop(self, kind: str, name: str) -> None:
        """Remove a record."""
        root = self._root()
        if root is not None and self._config is not None:
            _remove(root / hot.folder_of(self._config) / hot.file_of(kind, name))

    def forget(self, name: str) -> None:
        """Remove the token that any configuration has for a profile of that name."""
        for place in self._places():
            _remove(place / hot.file_of("token", name))

    def sweep(self) -> None:
        """Remove the records of configurations that are no longer there."""
        for place in self._places():
            if not os.path.lexists(place.name.replace("%", "/")):
                remove_folder(place)

    def leave(self) -> None:
        """Remove all records of this configuration."""
        root = self._root()
        if root is not None and self._config is not None:
            remove_folder(root / hot.folder_of(self._config))

    def _root(self) -> Path | None:
        runtime = runtime_dir(self._environ)
        return None if runtime is None else runtime / "hot"

    def _places(self) -> Iterator[Path]:
        root = self._root()
        if root is None:
            return
        try:
            yield from [root / name for name in names(root)]
        except StorageError:
            return

    def _unchanged(self) -> bool:
        assert self._config is not None and self._stamp is not None
        changed = int(self._stamp.split()[0])
        coarse = changed % 1_000_000_000 == 0
        if 0 <= time.time() - changed / 1e9 < _SETTLED_S[coarse]:
            return False
        try:
            return hot.stamp_of(self._config) == self._stamp
        except (OSError, ValueError):
            return False


class AccessCopy:
    """The access token of one profile, where a warm `get` finds it."""

    def __init__(self, records: Records, profile: Profile) -> None:
        self._records = records
        self._profile = profile

    def read(self, bound: Binding) -> StoredToken | None:
        """Return the copy, fresh or not, or None where there is none of that credential."""
        if not self._profile.hot_copy:
            return None
        fields = self._records.read("token", self._profile.name)
        try:
            _, _, _, token, obtained_at, expires_at, margin, key, token_type, scope = fields or []
            if key != bound.key:
                return None
            found = TokenSet(
                access_token=Secret(token),
                token_type=token_type,
                obtained_at=float(obtained_at),
                expires_at=float(expires_at),
                margin=float(margin) if margin else None,
                scope=scope[1:] if scope else None,
            )
        except ValueError:
            return None
        return StoredToken(bound, found)

    def keep(self, stored: StoredToken, store: TokenStore) -> None:
        """Copy what was found in the store, where there is no copy of it.

        No lock is held: a newer token may have been saved and copied in the meantime. So the store is
        asked once more after the copy is made, and a copy of something else is taken away again.
        """
        known = self.read(stored.binding)
        if store.name == "none" or (
            known is not None and known.token.access_token == stored.token.access_token
        ):
            return
        if self._put(stored) and store.load(stored.binding.key) != stored:
            self._records.drop("token", self._profile.name)

    def put(self, stored: StoredToken) -> None:
        """Copy what was just saved in the store, and let no older copy stay."""
        if not self._profile.hot_copy:
            return
        self._records.forget(self._profile.name)
        self._records.sweep()
        self._put(stored)

    def drop(self) -> None:
        """Forget the copy."""
        self._records.drop("token", self._profile.name)

    def _put(self, stored: StoredToken) -> bool:
        """Write the copy of a token that is all there is to know, and tell whether it was."""
        token, profile = stored.token, self._profile
        value, ends = token.access_token.reveal(), token.expires_at
        if token.outputs or profile.provider.reply.sliding:
            return False  # a copy holds no outputs, and a look at it lengthens no life
        if not profile.hot_copy or ends is None or not value or not _B64TOKEN.issuperset(value):
            return False
        if token.outputs or token.proof_key or stored.subject or profile.dpop:
            return False  # the token alone would not do, or not be sure to be the right one
        lines = [
            str(ceil(token.obtained_at)),
            str(floor(ends - max(token.margin_s, profile.min_ttl or 0.0))),
            profile.export,
            value,
            repr(token.obtained_at),
            repr(ends),
            "" if token.margin is None else repr(token.margin),
            stored.binding.key,
            token.token_type,
            "" if token.scope is None else f"={token.scope}",
        ]
        if not "".join(lines).isprintable():
            return False
        return self._records.write("token", profile.name, lines)


class Mirrored:
    """A store whose every change is followed by the hot copy."""

    def __init__(self, inner: TokenStore, copy: AccessCopy, records: Records) -> None:
        self._inner = inner
        self._copy = copy
        self._records = records
        self.name = inner.name
        self.load = inner.load
        self.prepare = inner.prepare
        self.begin = inner.begin
        self.conclude = inner.conclude
        self.interrupted = inner.interrupted
        self.lock = inner.lock

    def save(self, stored: StoredToken) -> None:
        """Save in the store, then copy."""
        self._inner.save(stored)
        if self._inner.name == "none":
            self._copy.drop()
        else:
            self._copy.put(stored)

    def clear(self, key: str, only: Secret | None = None) -> bool:
        """Forget the copy, then what is in the store."""
        self._copy.drop()
        return self._inner.clear(key, only)

    def forget(self, profile: str) -> int:
        """Forget the copies, then what is in the store."""
        self._records.forget(profile)
        return self._inner.forget(profile)


def remove_folder(place: Path) -> None:
    """Remove a folder of records and what is in it."""
    import shutil

    shutil.rmtree(place, ignore_errors=True)


def _remove(path: Path) -> None:
    try:
        files.remove(path)
    except StorageError:
        return
