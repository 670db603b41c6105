"""What went wrong with the OS keyring, in words: one row for each way it fails.

Errors are recognised by the names of their classes, since they come from half a dozen packages of
which most are not installed.
"""

from tokencli.errors import KeyringError, NoKeyringError
from tokencli.fast_dataclass import dataclass

_OTHER_PLACES_HINT = 'or keep things elsewhere: password = {{ env = "…" }}, store = "runtime"'


@dataclass(frozen=True, slots=True)
class KeyringErrorTemplate:
    """One way in which a keyring fails."""

    message: str
    fix: str
    persistent: bool = True
    """Whether it would be the same a moment later, so that asking again in this run is no use."""
    error_type: type[KeyringError] = KeyringError

    def build_error(self, **words: object) -> KeyringError:
        """Return it as an error."""
        error = self.error_type(self.message.format(**words), fix=self.fix.format(**words))
        error.affects_whole_keyring = self.persistent
        return error


LOCKED = KeyringErrorTemplate(
    "the OS keyring is locked, and nobody is there to unlock it",
    f"unlock it (sign in at the desktop, or gnome-keyring-daemon --unlock), {_OTHER_PLACES_HINT}",
)
NOT_AVAILABLE = KeyringErrorTemplate(
    "there is no OS keyring here (no Secret Service on a D-Bus session bus, as over SSH, in cron or"
    " in a container)",
    f"run it in a desktop session or under dbus-run-session, {_OTHER_PLACES_HINT}",
    error_type=NoKeyringError,
)
TIMED_OUT = KeyringErrorTemplate(
    "the OS keyring did not answer within {seconds:g} s: it hangs, or waits for somebody to unlock it",
    f"unlock it or start it again, then try again; {_OTHER_PLACES_HINT}",
)
NO_DEFAULT_COLLECTION = KeyringErrorTemplate(
    "the OS keyring has no default collection yet, and nobody is there to make one",
    f"sign in at the desktop once, or make one with seahorse, {_OTHER_PLACES_HINT}",
)
BAD_BACKEND_VARIABLE = KeyringErrorTemplate(
    "PYTHON_KEYRING_BACKEND names {name!r}, which can't be used ({reason})",
    "unset PYTHON_KEYRING_BACKEND",
)
BAD_BACKEND_CONFIG = KeyringErrorTemplate(
    "the keyring library's own configuration can't be used: {path} ({reason})",
    "mend or remove {path}",
)
BACKEND_DISABLED = KeyringErrorTemplate(
    "the keyring library is switched off ({name}): what is stored in it is gone at once",
    f"undo `keyring --disable` or unset PYTHON_KEYRING_BACKEND, {_OTHER_PLACES_HINT}",
    error_type=NoKeyringError,
)
PLAINTEXT_BACKEND = KeyringErrorTemplate(
    "the only keyring here ({name}) keeps secrets as plain text in a file, so it is not used",
    f"unlock or install a real one, {_OTHER_PLACES_HINT}",
)
NOT_PERSISTED = KeyringErrorTemplate(
    "the OS keyring ({name}) took what was stored and does not give it back",
    f"see which keyring answers: python -m keyring diagnose; {_OTHER_PLACES_HINT}",
)
ITEM_TOO_LONG = KeyringErrorTemplate(
    "{size} characters are too long for this system's keyring, which takes {limit}",
    'keep it in a file that only you can read: {{ file = "…" }}',
    persistent=False,
)
NOT_TEXT = KeyringErrorTemplate(
    "the OS keyring ({name}) holds something that is not text",
    "store it anew: tokencli login",
    persistent=False,
)
ITEM_REMOVED = KeyringErrorTemplate(
    "the item in the OS keyring was removed while it was being used",
    "try again",
    persistent=False,
)
OTHER_FAILURE = KeyringErrorTemplate(
    "the OS keyring ({name}) failed: {reason}",
    f"see which keyring answers: python -m keyring diagnose; {_OTHER_PLACES_HINT}",
    persistent=False,
)

_TEMPLATES_BY_EXCEPTION_NAME = {
    "KeyringLocked": LOCKED,
    "LockedException": LOCKED,
    "PromptDismissedException": LOCKED,
    "NoKeyringError": NOT_AVAILABLE,
    "SecretServiceNotAvailableException": NOT_AVAILABLE,
    "InitError": NOT_AVAILABLE,
    "ItemNotFoundException": ITEM_REMOVED,
    "TimeoutError": TIMED_OUT,
    "UnicodeDecodeError": NOT_TEXT,
}
"""Class name -> trouble; an error's nearest ancestor with a row counts."""


def classify_keyring_exception(error: BaseException) -> KeyringErrorTemplate:
    """Return the row for an error that a keyring raised."""
    for ancestor in type(error).__mro__:
        if ancestor.__name__ in _TEMPLATES_BY_EXCEPTION_NAME:
            return _TEMPLATES_BY_EXCEPTION_NAME[ancestor.__name__]
    return OTHER_FAILURE


def summarize_exception(error: BaseException) -> str:
    """Return an error's own words, short; keyrings do not put secrets into them."""
    words = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {words}" if words else type(error).__name__
