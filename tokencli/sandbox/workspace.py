"""The sandbox's temporary directory, with a configuration that has a profile for each system."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tokencli.sandbox.system import SYSTEMS, load_system
from tokencli.toml_writer import format_key_path, format_toml_value

TomlValue = str | int | float | bool | Mapping[str, str]
DEFAULT_PROFILE = "groupid"


class Workspace:
    """The files of one sandbox: config.toml, CA certificate, secrets and state."""

    def __init__(self) -> None:
        # mkdtemp sets mode 0700. On some systems the temporary directory is a symbolic link.
        self.directory = Path(tempfile.mkdtemp(prefix="tokencli-sandbox-")).resolve()
        self.config_file = self.directory / "config.toml"
        self.ca_file = self.directory / "ca.pem"
        self.state_dir = self.directory / "state"
        self.state_dir.mkdir(mode=0o700)

    def write_files(self, url: str, ca: bytes) -> None:
        """Write the configuration, the CA certificate and the secrets."""
        self._server_url = url
        self.ca_file.write_bytes(ca)
        for name in SYSTEMS:
            for secret, value in load_system(name).secrets.items():
                _write_private_file(self._secret_path(name, secret), value + "\n")
        _write_private_file(self.config_file, self.render_config())

    def delete_files(self) -> None:
        """Delete the directory and everything in it."""
        shutil.rmtree(self.directory, ignore_errors=True)

    def render_config(
        self,
        changes: Mapping[str, Mapping[str, TomlValue | None]] | None = None,
        *,
        state_dir: str | None = None,
    ) -> str:
        """Return a configuration with a profile for each system.

        `changes` maps profile names to keys to set, or to omit if None. A profile that isn't named
        after a system is based on the system in its `provider`.
        """
        changes = changes or {}
        lines = [
            "# The configuration of a running sandbox, deleted when it stops.",
            f"default_profile = {format_toml_value(DEFAULT_PROFILE)}",
            f"state_dir = {format_toml_value(state_dir or str(self.state_dir))}",
        ]
        for name in dict.fromkeys((*SYSTEMS, *changes)):
            change = changes.get(name, {})
            keys = self._profile_table(str(change.get("provider", name))) | dict(change)
            lines += ["", f"[{format_key_path(('profiles', name))}]"]
            lines += [
                f"{key} = {format_toml_value(value)}"
                for key, value in keys.items()
                if value is not None
            ]
        return "\n".join(lines) + "\n"

    def _profile_table(self, system: str) -> dict[str, TomlValue | None]:
        system_class = load_system(system)
        address = self._server_url.removeprefix("https://")
        keys: dict[str, TomlValue | None] = {"provider": system}
        for name, value in system_class.profile_values.items():
            keys[name] = value.format(url=self._server_url, address=address)
        keys |= {
            name: {"file": str(self._secret_path(system, name))} for name in system_class.secrets
        }
        return keys | {"ca_file": str(self.ca_file), "store": "file"}

    def _secret_path(self, system: str, name: str) -> Path:
        return self.directory / f"{system}.{name}"


def _write_private_file(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
