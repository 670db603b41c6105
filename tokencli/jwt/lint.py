"""Find what is wrong or risky about a token by itself: one row of `RULES` for each thing.

A rule is a pure function. Its texts name claims and never quote the value of one that may be secret
or personal.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import format_rfc3339, format_time, humanize_duration
from tokencli.jwt.decode import DecodedToken, finite_number, strings_of_claim
from tokencli.jwt.explain import MILLISECONDS_THRESHOLD, TIME_CLAIMS, read_time_claims
from tokencli.jwt.registered_claims import ALGORITHMS
from tokencli.models import CLOCK_TOLERANCE_S

LONG_LIFETIME_S = 24 * 3600
"""A longer lifetime is a finding. RFC 6750 section 5.3 recommends an hour at most."""
LARGE_TOKEN_CHARS, TOO_LARGE_TOKEN_CHARS = 4096, 8192
"""Apache and nginx accept header lines of 8 KiB by default, Tomcat 8 KiB for all headers together."""
SIGNATURE_LENGTHS = {
    "HS256": 32,
    "HS384": 48,
    "HS512": 64,
    "ES256": 64,
    "ES384": 96,
    "ES512": 132,
    "Ed25519": 64,
}
"""Algorithm -> bytes of its signatures (RFC 7518 section 3, RFC 8032 section 5.1.6)."""
ID_TOKEN_CLAIMS = frozenset(("nonce", "at_hash", "c_hash", "s_hash"))
"""Only ID tokens have one of these (OpenID Connect Core sections 2 and 3.3.2.11)."""
GOOGLE_ISSUERS = ("https://accounts.google.com", "accounts.google.com")
"""What Google writes into ID tokens; its access tokens are opaque."""
MAX_NAMED_CLAIMS = 5
MAX_NAME_CHARS = 60

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class LintSubject:
    """A token to check, and what is known about it."""

    decoded: DecodedToken
    now: float
    """Epoch seconds by the clock of the token's issuer, as far as that is known."""
    length: int = 0
    """Characters of the token."""
    scopes: tuple[str, ...] = ()
    """The granted scopes, by the token or by the server's reply."""
    requested_scope: str | None = None
    """The scope that its profile requests; None if it is unknown or left to the server."""
    client_is_public: bool = False
    """Whether the client is known to have no secret (RFC 6749 section 2.1)."""
    is_known_id_token: bool = False
    """Whether it was stored or asked for as an ID token."""

    @property
    def header(self) -> Mapping[str, object]:
        """The token's header."""
        return self.decoded.header

    @property
    def claims(self) -> Mapping[str, object]:
        """The token's claims."""
        return self.decoded.claims

    @property
    def times(self) -> dict[str, float]:
        """The claims that are times in seconds: others say nothing about clocks and lifetimes."""
        times = read_time_claims(self.claims)
        return {time.name: time.epoch for time in times if time.epoch <= MILLISECONDS_THRESHOLD}

    @property
    def algorithm(self) -> str:
        """The `alg` of the header; empty if it has none."""
        alg = self.header.get("alg")
        return alg if isinstance(alg, str) else ""

    @property
    def is_id_token(self) -> bool:
        """Whether it certainly is an ID token: also by the claims of Cognito, Keycloak and Google."""
        claims = self.claims
        return (
            self.is_known_id_token
            or bool(ID_TOKEN_CLAIMS & claims.keys())
            or "id" in (claims.get("token_use"), str(claims.get("typ")).lower())
            or claims.get("iss") in GOOGLE_ISSUERS
        )


@dataclass(frozen=True, slots=True)
class LintFinding:
    """What one rule found."""

    id: str
    """The rule's key in `RULES`."""
    severity: Severity
    text: str
    """A sentence without a full stop."""
    source: str
    """The specification or software that the rule follows."""
    is_remark: bool
    """Whether it can explain why a call fails, so that `inspect` always shows it."""


Check: TypeAlias = Callable[[LintSubject], str | Iterable[str] | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to check."""

    check: Check
    """Return what is wrong as one text or several; None or nothing if all is well."""
    severity: Severity
    """`error`: recipients refuse such a token, or should. `warning`: it is risky. `note`: unusual."""
    source: str
    is_remark: bool = True
    kinds: tuple[str, ...] = ("jwt", "sd-jwt")
    """The kinds of token that it applies to."""


def lint_token(subject: LintSubject) -> tuple[LintFinding, ...]:
    """Return all findings in the order of `RULES`."""
    findings = []
    for id, rule in RULES.items():
        if subject.decoded.kind not in rule.kinds:
            continue
        found = rule.check(subject)
        for text in (found,) if isinstance(found, str) else found or ():
            findings.append(LintFinding(id, rule.severity, text, rule.source, rule.is_remark))
    return tuple(findings)


def _check_algorithm_missing(subject: LintSubject) -> str | None:
    alg = subject.header.get("alg")
    return None if isinstance(alg, str) else "the header has no alg, which every signed token needs"


def _check_unsigned(subject: LintSubject) -> str | None:
    if subject.algorithm.lower() != "none":
        return None
    return "alg is none: the token is not signed, so nothing should accept it"


def _check_symmetric(subject: LintSubject) -> str | None:
    alg = subject.algorithm
    if not alg.upper().startswith("HS") or _check_symmetric_public(subject):
        return None
    return f"alg is {alg[:20]}: anyone who can verify this token can also forge one"


def _check_symmetric_public(subject: LintSubject) -> str | None:
    # A client has to verify ID tokens only.
    alg = subject.algorithm
    if not (alg.upper().startswith("HS") and subject.client_is_public and subject.is_id_token):
        return None
    return (
        f"alg is {alg[:20]}, but the profile's client is public: it has no secret with which it could"
        " verify this ID token"
    )


def _check_weak_algorithm(subject: LintSubject) -> str | None:
    alg = subject.algorithm
    if alg == "RSA1_5":
        return "alg is RSA1_5: this encryption is open to padding-oracle attacks"
    if alg in ("RS1", "HS1"):
        return f"alg is {alg}: SHA-1 is broken for signatures"
    if subject.decoded.kind == "jwe" or not alg or alg in ALGORITHMS or alg.lower() == "none":
        return None
    return "alg is not a registered algorithm, so most recipients can't verify the signature"


def _check_critical(subject: LintSubject) -> str | None:
    if "crit" not in subject.header:
        return None
    names = ", ".join(strings_of_claim(subject.header["crit"]))[:200] or "nothing readable"
    return f"crit lists {names}: a recipient that doesn't support this must reject the token"


def _check_own_key(subject: LintSubject) -> str | None:
    keys = [name for name in ("jwk", "jku", "x5u", "x5c") if name in subject.header]
    if not keys:
        return None
    return f"the header brings its own key ({', '.join(keys)}), which is neither used nor fetched"


def _check_key_id(subject: LintSubject) -> str | None:
    symmetric = subject.algorithm.upper().startswith(("HS", "NONE"))
    if "kid" in subject.header or symmetric or not subject.algorithm:
        return None
    return (
        "the header has no kid: after the issuer changes its key, recipients have to try them all"
    )


def _check_type(subject: LintSubject) -> str | None:
    typ = str(subject.header.get("typ", "")).lower().removeprefix("application/")
    if typ not in ("", "jwt") or subject.is_id_token:
        return None
    stated = "the header has no typ" if typ == "" else "typ is JWT"
    return f"{stated}, so a recipient can't tell by it whether this is an access token (at+jwt)"


def _check_signature_length(subject: LintSubject) -> str | None:
    alg, length = subject.algorithm, subject.decoded.signature_length
    expected = SIGNATURE_LENGTHS.get(alg)
    if expected is None or length in (None, expected):
        return None
    return (
        f"its signature has {length} bytes, and one made with {alg} has {expected}:"
        " was it cut off or changed?"
    )


def _check_time_types(subject: LintSubject) -> Iterator[str]:
    for name in TIME_CLAIMS:
        if name in subject.claims and finite_number(subject.claims[name]) is None:
            yield f"{name} is not a number of seconds, so recipients may ignore it"


def _check_time_units(subject: LintSubject) -> Iterator[str]:
    for name, epoch in ((time.name, time.epoch) for time in read_time_claims(subject.claims)):
        if epoch > MILLISECONDS_THRESHOLD:
            yield (
                f"{name} is too large for a number of seconds"
                if format_rfc3339(epoch / 1000) is None
                else f"{name} looks like milliseconds: it would be {format_time(epoch / 1000)}"
            )


def _check_expiry_missing(subject: LintSubject) -> str | None:
    if not subject.claims or "exp" in subject.claims:
        return None
    return "there is no exp: only the server knows when it expires"


def _check_issued_ahead(subject: LintSubject) -> str | None:
    iat = subject.times.get("iat")
    if iat is None or iat <= subject.now + CLOCK_TOLERANCE_S:
        return None
    return (
        f"iat is {humanize_duration(iat - subject.now)} ahead of this computer's clock: one of the"
        " clocks is wrong"
    )


def _check_time_order(subject: LintSubject) -> Iterator[str]:
    exp, iat, nbf = map(subject.times.get, ("exp", "iat", "nbf"))
    if exp is not None and iat is not None and exp <= iat:
        yield "exp is not later than iat: it expired before it was issued"
    if exp is not None and nbf is not None and exp <= nbf:
        yield "exp is not later than nbf: it is never valid"


def _check_lifetime(subject: LintSubject) -> str | None:
    exp, iat = subject.times.get("exp"), subject.times.get("iat")
    if exp is None or iat is None or exp - iat <= LONG_LIFETIME_S:
        return None
    # The difference may be infinite.
    lifetime = humanize_duration(min(exp - iat, MILLISECONDS_THRESHOLD * 1000))
    return f"its lifetime is {lifetime}, which is long for a bearer token"


def _check_updated(subject: LintSubject) -> str | None:
    exp, updated = subject.times.get("exp"), subject.times.get("updated_at")
    if exp is None or updated is None or updated <= exp:
        return None
    return "updated_at is later than exp: one of the two must be wrong"


def _check_audience(subject: LintSubject) -> str | None:
    if not subject.claims or any(strings_of_claim(subject.claims.get("aud"))):
        return None
    return "it names no audience (aud), so an API can't tell whether the token is meant for it"


def _check_issuer(subject: LintSubject) -> str | None:
    if not subject.claims or isinstance(subject.claims.get("iss"), str):
        return None
    return "it names no issuer (iss), so a recipient can't tell whose keys verify it"


GOOGLE_SCOPES = "https://www.googleapis.com/auth/userinfo."
"""What Google grants for the scopes `email` and `profile` begins with this."""


IDENTITY_SCOPES = ("openid", "profile", "email", "address", "phone")
"""They allow reading the person's own claims only (OpenID Connect Core section 5.4). Keycloak adds some
by default, and Entra all that were consented to."""


def _check_scope(subject: LintSubject) -> str | None:
    more = [scope for scope in _list_added_scopes(subject) if scope not in IDENTITY_SCOPES]
    return f"its scope is wider than the profile requests: {_name_all(more)}" if more else None


def _check_identity_scope(subject: LintSubject) -> str | None:
    more = [scope for scope in _list_added_scopes(subject) if scope in IDENTITY_SCOPES]
    if not more:
        return None
    return (
        "its scope is wider than the profile requests, by what only tells who the person is:"
        f" {_name_all(more)}"
    )


def _list_added_scopes(subject: LintSubject) -> list[str]:
    requested = (subject.requested_scope or "").split()
    # Entra: `.default` asks for everything that was consented to, and `scp` lacks the resource.
    if not requested or any(scope.endswith("/.default") for scope in requested):
        return []
    known = {*requested, *(scope.rpartition("/")[2] for scope in requested)}
    granted = (scope.removeprefix(GOOGLE_SCOPES) for scope in subject.scopes)
    return [scope for scope in granted if scope not in known]


_SECRET_NAME = re.compile(
    r"(?:password|passwd|passphrase|secret|apikey|privatekey|accesskey|secretkey|accesstoken"
    r"|refreshtoken|idtoken|sessiontoken|credential|credentials)$|^(?:pwd|pin|otp)$"
)
"""The end of a claim's name, in lower case and without punctuation, whose text is a secret."""
_SECRET_SHAPE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\."
    r"|\bAKIA[0-9A-Z]{16}\b|\bgh[opsu]_\w{30}|\bgithub_pat_\w{20}|\bglpat-[\w-]{20}"
    r"|\bxox[abposr]-[\w-]{10}|\bsk_live_\w{16}|\bAIza[\w-]{35}|^\w+://[^/\s:@]+:[^/\s@]+@"
)
"""A private key (RFC 7468 section 10), a JWT, well-known kinds of API keys, a URL with a password."""
_PERSONAL_NAME = re.compile(
    r"(?:email|mail|emailaddress|phone|phonenumber|mobile|mobilephone|telephonenumber|birthdate"
    r"|birthday|dateofbirth|address|streetaddress|postaladdress|homeaddress|ssn|socialsecuritynumber"
    r"|passportnumber|nationalid|taxid|creditcard|cardnumber|iban)$"
)
"""The whole name of a claim about a person, normalized in the same way."""
_PERSONAL_SHAPE = re.compile(
    r"(?i)(?:mailto:)?[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[a-z]{2,24}$"
    r"|(?:tel:)?\+[1-9](?:[ ()./-]{0,2}\d){7,14}$"
)
"""An email address, or a phone number in international form (E.164)."""
_SERVICE_ACCOUNT = re.compile(r"(?i)[\w.+-]+@(?:[\w-]+\.)*gserviceaccount\.com$")
"""The email address of a program, at Google."""
USER_NAME_CLAIMS = ("sub", "upn", "unique_name", "preferred_username", "username")
"""Claims with which Okta, Entra and others name the user, often by the address to sign in with."""
_CARD = re.compile(
    r"(?:4\d{12}(?:\d{3}){0,2}|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12})$"
)
"""The digits of a payment card of the large networks; the last one is a check digit (ISO/IEC 7812)."""
_PRIVATE_JWK_MEMBERS = frozenset(("d", "k", "p", "q"))
"""RFC 7518 sections 6.2.2, 6.3.2 and 6.4."""


def _check_secrets(subject: LintSubject) -> str | None:
    paths = [path for path, value in _walk_claims(subject.claims) if is_secret(path, value)]
    return (
        f"anyone who sees the token can read secrets in it: {_name_all(paths)}" if paths else None
    )


def _check_personal_data(subject: LintSubject) -> str | None:
    paths = [path for path in _list_personal_claims(subject) if path not in USER_NAME_CLAIMS]
    if not paths:
        return None
    return f"anyone who sees the token can read personal data in it: {_name_all(paths)}"


def _check_user_name(subject: LintSubject) -> str | None:
    paths = [path for path in _list_personal_claims(subject) if path in USER_NAME_CLAIMS]
    if not paths:
        return None
    return f"the name of its user is an email address or a phone number: {_name_all(paths)}"


def _list_personal_claims(subject: LintSubject) -> list[str]:
    if subject.is_id_token:  # their purpose
        return []
    return [path for path, value in _walk_claims(subject.claims) if _is_personal(path, value)]


def is_secret(path: str, value: object) -> bool:
    """Tell whether a claim is a secret, by its name or by the shape of its value."""
    if isinstance(value, dict):
        return "kty" in value and bool(_PRIVATE_JWK_MEMBERS & value.keys())
    if not isinstance(value, str) or not value:
        return False
    return bool(_SECRET_NAME.search(_normalize_name(path)) or _SECRET_SHAPE.search(value))


def _is_personal(path: str, value: object) -> bool:
    is_named = bool(_PERSONAL_NAME.match(_normalize_name(path)))
    if isinstance(value, dict):  # the claim `address` of OpenID Connect Core section 5.1.1
        return is_named and bool(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return is_named or _is_card_number(str(value) if abs(value) < 10**19 else "")
    if not isinstance(value, str) or not value or _SERVICE_ACCOUNT.match(value):
        return False
    return is_named or bool(_PERSONAL_SHAPE.match(value)) or _is_card_number(value)


def _is_card_number(text: str) -> bool:
    """Tell whether a text is the number of a payment card, by its start, length and check digit."""
    digits = re.sub(r"(?<=\d)[ -](?=\d)", "", text) if len(text) <= 23 else ""
    if not digits.isascii() or not _CARD.match(digits):
        return False
    doubled = (int(d) * (2 if at % 2 else 1) for at, d in enumerate(reversed(digits)))
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _normalize_name(path: str) -> str:
    """Return the last name of a path, or of a name that is a URL, in lower case without punctuation."""
    name = re.split(r"[./]", path.rstrip("./"))[-1]
    return re.sub(r"[\W_]", "", name).lower()


def _walk_claims(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield each value, also inside objects and lists, with its path, e.g. `user.email`."""
    if path:
        yield path, value
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _walk_claims(member, f"{path}.{name}" if path else name or '""')
    elif isinstance(value, list):
        for item in value:
            yield from _walk_claims(item, path)


def _name_all(names: Iterable[str]) -> str:
    """Return names from the token for a sentence, each quoted unless it is plain, and not too many."""
    distinct = list(dict.fromkeys(names))
    shown = ", ".join(map(_quote_name, distinct[:MAX_NAMED_CLAIMS]))
    more = len(distinct) - MAX_NAMED_CLAIMS
    return f"{shown} and {more} more" if more > 0 else shown


def _quote_name(name: str) -> str:
    short = name if len(name) <= MAX_NAME_CHARS else f"{name[: MAX_NAME_CHARS - 1]}…"
    return short if re.fullmatch(r"[\w.:/@-]+", short) else json.dumps(short, ensure_ascii=False)


def _check_size(subject: LintSubject) -> str | None:
    if not LARGE_TOKEN_CHARS < subject.length <= TOO_LARGE_TOKEN_CHARS:
        return None
    return (
        f"it has {subject.length} characters: together with cookies and other headers, a request may"
        " exceed the 8 KiB that many servers accept"
    )


def _check_too_large(subject: LintSubject) -> str | None:
    if subject.length <= TOO_LARGE_TOKEN_CHARS:
        return None
    return (
        f"it has {subject.length} characters: most servers accept 8 KiB of headers, and refuse more"
        " with 400, 413 or 431"
    )


ALL_KINDS = ("jwt", "sd-jwt", "jwe", "opaque")
RULES: dict[str, Rule] = {
    "decoding": Rule(
        lambda subject: subject.decoded.problems, "warning", "RFC 7515 section 5.2", kinds=ALL_KINDS
    ),
    "alg_missing": Rule(_check_algorithm_missing, "error", "RFC 7515 section 4.1.1"),
    "alg_none": Rule(_check_unsigned, "error", "RFC 8725 section 3.2"),
    "alg_symmetric": Rule(_check_symmetric, "warning", "RFC 8725 section 3.5"),
    "alg_symmetric_public": Rule(
        _check_symmetric_public, "error", "OpenID Connect Core section 10.1"
    ),
    "alg_weak": Rule(
        _check_weak_algorithm, "warning", "RFC 8725 section 3.2", kinds=("jwt", "sd-jwt", "jwe")
    ),
    "crit": Rule(_check_critical, "warning", "RFC 7515 section 4.1.11"),
    "own_key": Rule(_check_own_key, "warning", "RFC 8725 section 3.10"),
    "signature_length": Rule(_check_signature_length, "error", "RFC 7518 section 3"),
    "time_not_number": Rule(_check_time_types, "error", "RFC 7519 section 2"),
    "time_not_seconds": Rule(_check_time_units, "error", "RFC 7519 section 2"),
    "exp_missing": Rule(_check_expiry_missing, "warning", "RFC 9068 section 2.2"),
    "iat_ahead": Rule(_check_issued_ahead, "warning", "RFC 7519 section 4.1.6"),
    "time_order": Rule(_check_time_order, "error", "RFC 7519 sections 4.1.4 to 4.1.6"),
    "lifetime": Rule(_check_lifetime, "warning", "RFC 6750 section 5.3"),
    "updated_at": Rule(_check_updated, "warning", "OpenID Connect Core section 5.1"),
    # The report shows the audience anyway.
    "aud_missing": Rule(_check_audience, "warning", "RFC 8725 section 3.9", is_remark=False),
    "iss_missing": Rule(_check_issuer, "note", "RFC 9068 section 2.2", is_remark=False),
    "scope_wider": Rule(_check_scope, "warning", "RFC 9700 section 2.3", kinds=ALL_KINDS),
    "scope_identity": Rule(
        _check_identity_scope,
        "note",
        "OpenID Connect Core section 5.4",
        is_remark=False,
        kinds=ALL_KINDS,
    ),
    "secrets": Rule(_check_secrets, "error", "RFC 7519 section 12"),
    "personal_data": Rule(_check_personal_data, "warning", "RFC 9068 section 6", is_remark=False),
    "user_name": Rule(_check_user_name, "note", "RFC 9068 section 6", is_remark=False),
    "large": Rule(_check_size, "warning", "RFC 9110 section 5.4", kinds=ALL_KINDS),
    "too_large": Rule(_check_too_large, "error", "RFC 9110 section 5.4", kinds=ALL_KINDS),
    "kid_missing": Rule(_check_key_id, "note", "RFC 7515 section 4.1.4", is_remark=False),
    "typ": Rule(_check_type, "note", "RFC 9068 section 2.1", is_remark=False),
}
"""Id -> rule. The ids are part of what `inspect --json` prints."""
