"""Secrets and tokens in the Credential Manager of Wine, written and read by the installed program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.wine import Windows
from tokencli.sandbox.server import Sandbox

SECRETS = {"app": "canary-of-app-" + "x" * 3000, "App": "canary-of-App"}
"""Clients whose names differ in case, one of them with a secret that takes three items."""

LIST_ITEMS = """
from win32ctypes.pywin32 import win32cred
try:
    found = win32cred.CredEnumerate("*")
except Exception:
    found = []
for item in found:
    print(item["TargetName"], item["Persist"], len(item["CredentialBlob"]) // 2)
"""
WRITE_AS_0_1 = """
import sys
from keyring.backends.Windows import WinVaultKeyring
for text in ("canary-superseded", sys.argv[3]):
    WinVaultKeyring().set_password(sys.argv[1], sys.argv[2], text)
"""
SET_PROXY = """
import sys, winreg
path = r"Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
with winreg.CreateKey(winreg.HKEY_CURRENT_USER, path) as key:
    winreg.SetValueEx(key, "ProxyEnable", 0, winreg.REG_DWORD, int(sys.argv[1]))
    winreg.SetValueEx(key, "ProxyServer", 0, winreg.REG_SZ, "127.0.0.1:9")
    winreg.SetValueEx(key, "ProxyOverride", 0, winreg.REG_SZ, "<local>;*.direct.invalid")
"""


@pytest.fixture
def clients() -> Iterator[Sandbox]:
    """Run a sandbox on Linux with the two clients."""
    with Sandbox(
        users={"clients": {n: {"secret": each} for n, each in SECRETS.items()}}
    ) as running:
        yield running


def list_items(windows: Windows) -> dict[str, tuple[int, int]]:
    """Return persistence and length of tokencli's items by name."""
    listed = windows.run("python", "-c", LIST_ITEMS)
    rows = [
        line.split() for line in listed.out.splitlines() if line.startswith(("tokencli:", "http"))
    ]
    return {name: (int(persistence), int(length)) for name, persistence, length in rows}


@pytest.mark.promise(
    "long secrets, and those of profiles whose names differ only in case, in the platform's keyring",
    "Wine",
)
def test_secrets_are_stored_used_and_deleted(windows: Windows, clients: Sandbox) -> None:
    """Each profile's own secret is sent, a long one in parts, and `logout --secrets` leaves nothing.

    What 0.1 stored is used, and the copy that it left is deleted.
    """
    ca_file = windows.path(Path(clients.config_file).parent / "ca.pem")
    config = windows.work / "config.toml"
    config.write_text(
        "".join(
            f'[profiles.{name}]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
            f"issuer = '{clients.url}/oauth2'\nclient_id = '{name}'\nca_file = '{ca_file}'\n"
            'store = "keyring"\n'
            for name in SECRETS
        )
    )
    config.chmod(0o600)
    env = {"TOKENCLI_CONFIG": windows.path(config)}
    service = "tokencli:App:client_secret"
    before = list_items(windows)  # of other tests
    stored = windows.run("python", "-c", WRITE_AS_0_1, service, clients.url, SECRETS["App"])
    assert stored.code == 0, stored
    assert f"{clients.url}@{service}" in list_items(windows)
    assert windows.tokencli("get", "App", env=env).code == 0
    for name in ("app", "App"):
        done = windows.tokencli(
            "login", name, "--stdin", "--again", env=env, stdin=SECRETS[name].encode()
        )
        assert done.code == 0, done
        assert windows.tokencli("get", name, "--force", env=env).code == 0
    items = list_items(windows)
    assert {persistence for persistence, _ in items.values()} == {2}
    assert max(length for _, length in items.values()) <= 1280
    secrets = {name for name in items if "client_secret" in name}
    assert secrets == {
        "tokencli:+App:client_secret",
        *(f"tokencli:app:client_secret{part}" for part in ("", ".a0", ".a1", ".a2")),
    }
    for name in SECRETS:
        assert windows.tokencli("logout", name, "--secrets", env=env).code == 0
    assert list_items(windows) == before


@pytest.mark.promise("the system's proxy setting is used, and named by `doctor`", "Wine")
def test_the_proxy_setting_of_the_registry_is_used(windows: Windows, clients: Sandbox) -> None:
    """With its exceptions, and after what the environment says."""
    config = windows.work / "config.toml"
    config.write_text(
        "".join(
            f'[profiles.{name}]\nprovider = "oauth2"\ngrant = "client_credentials"\n'
            f"token_url = 'https://{host}/token'\nclient_id = 'x'\nclient_secret = {{ env = 'X' }}\n"
            'store = "none"\n'
            for name, host in {"far": "far.invalid", "near": "a.direct.invalid"}.items()
        )
    )
    config.chmod(0o600)
    env = {"TOKENCLI_CONFIG": windows.path(config), "X": "canary"}
    try:
        assert windows.run("python", "-c", SET_PROXY, "1").code == 0
        far = windows.tokencli("get", "far", env=env)
        near = windows.tokencli("get", "near", env=env)
        checked = windows.tokencli("doctor", "far", env=env)
        chosen = windows.tokencli("get", "far", env={**env, "HTTPS_PROXY": "http://127.0.0.1:11"})
    finally:
        windows.run("python", "-c", SET_PROXY, "0")
    assert "127.0.0.1:9" in far.err and "the proxy setting of Windows" in far.err, far
    assert "proxy" not in near.err, near
    assert "127.0.0.1:9 (from the proxy setting of Windows" in checked.out + checked.err, checked
    assert "127.0.0.1:11" in chosen.err and "the proxy setting" not in chosen.err, chosen
