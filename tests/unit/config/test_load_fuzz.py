"""Whatever the file holds, only a ConfigError comes out of it."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tokencli.config.load import Config, load_config
from tokencli.errors import ConfigError

pytestmark = pytest.mark.long

VALID = """default_profile = "a"
state_dir = "~/s"
[profiles.a]
provider = "groupid"
host = "demomachine:4443"
username = "jdoe"
client_id = "c"
identity_store_id = "1"
password = { env = "P" }
timeout = "30s"
params = { tenant = ["a", "b"] }
[profiles.b]
provider = "own"
tenant = "acme"
client_id = "x"
[providers.own]
title = "Own"
scope = "api"
[providers.own.endpoints]
token = "https://{tenant}.example.com/t?x={tenant}"
[providers.own.fields.tenant]
ask = "Tenant"
[providers.own.grants.client_credentials]
needs = ["tenant"]
params = { t = "{tenant}" }
[providers.own.errors.status.400]
what = "wrong"
"""
WORDS = """profiles providers a b own provider grant token_url client_id password client_secret params
scope resource store export timeout host fields grants endpoints token needs one_of errors codes status
request headers reply default_profile state_dir client_auth ask kind env file command keyring"""
NAMES = st.sampled_from(WORDS.split())
VALUES = st.recursive(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(["groupid", "own", "oauth2", "https://h.example/{x}", "{", "http://127.0.0.1"]),
        st.integers(), st.floats(), st.booleans(), st.datetimes(), st.dates(), st.times(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(NAMES, st.text(max_size=5)), inner, max_size=4)
    ),
    max_leaves=12,
)  # fmt: skip


def use(config: Config) -> None:
    """Ask for everything that a configuration can tell."""
    config.find_problems()
    for name in (*config.profile_names(), "a"):
        for ask in (
            config.get_profile,
            config.get_profile_ignoring_top_level,
            config.profile_table,
        ):
            try:
                ask(name)
            except ConfigError:
                continue
    try:
        config.get_profile(config.choose_profile(None))
    except ConfigError:
        return


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=300))
@example(b"\xff\xfe")
@example(b"[providers.p]\n'[key]' = 1\n")
@example(b"\xef\xbb\xbf")
def test_arbitrary_bytes(tmp_path: Path, data: bytes) -> None:
    """Any bytes are a configuration or a ConfigError."""
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    try:
        use(load_config(path, {}, must_exist=True))
    except ConfigError:
        return


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_mutated_bytes(tmp_path: Path, data: st.DataObject) -> None:
    """A valid file with bytes inserted, removed or doubled is one or the other."""
    text = VALID.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    piece = data.draw(
        st.one_of(st.binary(max_size=8), st.sampled_from([text[start:end] * 2, b"[", b'"', b"\n"]))
    )
    path = tmp_path / "config.toml"
    path.write_bytes(text[:start] + piece + text[end:])
    try:
        use(load_config(path, {}, must_exist=True))
    except ConfigError:
        return


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(NAMES, VALUES, max_size=4),
    st.sampled_from([(), ("profiles", "a"), ("providers", "own"), ("profiles", "b")]),
)
def test_mutated_tables(changed: dict[str, object], place: tuple[str, ...]) -> None:
    """Well-formed TOML with any value anywhere gives problems, never a traceback."""
    import tomlkit

    document = tomlkit.parse(VALID).unwrap()
    table = document
    for key in place:
        table = table[key]
    table.update(changed)
    try:
        text = tomlkit.dumps(document)
        config = Config(Path("config.toml"), text, {})
    except (ConfigError, ValueError, TypeError):  # what tomlkit itself can't write is no test
        return
    use(config)
