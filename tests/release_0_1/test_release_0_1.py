"""What release 0.1 has written is still read: configurations, tokens, hot copies, journals, keyrings.

The files in `written/` were made by 0.1's own program; `generate.py` says how. The tests run the
current program as a process and import nothing of it. Records that hold paths are moved to the
test's own home by rewriting just these, by 0.1's documented formulas, which stand here in full.
"""

import json
import shutil
import sys
import tempfile
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.release_0_1.endpoints import Endpoints, Reply, Request

HERE = Path(__file__).parent
WRITTEN = HERE / "written"
HOME_OF_0_1 = "/dev/shm/tokencli-0.1-fixtures/home"
"""The home that the hot records name."""
NOWHERE = "http://127.0.0.1:9"
"""A proxy that is not there: nothing can be fetched through it."""
ISSUER = "https://login.example.com/realms/acme"
LIBRARIES = {
    "filelock", "json", "keyring", "pydantic", "requests", "tomlkit", "tomllib", "typer", "urllib3",
}  # fmt: skip
"""None of these is loaded by a run that prints from a hot record."""

needs_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="0.1 has hot copies on Linux alone"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with what 0.1 left in it, and a network on which nobody answers."""
    home = tmp_path / "home"
    folder = home / ".config" / "tokencli"
    folder.mkdir(mode=0o700)
    shutil.copy(HERE / "config.toml", folder / "config.toml")
    shutil.copytree(WRITTEN / "state", home / "state")
    (home / "secrets").mkdir()
    (home / "secrets" / "groupid").write_text("CANARY-client-secret-of-groupid\n")
    (home / "secrets" / "subject").write_text("CANARY-subject-token\n")
    shutil.copy(WRITTEN / "keyring.json", tmp_path / "keyring.json")
    close(home)
    monkeypatch.setenv("HTTPS_PROXY", NOWHERE)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "json_keyring.JsonKeyring")
    monkeypatch.setenv("JSON_KEYRING_FILE", str(tmp_path / "keyring.json"))
    return home


def close(root: Path) -> None:
    """Give a folder and all in it the modes with which 0.1 wrote them; git keeps none."""
    for path in (root, *root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


def token_file(home: Path, profile: str) -> Path:
    """Return the file of a profile's token: SHA-256 of the name, 16 digits, then the key."""
    (path,) = (home / "state/tokens").glob(f"{owner(profile)}-*.json")
    return path


def owner(profile: str) -> str:
    """Return what the names of a profile's files begin with."""
    return sha256(profile.encode()).hexdigest()[:16]


def read_json(path: Path) -> Any:
    """Return the JSON in a file."""
    return json.loads(path.read_text())


@contextmanager
def servers(
    answer: Callable[[Request], Reply], home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Endpoints]:
    """Let `answer` be every server in the world."""
    with Endpoints(answer, home / "ca.pem") as endpoints:
        monkeypatch.setenv("HTTPS_PROXY", endpoints.proxy)
        monkeypatch.setenv("SSL_CERT_FILE", str(home / "ca.pem"))
        yield endpoints


def put_hot_records(home: Path, run: Path, *names: str) -> None:
    """Put hot records of 0.1 where it would have put them for this home.

    They lie in `<runtime>/tokencli/hot/<path of the configuration, with % for each slash>`. A record
    is the kind, the configuration's path, its stamp, the name and the rest, a line each, and all of
    it twice. The stamp is the configuration's mtime and ctime in nanoseconds, size, inode and device.
    """
    config = home / ".config/tokencli/config.toml"
    found = config.stat()
    stamp = f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size} {found.st_ino} {found.st_dev}"
    place = run / "tokencli/hot" / str(config).replace("/", "%")
    place.mkdir(parents=True)
    for name in names:
        data = (WRITTEN / "hot/records" / name).read_bytes()
        once = data[: len(data) // 2]
        assert once * 2 == data
        lines = once.decode().replace(HOME_OF_0_1, str(home)).split("\n")
        assert lines[1] == str(config)
        lines[2] = stamp
        (place / name).write_bytes("\n".join(lines).encode() * 2)
    close(run / "tokencli")


def imported(stderr: str) -> set[str]:
    """Return the packages that a process has loaded, by PYTHONPROFILEIMPORTTIME's account."""
    lines = [line for line in stderr.splitlines() if line.startswith("import time:")]
    assert lines
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


def part_of_jwt(token: str, number: int) -> Any:
    """Return the header (0) or the claims (1) of a JWT."""
    part = token.split(".")[number]
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


# --- Fixtures ---


def test_the_files_carry_the_names_that_release_0_1_computed(home: Path) -> None:
    """Names and hashes in the fixtures follow 0.1's documented formulas, so nobody edited them."""
    for path in (home / "state/tokens").iterdir():
        bound = read_json(path)["binding"]
        assert path.stem == f"{owner(bound['profile'])}-{bound['key']}"
    (entry,) = (home / "state/journal").iterdir()
    spent = f"{entry.stem}\nCANARY-refresh-of-cut-off"
    assert read_json(entry)["spent"] == sha256(spent.encode()).hexdigest()
    (issuer,) = (home / "state/issuers").iterdir()
    assert issuer.stem == f"{owner('corp')}-{sha256(ISSUER.encode()).hexdigest()[:32]}"


# --- Configurations and providers ---


@pytest.mark.usefixtures("home")
def test_a_configuration_is_understood_as_before(tokencli: Run) -> None:
    """Every profile of a configuration for 0.1 is accepted and means what it meant to 0.1."""
    listed = tokencli("profiles", "--json")
    assert listed.code == 0, listed.err
    now = {one["name"]: one for one in json.loads(listed.out)["profiles"]}
    before = read_json(WRITTEN / "profiles.json")
    assert list(now) and set(now) == set(before)
    for name, meant in before.items():
        assert "problems" not in now[name], now[name]
        kinds = {secret: place["kind"] for secret, place in now[name]["secrets"].items()}
        assert {**now[name], "secrets": kinds}.items() >= meant.items()


@pytest.mark.usefixtures("home")
def test_a_configuration_that_the_program_wrote_is_understood(tokencli: Run) -> None:
    """What `profiles add`, `edit` and `use` of 0.1 wrote is accepted."""
    listed = tokencli("profiles", "--json", "--config", str(WRITTEN / "added.toml"))
    assert listed.code == 0, listed.err
    found = {one["name"]: one for one in json.loads(listed.out)["profiles"]}
    assert set(found) == {"groupid", "ci"}
    assert not any("problems" in one for one in found.values()), found
    assert found["ci"]["default"] and found["ci"]["store"] == "file"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", sorted(path.stem for path in WRITTEN.glob("providers/*.toml")))
def test_a_provider_file_is_good(tokencli: Run, name: str) -> None:
    """A provider's file that 0.1 printed, built in or not, is a good provider's file."""
    checked = tokencli("providers", "check", str(WRITTEN / "providers" / f"{name}.toml"), "--json")
    assert checked.code == 0, checked.err
    assert json.loads(checked.out)["token_url"]


# --- Tokens ---


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "name", ["social", "me", "corp", "on-behalf", "bound", "acme", "pool", "twice"]
)
def test_a_token_in_a_file_is_handed_out(tokencli: Run, name: str) -> None:
    """`get` prints the token that 0.1 left in the file store, and asks nobody."""
    got = tokencli("get", name)
    assert (got.code, got.out) == (0, f"CANARY-access-of-{name}\n"), got.err


def test_a_token_whose_life_slides_is_handed_out(tokencli: Run, home: Path) -> None:
    """A token that lives from its last use is handed out, and its life is counted from now."""
    before = read_json(token_file(home, "session"))["token"]
    got = tokencli("get", "session")
    assert (got.code, got.out) == (0, "s_CANARY-access-of-session\n"), got.err
    after = read_json(token_file(home, "session"))["token"]
    assert after["expires_at"] == pytest.approx(time.time() + before["idle"], abs=120)


@needs_linux
@pytest.mark.usefixtures("home")
def test_a_token_in_the_runtime_directory_is_handed_out(
    tokencli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`get` prints the token that 0.1 left in the runtime directory."""
    if not Path("/dev/shm").is_dir():
        pytest.skip("there is no /dev/shm")
    run = Path(tempfile.mkdtemp(prefix="tokencli-test-", dir="/dev/shm"))
    try:
        shutil.copytree(WRITTEN / "runtime", run / "tokencli")
        close(run)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
        got = tokencli("get", "robot")
    finally:
        shutil.rmtree(run)
    assert (got.code, got.out) == (0, "CANARY-access-of-robot\n"), got.err


@pytest.mark.usefixtures("home")
def test_outputs_go_into_the_headers(tokencli: Run) -> None:
    """What 0.1 kept beside a token is put into the headers that the user's own provider describes."""
    got = tokencli("get", "acme", "--format", "header")
    assert got.code == 0, got.err
    assert got.out.splitlines() == [
        "X-Auth-Token: CANARY-access-of-acme",
        "X-CSRF: CANARY-csrf-of-acme",
        "X-Tenant: acme-1234",
    ]


@pytest.mark.usefixtures("home")
def test_a_variable_is_exported(tokencli: Run) -> None:
    """`export` sets the variable that a profile for 0.1 names to the token that 0.1 left."""
    got = tokencli("export", "corp")
    assert (got.code, got.out) == (0, "export CORP_TOKEN='CANARY-access-of-corp';\n"), got.err


@pytest.mark.usefixtures("home")
def test_an_id_token_is_explained(tokencli: Run) -> None:
    """The ID token that 0.1 kept is found."""
    got = tokencli("inspect", "me", "--id-token", "--json")
    assert got.code == 0, got.err
    assert "CANARY-subject-of-tokencli" in got.out


def test_a_proof_is_signed_by_the_stored_key(tokencli: Run, home: Path) -> None:
    """A DPoP proof is signed by the key to which 0.1 bound the token."""
    stored = json.loads(read_json(token_file(home, "bound"))["proof_key"]["key"])
    got = tokencli("get", "bound", "--format", "dpop", "--url", "https://api.example.com/orders")
    assert got.code == 0, got.err
    headers = dict(line.split(": ", 1) for line in got.out.splitlines())
    assert headers["Authorization"] == "DPoP CANARY-access-of-bound"
    shown = part_of_jwt(headers["DPoP"], 0)["jwk"]
    assert shown == {name: stored[name] for name in ("kty", "crv", "x", "y")}


def test_a_token_is_forgotten(tokencli: Run, home: Path) -> None:
    """`logout` finds and removes the token that 0.1 left."""
    path = token_file(home, "social")
    done = tokencli("logout", "social", "--force")
    assert done.code == 0, done.err
    assert not path.exists()


# --- Keyrings ---


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["eagle", "wide"])
def test_a_token_in_the_keyring_is_handed_out(tokencli: Run, tmp_path: Path, name: str) -> None:
    """`get` prints the token that 0.1 left in one keyring item, or in several as on Windows."""
    got = tokencli("get", name)
    assert (got.code, got.out) == (0, f"CANARY-access-of-{name}\n"), got.err
    kept = (tmp_path / "keyring.json").read_bytes()
    assert kept == (WRITTEN / "keyring.json").read_bytes(), "nothing was set aside"


def test_a_secret_in_the_keyring_is_used(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client secret that `login` of 0.1 stored for a server is sent to that server."""
    config = home / ".config/tokencli/config.toml"
    config.write_text(config.read_text().replace('store = "keyring"', 'store = "none"'))
    with servers(lambda _: Reply(a_token("new")), home, monkeypatch) as endpoints:
        got = tokencli("get", "eagle")
    assert (got.code, got.out) == (0, "new\n"), got.err
    (request,) = endpoints.requests
    pair = b64encode(b"integration-dev:CANARY-client-secret-of-eagle").decode()
    assert request.headers["authorization"] == f"Basic {pair}"


def test_a_keyring_item_of_any_name_is_used(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that the configuration places in an item of any name is read from there."""
    token_file(home, "corp").unlink()
    known_now(home)
    with servers(lambda _: Reply(a_token("new")), home, monkeypatch) as endpoints:
        got = tokencli("get", "corp")
    assert (got.code, got.out) == (0, "new\n"), got.err
    (request,) = endpoints.requests
    pair = b64encode(b"batch:CANARY-client-secret-of-corp").decode()
    assert (request.path, request.headers["authorization"]) == (
        "/realms/acme/token",
        f"Basic {pair}",
    )


# --- Hot copies ---


@needs_linux
@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (("get", "corp"), "CANARY-access-of-corp\n"),
        (("get", "eagle"), "CANARY-access-of-eagle\n"),
        (("export", "corp"), "export CORP_TOKEN='CANARY-access-of-corp';\n"),
        (("completion", "--profiles", "cor"), "corp\n"),
    ],
    ids=["get corp", "get eagle", "export corp", "completion"],
)
def test_a_hot_record_is_printed_alone(
    tokencli: Run, home: Path, tmp_path: Path, arguments: tuple[str, ...], printed: str
) -> None:
    """A warm run prints from the record that 0.1 left in memory, and loads nothing else."""
    put_hot_records(home, tmp_path / "run", "corp", "eagle", ".names")
    shutil.rmtree(home / "state")
    (tmp_path / "keyring.json").unlink()
    got = tokencli(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert (got.code, got.out) == (0, printed), got.err
    assert not imported(got.err) & LIBRARIES


@needs_linux
@pytest.mark.parametrize("name", ["corp", "me", "acme"])
def test_remembered_profiles_do_no_harm(
    tokencli: Run, home: Path, tmp_path: Path, name: str
) -> None:
    """What 0.1 remembered of a profile, believed or not, leads to the same token."""
    put_hot_records(home, tmp_path / "run", ".default", ".names", f".profile.{name}")
    got = tokencli("get", name)
    assert (got.code, got.out) == (0, f"CANARY-access-of-{name}\n"), got.err


# --- Renewal ---


def a_token(name: str) -> dict[str, object]:
    """Return a usual token reply."""
    return {"access_token": name, "token_type": "Bearer", "expires_in": 3600}


def test_a_refresh_token_is_used(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where 0.1 left an expired token, its refresh token brings the next, and that one is kept."""
    reply = a_token("renewed") | {"refresh_token": "CANARY-refresh-2"}
    with servers(lambda _: Reply(reply), home, monkeypatch) as endpoints:
        got = tokencli("get", "groupid")
        again = tokencli("get", "groupid")
    assert (got.code, got.out, again.out) == (0, "renewed\n", "renewed\n"), got.err
    (request,) = endpoints.requests
    assert request.host == "demomachine"
    assert request.form["grant_type"] == "refresh_token"
    assert request.form["refresh_token"] == "CANARY-refresh-of-groupid"
    assert request.form["client_secret"] == "CANARY-client-secret-of-groupid"
    assert read_json(token_file(home, "groupid"))["token"]["refresh_token"] == "CANARY-refresh-2"


def test_a_refresh_token_is_used_as_the_users_own_provider_says(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refresh token that 0.1 left is spent by the request that the user's provider describes."""
    ends = int(time.time() + 3600) * 1000
    reply = Reply({"data": {"token": "renewed", "expires": ends, "csrf": "CANARY-csrf-2"}})
    with servers(lambda _: reply, home, monkeypatch) as endpoints:
        renewed = tokencli("refresh", "acme")
        got = tokencli("get", "acme", "--format", "header")
    assert (renewed.code, got.code) == (0, 0), renewed.err + got.err
    assert got.out.splitlines()[:2] == ["X-Auth-Token: renewed", "X-CSRF: CANARY-csrf-2"]
    (request,) = endpoints.requests
    assert (request.method, request.path) == ("POST", "/api/renew")
    assert json.loads(request.body) == {"renew": "CANARY-refresh-of-acme"}


def test_a_refresh_is_proven_by_the_stored_key(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh of a bound token is signed by the key, and carries the nonce, that 0.1 left."""
    monkeypatch.setenv("BOUND_SECRET", "CANARY-bound-secret")
    stored = json.loads(read_json(token_file(home, "bound"))["proof_key"]["key"])
    reply = Reply(a_token("renewed") | {"token_type": "DPoP"})
    with servers(lambda _: reply, home, monkeypatch) as endpoints:
        got = tokencli("refresh", "bound")
    assert got.code == 0, got.err
    (request,) = endpoints.requests
    assert request.form["refresh_token"] == "CANARY-refresh-of-bound"
    proof = request.headers["dpop"]
    assert part_of_jwt(proof, 0)["jwk"]["x"] == stored["x"]
    assert part_of_jwt(proof, 1)["nonce"] == "CANARY-nonce-of-bound"


@pytest.mark.parametrize("journal", [True, False])
def test_an_interrupted_refresh_is_known(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch, journal: bool
) -> None:
    """Where 0.1 was killed during a refresh, that is told when the server refuses the spent token."""
    if not journal:
        shutil.rmtree(home / "state/journal")
    refusal = Reply({"error": "invalid_grant"}, status=400)
    with servers(lambda _: refusal, home, monkeypatch) as endpoints:
        got = tokencli("get", "cut-off")
    assert got.code == 4, got.err
    (request,) = endpoints.requests
    assert request.form["refresh_token"] == "CANARY-refresh-of-cut-off"
    assert ("interrupt" in got.err) is journal


# --- Discovery ---


def known_now(home: Path) -> None:
    """Let what is known of the issuer be of this moment, and so not be asked for again."""
    (path,) = (home / "state/issuers").iterdir()
    path.write_text(json.dumps(read_json(path) | {"asked_at": time.time()}, sort_keys=True))


def test_what_an_issuer_said_is_remembered(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an issuer said to 0.1 less than a day ago is used, and the issuer is not asked again."""
    known_now(home)
    with servers(lambda _: Reply({}, status=500), home, monkeypatch) as endpoints:
        got = tokencli("get", "corp")
    assert (got.code, got.out) == (0, "CANARY-access-of-corp\n"), got.err
    assert endpoints.connections == []


def test_an_endpoint_that_has_moved_gets_nothing(
    tokencli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint on another host than the issuer named to 0.1 is sent nothing without a person's yes."""
    said = {"issuer": ISSUER, "token_endpoint": "https://elsewhere.example.net/token"}
    with servers(lambda _: Reply(said), home, monkeypatch) as endpoints:
        got = tokencli("get", "corp")
    assert (got.code, got.out) == (3, ""), got.err
    assert set(endpoints.connections) == {"login.example.com"}
