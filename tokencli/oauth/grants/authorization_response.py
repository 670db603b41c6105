"""Judge what an authorization server's redirect says (RFC 6749 section 4.1.2, RFC 9207)."""

from collections.abc import Mapping
from hmac import compare_digest
from urllib.parse import parse_qsl, urlsplit

from tokencli.errors import RefusedError, ReplyError, TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.models import AuthorizationResponse, Profile, Secret
from tokencli.oauth.refusals import SCOPE_OPTION_HINT, refuses_scope_option
from tokencli.providers.redaction import redact_text

MAX_QUERY_LENGTH = 16 * 1024
"""Characters; no server sends a redirect as long as that."""
MAX_QUERY_PARAMS = 64
MAX_QUOTED_LENGTH = 200
"""Characters of a server's text that a message quotes at most."""


@dataclass(frozen=True, slots=True)
class ExpectedResponse:
    """The redirect that one sign-in waits for."""

    profile: Profile
    state: str

    def parse_response(self, query: str) -> AuthorizationResponse | None:
        """Return what the query says, or None where it is not of this sign-in.

        Without the right `state`, or with a name given twice, it is somebody else's, and changes
        nothing. With it the wait is over, for good or for bad.
        """
        found = _parse_query_params(query)
        if found is None or not _equals_in_constant_time(found.get("state", ""), self.state):
            return None
        wrong = self._check_issuer(found) or self._read_error_response(found)
        if wrong is not None:
            return AuthorizationResponse(error=wrong)
        return AuthorizationResponse(Secret(found["code"])) if found.get("code") else None

    def _check_issuer(self, found: Mapping[str, str]) -> TokencliError | None:
        """Check who sent it (RFC 9207 section 2.4): by plain comparison, and also of an error."""
        issuer = self.profile.issuer
        named = found.get("iss")
        if named is None and not self.profile.sign_in.iss_in_redirect:
            return None
        if issuer is None or named == issuer:
            return None
        who = "nobody" if named is None else f"{named[:MAX_QUOTED_LENGTH]!r}"
        return ReplyError(
            f"the browser came back from {who}, though the sign-in was begun at {issuer!r}; nothing"
            " that came with it was used",
            fix=f"tokencli login {self.profile.command_line_name}   and look at the address in the browser",
        )

    def _read_error_response(self, found: Mapping[str, str]) -> TokencliError | None:
        """Put an error response (RFC 6749 section 4.1.2.1) into words."""
        code = found.get("error")
        if not code:
            return None
        code = redact_text(code)[:80]
        text = redact_text(found.get("error_description", ""))[:MAX_QUOTED_LENGTH]
        said = code + (f": {text}" if text else "")
        host = urlsplit(self.profile.endpoints.get("authorization", "")).netloc
        known = self.profile.provider.errors.codes.get(code)
        what = known.what if known else _ERROR_MEANINGS.get(code, _DEFAULT_MEANING)
        return RefusedError(
            f"{host} ended the sign-in ({said}): {what}",
            fix=SCOPE_OPTION_HINT
            if refuses_scope_option(self.profile, code, known)
            else f"tokencli login {self.profile.command_line_name}",
            error=code,
            description=text or None,
        )


_DEFAULT_MEANING = "the server does not allow it"
_ERROR_MEANINGS = {
    "access_denied": "it was refused, by you or by the server",
    "unsupported_response_type": "this client may not sign people in with a code",
    "consent_required": "the server could not ask for your consent",
    "login_required": "the server could not ask who you are",
    "interaction_required": "the server could not ask what it has to ask",
}
"""RFC 6749 section 4.1.2.1 and OpenID Connect Core section 3.1.2.6, where the token endpoint has no
code of that name."""


def _parse_query_params(query: str) -> dict[str, str] | None:
    """Return the query's members, or None where it is too long, broken, or names one twice."""
    if len(query) > MAX_QUERY_LENGTH:
        return None
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MAX_QUERY_PARAMS, errors="strict"
        )
    except ValueError:
        return None
    found = dict(pairs)
    return found if len(found) == len(pairs) else None


def _equals_in_constant_time(one: str, other: str) -> bool:
    return compare_digest(one.encode(errors="surrogatepass"), other.encode())
