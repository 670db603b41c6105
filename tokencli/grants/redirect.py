"""Judge what an authorization server's redirect says (RFC 6749 section 4.1.2, RFC 9207)."""

from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

from tokencli.browsing import Redirect
from tokencli.errors import RefusedError, ReplyError, TokencliError
from tokencli.frozen import dataclass
from tokencli.model import Profile, Secret
from tokencli.providers.redact import redact
from tokencli.providers.refusal import OTHER_SCOPES, other_scopes

MAX_QUERY = 16 * 1024
"""Characters; no server sends a redirect as long as that."""
MAX_MEMBERS = 64
QUOTE = 200
"""Characters of a server's text that a message quotes at most."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The redirect that one sign-in waits for."""

    profile: Profile
    state: str

    def judge(self, query: str) -> Redirect | None:
        """Return what the query says, or None where it is not of this sign-in.

        Without the right `state`, or with a name given twice, it is somebody else's, and changes
        nothing. With it the wait is over, for good or for bad.
        """
        found = _members(query)
        if found is None or not _same(found.get("state", ""), self.state):
            return None
        wrong = self._mixed_up(found) or self._refused(found)
        if wrong is not None:
            return Redirect(failure=wrong)
        return Redirect(Secret(found["code"])) if found.get("code") else None

    def _mixed_up(self, found: Mapping[str, str]) -> TokencliError | None:
        """Check who sent it (RFC 9207 section 2.4): by plain comparison, and also of an error."""
        issuer = self.profile.issuer
        named = found.get("iss")
        if named is None and not self.profile.sign_in.names_itself:
            return None
        if issuer is None or named == issuer:
            return None
        who = "nobody" if named is None else f"{named[:QUOTE]!r}"
        return ReplyError(
            f"the browser came back from {who}, though the sign-in was begun at {issuer!r}; nothing"
            " that came with it was used",
            hint=f"tokencli login {self.profile.as_typed}   and look at the address in the browser",
        )

    def _refused(self, found: Mapping[str, str]) -> TokencliError | None:
        """Put an error response (RFC 6749 section 4.1.2.1) into words."""
        code = found.get("error")
        if not code:
            return None
        code = redact(code)[:80]
        text = redact(found.get("error_description", ""))[:QUOTE]
        said = code + (f": {text}" if text else "")
        host = urlsplit(self.profile.endpoints.get("authorization", "")).netloc
        known = self.profile.provider.errors.codes.get(code)
        what = known.what if known else _MEANINGS.get(code, _UNKNOWN)
        return RefusedError(
            f"{host} ended the sign-in ({said}): {what}",
            hint=OTHER_SCOPES
            if other_scopes(self.profile, code, known)
            else f"tokencli login {self.profile.as_typed}",
            error=code,
            description=text or None,
        )


_UNKNOWN = "the server does not allow it"
_MEANINGS = {
    "access_denied": "it was refused, by you or by the server",
    "unsupported_response_type": "this client may not sign people in with a code",
    "consent_required": "the server could not ask for your consent",
    "login_required": "the server could not ask who you are",
    "interaction_required": "the server could not ask what it has to ask",
}
"""RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6, where the token endpoint has no
code of that name."""


def _members(query: str) -> dict[str, str] | None:
    """Return the query's members, or None where it is too long, broken, or names one twice."""
    if len(query) > MAX_QUERY:
        return None
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MAX_MEMBERS, errors="strict"
        )
    except ValueError:
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _same(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="surrogatepass"), other.encode())
