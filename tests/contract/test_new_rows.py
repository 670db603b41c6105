"""A new secret source or token store is one module and one row: nothing else has to know it."""

import subprocess
import sys
from pathlib import Path

MODULE = """
from tokencli.models import Secret
from tokencli.token_store.memory import MemoryStore

class VaultSource:
    interaction = "none"

    def __init__(self, *, environ, terminal): pass

    def explain_missing(self, ref):
        return None, f"vault write {ref.target[0]}"

    def read(self, ref):
        return Secret("canary") if ref.target[0].endswith("kv/app") else None

def open_store(profile, context):
    return MemoryStore("it is a test")
"""
ROWS = """
import sys
from pathlib import Path
from tokencli.secret_sources import SECRET_SOURCES, SecretSourceSpec
from tokencli.token_store import TOKEN_STORES
SECRET_SOURCES["vault"] = SecretSourceSpec("vault_rows:VaultSource", "path", "From a vault.")
TOKEN_STORES["vault"] = "vault_rows:open_store"
"""
"""In a process of its own, since the configuration's schema is built when it is first imported."""


def run(code: str, folder: Path) -> None:
    """Run code after the rows were added."""
    (folder / "vault_rows.py").write_text(MODULE)
    (folder / "config.toml").write_text(
        '[profiles.p]\nprovider = "oauth2"\ntoken_url = "https://id.example.com/token"\n'
        'grant = "client_credentials"\nclient_id = "c"\nclient_secret = { vault = "kv/app" }\n'
        'store = "vault"\n'
        '[profiles.q]\nprovider = "oauth2"\ntoken_url = "https://id.example.com/token"\n'
        'grant = "client_credentials"\nclient_id = "c"\nclient_secret = { vault = "none" }\n'
    )
    done = subprocess.run(
        [sys.executable, "-c", ROWS + code, str(folder)],
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_new_source_and_store_can_be_configured(tmp_path: Path) -> None:
    """A profile names them, and secret, store and missing secret's fix come from the new module."""
    code = """
from tokencli.app import App
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import CredentialsError
folder = Path(sys.argv[1])
app = App(environ={"TOKENCLI_CONFIG": str(folder / "config.toml"), "HOME": str(folder)})
profile = app.get_profile("p")
ref = profile.secrets["client_secret"]
assert (ref.kind, ref.target) == ("vault", (str(folder / "kv/app"),)), ref
assert ref.describe_source() == f"vault {folder / 'kv/app'}"
assert SecretResolver(profile, app).resolve("client_secret").reveal() == "canary"
assert app.token_store(profile).name == "none"
try:
    SecretResolver(app.get_profile("q"), app).resolve("client_secret")
except CredentialsError as error:
    assert error.fix == f"vault write {folder / 'none'}", error.fix
else:
    raise AssertionError
"""
    run(code, tmp_path)


def test_a_new_source_is_known_to_the_command_line_and_the_schema(tmp_path: Path) -> None:
    """`--secret NAME=KIND:TARGET` and the JSON Schema follow from the rows."""
    code = """
from tokencli.config.json_schema import build_json_schema
from tokencli.config.profile_assignments import parse_secret_sources
from tokencli.providers.catalog import load_builtin
parsed = parse_secret_sources(["client_secret=vault:kv/app"], load_builtin("oauth2"))
assert parsed == {"client_secret": {"vault": "kv/app"}}
definitions = build_json_schema()["$defs"]
sources = definitions["SecretSourceTable"]["properties"]
assert sources["vault"]["description"] == "From a vault."
assert "vault" in definitions["ProfileTable"]["properties"]["store"]["enum"]
"""
    run(code, tmp_path)
