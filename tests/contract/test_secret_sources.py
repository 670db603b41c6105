"""The contract of all secret sources."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes import FakeTerminal
from tests.keyring_session import require
from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.secret_sources import SECRET_SOURCES, default_keyring_service, open_secret_source

CANARY = "canary-password-7f3a"
Place = Callable[[str], SecretRef]


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Store a text where a source of the kind finds it, and return the reference to it."""
    kind = request.getfixturevalue("kind")
    if kind == "keyring":
        require()
        request.getfixturevalue("keyring_env")

    def put(text: str) -> SecretRef:
        target: tuple[str, ...]
        match kind:
            case "keyring":
                import keyring.backends.SecretService as service

                target = (default_keyring_service("p", "password"), "password")
                service.Keyring().set_password(*target, text)
            case "env":
                target = ("PW",)
                monkeypatch.setenv("PW", text)
            case "file":
                target = (str(tmp_path / "pw"),)
                (tmp_path / "pw").write_text(text)
            case "command":
                target = (sys.executable, "-c", f"print({text!r}, end='')")
            case "stdin":
                target = ()
                stdin = io.TextIOWrapper(io.BytesIO(text.encode()))
                monkeypatch.setattr(sys, "stdin", stdin)
            case "prompt":
                target = ()
            case _:
                raise AssertionError(f"say how a test stores a secret for {kind}")
        return SecretRef(kind, "password", "p", target)

    return put


def terminal(text: str) -> FakeTerminal:
    """Return a terminal at which the user types that text."""
    return FakeTerminal([text], interactive=True)


@pytest.mark.parametrize("kind", SECRET_SOURCES)
def test_a_secret_is_read_unchanged(kind: str, place: Place) -> None:
    """A source returns the stored secret character by character."""
    text = CANARY + " pässwörd €\U0001f511"
    source = open_secret_source(kind, environ=os.environ, terminal=terminal(text))
    assert source.read(place(text)) == Secret(text)


@pytest.mark.parametrize("kind", SECRET_SOURCES)
def test_an_empty_source_has_no_secret(kind: str, place: Place) -> None:
    """An empty source gives None, not an empty secret."""
    ref = place("")
    assert open_secret_source(kind, environ=os.environ, terminal=terminal("")).read(ref) is None


@pytest.mark.parametrize("kind", SECRET_SOURCES)
def test_control_characters_are_refused_without_being_quoted(kind: str, place: Place) -> None:
    """A secret with control characters is an error that names the source and not the secret."""
    text = CANARY + "\x07x"
    ref = place(text)
    with pytest.raises(CredentialsError) as caught:
        open_secret_source(kind, environ=os.environ, terminal=terminal(text)).read(ref)
    assert "U+0007" in caught.value.message
    assert CANARY not in caught.value.message + str(caught.value.fix)
    assert caught.value.__cause__ is None
