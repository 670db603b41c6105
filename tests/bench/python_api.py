"""What a Python program pays for a token that is fresh, beside requests_oauth2client.

The first call of a process is measured as a whole process. Later calls are timed in turns in one
process, which this module is when run as a script: it prints the median seconds of each as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec

INSTALL = "pip install requests_oauth2client"
FIRST = [sys.executable, "-c", "import tokencli; tokencli.token('bench')"]
"""A process that gets one token."""
PEER = "requests_oauth2client"
_CALLS = 500


def measure(environ: Mapping[str, str], rounds: int) -> dict[str, float]:
    """Return the median seconds of `tokencli.token`, `TokenAuth`, and the peer if it is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.python_api", str(rounds)],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _calls() -> dict[str, Callable[[], object]]:
    """Return what is measured."""
    import requests

    import tokencli
    from tokencli.sandbox.system import load_system

    def sign(auth: Callable[[requests.PreparedRequest], object]) -> Callable[[], object]:
        request = requests.Request("GET", "https://api.example.com/").prepare()
        hooks = {event: list(called) for event, called in request.hooks.items()}

        def call() -> object:
            request.hooks = {event: list(called) for event, called in hooks.items()}
            return auth(request)

        return call

    calls: dict[str, Callable[[], object]] = {
        "token": lambda: tokencli.token("bench"),
        "TokenAuth": sign(tokencli.TokenAuth("bench")),
    }
    if find_spec(PEER):
        from requests_oauth2client import OAuth2Client, OAuth2ClientCredentialsAuth

        session = requests.Session()
        session.verify = os.environ["BENCH_CA"]
        client = OAuth2Client(
            token_endpoint=os.environ["BENCH_URL"],
            client_id=os.environ["BENCH_ID"],
            client_secret=load_system("oauth2").secrets["client_secret"],
            session=session,
        )
        calls[PEER] = sign(OAuth2ClientCredentialsAuth(client))
    return calls


def _main(rounds: int) -> None:
    calls = _calls()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        for _ in range(3):
            call()
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                call()
            times[name].append((time.perf_counter() - start) / _CALLS)
    sys.stdout.write(json.dumps({name: statistics.median(each) for name, each in times.items()}))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
