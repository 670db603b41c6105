"""Read from a decoded token what it says: its times, its scopes, and what kind an opaque one is."""

import re
from collections.abc import Mapping

from tokencli.fast_dataclass import dataclass
from tokencli.humanize import format_time, humanize_relative_time
from tokencli.jwt.decode import finite_number, strings_of_claim

TIME_CLAIMS = ("iat", "nbf", "exp", "auth_time", "updated_at")
"""Claims that are NumericDates (RFC 7519 section 2; OpenID Connect Core sections 2 and 5.1)."""
OPAQUE_FORMATS = {
    r"v[1-4]\.(public|local)\.": "it looks like a PASETO, which tokencli doesn't decode",
    r"ya29\.": "it looks like a Google access token",
    r"gh[opusr]_|github_pat_": "it looks like a GitHub token",
    r"glpat-": "it looks like a GitLab access token",
    r"xox[a-z]-": "it looks like a Slack token",
    r"(MDA|AgE)[\w+/=-]{40}": "it looks like a macaroon, which tokencli doesn't decode",
    r"gAAAAA": "it looks like a Fernet token, which is encrypted",
    r"(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$": "it is a UUID, e.g. a reference token",
}
"""How well-known opaque tokens start (a regular expression) -> a remark."""
MILLISECONDS_THRESHOLD = 1e11
"""A date beyond this many seconds (year 5138) is most likely in milliseconds."""


@dataclass(frozen=True, slots=True)
class ClaimTime:
    """A time in a token's claims."""

    name: str
    epoch: float

    def as_text(self, now: float) -> str:
        """Return it in UTC and relative to `now`."""
        return f"{format_time(self.epoch)}, {humanize_relative_time(self.epoch, now)}"


def read_time_claims(claims: Mapping[str, object]) -> tuple[ClaimTime, ...]:
    """Return the times in the claims, in the order of `TIME_CLAIMS`."""
    times = ((name, finite_number(claims.get(name))) for name in TIME_CLAIMS)
    return tuple(ClaimTime(name, epoch) for name, epoch in times if epoch is not None)


def collect_scopes(claims: Mapping[str, object]) -> tuple[str, ...]:
    """Return every scope in `scope`, `scp` and `scopes` (RFC 9068 section 2.2.3), once each."""
    texts = [
        text for name in ("scope", "scp", "scopes") for text in strings_of_claim(claims.get(name))
    ]
    return tuple(dict.fromkeys(scope for text in texts for scope in text.split()))


def describe_opaque_format(token: str) -> str | None:
    """Return a remark on an opaque token of a well-known format."""
    return next(
        (remark for start, remark in OPAQUE_FORMATS.items() if re.match(start, token)), None
    )
