"""Make the files in `written/`, with release 0.1 of tokencli and nothing else.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install tokencli-0.1.0-py3-none-any.whl
    /tmp/v/bin/python generate.py

It runs 0.1's own command line against servers of its own (`endpoints.py`), with `config.toml`, and
copies what 0.1 has left. The program is changed in three places, see `program`: its clock stands
still, a life of more than ten years is believed, and where asked for its keyring takes short items
alone, as on Windows. What is written is otherwise 0.1's, byte for byte.

Linux alone, with /dev/shm in memory: 0.1 writes hot copies nowhere else.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event

from endpoints import Endpoints, Reply, Request

HERE = Path(__file__).parent
WRITTEN = HERE / "written"
PLACE = Path("/dev/shm/tokencli-0.1-fixtures")
"""Where 0.1 runs. Records that hold paths hold these; the test puts its own in their place."""
VERSION = "0.1.0"
NOW = 1767225600.0
"""2026-01-01T00:00:00Z, by 0.1's clock."""
END = 3976214400
"""2096-01-01T00:00:00Z."""
LIFE = END - int(NOW)
SMALL = "1280"
"""UTF-16 units that an item of the Windows keyring takes."""

HOME = PLACE / "home"
CONFIG = HOME / ".config/tokencli/config.toml"
STATE = HOME / "state"
RUN = PLACE / "run"
SECRETS = {
    name: f"CANARY-{name.lower().replace('_', '-')}"
    for name in (
        "GROUPID_PASSWORD", "SOCIAL_PASSWORD", "BOUND_SECRET", "ON_BEHALF_SECRET", "WIDE_SECRET",
        "WIDE_PASSWORD", "ACME_PASSWORD", "ACME_KEY", "SESSION_PASSWORD", "POOL_SECRET",
    )
}  # fmt: skip
SECRETS["TWICE_KEY"] = "CANARY-" * 10
CURL = (
    "curl -X POST https://api.example.com/v1/login -H 'Content-Type: application/json'"
    """ -d '{"user":"demo","password":"CANARY-password-in-curl","keep":true}'"""
)


def program(arguments: list[str]) -> None:
    """Be 0.1's command line, but with a clock that stands still and room for a long life."""
    from tokencli.adapters.clock import SystemClock
    from tokencli.sources.os_keyring import OsKeyring

    from tokencli import __version__
    from tokencli.__main__ import main
    from tokencli.providers import expiry

    if __version__ != VERSION:
        sys.exit(f"this is tokencli {__version__}, and the fixtures are those of {VERSION}")
    SystemClock.now = lambda self: NOW  # type: ignore[method-assign]
    expiry.TEN_YEARS_S *= 10
    if limit := os.environ.get("SMALL_ITEMS"):
        defaults = OsKeyring.__init__.__kwdefaults__
        assert defaults is not None
        defaults["limit"] = int(limit)
    sys.argv = ["tokencli", *arguments]
    main()


class World:
    """The home, the runtime directory, the keyring and the servers that 0.1 is run with."""

    def __init__(self) -> None:
        self.reached = Event()
        """Set when a request has come that is not going to be answered."""
        self.keyring = PLACE / "keyring.json"
        self.endpoints = Endpoints(self.answer, HOME / "ca.pem")

    def environ(self, **more: str) -> dict[str, str]:
        """Return the whole environment of 0.1."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(HOME),
            "XDG_RUNTIME_DIR": str(RUN),
            "SSL_CERT_FILE": str(HOME / "ca.pem"),
            "HTTPS_PROXY": self.endpoints.proxy,
            "PYTHON_KEYRING_BACKEND": "json_keyring.JsonKeyring",
            "PYTHONDONTWRITEBYTECODE": "1",
            "JSON_KEYRING_FILE": str(self.keyring),
            **SECRETS,
            **more,
        }

    def run(self, *arguments: str, stdin: str = "", **more: str) -> str:
        """Run 0.1 and return its stdout."""
        done = subprocess.run(
            [sys.executable, __file__, "--program", *arguments],
            env=self.environ(**more),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"tokencli {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def cut_off(self, *arguments: str) -> None:
        """Run 0.1 and kill it while it waits for the server's answer."""
        command = [sys.executable, __file__, "--program", *arguments]
        with subprocess.Popen(command, env=self.environ(), stderr=subprocess.DEVNULL) as child:
            if not self.reached.wait(60):
                sys.exit(f"tokencli {' '.join(arguments)} sent nothing")
            child.kill()

    def answer(self, request: Request) -> Reply:
        """Answer as the server at that address does."""
        if request.path.endswith("/.well-known/openid-configuration"):
            return Reply(metadata(f"https://{request.host}/realms/acme"))
        if request.path == "/oauth2/device":
            return Reply(device())
        if request.host == "acme.example.com":
            return Reply(of_acme())
        if request.host == "twice.example.com":
            if request.path == "/code":
                return Reply({"code": "CANARY-code-of-twice"})
            return Reply({"token": "CANARY-access-of-twice", "life": LIFE, "zone": "CANARY-zone"})
        if request.host == "session.example.com":
            life = {"X-Session": "CANARY-access-of-session", "X-Session-Life": str(LIFE)}
            return Reply({}, headers=life)
        name = {"demomachine": "groupid", "id.example.com": "eagle", "pool.example.com": "pool"}
        who = name.get(request.host) or (
            "social" if "socialidnow" in request.host else self.client(request)
        )
        if request.form.get("grant_type") == "refresh_token":
            self.reached.set()
            Event().wait(30)  # nobody is answered
        return TOKENS[who]()

    @staticmethod
    def client(request: Request) -> str:
        """Return the profile of the client at login.example.com."""
        if request.path.startswith("/realms/"):
            return "corp"
        if "client_assertion" in request.form:
            return "robot"
        return request.form.get("client_id") or _basic(request)


def _basic(request: Request) -> str:
    from base64 import b64decode

    pair = b64decode(request.headers["authorization"].partition(" ")[2]).decode()
    return pair.partition(":")[0]


def metadata(issuer: str) -> Mapping[str, object]:
    """Return what an issuer says of itself."""
    return {
        "issuer": issuer,
        "token_endpoint": f"{issuer}/token",
        "authorization_endpoint": f"{issuer}/auth",
        "device_authorization_endpoint": f"{issuer}/device",
        "jwks_uri": f"{issuer}/keys",
        "authorization_response_iss_parameter_supported": True,
    }


def device() -> Mapping[str, object]:
    """Return the answer to a device authorization request."""
    return {
        "device_code": "CANARY-device-code",
        "user_code": "CANARY",
        "verification_uri": "https://login.example.com/device",
        "expires_in": 600,
        "interval": 1,
    }


def of_acme() -> Mapping[str, object]:
    """Return the reply of the user's own kind of server."""
    said = {"token": "CANARY-access-of-acme", "renew": "CANARY-refresh-of-acme"}
    return {"data": {**said, "expires": END * 1000, "csrf": "CANARY-csrf-of-acme"}}


def id_token(name: str) -> str:
    """Return an ID token whose signature is none."""
    claims = {"iss": "https://login.example.com", "sub": f"CANARY-subject-of-{name}", "aud": name}
    parts = ({"alg": "RS256", "typ": "JWT"}, {**claims, "iat": int(NOW), "exp": END})
    encoded = (urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join((*encoded, "CANARY-signature"))


def token(
    name: str, *, life: int = LIFE, refresh: bool = False, kind: str = "Bearer", **more: object
) -> Callable[[], Reply]:
    """Return what makes a usual token reply."""
    said: dict[str, object] = {
        "access_token": f"CANARY-access-of-{name}", "token_type": kind, "expires_in": life, **more,
    }  # fmt: skip
    if refresh:
        said["refresh_token"] = f"CANARY-refresh-of-{name}"
    headers = {"DPoP-Nonce": f"CANARY-nonce-of-{name}"} if kind == "DPoP" else {}
    return lambda: Reply(said, headers=headers)


TOKENS: Mapping[str, Callable[[], Reply]] = {
    "groupid": token("groupid", life=1, refresh=True, scope="openid profile"),
    "eagle": token("eagle", scope="openid email profile inspect"),
    "social": token("social", refresh=True, scope="all"),
    "corp": token("corp", scope="read write"),
    "tokencli": token("me", refresh=True, id_token=id_token("tokencli"), scope="openid"),
    "cut-off": token("cut-off", life=1, refresh=True),
    "bound": token("bound", refresh=True, kind="DPoP"),
    "robot": token("robot"),
    "on-behalf": token(
        "on-behalf", issued_token_type="urn:ietf:params:oauth:token-type:jwt"
    ),
    "wide": token("wide", refresh=True, id_token=id_token("wide" + "-CANARY" * 300)),
    "pool": token("pool"),
}  # fmt: skip
"""Profile, or client id -> what its server answers."""


def main() -> None:
    """Make everything anew."""
    before = _own_state()
    try:
        with _place():
            world = World()
            with world.endpoints:
                said = make(world)
    finally:
        for path in _own_state() - before:
            path.unlink()
    print(f"{WRITTEN} is made by {said}")  # noqa: T201 - a script's own word


def make(world: World) -> str:
    """Make everything in a world that is there, and return what 0.1 calls itself."""
    said = world.run("--version").strip()
    if said != f"tokencli {VERSION}":
        sys.exit(f"this is {said}, and the fixtures are those of {VERSION}")
    fetch(world)
    shutil.rmtree(WRITTEN, ignore_errors=True)
    WRITTEN.mkdir()
    add_profiles(world)
    providers(world)
    shown(world)
    _copy(STATE, "state", "tokens", "journal", "issuers")
    _copy(RUN / "tokencli", "runtime", "tokens")
    _copy(RUN / "tokencli/hot", "hot", str(CONFIG).replace("/", "%"))
    records = WRITTEN / "hot/records"
    (WRITTEN / "hot" / str(CONFIG).replace("/", "%")).rename(records)
    for path in records.glob(".profile.*"):  # each is 15 kB, and these will do
        if path.suffix not in (".acme", ".corp", ".me"):
            path.unlink()
    shutil.copy(world.keyring, WRITTEN / "keyring.json")
    (WRITTEN / "made-by.txt").write_text(f"made by {said}\n")
    return said


def fetch(world: World) -> None:
    """Have 0.1 get a token of each profile."""
    world.run("profiles", "--json")
    own = {"release-0.1": {"corp": "CANARY-client-secret-of-corp"}}
    world.keyring.write_text(json.dumps(own))
    world.run("login", "eagle", "--stdin", stdin="CANARY-client-secret-of-eagle\n")
    for name in ("groupid", "social", "corp", "bound", "robot", "on-behalf", "acme", "session"):
        world.run("get", name)
    for name in ("pool", "twice"):
        world.run("get", name)
    for name in ("me", "cut-off"):
        world.run("login", name, "--wait", "1m")
    world.run("get", "wide", SMALL_ITEMS=SMALL)
    world.cut_off("refresh", "cut-off")
    world.run("get", "corp")
    # Which profile is the default is noted by a run that names none.
    world.run("get")
    # Names are noted by a run that lists them.
    world.run("completion", "--profiles")


def add_profiles(world: World) -> None:
    """Have 0.1 write a configuration by itself."""
    path = PLACE / "added.toml"
    named = ("--config", str(path), "--no-input")
    world.run(
        "profiles", "add", "groupid", *named, "--provider", "groupid", "--host", "demomachine:4443",
        "--username", "jdoe", "--client-id", "made-up", "--identity-store-id", "1",
        "--password-env", "GROUPID_PASSWORD", "--secret", "client_secret=file:~/secrets/groupid",
    )  # fmt: skip
    world.run(
        "profiles", "add", "ci", *named, "--provider", "oauth2", "--client-id", "batch",
        "--token-url", "https://login.example.com/token", "--store", "file", "--export", "CI_TOKEN",
        "--secret", "client_secret=command:pass show ci", "--set", "min_ttl=5m",
        "--set", "grant=client_credentials",
    )  # fmt: skip
    world.run("profiles", "edit", "ci", *named, "--set", "timeout=20s", "--unset", "export")
    world.run("profiles", "use", "ci", "--config", str(path))
    shutil.copy(path, WRITTEN / "added.toml")


def providers(world: World) -> None:
    """Have 0.1 print its providers, and make one of a curl command line."""
    folder = WRITTEN / "providers"
    folder.mkdir()
    for one in json.loads(world.run("providers", "list", "--json"))["providers"]:
        (folder / f"{one['name']}.toml").write_text(world.run("providers", "show", one["name"]))
    text = world.run("providers", "new", "Curled", "--from-curl", "-", stdin=CURL)
    (folder / "curled.toml").write_text(text)


def shown(world: World) -> None:
    """Note how 0.1 understands the configuration, and what it prints of the tokens."""
    listed = json.loads(world.run("profiles", "--json"))["profiles"]
    understood = {one.pop("name"): one for one in listed}
    for one in understood.values():
        del one["token"]
        one["secrets"] = {name: place["kind"] for name, place in one["secrets"].items()}
    (WRITTEN / "profiles.json").write_text(json.dumps(understood, indent=1, sort_keys=True) + "\n")


def _copy(root: Path, name: str, *folders: str) -> None:
    hidden = shutil.ignore_patterns(".*.draft")
    for folder in folders:
        shutil.copytree(root / folder, WRITTEN / name / folder, ignore=hidden)


@contextmanager
def _place() -> Iterator[None]:
    """Make the folders that 0.1 runs in, and take them away again."""
    shutil.rmtree(PLACE, ignore_errors=True)
    for folder in (PLACE, RUN, HOME, CONFIG.parent, STATE, HOME / "secrets"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(HERE / "config.toml", CONFIG)
    CONFIG.chmod(0o600)
    (HOME / "secrets/groupid").write_text("CANARY-client-secret-of-groupid\n")
    (HOME / "secrets/subject").write_text("CANARY-subject-token\n")
    _key(CONFIG.parent / "robot.pem")
    for path in (*HOME.glob("secrets/*"), CONFIG.parent / "robot.pem"):
        path.chmod(0o600)
    time.sleep(0.1)  # 0.1 leaves no record of a configuration that was changed a moment ago
    try:
        yield
    finally:
        shutil.rmtree(PLACE)


def _key(path: Path) -> None:
    """Make the key with which the client signs; it is not kept."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _own_state() -> set[Path]:
    """Return the files that 0.1's keyring store has for our profiles in the user's own state folder,
    which no variable moves."""
    import pwd

    home = Path(pwd.getpwuid(os.geteuid()).pw_dir)
    mine = tuple(sha256(name.encode()).hexdigest()[:16] for name in ("eagle", "wide"))
    every = (home / ".local/state/tokencli").glob("*/*")
    return {path for path in every if path.is_file() and path.name.startswith(mine)}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--program"]:
        program(sys.argv[2:])
    else:
        main()
