"""The temporary directory of a sandbox, with its configuration and secrets."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from tokencli import platforms
from tokencli.errors import TokencliError
from tokencli.sandbox.oauth2 import OAuth2
from tokencli.sandbox.settings import Client
from tokencli.sandbox.sign_in import split_loopback_uri
from tokencli.sandbox.system import SYSTEMS, SandboxContext, TomlValue, load_system
from tokencli.system.file_lock import hold_lock
from tokencli.system.private_files import ensure_private_dir
from tokencli.system.user_dirs import SANDBOX_DIR_PREFIX
from tokencli.toml_writer import format_key_path, format_toml_value

DEFAULT_PROFILE = "groupid"


def _hold_workspace_lock(directory: Path) -> AbstractContextManager[object]:
    """Return the lock that a sandbox holds on its directory as long as it runs."""
    return hold_lock(directory / "running.lock", doing="running a sandbox", timeout=0.0)


def delete_abandoned_workspaces() -> list[Path]:
    """Delete the directories of this user's sandboxes that were killed, and return their paths."""
    deleted = []
    for directory in Path(tempfile.gettempdir()).resolve().glob(f"{SANDBOX_DIR_PREFIX}*"):
        # Another user's, one that is still running, or one of release 0.1, which had no lock.
        with suppress(OSError, TokencliError):
            if (directory / "running.lock").exists() and ensure_private_dir(
                directory, create=False
            ):
                with _hold_workspace_lock(directory):
                    shutil.rmtree(directory)
                deleted.append(directory)
    return deleted


class Workspace:
    """The files of one sandbox: config.toml, CA certificate, secrets and state."""

    def __init__(self) -> None:
        # mkdtemp sets mode 0700. On some systems the temporary directory is a symbolic link.
        draft = Path(tempfile.mkdtemp(prefix=f"new-{SANDBOX_DIR_PREFIX}")).resolve()
        platforms.current().close_directory(str(draft))  # on Windows, mkdtemp sets no access list
        self._lock = ExitStack()
        self._lock.enter_context(_hold_workspace_lock(draft))
        # Only now, so that nobody finds it under this name while its lock is free.
        self.directory = draft.rename(draft.with_name(draft.name.removeprefix("new-")))
        self.config_file = self.directory / "config.toml"
        self.ca_file = self.directory / "ca.pem"
        self.client_cert, self.client_key = (
            self.directory / f"client.{end}" for end in ("pem", "key")
        )
        self.assertion_key = self.directory / "assertion.key"
        self.state_dir = self.directory / "state"
        self.state_dir.mkdir(mode=0o700)

    def write_files(
        self,
        context: SandboxContext,
        ca: bytes,
        oauth2_profiles: Mapping[str, Mapping[str, TomlValue]],
    ) -> None:
        """Write the configuration, the CA certificate and the secrets.

        `oauth2_profiles` are more profiles of the system `oauth2`, or replace those it has.
        """
        self._context = context
        self.ca_file.write_bytes(ca)
        assertion_key = context.signing_keys.client_key.as_pem(private=True)
        write_private_file(self.assertion_key, assertion_key.decode())
        more: dict[str, Mapping[str, TomlValue | None]] = {}
        for system in SYSTEMS:
            system_class = load_system(system)
            for secret, value in system_class.secrets.items():
                write_private_file(self._secret_path(system, secret), value + "\n")
            profiles = dict(system_class.more_profiles)
            if system_class is OAuth2:
                profiles |= oauth2_profiles
            for name, keys in profiles.items():
                replaced = dict.fromkeys(system_class.profile_values) | self._fill_urls(keys)
                if "client_auth" in keys:  # one without a client secret
                    replaced |= dict.fromkeys(system_class.secrets)
                more[name] = {"provider": system, **replaced}
        for name, client in context.settings.clients.items():
            more[name] = self._client_profile(name, client)
        write_private_file(self.config_file, f"isolated = true\n{self.render_config(more)}")

    def _client_profile(self, name: str, client: Client) -> Mapping[str, TomlValue | None]:
        """Return a profile for a client of the settings, and write its secrets."""
        grant = client.grants[0]
        corp = self._fill_urls(OAuth2.more_profiles["corp"])
        profile: dict[str, TomlValue | None] = dict.fromkeys(OAuth2.profile_values)
        profile |= {
            "provider": OAuth2.name,
            "issuer": corp["issuer"],
            "client_id": name,
            "grant": grant,
            "scope": " ".join(client.scopes or ("read",)),
        }
        if grant == "authorization_code":
            profile |= {key: corp[key] for key in ("authorization_url", "allow_http")}
            profile |= _redirect_keys(client.redirect_uris or ())
        if grant == "token_exchange":
            profile["subject_token"] = {"profile": "corp"}
        if grant == "password":
            users = self._context.settings.users
            user = next(iter(users))
            path = self._secret_path(name, "password")
            write_private_file(path, users[user].password + "\n")
            profile |= {
                "username": user,
                "password": {"file": str(path)},
                "allow_password_grant": True,
            }
        if client.secret is None:
            profile |= {"client_auth": "none", "client_secret": None}
        else:
            path = self._secret_path(name, "client_secret")
            write_private_file(path, client.secret + "\n")
            profile["client_secret"] = {"file": str(path)}
        return profile

    def delete_files(self) -> None:
        """Delete the directory and everything in it."""
        self._lock.close()  # Windows doesn't delete an open file
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
        keys: dict[str, TomlValue | None] = {"provider": system}
        keys |= self._fill_urls(system_class.profile_values)
        keys |= {
            name: {"file": str(self._secret_path(system, name))} for name in system_class.secrets
        }
        return keys | {"ca_file": str(self.ca_file), "store": "file"}

    def _fill_urls(self, keys: Mapping[str, TomlValue | None]) -> dict[str, TomlValue | None]:
        """Replace the placeholders for the sandbox's URLs and files."""
        url = self._context.url
        urls = {
            "url": url,
            "plain_url": self._context.plain_url,
            "address": url.removeprefix("https://"),
            "client_cert": str(self.client_cert),
            "client_key": str(self.client_key),
        }
        files = {"private_key": {"file": str(self.assertion_key)}}
        return {
            name: value.format(**urls) if isinstance(value, str) else files.get(name, value)
            for name, value in keys.items()
        }

    def _secret_path(self, system: str, name: str) -> Path:
        return self.directory / f"{system}.{name}"


def _redirect_keys(redirect_uris: Iterable[str]) -> dict[str, TomlValue | None]:
    """Return the keys for the first redirect URI that tokencli can use; the port doesn't matter."""
    for host, path, query in filter(None, map(split_loopback_uri, redirect_uris)):
        if host != "::1" and not query:
            return {"redirect_host": host, "redirect_path": path}
    return {}


def write_private_file(path: Path, content: str | bytes) -> None:
    """Write a file that only this user can read."""
    flags = os.O_WRONLY | os.O_CREAT
    with os.fdopen(platforms.current().open_private_file(str(path), flags), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.truncate()
