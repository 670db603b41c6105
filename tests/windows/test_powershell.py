"""The program's part of PowerShell's hook under Wine, which has no PowerShell."""

import json
import re

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox


@pytest.mark.promise("the program's part of `hook powershell`, and what `doctor` says", "Wine")
def test_hook(windows: Windows, sandbox: Sandbox) -> None:
    """A renewal prints lines for the hook, and doctor finds the line in a profile file in UTF-16.

    The file is in the folder of the user's modules, wherever the user's documents are.
    """
    env = windows.configure(sandbox, "file")
    renewed = windows.tokencli("hook", "powershell", "--renew", "groupid", env=env)
    assert re.fullmatch(r"set groupid ACCESS_TOKEN eyJ\S+\nnext [0-9]+\n", renewed.out), renewed

    documents = windows.work / "Elsewhere" / "WindowsPowerShell"
    documents.mkdir(parents=True)
    profile = documents / "Microsoft.PowerShell_profile.ps1"
    line = "tokencli.exe hook powershell groupid | Out-String | Invoke-Expression\r\n"
    profile.write_bytes(line.encode("utf-16"))
    modules = windows.path(documents / "Modules")
    env["PSModulePath"] = rf"{modules};C:\Program Files\WindowsPowerShell\Modules"
    env["_TOKENCLI_HOOK"] = "powershell 0.1.0 42"
    checks = json.loads(windows.tokencli("doctor", "groupid", "--json", env=env).out)["checks"]
    (check,) = [check for check in checks if check["id"] == "hook"]
    assert check["warning"]
    assert check["detail"] == f"{windows.path(profile)} is of another version of tokencli"
    assert check["fix"] == "tokencli hook powershell | Out-String | Invoke-Expression"
