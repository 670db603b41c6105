"""`tokencli why` names the true cause first, in each scenario of the sandbox, with a control.

The issuer, the API and the program are real; nothing is scripted but what goes wrong.
"""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import why_record
from tests.conftest import Result, Run, script
from tokencli.diagnosis.causes import CAUSES
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.scenarios import SCENARIOS
from tokencli.sandbox.server import Sandbox

pytestmark = pytest.mark.long

EXIT_CODES = {
    **dict.fromkeys(("nothing_wrong", "local_clock"), 0),
    "no_token": 4,
    **dict.fromkeys(("not_permitted", "rate_limited"), 5),
    **dict.fromkeys(
        (
            "jwks_unreachable",
            "intermediary",
            "redirect_dropped_token",
            "api_down",
            "dns",
            "tls",
        ),
        6,
    ),
}
"""Exit code by the first cause; 9 for the others."""
AMBIGUOUS: Mapping[str, tuple[str, ...]] = {
    "missing_scope:bare": ("missing_scope", "not_permitted"),
    "missing_scope:message": ("missing_scope", "not_permitted"),
    "not_permitted:bare": ("missing_scope", "not_permitted"),
    "not_permitted:message": ("missing_scope", "not_permitted"),
    "wrong_scheme:bare": ("wrong_scheme", "wrong_issuer"),
    "wrong_scheme:message": ("wrong_scheme", "wrong_issuer"),
}
"""Scenarios whose cause can't be told from outside: all of these are listed, none as certain."""
MAX_SECONDS = 15.0
"""`why` ends after 10 seconds; the rest is for a loaded machine."""


def run_why(tokencli: Run, sandbox: Sandbox, url: str | None = None) -> Result:
    """Run the scenario's command with --json."""
    variables = sandbox.variables
    file = variables.get("SANDBOX_TOKEN_FILE")
    profile = variables["SANDBOX_PROFILE"]
    who = ["-", "--profile", profile] if file is not None else [profile]
    return tokencli(
        "why",
        *who,
        url or variables["SANDBOX_API"],
        "--json",
        "--no-input",
        env=variables,
        stdin=Path(file).read_text(encoding="utf-8") if file is not None else None,
    )


def list_causes(done: Result) -> list[dict[str, Any]]:
    """Return the causes that were named."""
    causes: list[dict[str, Any]] = json.loads(done.out)["causes"]
    return causes


@pytest.mark.parametrize("name", SCENARIOS)
def test_true_cause_is_named_first(tokencli: Run, name: str) -> None:
    """It is first; where several can't be told apart, all are listed and none is certain."""
    with Sandbox(scenario=name) as sandbox:
        began = time.monotonic()
        done = run_why(tokencli, sandbox)
        duration = time.monotonic() - began
        secrets = [token.token for token in sandbox.issued_tokens]
    causes = list_causes(done)
    why_record.note(name, causes)
    ids = [cause["id"] for cause in causes]
    pair = AMBIGUOUS.get(name, ())
    if pair:
        assert set(pair) <= set(ids), causes
        assert "certain" not in [each["confidence"] for each in causes if each["id"] in pair]
    else:
        assert ids[0] == name.partition(":")[0], causes
    assert len(ids) == len(set(ids))
    assert done.code == EXIT_CODES.get(ids[0], 9)
    assert duration < MAX_SECONDS
    secrets += [sandbox.current_refresh_token("oauth2") or "-", *OAuth2.secrets.values()]
    for secret in secrets[:-2]:
        assert secret not in done.out + done.err
        assert secret.rpartition(".")[2] not in done.out + done.err
    for secret in secrets[-2:]:
        assert secret == "-" or secret not in done.out + done.err


@pytest.mark.parametrize("name", sorted({each.control for each in SCENARIOS.values()}))
def test_nothing_is_wrong_in_the_controls(tokencli: Run, name: str) -> None:
    """The same calls without a fault name no cause that could be in the way."""
    with Sandbox(scenario=name) as sandbox:
        causes = list_causes(run_why(tokencli, sandbox))
    assert [cause["id"] for cause in causes] == ["nothing_wrong"]


def test_each_cause_has_a_scenario() -> None:
    """The causes of the program and of the scenarios are the same."""
    assert {name.partition(":")[0] for name in SCENARIOS} == set(CAUSES)


@pytest.mark.parametrize(
    "name",
    [
        "expired",
        "key_rotated",
        "revoked",
        "wrong_audience",
        "missing_scope",
        "mangled:quoted",
        "no_token",
        "revoked:session",
        "step_up_needed",
        "redirect_dropped_token",
        "redirect_dropped_token:host",
        "key_rotated:same_id",
        "key_rotated:bare",
        "mangled",
        "wrong_token_kind",
        "other_account",
    ],
)
def test_fix_helps(tokencli: Run, name: str) -> None:
    """After the suggested fix and a normal `get`, nothing is wrong."""
    with Sandbox(scenario=name) as sandbox:
        fix = list_causes(run_why(tokencli, sandbox))[0]["fix"]
        assert fix is not None and "\n" not in fix
        assert fix.startswith("tokencli ")
        place = f"{Path(script()).parent}{os.pathsep}{os.environ['PATH']}"
        environ = {**os.environ, **sandbox.variables, "PATH": place}
        environ["CURL_CA_BUNDLE"] = sandbox.ca_file
        shell = ["bash", "-c", f"set -euo pipefail; {fix}"]
        done = subprocess.run(shell, env=environ, stdin=subprocess.DEVNULL, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        if fix.startswith(("tokencli why", "tokencli get")) and "http" in fix:
            return  # it shows itself that nothing is wrong
        variables = sandbox.variables
        assert tokencli("get", variables["SANDBOX_PROFILE"], env=variables).code == 0
        call = [variables["SANDBOX_PROFILE"], variables["SANDBOX_API"], "--json"]
        causes = list_causes(tokencli("why", *call, env=variables))
    assert [cause["id"] for cause in causes] == ["nothing_wrong"], fix
