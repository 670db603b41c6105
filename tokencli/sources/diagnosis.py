"""What went wrong with the OS keyring, in words: one row for each way it fails.

Errors are recognised by the names of their classes, since they come from half a dozen packages of
which most are not installed.
"""

from tokencli.errors import KeyringError, NoKeyring
from tokencli.frozen import dataclass

_ELSEWHERE = 'or keep things elsewhere: password = {{ env = "…" }}, store = "runtime"'


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way in which a keyring fails."""

    what: str
    do: str
    lasts: bool = True
    """Whether it would be the same a moment later, so that asking again in this run is no use."""
    kind: type[KeyringError] = KeyringError

    def error(self, **words: object) -> KeyringError:
        """Return it as an error."""
        error = self.kind(self.what.format(**words), hint=self.do.format(**words))
        error.lasting = self.lasts
        return error


LOCKED = Trouble(
    "the OS keyring is locked, and nobody is there to unlock it",
    f"unlock it (sign in at the desktop, or gnome-keyring-daemon --unlock), {_ELSEWHERE}",
)
ABSENT = Trouble(
    "there is no OS keyring here (no Secret Service on a D-Bus session bus, as over SSH, in cron or"
    " in a container)",
    f"run it in a desktop session or under dbus-run-session, {_ELSEWHERE}",
    kind=NoKeyring,
)
SILENT = Trouble(
    "the OS keyring did not answer within {seconds:g} s: it hangs, or waits for somebody to unlock it",
    f"unlock it or start it again, then try again; {_ELSEWHERE}",
)
EMPTY = Trouble(
    "the OS keyring has no default collection yet, and nobody is there to make one",
    f"sign in at the desktop once, or make one with seahorse, {_ELSEWHERE}",
)
BAD_CHOICE = Trouble(
    "PYTHON_KEYRING_BACKEND names {name!r}, which can't be used ({reason})",
    "unset PYTHON_KEYRING_BACKEND",
)
BAD_CONFIG = Trouble(
    "the keyring library's own configuration can't be used: {path} ({reason})",
    "mend or remove {path}",
)
DISABLED = Trouble(
    "the keyring library is switched off ({name}): what is stored in it is gone at once",
    f"undo `keyring --disable` or unset PYTHON_KEYRING_BACKEND, {_ELSEWHERE}",
    kind=NoKeyring,
)
PLAIN = Trouble(
    "the only keyring here ({name}) keeps secrets as plain text in a file, so it is not used",
    f"unlock or install a real one, {_ELSEWHERE}",
)
FORGETFUL = Trouble(
    "the OS keyring ({name}) took what was stored and does not give it back",
    f"see which keyring answers: python -m keyring diagnose; {_ELSEWHERE}",
)
FULL = Trouble(
    "{size} characters are too long for this system's keyring, which takes {limit}",
    'keep it in a file that only you can read: {{ file = "…" }}',
    lasts=False,
)
UNREADABLE = Trouble(
    "the OS keyring ({name}) holds something that is not text",
    "store it anew: tokencli login",
    lasts=False,
)
VANISHED = Trouble(
    "the item in the OS keyring was removed while it was being used",
    "try again",
    lasts=False,
)
OTHER = Trouble(
    "the OS keyring ({name}) failed: {reason}",
    f"see which keyring answers: python -m keyring diagnose; {_ELSEWHERE}",
    lasts=False,
)

_TROUBLES = {
    "KeyringLocked": LOCKED,
    "LockedException": LOCKED,
    "PromptDismissedException": LOCKED,
    "NoKeyringError": ABSENT,
    "SecretServiceNotAvailableException": ABSENT,
    "InitError": ABSENT,
    "ItemNotFoundException": VANISHED,
    "TimeoutError": SILENT,
    "UnicodeDecodeError": UNREADABLE,
}
"""Class name -> trouble; an error's nearest ancestor with a row counts."""


def trouble(error: BaseException) -> Trouble:
    """Return the row for an error that a keyring raised."""
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _TROUBLES:
            return _TROUBLES[ancestor.__name__]
    return OTHER


def reason(error: BaseException) -> str:
    """Return an error's own words, short; keyrings do not put secrets into them."""
    words = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
