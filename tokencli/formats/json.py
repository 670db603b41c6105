"""JSON in ASCII: one object that describes the token, or one with the variables."""

import json
from collections.abc import Mapping
from math import floor

from tokencli.formats import Dialect, Variables
from tokencli.formats.variable_checks import check_variables
from tokencli.humanize import format_rfc3339
from tokencli.models import TokenSet


def render_token_object(profile: str, token: TokenSet, now: float) -> str:
    """Return the token as one line of JSON."""
    return dump_json_line(build_token_object(profile, token, now))


def build_token_object(profile: str, token: TokenSet, now: float) -> dict[str, object]:
    """Return the token as an object; times are RFC 3339 and, as `…_epoch`, whole seconds."""
    left = None if token.never_expires else token.remaining_lifetime(now)
    return {
        "profile": profile,
        "access_token": token.access_token.reveal(),
        "token_type": token.token_type,
        "scope": token.scope,
        **expiry_to_dict(token.known_expiry),
        "expires_in": None if left is None else floor(left),
        "obtained_at": format_rfc3339(token.obtained_at),
        "obtained_at_epoch": floor(token.obtained_at),
        **({"outputs": _reveal_outputs(token)} if token.outputs else {}),
    }


def expiry_to_dict(expires_at: float | None) -> dict[str, object]:
    """Return an expiry as the two members that every JSON output has for it."""
    return time_to_dict("expires_at", expires_at)


def time_to_dict(name: str, epoch: float | None) -> dict[str, object]:
    """Return a time as two members: RFC 3339 and, as `…_epoch`, whole seconds."""
    return {
        name: None if epoch is None else format_rfc3339(epoch),
        f"{name}_epoch": None if epoch is None else floor(epoch),
    }


def _reveal_outputs(token: TokenSet) -> dict[str, str]:
    """Return the provider's outputs: values of the reply besides the token, e.g. the API's URL."""
    return {name: value.reveal() for name, value in token.outputs.items()}


def render(variables: Variables) -> str:
    """Return the variables as one object of strings."""
    return dump_json_line(dict(check_variables(variables, "json")))


def dump_json_line(value: Mapping[str, object]) -> str:
    """Return an object as one line of printable ASCII that no terminal or CI runner interprets."""
    return dump_json(value) + "\n"


def dump_json(value: object) -> str:
    """Return a value as printable ASCII, without the `##` with which commands to CI runners start."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return text.replace("\x7f", "\\u007f").replace("##", "#\\u0023")


DIALECT = Dialect(render)
