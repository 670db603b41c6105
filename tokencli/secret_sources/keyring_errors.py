"""The errors of the OS keyring: one template for each way it fails.

Exceptions are recognized by their class names, since they come from half a dozen packages of which
most are not installed.
"""

from collections.abc import Mapping

from tokencli import platforms
from tokencli.errors import KeyringError, NoKeyringError
from tokencli.fast_dataclass import dataclass

_ALTERNATIVES = (
    "a profile can take its secrets from elsewhere, as the commands that `tokencli login` shows do,"
    ' and store its tokens in files (store = "file")'
)


@dataclass(frozen=True, slots=True)
class KeyringErrorTemplate:
    """One way in which a keyring fails; the texts are format strings."""

    message: str
    cause: str | None = None
    fix: str | None = None
    persistent: bool = True
    """Whether it would fail in the same way a moment later, so that this run need not try again."""
    error_type: type[KeyringError] = KeyringError

    def build_error(self, **values: object) -> KeyringError:
        """Return the error with `values` filled in, and the name of this system's keyring."""
        values["keyring"] = platforms.current().keyring_name
        error = self.error_type(
            self.message.format(**values),
            cause=self.cause.format(**values) if self.cause else None,
            fix=self.fix.format(**values) if self.fix else None,
        )
        error.affects_whole_keyring = self.persistent
        return error


LOCKED = KeyringErrorTemplate(
    "the OS keyring is locked, and there is no desktop session to unlock it in",
    "unlock it by signing in at the desktop; " + _ALTERNATIVES,
    # The daemon takes all of stdin for the password, and one that runs already isn't unlocked.
    'bash -c \'read -rsp "Keyring password: " p; printf %s "$p" |'
    " gnome-keyring-daemon --replace --unlock'",
)
LOCKED_ON_DESKTOP = KeyringErrorTemplate(
    "the OS keyring is locked",
    "the desktop asks for its password when a command that needs it, such as `tokencli get`, runs in a"
    " terminal; " + _ALTERNATIVES,
)
KEYCHAIN_WITHOUT_DIALOG = KeyringErrorTemplate(
    "the Keychain is locked, or asks for your consent, and can't show a dialog in this session",
    "this is usual over SSH; " + _ALTERNATIVES,
    "security unlock-keychain",
)
FORKED_PROCESS = KeyringErrorTemplate(
    "the {name} can't be used in a process that was forked after its parent had used it",
    "macOS would end the process; start it with the method spawn of multiprocessing, or let only the"
    " forked processes get tokens",
)
CONSENT_REFUSED = KeyringErrorTemplate(
    "access to the Keychain was refused in its dialog",
    "run the command again and choose Allow, or Always Allow for this Python; " + _ALTERNATIVES,
)
NOT_AVAILABLE = KeyringErrorTemplate(
    "no OS keyring is available (no {keyring})",
    "this is usual over SSH, in cron and in containers; " + _ALTERNATIVES,
    error_type=NoKeyringError,
)
FOREIGN_BUS = KeyringErrorTemplate(
    "no OS keyring is available: the D-Bus session bus that DBUS_SESSION_BUS_ADDRESS names belongs to"
    " another user (uid {owner}, and you are uid {user})",
    "su and sudo may keep variables of the user who called them; " + _ALTERNATIVES,
    error_type=NoKeyringError,
)
TIMED_OUT = KeyringErrorTemplate(
    "the OS keyring did not answer within {seconds:g} s",
    "it hangs, or waits for its password; " + _ALTERNATIVES,
)
NO_DEFAULT_COLLECTION = KeyringErrorTemplate(
    "the OS keyring has no default collection yet",
    "signing in at the desktop creates it; " + _ALTERNATIVES,
    "seahorse",
)
BAD_BACKEND_VARIABLE = KeyringErrorTemplate(
    "can't load the keyring backend {name!r} that PYTHON_KEYRING_BACKEND names: {reason}",
    fix="{command}",
)
BAD_BACKEND_CONFIG = KeyringErrorTemplate(
    "can't use {path}, the configuration of the keyring library: {reason}",
    fix="{command}",
)
BACKEND_DISABLED = KeyringErrorTemplate(
    "the keyring library is disabled ({name}): it would store nothing",
    "PYTHON_KEYRING_BACKEND or `keyring --disable` did that; " + _ALTERNATIVES,
    error_type=NoKeyringError,
)
PLAINTEXT_BACKEND = KeyringErrorTemplate(
    "the only keyring available ({name}) stores secrets as plain text in a file, so it is not used",
    "an encrypted keyring is locked or not installed; " + _ALTERNATIVES,
)
NOT_PERSISTED = KeyringErrorTemplate(
    "the OS keyring ({name}) accepted an item but does not return it",
    _ALTERNATIVES,
    "python -m keyring diagnose",
)
NOT_DELETED = KeyringErrorTemplate(
    "the OS keyring ({name}) deletes an item without an error, but still returns it",
    _ALTERNATIVES,
    "python -m keyring diagnose",
)
ITEM_TOO_LONG = KeyringErrorTemplate(
    "the text is too long for this system's keyring ({size} characters, the limit is {limit})",
    'store it in a file that only you can read: {{ file = "…" }}',
    persistent=False,
)
NOT_TEXT = KeyringErrorTemplate(
    "the item in the OS keyring ({name}) is not text",
    fix="tokencli login --again",
    persistent=False,
)
ITEM_REMOVED = KeyringErrorTemplate(
    "the item in the OS keyring was removed while it was being used",
    "run the command again",
    persistent=False,
)
OTHER_FAILURE = KeyringErrorTemplate(
    "the OS keyring ({name}) failed: {reason}",
    _ALTERNATIVES,
    "python -m keyring diagnose",
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
"""Class name -> template; of an exception's base classes the nearest with a row counts."""
_TEMPLATES_BY_STATUS = {
    -25308: KEYCHAIN_WITHOUT_DIALOG,  # errSecInteractionNotAllowed
    -25315: KEYCHAIN_WITHOUT_DIALOG,  # errSecInteractionRequired
    -128: CONSENT_REFUSED,  # errSecUserCanceled
}
"""Result code of Apple's Keychain Services -> template; the keyring library calls most of them unknown."""


_TEMPLATES_BY_WINDOWS_ERROR = {
    1312: NOT_AVAILABLE,  # ERROR_NO_SUCH_LOGON_SESSION: a network logon has no credentials
}
"""Error code of Windows -> template."""


def classify_keyring_exception(
    error: BaseException, environ: Mapping[str, str]
) -> KeyringErrorTemplate:
    """Return the template for an exception that a keyring backend raised."""
    windows_error = getattr(error, "winerror", None)
    if windows_error in _TEMPLATES_BY_WINDOWS_ERROR:
        return _TEMPLATES_BY_WINDOWS_ERROR[windows_error]
    status = next(iter(getattr(error.__cause__, "args", ())), None)
    if isinstance(status, int) and status in _TEMPLATES_BY_STATUS:
        return _TEMPLATES_BY_STATUS[status]
    for ancestor in type(error).__mro__:
        template = _TEMPLATES_BY_EXCEPTION_NAME.get(ancestor.__name__)
        if template is not None:
            return locked_template(environ) if template is LOCKED else template
    return OTHER_FAILURE


def has_desktop(environ: Mapping[str, str]) -> bool:
    """Tell whether there is a desktop on which the keyring can show its dialog."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def locked_template(environ: Mapping[str, str]) -> KeyringErrorTemplate:
    """Return the template for a locked keyring, with or without a desktop."""
    return LOCKED_ON_DESKTOP if has_desktop(environ) else LOCKED


def summarize_exception(error: BaseException) -> str:
    """Return an exception's name and text, shortened; keyring backends don't put secrets in it."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
