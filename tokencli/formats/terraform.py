"""The result of a program of Terraform's data source `external`: a flat JSON object of strings."""

from tokencli.formats.dpop import bound_token_error
from tokencli.formats.json import build_token_object, dump_json_line
from tokencli.models import Profile, TokenSet

MEMBERS = ("profile", "access_token", "token_type", "scope", "expires_at", "expires_at_epoch")
"""Each is in every result, so that an expression can rely on it; times relative to now would change in each plan."""


def render(profile: str, token: TokenSet, now: float) -> str:
    """Return one line of JSON; a value that isn't known is an empty string."""
    found = build_token_object(profile, token, now)
    return dump_json_line(
        {name: "" if found[name] is None else str(found[name]) for name in MEMBERS}
    )


def check_options(profile: Profile) -> dict[str, str]:
    """Return no options; raises UsageError for a DPoP-bound token, because Terraform hides warnings."""
    if profile.dpop:
        raise bound_token_error(profile.name, "Terraform")
    return {}
