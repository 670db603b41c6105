"""The redacted report of `doctor --bundle`, for a ticket: it leaves the machine.

Of the configuration's texts, it keeps those that tokencli defines, hosts, names of profiles and
variables, scopes, and paths of plain words. All others are replaced by fingerprints with a salt that
is forgotten afterwards: equal texts can be recognized inside one report, but not guessed, and not
compared with another report.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from secrets import token_bytes
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tokencli.core.secret_account import read_secret
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.stored_token import find_stored_token
from tokencli.diagnosis.check_runner import CheckResult
from tokencli.errors import TokencliError
from tokencli.humanize import format_rfc3339
from tokencli.models import Profile, Secret, StoredTokenSet
from tokencli.protocols import Context
from tokencli.providers.redaction import mask_secrets, redact_text

if TYPE_CHECKING:
    from tokencli.config.load import Config
    from tokencli.token_event import TokenEvent

MAX_EVENTS = 50
"""Events of the log in a report, the latest."""
MIN_MASKED_CHARS = 3
"""A shorter text of the configuration is masked there, but not looked for in messages."""
MIN_VARIABLE_CHARS = 8
"""A shorter value of a variable that is named like a secret is rather a setting, e.g. `true`."""
KEPT_KEYS = frozenset(
    ("provider", "default_profile", "grant", "grants", "client_auth", "store", "basic_encoding",
     "redirect_host", "timeout", "lock_timeout", "min_ttl", "margin", "export", "format", "method",
     "kind", "alg", "signing_alg", "env", "profile", "use", "port", "redirect_port", "status")
)  # fmt: skip
"""Keys whose values are words of tokencli, durations, ports, or names of variables and profiles."""
_KEPT_TEXT = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
_VARIABLE_NAME = r"[A-Z_][A-Z0-9_]{0,63}"
"""Others are rather a secret that was written there instead of the variable's name."""
_TEMPLATE = r"\{[a-z_0-9]+\}"
"""A value that only names another one."""
_HOST = r"(?:[A-Za-z0-9-]{1,63}\.)*[A-Za-z0-9-]{1,63}(?::\d{1,5})?"
_HOST_KEY = r"(?:.*_)?host"
_PATH_PART = r"[A-Za-z][A-Za-z_.-]{0,29}\d{0,2}|v?\d{1,2}(?:\.\d)?|"
_TOKEN_LIKE = r"[A-Za-z0-9_~+/=-]{24,}"
"""What `redact_text` takes for a token if it has letters and digits."""
_QUOTED_CHARS = (80, 100)
"""Characters of a value that a message about the configuration quotes."""
_SCOPE_WORD = r"[A-Za-z][A-Za-z._:/-]{0,39}"
_SECRET_VARIABLE = r"(?i)token|secret|passw|pwd|key|credential|auth|cookie|pin\b"
CONTENTS = (
    "versions and platform; the checks; the configuration's keys, with hosts and names of profiles, and"
    f" everything else masked; fingerprints of the stored tokens; the last {MAX_EVENTS} events of the log"
)
"""What a report contains, for the user."""


class Masker:
    """Replaces texts by fingerprints, the same one each time."""

    def __init__(self) -> None:
        self._salt = token_bytes(32)
        self._masked: dict[str, str] = {}
        self._secrets: list[Secret] = []
        self._public: list[str] = []

    def fingerprint(self, text: str) -> str:
        """Return `<8 hexadecimal digits>`, equal for equal texts in this report."""
        digest = hmac.new(self._salt, text.encode(errors="surrogatepass"), sha256)
        return f"<{digest.hexdigest()[:8]}>"

    def mask(self, text: str) -> str:
        """Return the text's fingerprint, and replace it in all messages from now on."""
        if not text:
            return text
        for length in _QUOTED_CHARS:
            self._masked.setdefault(text[:length], self.fingerprint(text))
        return self._masked.setdefault(text, self.fingerprint(text))

    def mask_token(self, name: str) -> str:
        """Return the name, or its fingerprint if it looks like a token that was pasted there by mistake."""
        return name if redact_text(name) == name else self.mask(name)

    def keep(self, text: str) -> None:
        """Keep what looks like a token in this text, e.g. a path."""
        self._public += re.findall(_TOKEN_LIKE, self._replace_masked(text))

    def add_secret(self, secret: Secret) -> None:
        """Remove the secret from all messages from now on, however it is spelled."""
        self._secrets.append(secret)

    def replace(self, text: str, replacement: str) -> None:
        """Replace a text in all messages from now on, e.g. the home directory by `~`."""
        if text:
            self._masked[text] = replacement

    def clean(self, text: str) -> str:
        """Return a message without secrets and without what was masked."""
        text = re.sub(r"(?<=://)[^/\s@]+@", "", self._replace_masked(text))
        return redact_text(text, public=self._public)

    def _replace_masked(self, text: str) -> str:
        text = mask_secrets(text, self._secrets)
        for masked in sorted(self._masked, key=len, reverse=True):
            if len(masked) < MIN_MASKED_CHARS:
                continue
            pattern = rf"(?<![A-Za-z0-9]){re.escape(masked)}(?![A-Za-z0-9])"
            text = re.sub(pattern, self._masked[masked].replace("\\", r"\\"), text)
        return text


@dataclass(frozen=True, slots=True)
class BundleInput:
    """What a report is made of."""

    made_at: float
    """Epoch seconds."""
    versions: Mapping[str, str]
    environ: Mapping[str, str]
    homes: Sequence[str]
    """The user's home directories, by HOME and by the user database."""
    user: str
    results: Sequence[CheckResult]
    config: "Config | None"
    profiles: Sequence[Profile]
    """The profiles that were checked."""


def build_bundle(given: BundleInput, ctx: Context) -> dict[str, object]:
    """Return the report as an object for JSON."""
    masker = Masker()
    stored = _read_secrets(given, ctx, masker)
    data = given.config.data if given.config is not None else {}
    config = _mask_table(data, masker)
    for name, value in given.environ.items():
        is_secret = re.search(_SECRET_VARIABLE, name) and len(value) >= MIN_VARIABLE_CHARS
        if is_secret and name not in ENVIRONMENT:
            masker.add_secret(Secret(value))
    for user in (given.user, *map(given.environ.get, ("USER", "LOGNAME", "SUDO_USER"))):
        if user and user != "root":
            masker.mask(user)
    for home in given.homes:
        masker.replace(home.rstrip("/"), "~")
    paths = [given.environ.get(name, "") for name in ENVIRONMENT]
    if given.config is not None:
        paths.append(str(given.config.path))
    for path in paths:
        if path.startswith("/"):
            masker.keep(path)
    return {
        "made_at": format_rfc3339(given.made_at),
        "versions": dict(given.versions),
        "environment": _describe_environ(given.environ, masker),
        "checks": [_describe_result(result, masker) for result in given.results],
        "configuration": config,
        "tokens": [
            {
                "profile": masker.mask_token(name),
                "access_token": masker.fingerprint(
                    ctx.event_log.fingerprint(each.token.access_token)
                ),
                "refresh_token": None
                if each.token.refresh_token is None
                else masker.fingerprint(ctx.event_log.fingerprint(each.token.refresh_token)),
                "obtained_at": format_rfc3339(each.token.obtained_at),
                "expires_at": None
                if each.token.known_expiry is None
                else format_rfc3339(each.token.known_expiry),
            }
            for name, each in stored.items()
        ],
        "events": _describe_events(given, ctx, masker),
    }


def _read_secrets(given: BundleInput, ctx: Context, masker: Masker) -> dict[str, StoredTokenSet]:
    """Let the masker know the secrets that can be read silently; return the stored tokens."""
    stored = {}
    for profile in given.profiles:
        for ref in profile.secrets.values():
            try:
                if source_interaction(ref, ctx) == "none" and (
                    secret := read_secret(profile, ref, ctx)
                ):
                    masker.add_secret(secret)
            except TokencliError:
                continue  # `secrets` reports it
        try:
            found = find_stored_token(profile, ctx)
        except TokencliError:
            continue  # `token` reports it
        if found is not None:
            stored[profile.name] = found
            token = found.token
            for each in (token.access_token, token.refresh_token, token.id_token):
                if each:
                    masker.add_secret(each)
            for output in token.outputs.values():
                masker.add_secret(output)
    return stored


def _mask_table(table: Mapping[str, object], masker: Masker) -> dict[str, object]:
    """Return a table of the configuration with its keys, and the values that may be shown."""
    return {
        masker.mask_token(str(key)): _mask_value(str(key), value, masker)
        for key, value in table.items()
    }


def _mask_value(key: str, value: object, masker: Masker) -> object:
    if isinstance(value, bool) or (isinstance(value, int | float) and key in KEPT_KEYS):
        return value
    if isinstance(value, dict):
        return _mask_table(value, masker)
    if isinstance(value, list):
        return [_mask_value(key, each, masker) for each in value]
    text = str(value)
    kept = _VARIABLE_NAME if key == "env" else _KEPT_TEXT
    if (key in KEPT_KEYS and re.fullmatch(kept, text)) or re.fullmatch(_TEMPLATE, text):
        return masker.mask_token(text)
    if re.fullmatch(_HOST_KEY, key) and re.fullmatch(_HOST, text):
        return text
    if key == "scope":
        return " ".join(
            word if re.fullmatch(_SCOPE_WORD, word) else masker.mask(word) for word in text.split()
        )
    if "://" in text:
        return _mask_url(text, masker)
    return masker.mask(text)


def _mask_url(url: str, masker: Masker) -> str:
    """Return the URL's scheme and host, and its path if that is of plain words."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return masker.mask(url)
    if "@" in url and "@" not in parts.netloc:  # a raw /, ? or # in a password ends the host early
        return masker.mask(url)
    if not re.fullmatch(_HOST, host) and not host.startswith("["):
        return masker.mask(url)
    for secret in (parts.username, parts.password):
        if secret:
            masker.mask(secret)
    path = "/".join(
        part if re.fullmatch(_PATH_PART, part) else masker.mask(part)
        for part in parts.path.split("/")
    )
    query = f"?{masker.mask(parts.query)}" if parts.query else ""
    return f"{parts.scheme}://{host}{path}{query}"


def _describe_environ(environ: Mapping[str, str], masker: Masker) -> dict[str, str]:
    """Return the variables on which tokencli depends; of others, nothing."""
    described = {}
    for name in ENVIRONMENT:
        value = environ.get(name)
        if value and name.lower() in ("https_proxy", "all_proxy"):
            described[name] = _mask_url(value if "://" in value else f"http://{value}", masker)
        elif value:
            described[name] = masker.clean(value)
    return described


ENVIRONMENT = (
    "TOKENCLI_CONFIG", "TOKENCLI_PROFILE", "HOME", "SHELL", "TERM", "LANG", "LC_ALL", "CI", "NO_COLOR",
    "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY",
    "PYTHON_KEYRING_BACKEND", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
    "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""The variables that a report has."""


def _describe_result(result: CheckResult, masker: Masker) -> dict[str, object]:
    outcome = result.outcome
    return {
        "id": result.id,
        "profile": result.profile and masker.mask_token(result.profile),
        "ok": result.ok,
        "warning": outcome.state == "warning",
        "detail": masker.clean(outcome.detail),
        "cause": masker.clean(outcome.cause) if outcome.cause else None,
        "fix": masker.clean(outcome.fix) if outcome.fix else None,
        "exit_code": result.exit_code,
    }


def _describe_events(given: BundleInput, ctx: Context, masker: Masker) -> list[dict[str, object]]:
    names = {profile.name for profile in given.profiles}
    try:
        events = [event for event in ctx.event_log.read() if event.profile in names]
    except TokencliError:
        return []  # `event_log` reports it
    return [_describe_event(event, masker) for event in events[-MAX_EVENTS:]]


_TIMES = ("time", "obtained_at", "expires_at", "iat", "exp")
_FINGERPRINTS = ("fingerprint", "refresh_fingerprint", "kid")
_NAMES = ("profile", "event", "outcome", "grant")


def _describe_event(event: "TokenEvent", masker: Masker) -> dict[str, object]:
    """Return an event's members that are known, with the report's own fingerprints."""
    described: dict[str, object] = {}
    for name, value in asdict(event).items():
        if value is None or value == ():
            continue
        if name in _TIMES:
            described[name] = format_rfc3339(value)
        elif name in _FINGERPRINTS:
            described[name] = masker.fingerprint(value)
        elif name == "aud":
            described[name] = [_mask_value(name, each, masker) for each in value]
        elif name == "scope":
            described[name] = _mask_value(name, value, masker)
        else:
            clean = masker.mask_token if name in _NAMES else masker.clean
            described[name] = clean(value) if isinstance(value, str) else value
    return described
