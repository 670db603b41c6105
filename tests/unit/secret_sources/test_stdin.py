"""A secret from stdin."""

import io
import sys

import pytest

from tests.fakes import FakeTerminal
from tokencli.errors import CredentialsError
from tokencli.models import Secret, SecretRef
from tokencli.secret_sources import MAX_SECRET_BYTES
from tokencli.secret_sources.stdin import StdinSource

REF = SecretRef("stdin", "subject_token", "p")


def read(monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> Secret | None:
    """Read a stdin with this content, or a closed one."""
    stdin = None if content is None else io.TextIOWrapper(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", stdin)
    return StdinSource(environ={}, terminal=FakeTerminal()).read(REF)


def test_stdin_is_read_without_the_last_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `tokencli get other | tokencli get p`."""
    assert read(monkeypatch, b"canary-token\n") == Secret("canary-token")


def test_a_closed_stdin_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fix shows how to pipe a secret."""
    with pytest.raises(CredentialsError, match="closed") as caught:
        read(monkeypatch, None)
    assert "tokencli get p" in (caught.value.fix or "")


def test_a_stdin_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """At most the maximum size of a secret is read."""
    with pytest.raises(CredentialsError, match="too large"):
        read(monkeypatch, b"x" * (MAX_SECRET_BYTES + 2))
