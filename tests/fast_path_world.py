"""A configuration, a stored token and its hot copy in memory, created in a moment."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tokencli.app import App
from tokencli.fastpath import reader
from tokencli.models import Secret, StoredTokenSet, TokenSet
from tokencli.system.user_dirs import is_memory_backed
from tokencli.token_store.credential_key import derive_binding

MEMORY = Path("/dev/shm")
TOKENS = {"p": "eyJhbGciOiJub25lIn0.canary-token-p.7f3a", "q.2": "canary~token+q/2=="}
CONFIG = """\
default_profile = "p"
state_dir = "{state}"

[profiles.p]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://127.0.0.1:9/token"
client_id = "batch"
client_secret = {{ env = "SECRET" }}
store = "file"
export = "P_TOKEN"
timeout = 0.2

[profiles."q.2"]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://127.0.0.1:9/token"
client_id = "other"
client_secret = {{ env = "SECRET" }}
store = "file"
min_ttl = "2m"
timeout = 0.2
"""


def records_root(base: Path) -> Path:
    """Return the folder with the fast-path records of all configurations in a runtime directory."""
    return base / reader.APP_DIR / reader.RECORDS_DIR


class World:
    """One user's home, configuration and runtime directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.run = root / "run"
        self.config = root / "home" / ".config" / "tokencli" / "config.toml"
        self.state = root / "state"
        self.environ: dict[str, str] = {
            "HOME": str(root / "home"),
            "XDG_RUNTIME_DIR": str(self.run),
            "PATH": os.environ["PATH"],
            "SECRET": "canary-client-secret-91be",
        }

    def make(self, *, age: float = 10.0, life: float = 1200.0) -> None:
        """Create everything as if a token had been fetched `age` seconds ago."""
        for place in self.root.iterdir():
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
        for place in (self.run, self.state, self.config.parent):
            place.mkdir(parents=True, mode=0o700)
        self.write(CONFIG.format(state=self.state))
        self.save_tokens(age=age, life=life)

    def save_tokens(self, *, age: float = 10.0, life: float = 1200.0) -> None:
        """Store the tokens with their hot copies."""
        app = App(environ=self.environ)
        app.list_profile_names()
        app.get_profile(None)
        now = time.time()
        for name, token in TOKENS.items():
            profile = app.get_profile(name)
            found = TokenSet(Secret(token), "Bearer", now - age, now - age + life, scope="a b")
            app.token_store(profile).save(StoredTokenSet(derive_binding(profile), found))

    def write(self, text: str) -> None:
        """Write the configuration with a modification time in the past."""
        self.config.write_text(text)
        self.config.chmod(0o600)
        past = time.time() - 3600.123456789
        os.utime(self.config, (past, past))

    @property
    def app_dir(self) -> Path:
        """Return the program's folder in the runtime directory."""
        return self.run / reader.APP_DIR

    @property
    def hot(self) -> Path:
        """Return the folder of the configuration's fast-path records."""
        return records_root(self.run) / reader.records_folder_name(str(self.config))

    def without_copies(self) -> Mapping[str, str]:
        """Return an environment without a runtime directory."""
        return {**self.environ, "XDG_RUNTIME_DIR": str(self.root / "none")}


@contextmanager
def world() -> Iterator[World]:
    """Create a world in memory, and delete it afterwards."""
    root = Path(tempfile.mkdtemp(prefix="tokencli-test-", dir=MEMORY))
    assert is_memory_backed(root), f"{MEMORY} is not in memory, and these tests need some that is"
    try:
        yield World(root)
    finally:
        shutil.rmtree(root)
