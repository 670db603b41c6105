"""The ExecCredential of `get --format exec_credential`."""

import json
from dataclasses import replace

import pytest

from tests.unit.formats.test_token_formats import NOW, PROFILE, token
from tokencli.errors import UsageError
from tokencli.formats import check_format_options, render_token
from tokencli.oauth.dpop import generate_dpop_key

V1, V1BETA1 = "client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"


def exec_info(version: str) -> str:
    """Return what a client puts into KUBERNETES_EXEC_INFO."""
    return json.dumps(
        {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    )


@pytest.mark.parametrize(
    ("info", "version"), [("", V1), (exec_info(V1), V1), (exec_info(V1BETA1), V1BETA1)]
)
def test_version_is_the_one_that_the_client_expects(info: str, version: str) -> None:
    """Without KUBERNETES_EXEC_INFO, as at a prompt, it is v1."""
    options = check_format_options("exec_credential", PROFILE, {"exec_info": info})
    found = json.loads(render_token("exec_credential", PROFILE, token(), NOW, **options))
    assert (found["apiVersion"], found["kind"]) == (version, "ExecCredential")


def test_unknown_expiry_is_left_out() -> None:
    """The client then uses the token until it is refused."""
    found = json.loads(render_token("exec_credential", PROFILE, token(), NOW))
    assert found["status"] == {"token": "canary-token-7f3a"}


@pytest.mark.parametrize(
    "info",
    ["{", "[]", "null", "[" * 100_000, "{}", exec_info("client.authentication.k8s.io/v1alpha1")],
)
def test_other_versions_are_refused(info: str) -> None:
    """The client would reject the answer; the message says which versions there are."""
    with pytest.raises(UsageError) as caught:
        check_format_options("exec_credential", PROFILE, {"exec_info": info})
    assert V1 in (caught.value.cause or "")


def test_bound_token_is_refused() -> None:
    """A client can't make proofs: refused before and after the token is there."""
    with pytest.raises(UsageError, match="DPoP-bound"):
        check_format_options("exec_credential", replace(PROFILE, dpop=True), {})
    with pytest.raises(UsageError, match="DPoP-bound"):
        render_token("exec_credential", PROFILE, token(dpop_key=generate_dpop_key()), NOW)
