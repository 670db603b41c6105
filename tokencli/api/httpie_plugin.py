"""Authentication for HTTPie: `http --auth-type tokencli -a corp https://api.example.com/`.

HTTPie imports this module by its entry point whenever it starts, so the rest is imported on first use.
"""

import sys
from pathlib import Path

from httpie.plugins import AuthPlugin
from requests import PreparedRequest
from requests.auth import AuthBase

from tokencli.errors import ConfigError, TokencliError
from tokencli.sanitize import sanitize_text

_SITE_PACKAGES = str(Path(__file__).parents[2])


class TokencliAuthPlugin(AuthPlugin):
    """The authentication type `tokencli` of HTTPie; `-a` names the profile.

    A session of HTTPie stores the profile's name, not the token.
    """

    name = "tokencli"
    auth_type = "tokencli"
    description = "Send a fresh token of a tokencli profile, e.g. -a corp"
    auth_require = False
    auth_parse = False
    prompt_password = False

    def get_auth(
        self,
        username: str | None = None,  # noqa: ARG002 - HTTPie passes both for a session
        password: str | None = None,  # noqa: ARG002 - likewise
    ) -> AuthBase:
        """Return what authenticates the request; without `-a`, by the default profile."""
        return _ProfileAuth(self.raw_auth)


class TokenError(Exception):
    """No token for the request: HTTPie prints the name of this class and its text."""


class _ProfileAuth(AuthBase):
    """`TokenAuth`, made when the request is: HTTPie shows errors from then on without a traceback."""

    def __init__(self, profile: str | None) -> None:
        self._profile = profile

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token.

        Raises:
            TokenError: there is none.
        """
        if _SITE_PACKAGES not in sys.path:  # HTTPie takes its folder of plug-ins away after loading
            sys.path.append(_SITE_PACKAGES)
        from tokencli.api.requests_auth import TokenAuth

        try:
            return TokenAuth(self._profile)(request)
        except TokencliError as error:
            raise TokenError(_describe_error(error)) from None


def _describe_error(error: TokencliError) -> str:
    """Return the lines of a report: the message, the problems of the file, the cause and the fix."""
    problems = error.problems if isinstance(error, ConfigError) else ()
    lines = [
        error.message,
        *(f"  {problem.where}: {problem.what}" for problem in problems),
        *([f"cause: {error.cause}"] if error.cause else []),
        *([f"fix: {error.fix}"] if error.fix else []),
    ]
    return "\n".join(map(sanitize_text, lines))
