"""Secrets are hidden however they are written, and however the output is cut into pieces."""

import base64
import errno
import os
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.commands.output_mask import LONG_PREFIX, OutputMask, run_masked
from tokencli.errors import StorageError

SECRET = "eyJhbGciOiJub25lIn0.canary+token/7f3a~x=="
OTHER = "eyJhbGciOiJub25lIn0.another-canary"
WRITTEN = {
    "as it is": SECRET,
    "percent-encoded": quote(SECRET, safe=""),
    "percent-encoded in lower case": quote(SECRET, safe="").replace("%2B", "%2b").replace("%2F", "%2f")
    .replace("%3D", "%3d").replace("%7E", "~"),
    "in JSON of PHP": SECRET.replace("/", "\\/"),
    "folded": f"{SECRET[:20]}\n{SECRET[20:]}",
}  # fmt: skip


def mask(*pieces: bytes, secrets: tuple[str, ...] = (SECRET, OTHER)) -> bytes:
    """Return what is shown of these pieces."""
    output = OutputMask(lambda: secrets)
    return b"".join([*(output.feed(piece) for piece in pieces), output.finish()])


@pytest.mark.parametrize("name", WRITTEN)
def test_forms(name: str) -> None:
    """Each is replaced; what is around it stays."""
    assert mask(f"a {WRITTEN[name]} b\n".encode()) == b"a *** b\n"


@pytest.mark.parametrize("before", ["", "u", "u:", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
@pytest.mark.parametrize("after", ["", "\n", "&x=1"])
def test_base64(before: str, after: str, encode: Callable[[bytes], bytes]) -> None:
    """At any place in the encoded text, also in lines of 76 characters, at most its ends are left."""
    text = encode(f"{before}{SECRET}{after}".encode())
    shown = mask(text).replace(b"\n", b"")
    assert b"***" in shown
    assert len(shown.replace(b"***", b"")) <= len(before + after) * 2 + 8


@given(
    texts=st.lists(
        st.one_of(st.sampled_from([SECRET, OTHER, SECRET[:30], "e", "\n"]), st.text(max_size=5)),
        max_size=6,
    ),
    cuts=st.lists(st.integers(0, 300), max_size=8),
)
def test_pieces_make_no_difference(texts: list[str], cuts: list[int]) -> None:
    """Cut anywhere, the same is shown, and it has no secret."""
    data = "".join(texts).encode()
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[a:b] for a, b in pairwise(places)]
    whole = mask(data)
    assert mask(*pieces) == whole
    assert not any(secret.encode() in whole for secret in (SECRET, OTHER))


@pytest.mark.parametrize("cut", range(1, len(SECRET)))
def test_a_pause_inside_a_secret(cut: int) -> None:
    """At most the first characters are shown, which many tokens have in common."""
    output = OutputMask(lambda: (SECRET,))
    shown = output.feed(SECRET[:cut].encode()) + output.release()
    assert len(shown) < LONG_PREFIX
    shown += output.feed(SECRET[cut:].encode() + b"\n") + output.finish()
    assert shown.removesuffix(b"***\n") == SECRET[: len(shown) - 4].encode()


def test_other_output_is_not_held_back() -> None:
    """A prompt is shown, and bytes that aren't text pass."""
    output = OutputMask(lambda: (SECRET,))
    assert output.feed(b"Name: ") == b"Name: "
    assert output.feed(b"e") + output.release() == b"e"
    assert output.feed(bytes(range(256))) == bytes(range(256))
    assert not output.is_holding


def test_a_cut_off_secret() -> None:
    """The output ends inside of it, as if its writer had been killed."""
    assert mask(f"a {SECRET[:-1]}".encode()) == b"a ***"


def test_secrets_that_come_later() -> None:
    """Renewed tokens are hidden as well as the first."""
    secrets = [SECRET]
    output = OutputMask(lambda: secrets)
    assert output.feed(f"{SECRET}\n".encode()) == b"***\n"
    secrets.append(OTHER)
    assert output.feed(f"{SECRET} {OTHER}\n".encode()) == b"*** ***\n"


def test_no_terminal_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is about the output: the command, which hasn't been started, is not to blame."""

    def fail() -> tuple[int, int]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    monkeypatch.setattr(os, "isatty", lambda _: True)
    monkeypatch.setattr(os, "openpty", fail)
    with pytest.raises(StorageError, match="can't read the command's output: No such file"):
        run_masked(["true"], {}, tuple)


def test_no_secret() -> None:
    """Everything passes."""
    assert mask(b"abc", secrets=("",)) == b"abc"
