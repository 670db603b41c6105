"""The ExecCredential of a Kubernetes client's exec plugin (client.authentication.k8s.io).

The client says in KUBERNETES_EXEC_INFO which version it expects, and rejects any other.
"""

import json

from tokencli.errors import UsageError
from tokencli.formats.dpop import bound_token_error
from tokencli.formats.json import dump_json_line
from tokencli.formats.variable_checks import require_one_word
from tokencli.humanize import format_rfc3339
from tokencli.models import Profile, TokenSet

GROUP = "client.authentication.k8s.io"
CONSUMER = "a Kubernetes client"
VERSIONS = (f"{GROUP}/v1", f"{GROUP}/v1beta1")
"""The `apiVersion`s with this shape, the default first; v1alpha1 was removed in Kubernetes 1.24."""


def render(profile: str, token: TokenSet, now: float, *, api_version: str = VERSIONS[0]) -> str:  # noqa: ARG001 - one signature for all
    """Return an ExecCredential with the token and, if it is known, its expiry.

    Raises:
        UsageError: the token can't be used as a bearer token. ReplyError: no header can carry it.
    """
    value = token.access_token.reveal()
    require_one_word(value, "token")
    if token.dpop_key is not None:
        raise bound_token_error(profile, CONSUMER)
    expiry = token.known_expiry
    status = {} if expiry is None else {"expirationTimestamp": format_rfc3339(expiry)}
    return dump_json_line(
        {
            "apiVersion": api_version,
            "kind": "ExecCredential",
            "status": {"token": value, **status},
        }
    )


def check_options(profile: Profile, *, exec_info: str = "") -> dict[str, str]:
    """Return the options for `render`; `exec_info` is the value of KUBERNETES_EXEC_INFO.

    Raises:
        UsageError: the client expects a version that isn't supported, or the token is DPoP-bound.
    """
    if profile.dpop:
        raise bound_token_error(profile.name, CONSUMER)
    if not exec_info:
        return {}
    try:
        info = json.loads(exec_info)
    except (ValueError, RecursionError):
        info = None
    version = info.get("apiVersion") if isinstance(info, dict) else None
    if version not in VERSIONS:
        raise UsageError(
            "KUBERNETES_EXEC_INFO has no apiVersion that is supported",
            cause=f"the user's exec.apiVersion in the kubeconfig must be {' or '.join(VERSIONS)}",
        )
    return {"api_version": version}
