"""The bare token."""

from tokencli.formats.variable_checks import require_one_word
from tokencli.models import TokenSet


def render(profile: str, token: TokenSet, now: float) -> str:  # noqa: ARG001 - one signature for all
    """Return the token and a newline."""
    value = token.access_token.reveal()
    require_one_word(value, "token")
    return f"{value}\n"
