"""The credentials that AWS SDKs and the AWS CLI read from a `credential_process`.

https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

import re
from collections.abc import Iterable

from tokencli.errors import UsageError
from tokencli.formats.json import dump_json_line
from tokencli.formats.variable_checks import require_one_word
from tokencli.humanize import format_rfc3339
from tokencli.models import Profile, TokenSet

OUTPUT_NAMES = {
    "AccessKeyId": ("accesskeyid",),
    "SecretAccessKey": ("secretaccesskey", "secretkey"),
    "SessionToken": ("sessiontoken",),
}
"""Member -> the provider's outputs with its value, without case, `_`, `-` and a leading `aws`."""


def render(profile: str, token: TokenSet, now: float) -> str:  # noqa: ARG001 - one signature for all
    """Return the credentials as an object of version 1.

    The session token is the output of that name, or else the access token.

    Raises:
        UsageError: the token has no AWS credentials.
    """
    found = _find_outputs(token.outputs)
    if len(found.keys() & {"AccessKeyId", "SecretAccessKey"}) < 2:
        raise UsageError(
            f"the token of profile {profile!r} is not AWS credentials",
            cause="the server's reply had no access key ID or no secret access key",
        )
    values = {member: token.outputs[name].reveal() for member, name in found.items()}
    values.setdefault("SessionToken", token.access_token.reveal())
    for member, value in values.items():
        require_one_word(value, member)
    expiry = token.known_expiry
    expiration = {} if expiry is None else {"Expiration": format_rfc3339(expiry)}
    return dump_json_line({"Version": 1, **values, **expiration})


def check_options(profile: Profile) -> dict[str, str]:
    """Return no options; raises UsageError if the provider's tokens have no AWS credentials."""
    if len(_find_outputs(profile.provider.output_names).keys() - {"SessionToken"}) < 2:
        raise UsageError(
            f"the token of profile {profile.name!r} is not AWS credentials",
            cause="its provider has no outputs access_key_id and secret_access_key; AWS exchanges an"
            " OpenID Connect token for them, if it is in a file (AWS_WEB_IDENTITY_TOKEN_FILE)",
            fix="tokencli help aws",
        )
    return {}


def _find_outputs(names: Iterable[str]) -> dict[str, str]:
    """Return the name of the output for each member that there is one for."""
    plain = {re.sub(r"[_-]", "", name).lower().removeprefix("aws"): name for name in names}
    return {
        member: plain[spelling]
        for member, spellings in OUTPUT_NAMES.items()
        for spelling in reversed(spellings)
        if spelling in plain
    }
