"""The best peer, where it is installed: `oidc-token` of oidc-agent, a C program with a daemon."""

import shutil
from collections.abc import Mapping

INSTALL = "apt-get install oidc-agent-cli"


def command(environ: Mapping[str, str]) -> tuple[str, list[str]] | None:
    """Return what to run and what to call it, or None where it is not installed.

    With an account of the user's own in a running agent, `OIDC_ACCOUNT`, it hands out a cached token.
    Else it only says its version, without asking the agent: it can't be quicker than that.
    """
    program, account = shutil.which("oidc-token"), environ.get("OIDC_ACCOUNT")
    if program is None:
        return None
    if account and "OIDC_SOCK" in environ:
        return "oidc-token", [program, account]
    return "oidc-token --version, which asks no agent", [program, "--version"]
