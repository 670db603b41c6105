"""A provider made of a recorded request: valid, and without a single value of it."""

import json
import shlex
import tomllib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tokencli.config.own_provider import checked
from tokencli.config.schema import COMMON
from tokencli.errors import ConfigError
from tokencli.providers.draft import draft
from tokencli.providers.recorded import from_curl, from_file
from tokencli.providers.spec import Provider

NAME = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
VALUE = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).map(
    lambda text: f"canary{text}"
)
TREE = st.recursive(
    VALUE | st.integers() | st.booleans() | st.none(),
    lambda inner: st.dictionaries(NAME, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@example({"timeout": "canary", ":SCOPE": "canary", "token": "canary", "uuid": "canary"}, "x", "")
@given(
    st.dictionaries(NAME, TREE, max_size=4),
    st.sampled_from(["X-Api-Key", "Authorization", "x"]),
    VALUE,
)
def test_a_json_request_becomes_a_valid_provider_without_its_values(
    body: dict[str, object], header: str, value: str
) -> None:
    """Whatever members a body has, what comes out passes the check and holds none of the texts."""
    words = [
        "curl",
        "https://api.example.com/login",
        "-H",
        f"{header}: {value}",
        "-d",
        json.dumps(body),
    ]
    text = draft(from_curl(shlex.join(words)), "T", COMMON).text()
    assert isinstance(checked("t", tomllib.loads(text)), Provider)
    assert all("canary" not in line for line in text.splitlines() if "=" not in line)
    assert "canary" not in json.dumps(
        list(tomllib.loads(text)["request"].get("headers", {}).values())
    )


@given(st.text(max_size=80))
def test_any_text_is_a_request_or_is_refused(text: str) -> None:
    """Pasted nonsense ends in our own error."""
    for reader in (from_curl, from_file):
        try:
            reader(text)
        except ConfigError as error:
            assert text not in error.message or len(text) < 4
