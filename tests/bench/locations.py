"""The environment of the benchmarks: a keyring, a server and a runtime directory in memory."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tests.conftest import script
from tests.fast_path_world import MEMORY
from tests.keyring_session import gnome_keyring, missing, private_bus
from tokencli.sandbox.server import Sandbox
from tokencli.sandbox.system import load_system

FOREIGN = ("TOKENCLI_", "REQUESTS_CA", "CURL_CA", "SSL_CERT", "PYTHON", "XDG_", "DBUS_")
PROFILE = """
[profiles.{name}]
provider = "oauth2"
grant = "client_credentials"
token_url = "{url}"
client_id = "{client_id}"
ca_file = "{ca}"
store = "{store}"
{secret}
"""


@contextmanager
def bench_place(*, lifetime: float, profiles: int = 1) -> Iterator[dict[str, str]]:
    """Provide an environment with a profile `bench` whose tokens have the given lifetime."""
    folder = Path(mkdtemp(prefix="tokencli-bench-", dir=MEMORY))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    # The package's compiled modules have to be kept, as they are for everybody else.
    environ |= {"HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run")}
    environ["PATH"] = f"{Path(script()).parent}{os.pathsep}{environ.get('PATH', os.defpath)}"
    for name in ("home", "run", "keyring"):
        (folder / name).mkdir(mode=0o700)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        sandbox = stack.enter_context(Sandbox(lifetime=lifetime))
        with_keyring = not missing()
        if with_keyring:
            address = stack.enter_context(private_bus(folder / "keyring"))
            variables = stack.enter_context(gnome_keyring(folder / "keyring", address))
            environ["DBUS_SESSION_BUS_ADDRESS"] = variables["DBUS_SESSION_BUS_ADDRESS"]
        _configure(folder, environ, sandbox, with_keyring=with_keyring, profiles=profiles)
        yield environ


def _configure(
    folder: Path,
    environ: dict[str, str],
    sandbox: Sandbox,
    *,
    with_keyring: bool,
    profiles: int,
) -> None:
    system = load_system("oauth2")
    url = str(system.profile_values["token_url"]).format(url=sandbox.url)
    client_id, secret = str(system.profile_values["client_id"]), system.secrets["client_secret"]
    environ |= {"BENCH_URL": url, "BENCH_ID": client_id, "BENCH_CA": str(sandbox.ca_file)}
    if with_keyring:
        _keep(secret, environ)
    else:
        environ["BENCH_SECRET"] = secret
    rows = ['default_profile = "bench"', f'state_dir = "{folder / "state"}"']
    for number in range(profiles):
        rows.append(
            PROFILE.format(
                name="bench" if number == 0 else f"other{number}",
                url=url,
                client_id=client_id,
                ca=sandbox.ca_file,
                store="keyring" if with_keyring else "file",
                secret="" if with_keyring else 'client_secret = { env = "BENCH_SECRET" }',
            )
        )
    config = folder / "config.toml"
    config.write_text("\n".join(rows))
    config.chmod(0o600)
    os.utime(config, (1, 1))
    environ["TOKENCLI_CONFIG"] = str(config)


def _keep(secret: str, environ: dict[str, str]) -> None:
    """Store the secret as `login` would, for both sides."""
    import subprocess
    import sys

    code = (
        "import keyring, sys;"
        " keyring.set_password('tokencli:bench:client_secret', 'client_secret', sys.stdin.read())"
    )
    subprocess.run([sys.executable, "-c", code], env=environ, input=secret, text=True, check=True)
