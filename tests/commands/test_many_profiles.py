"""The work for a configuration grows in proportion to its profiles, counted in function calls."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tokencli.app import App
from tokencli.commands.fast_commands import print_profile_names
from tokencli.commands.profiles_view import print_profile_list
from tokencli.config.edit import remove_profile, set_default_profile, update_profile
from tokencli.core.profile_health import list_profile_health
from tokencli.core.profile_status import list_settings
from tokencli.errors import ConfigError
from tokencli.providers.template import parse_template

FEW, MANY = 40, 160
CALLS_PER_PROFILE = {"built-in": 1500, "own, auto store": 2000, "invalid": 6000}
"""Kind of profile -> the most calls of functions, Python's own included, for one more of them."""
PROVIDER = """
[providers.own]
title = "Own"
endpoints.token = "https://{host}/login"
fields.host.kind = "host"
reply.access_token = "token"
request = { body = "json", send = { user = "{username}", password = "{password}" } }
"""
PROFILES = {
    "built-in": """
[profiles.p{n}]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://login{n}.example/token"
client_id = "client-{n}"
client_secret = {{ env = "SECRET" }}
store = "file"
""",
    "own, auto store": """
[profiles.p{n}]
provider = "own"
host = "host{n}.example"
username = "demo"
""",
    "invalid": """
[profiles.p{n}]
provider = "oauth2"
grant = "client_credentials"
token_url = "https://login{n}.example/token"
clientid = "client-{n}"
""",
}


def _list(app: App) -> None:
    with suppress(ConfigError):  # of the invalid profiles, after the list
        print_profile_list(app)


COMMANDS: dict[str, Callable[[App], object]] = {
    "profiles": _list,
    "status": lambda app: list(list_profile_health(app.config, app, app.with_cached_endpoints)),
    "providers check": lambda app: app.config.find_problems(),
    "profiles show": lambda app: list(list_settings(app.config.get_profile("p0"), app.config)),
    "profiles edit": lambda app: update_profile(app.config, "p0", {"scope": "a"}, ()),
    "profiles use": lambda app: set_default_profile(app.config, "p1"),
    "profiles remove": lambda app: remove_profile(app.config, "p2"),
    "completion": print_profile_names,
}


def _app(folder: Path, kind: str, size: int, number: int) -> App:
    """Return the program with a new configuration of that many profiles."""
    path = folder / f"{kind} {size} {number}.toml"
    rows = (PROFILES[kind].format(n=n) for n in range(size))
    state = f'state_dir = "{folder / "state"}"\n'
    path.write_text("\n".join((state, *rows, PROVIDER)))
    path.chmod(0o600)
    return App(environ={**os.environ, "TOKENCLI_CONFIG": str(path)})


def _count_calls(work: Callable[[], object]) -> int:
    """Return how many functions are called, built-in ones included."""
    counter = count()

    def note(_: FrameType, event: str, __: Any) -> None:
        if event in ("call", "c_call"):
            next(counter)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return next(counter)


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (command, kind)
        for command in COMMANDS
        for kind in PROFILES
        if (command, kind) != ("profiles show", "invalid")  # that is an error
    ],
)
def test_calls_grow_with_the_number_of_profiles(
    command: str, kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Four times as many profiles take at most four times the calls."""
    run = COMMANDS[command]
    run(_app(tmp_path, kind, FEW, 0))  # what is loaded on first use is not counted
    few, many = (
        _count_calls(lambda size=size: run(_app(tmp_path, kind, size, 1))) for size in (FEW, MANY)
    )
    assert few < many <= few * MANY / FEW
    assert many - few <= CALLS_PER_PROFILE[kind] * (MANY - FEW)
    capfd.readouterr()


def test_a_provider_is_parsed_once(tmp_path: Path) -> None:
    """However many profiles use its templates."""
    parse_template.cache_clear()
    misses = []
    for size in (FEW, MANY):
        _app(tmp_path, "own, auto store", size, 0).config.find_problems()
        misses.append(parse_template.cache_info().misses)
    assert misses[0] == misses[1]
