"""When a token ends, by every way in which vendors say it."""

import json
from typing import Any

import pytest

from tokencli.models import HttpReply
from tokencli.oauth.token_lifetime import compute_lifetime
from tokencli.provider_schema import Reply
from tokencli.providers.reply_locator import ReplyDocument

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
TEN_YEARS = 10 * 365.25 * 86400


def life(body: dict[str, Any], access: str | None = None, **how: Any) -> float | None:
    """Return the life that a reply gives its token."""
    found, _ = lived(body, access, **how)
    return found


def lived(body: dict[str, Any], access: str | None = None, **how: Any) -> tuple[float | None, str]:
    """Return the life, and what was said of it."""
    where = Reply(**{"expires_at": ("at",), "expires_in": ("in",), "issued_at": ("from",)} | how)
    reply = HttpReply(200, {"content-type": "application/json"}, json.dumps(body).encode())
    found, remarks = compute_lifetime(where, ReplyDocument(reply), access, NOW)
    return found, " ".join(remarks)


@pytest.mark.parametrize(
    ("body", "how", "expected"),
    [
        ({"in": 60}, {}, 60),
        ({"in": "60"}, {}, 60),
        ({"in": 60_000}, {"time_unit": "ms"}, 60),
        ({"in": 5}, {"time_unit": "min"}, 300),
        ({"in": "177:05:38"}, {"time_format": "h:m:s"}, 637538),
        ({"at": NOW + 60}, {}, 60),
        ({"at": str(int(NOW) + 60)}, {}, 60),
        ({"at": (NOW + 60) * 1e3}, {"time_unit": "ms"}, 60),
        ({"at": (NOW + 60) * 1e6}, {"time_unit": "us"}, 60),
        ({"at": "2027-01-15T08:01:00Z"}, {}, 60),
        ({"at": "2027-01-15T09:01:00.123456789+01:00"}, {}, 60.123456),
        ({"at": "Fri, 15 Jan 2027 08:01:00 GMT"}, {"time_format": "http"}, 60),
        ({"at": "15.01.2027 09:01"}, {"time_format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"}, 60),
        ({"at": NOW + 3660, "from": NOW + 3600}, {}, 60),
        ({"in": 60, "from": "2027-01-15T07:59:30Z"}, {}, 30),
        ({"in": 60, "from": "2027-01-15T09:00:00Z"}, {}, 60),
        ({"at": NOW - 5}, {}, 0),
        ({}, {}, None),
        ({}, {"ttl": 300}, 300),
        ({"in": 60}, {"ttl": 300}, 60),
        ({}, {"ttl": "never"}, TEN_YEARS),
        ({"in": 0}, {"never": ("0",)}, TEN_YEARS),
        ({"in": 0}, {}, 0),
        ({"at": None}, {"never": ("null",)}, TEN_YEARS),
        ({"in": 0.0}, {"never": ("0",)}, TEN_YEARS),
        ({"at": "20270115080100"}, {"time_format": "%Y%m%d%H%M%S", "time_zone": "UTC"}, 60),
        ({"at": "2027-01-15t08:01:00z"}, {}, 60),
        ({"at": "2027-01-15T08:00:60Z"}, {}, 59),
        ({"at": "Fri Jan 15 08:01:00 2027"}, {"time_format": "http"}, 60),
        ({"at": "15.01.2027 08:01 UTC"}, {"time_format": "%d.%m.%Y %H:%M %Z"}, 60),
    ],
)  # fmt: skip
def test_every_way_to_say_it(
    body: dict[str, Any], how: dict[str, Any], expected: float | None
) -> None:
    """Relative and absolute, units and formats, what is missing and what is for ever."""
    assert life(body, **how) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"at": (NOW + 60) * 1e3}, "year 3000"),
        ({"at": "15/01/2027"}, "not in the provider's time_format"),
        ({"at": "2027-01-15T08:01:00"}, "not in the provider's time_format"),
        ({"in": "soon"}, "not a number"),
        ({"in": 10**12}, "ten years"),
        ({"in": -1}, "negative"),
        ({"at": NOW / 1e3}, "more than a day in the past"),
    ],
)
def test_what_can_not_be_right_is_noticed_and_said(body: dict[str, Any], said: str) -> None:
    """No guess is made: the value is left aside, `ttl` stands in, and a warning says so."""
    found, remarks = lived(body, ttl=300)
    assert said in remarks
    assert found in (300, TEN_YEARS, 0)


@pytest.mark.parametrize("life", [1_800_000, 3_600_000, 7_200_000, 86_400_000])
def test_lives_that_look_like_milliseconds_are_taken_as_they_are_and_remarked_on(life: int) -> None:
    """An hour in milliseconds would be 42 days: nobody can be sure, so nothing is guessed."""
    found, said = lived({"in": life})
    assert found == life
    assert 'time_unit = "ms"' in said


@pytest.mark.parametrize("days", [0.04, 1, 7, 14, 25, 30, 50, 60, 90, 100, 180, 365, 730])
def test_lives_in_days_are_nothing_to_remark_on(days: float) -> None:
    """What servers give."""
    assert lived({"in": days * 86_400}) == (days * 86_400, "")


def test_an_issue_time_counts_by_the_servers_own_clock() -> None:
    """A server an hour behind gives a whole life all the same, where its reply says its time."""
    where = Reply(expires_in=("in",), issued_at=("from",))
    body = json.dumps({"in": 600, "from": "2027-01-15T07:00:00Z"}).encode()
    headers = {"content-type": "application/json", "date": "Fri, 15 Jan 2027 07:00:10 GMT"}
    found, _ = compute_lifetime(where, ReplyDocument(HttpReply(200, headers, body)), None, NOW)
    assert found == 590


def test_milliseconds_in_seconds_are_noticed_by_the_token_itself() -> None:
    """expires_in a thousand times the JWT's own life: the JWT counts, and the unit is named."""
    jwt = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0."  # iat 1000, exp 1300
    found, said = lived({"in": 300_000}, jwt)
    assert found == 300
    assert 'time_unit = "ms"' in said


def test_a_jwt_without_iat_ends_at_its_exp() -> None:
    """Then this machine's clock is all there is to count by."""
    jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE4MDAwMDAwOTB9."  # exp NOW + 90
    assert life({}, jwt) == 90
