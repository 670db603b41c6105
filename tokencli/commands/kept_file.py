"""The file or directory that `tokencli keep` keeps, and its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor
from pathlib import Path

from tokencli.app import App
from tokencli.commands.token_output import render_for_profile
from tokencli.core.token_keeper import KeptToken
from tokencli.formats import check_format_options
from tokencli.humanize import format_rfc3339
from tokencli.models import TokenSet
from tokencli.system.atomic_directory import remove_directory_files, write_directory
from tokencli.system.private_files import find_leftover_drafts, remove_file, write_private_file
from tokencli.system.signals import defer_signals


@dataclass(frozen=True, slots=True)
class KeepOptions:
    """The command line of `tokencli keep`."""

    profile: str | None
    path: Path
    is_directory: bool = False
    """Whether `path` is a directory whose files change all at once."""
    format_name: str = "raw"
    format_options: Mapping[str, str] = field(default_factory=dict)
    mode: int = 0o600
    scope: str | None = None
    min_ttl: float | None = None
    command: Sequence[str] = ()
    """The words of `--exec`."""
    command_timeout: float = 30.0
    metrics: Path | None = None
    removes_expired: bool = False
    removes_at_end: bool = False
    waits_for_fix: bool = False

    @property
    def token_path(self) -> Path:
        """The file with the token itself."""
        return self.path / "token" if self.is_directory else self.path


class KeptFile:
    """The file or directory that is kept."""

    def __init__(self, options: KeepOptions) -> None:
        self._options = options
        self._is_clean = False
        """Whether what a killed process left behind was removed."""

    def write(self, kept: KeptToken, app: App) -> None:
        """Replace its content by a token; raises StorageError, and then the old content stays."""
        options = self._options
        given = check_format_options(options.format_name, kept.profile, options.format_options)
        text = render_for_profile(app, kept.profile, kept.token, options.format_name, given)
        # As in the token files of Kubernetes, many programs use the content as it is.
        data = (text.rstrip("\n") if options.format_name == "raw" else text).encode()
        with defer_signals(lambda _: None, ""):  # else a draft would stay
            if options.is_directory:
                write_directory(options.path, self._list_files(data, kept.token), options.mode)
                return
            if not self._is_clean:
                self._is_clean = True
                for draft in list(find_leftover_drafts(options.path)):
                    remove_file(draft)
            write_private_file(options.path, data, options.mode)

    def _list_files(self, data: bytes, token: TokenSet) -> dict[str, bytes]:
        """Return the files of the directory."""
        files = {"token": data, "token_type": token.token_type.encode()}
        expiry = token.known_expiry
        if expiry is not None:
            files["expires_at"] = (format_rfc3339(expiry) or "").encode()
            files["expires_at_epoch"] = str(floor(expiry)).encode()
        if token.scope is not None:
            files["scope"] = token.scope.encode()
        return files

    def remove(self) -> bool:
        """Remove it, and tell whether it existed; raises StorageError."""
        if self._options.is_directory:
            return remove_directory_files(self._options.path)
        return remove_file(self._options.path)
