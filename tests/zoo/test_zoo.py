"""Every documented endpoint that a file can describe: get, cache, renew, fail and use a token."""

import json
import os
import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.zoo.cases import ENDPOINTS, NOT_EXPRESSIBLE, TOKENS, USES, later
from tests.zoo.server import Zoo
from tests.zoo.storing import Keeping, described, keep, provider_file
from tokencli.config.provider_validation import validate_provider
from tokencli.core.get_token import get_token
from tokencli.errors import RefusedError
from tokencli.oauth.token_usage import build_headers_and_query, list_usage_secrets

EXPRESSIBLE = sorted(set(ENDPOINTS) - set(NOT_EXPRESSIBLE))


@pytest.fixture(params=EXPRESSIBLE)
def name(request: pytest.FixtureRequest) -> str:
    """Return each endpoint in turn."""
    return str(request.param)


@pytest.fixture
def app(name: str, zoo: Zoo, tmp_path: Path) -> Keeping:
    """Return the program with that endpoint's file."""
    return keep(name, zoo, tmp_path, os.environ)


def test_zoo_is_complete() -> None:
    """At least 55 of the 59 have a file, the others a reason; the median file has 12 lines."""
    files = {path.stem for path in provider_file("x").parent.glob("*.toml")}
    assert files == set(EXPRESSIBLE) == set(TOKENS)
    assert len(ENDPOINTS) == 59 and len(files) >= 55
    assert statistics.median(len(lines(path)) for path in map(provider_file, files)) <= 12


def lines(path: Path) -> list[str]:
    """Return a file's lines without comments and blank lines."""
    text = path.read_text(encoding="utf-8").splitlines()
    return [line for line in text if line.strip() and not line.startswith("#")]


def test_file_is_valid(name: str) -> None:
    """The checks of user-defined providers find no problem."""
    table = tomllib.loads(provider_file(name).read_text(encoding="utf-8"))
    assert validate_provider(name, table) == described(name)


def test_get_and_cache(app: Keeping, zoo: Zoo, name: str) -> None:
    """The request is as documented, token and lifetime are found, and a second get sends nothing."""
    token, life = TOKENS[name]
    profile = app.get_profile("p")
    first = get_token(profile, app)
    assert zoo.complaints == []
    assert first.source == profile.grant
    assert first.token.access_token.reveal() == token
    asked = len(zoo.seen)
    if life is None or not profile.provider.issuing.cacheable:
        return
    assert first.token.lifetime == pytest.approx(life)
    again = get_token(profile, app)
    assert (again.source, again.token.access_token.reveal()) == ("stored", token)
    assert len(zoo.seen) == asked


def test_renewal(app: Keeping, zoo: Zoo, name: str) -> None:
    """An expired token is renewed by the next get, with the vendor's refresh if there is one."""
    _, life = TOKENS[name]
    profile = app.get_profile("p")
    get_token(profile, app)
    clock = app.clock
    assert isinstance(clock, FakeClock)
    clock.current_time += life or 0
    zoo.seen.clear()
    got = get_token(profile, app)
    assert zoo.complaints == []
    assert len(zoo.seen) == 1
    renewed = later(name)
    assert (got.source == "refresh_token") == bool(renewed)
    assert zoo.seen[0].url == (renewed or [zoo.asked[0]])[0].url


def test_refusal_is_explained(app: Keeping, zoo: Zoo, name: str) -> None:
    """The documented error ends in exit code 5, with the provider's explanation and a fix."""
    error = ENDPOINTS[name]["error"]
    zoo.failure = {"headers": {}, **error}
    profile = app.get_profile("p")
    with pytest.raises(RefusedError) as caught:
        get_token(profile, app)
    refusal, table = caught.value, profile.provider.errors
    assert zoo.complaints == []
    assert (refusal.exit_code, refusal.status) == (5, error["status"])
    meanings = [table.codes.get(refusal.error or ""), table.status.get(str(refusal.status))]
    meaning = next((found for found in meanings if found is not None), None)
    assert (meaning.what if meaning else "") in (refusal.cause or "")
    said = json.dumps(error["body"])
    assert refusal.error is None or refusal.error in said
    if described(name).errors.codes:
        assert refusal.error in described(name).errors.codes


def test_token_is_used_as_documented(app: Keeping, name: str) -> None:
    """In a header, cookie or query parameter of a request, with all additional headers."""
    token, _ = TOKENS[name]
    profile = app.get_profile("p")
    obtained = get_token(profile, app).token
    secrets = {}
    for each in list_usage_secrets(profile):
        secret = app.secret_source("env").read(profile.secrets[each])
        assert secret is not None
        secrets[each] = secret
    headers, query = build_headers_and_query(profile, obtained, secrets, app.clock.now())
    seen = [
        *(f"{key}: {value}" for key, value in headers),
        *(f"?{key}={value}" for key, value in query),
    ]
    wanted = USES.get(name, ("Authorization: Bearer {token}",))
    quoted = token.replace("=", "%3D") if wanted[0].startswith("?") else token
    assert seen == [line.replace("{token}", quoted) for line in wanted]


def test_secrets_are_not_stored(app: Keeping, name: str, tmp_path: Path) -> None:
    """The profile's secrets are in none of the files that the program writes."""
    get_token(app.get_profile("p"), app)
    for path in files(tmp_path):
        if path.name != "config.toml":
            assert b"canary-" not in path.read_bytes()


def files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())
