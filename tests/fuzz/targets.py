"""The fuzz targets: each accepts bytes and may raise only the project's own errors.

A target states what else must hold; seeds are valid inputs to start from.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.fast_path_world import records_root
from tests.unit.config.test_load_fuzz import VALID, use
from tokencli.commands.inspection_view import inspection_to_dict, render_inspection
from tokencli.config.load import load_config
from tokencli.core.inspect import inspect_token
from tokencli.core.pasted_token import decode_input, find_pasted_token
from tokencli.errors import ConfigError, InvalidTokenError, TokencliError
from tokencli.fastpath import reader
from tokencli.formats.json import dump_json_line
from tokencli.jwt.decode import decode_token
from tokencli.jwt.explain import collect_scopes, read_time_claims
from tokencli.jwt.lint import LintSubject, lint_token
from tokencli.jwt.verify import VerificationError, verify_jwt
from tokencli.models import (
    HttpReply,
    HttpRequest,
    Profile,
    Secret,
    StoredTokenSet,
    TokenBinding,
    TokenSet,
)
from tokencli.oauth import www_authenticate
from tokencli.oauth.token_response import read_token_response
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin
from tokencli.token_store import token_record

NOW = 1_800_000_000.0
SECRET = Secret("canary-password-7f3a")


@dataclass(frozen=True)
class Target:
    """One parser and its seeds."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@cache
def _profiles() -> tuple[Profile, ...]:
    return tuple(
        Profile(
            name="p",
            provider=load_builtin(name),
            grant="client_credentials",
            client_auth="client_secret_basic",
            token_url="https://id.example.com/token",
            values={"client_id": "batch"},
        )
        for name in BUILTIN_NAMES
    )


REQUEST = HttpRequest("POST", "https://id.example.com/token", {}, b"", secrets=(SECRET,))
STATUSES = (200, 200, 200, 201, 204, 400, 401, 403, 404, 429, 500, 503)
KINDS = (
    "application/json",
    "application/x-www-form-urlencoded",
    "text/html",
    "",
    "application/jwt",
)


def reply(data: bytes) -> None:
    """Read a token response: the first bytes choose status, type, provider and Date."""
    head, body = data[:3].ljust(3, b"\0"), data[3:]
    headers = {"content-type": KINDS[head[1] % len(KINDS)], "date": body[:40].decode("latin-1")}
    told = HttpReply(STATUSES[head[0] % len(STATUSES)], headers, body, received_at=NOW)
    assert told.clock_skew is None or abs(told.clock_skew) > 30
    profiles = _profiles()
    try:
        found = read_token_response(profiles[head[2] % len(profiles)], REQUEST, told, NOW)
    except TokencliError as error:
        assert error.cause or error.fix
        assert SECRET.reveal() not in error.message
        return
    token = found.token.access_token.reveal()
    assert found.unusable_reason or (token.isascii() and token.isprintable() and " " not in token)


def jwt(data: bytes) -> None:
    """Decode and explain a token, which raises nothing at all."""
    decoded = decode_token(data)
    lint_token(LintSubject(decoded, NOW, len(data)))
    read_time_claims(decoded.claims)
    collect_scopes(decoded.claims)
    decode_token(data.decode("utf-8", "surrogateescape"))


def inspected(data: bytes) -> None:
    """Explain a token with the bytes as claims and as header, as text and as valid JSON."""
    raw = data.decode("utf-8", "replace").encode()
    for header, claims in ((b'{"alg":"RS256"}', raw), (raw, b'{"iss":"x","exp":1e308}')):
        token = ".".join(_part(one) for one in (header, claims, b"signature"))
        found = inspect_token(token, now=NOW)
        assert render_inspection(found, NOW).startswith("NOT VERIFIED")
        json.loads(dump_json_line(inspection_to_dict(found, NOW)), parse_constant=_no_json)
        try:
            verify_jwt(token, {"keys": [_KEY]}, issuer="x", now=NOW)
        except VerificationError:
            continue
        raise AssertionError("nobody signed this")


def pasted(data: bytes) -> None:
    """Find a token in any bytes, or refuse them; then it is inspected or refused."""
    try:
        text = decode_input(data)
        found = find_pasted_token(text.token)
        inspect_token(found.token, now=NOW, remarks=(*text.remarks, *found.remarks))
    except InvalidTokenError as error:
        assert error.exit_code == 9


def _part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _no_json(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    return Path(mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


def config(data: bytes) -> None:
    """Load the bytes as a configuration and use everything in it."""
    path = _folder() / "config.toml"
    path.write_bytes(data)
    path.chmod(0o600)
    try:
        use(load_config(path, {}, must_exist=True))
    except ConfigError:
        return


@cache
def _records() -> tuple[Path, Mapping[str, str], Path]:
    """Return a configuration, an environment, and the record that a warm `get` reads."""
    root = _folder()
    path = root / "hot.toml"
    path.write_text('[profiles.p]\nprovider = "oauth2"\n')
    path.chmod(0o600)
    records = records_root(root)
    place = records / reader.records_folder_name(str(path))
    place.mkdir(parents=True, mode=0o700)
    for folder in (root, root / reader.APP_DIR, records, place):
        folder.chmod(0o700)
    environ = {"TOKENCLI_CONFIG": str(path), "XDG_RUNTIME_DIR": str(root)}
    return path, environ, place / reader.record_file_name("token", "p")


def _record(lines: bytes) -> bytes:
    path, _, _ = _records()
    stamp = reader.config_stamp(str(path)) or ""
    head = "\n".join((reader.record_header("token"), str(path), stamp, "p", "")).encode()
    return (head + lines) * 2


def hot_copy(data: bytes) -> None:
    """Read the bytes as a whole record, and as the lines of one with a valid head."""
    _, environ, place = _records()
    for content in (data, _record(data + b"\n")):
        place.write_bytes(content)
        place.chmod(0o600)
        for command in ("get", "export"):
            out = reader.fast_path_output([command, "p"], environ)
            assert out is None or (out.isascii() and out.count("\n") == 1)
        assert reader.fast_path_output(["completion", "--profiles"], environ) is None


def challenge_header(data: bytes) -> None:
    """Parse the bytes as a WWW-Authenticate header."""
    for found in www_authenticate.parse_challenges(data.decode("latin-1")):
        assert found.scheme
    www_authenticate.find_token_error(data.decode("utf-8", "replace"))


def stored(data: bytes) -> None:
    """Parse the bytes as a stored token set, which is rejected or written back unchanged."""
    try:
        found = token_record.parse_record(data)
    except ValueError as error:
        assert type(error) is ValueError  # what the stores take for a damaged record
        return
    written = token_record.dump_record(found)
    assert token_record.dump_record(token_record.parse_record(written)) == written


_TOKEN = b"eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MTY0NjYyMTgsImlhdCI6MX0.c2ln"
_KEY = {"kty": "RSA", "kid": "k", "n": _part(b"\xff" * 256), "e": "AQAB"}
_REPLY = {
    "access_token": _TOKEN.decode(),
    "token_type": "Bearer",
    "expires_in": "3600.5",
    "refresh_token": "r",
    "scope": ["a", "b"],
}

_STORED = StoredTokenSet(
    TokenBinding("key", "p", "https://id.example.com:443", "batch"),
    TokenSet(Secret("token"), "Bearer", NOW, NOW + 1.5, Secret("r"), Secret("i"), "a b"),
)

TARGETS: dict[str, Target] = {
    "reply": Target(
        reply,
        (
            b"\0\0\0" + json.dumps(_REPLY).encode(),
            b"\5\0\0" + b'{"error": "invalid_grant", "error_description": "no"}',
            b"\0\1\0" + b"access_token=a&token_type=bearer&expires_in=1e3",
            b"\1\0\1" + b"Sat, 21 Nov 2026 21:34:35 GMT",
        ),
    ),
    "jwt": Target(jwt, (_TOKEN, b"eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..a.b.c", _TOKEN + b"~W10~")),
    "inspect": Target(
        inspected,
        (
            b'{"alg":"RS256","kid":"k","typ":"JWT","crit":["x"],"jwk":{}}',
            b'{"iss":"x","aud":["api"],"sub":"s","iat":1e308,"nbf":-1e308,"exp":1800000000}',
        ),
    ),
    "pasted": Target(
        pasted,
        (
            b"export ACCESS_TOKEN='" + _TOKEN + b"';",
            b'{"access_token": "' + _TOKEN + b'", "id_token": "x..."}',
            b"https://a.example/#access_token=" + _TOKEN + b"&state=1",
            b"\xff\xfe" + _TOKEN,
            b'{"payload": "e30", "signatures": [{"protected": "e30", "signature": "x"}]}',
        ),
    ),
    "config": Target(config, (VALID.encode(),)),
    "hot": Target(
        hot_copy,
        (b"0\n9999999999\nT\ntoken\n0.0\n9999999999.0\nkey\nBearer\n=scope", b"1\n2\nT\n\n"),
    ),
    "challenge": Target(
        challenge_header,
        (b'Basic realm="a \\"b", Bearer error="invalid_token", error_description="x"', b"N abc=="),
    ),
    "record": Target(stored, (token_record.dump_record(_STORED), b'{"version": 1, "binding": {}, "token": {}}')),
}  # fmt: skip
"""Name on the command line -> reader."""
