"""Token lifetimes, in every form that servers use."""

import base64
import json
from typing import Any

import pytest

from tokencli.models import NEVER_S, HttpReply
from tokencli.oauth.token_lifetime import compute_lifetime
from tokencli.provider_schema import Reply
from tokencli.providers.reply_locator import ReplyDocument

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
TEN_YEARS = 3652 * 86400


def lifetime_of(body: dict[str, Any], access: str | None = None, **options: Any) -> float | None:
    """Return the lifetime that a reply states."""
    found, _ = lifetime_and_remarks(body, access, **options)
    return found


def lifetime_and_remarks(
    body: dict[str, Any], access: str | None = None, **options: Any
) -> tuple[float | None, str]:
    """Return the lifetime, and the remarks as one text."""
    where = Reply(
        **{"expires_at": ("at",), "expires_in": ("in",), "issued_at": ("from",)} | options
    )
    reply = HttpReply(200, {"content-type": "application/json"}, json.dumps(body).encode())
    found, remarks = compute_lifetime(where, ReplyDocument(reply), access, NOW)
    return found, " ".join(remarks)


@pytest.mark.parametrize(
    ("body", "options", "expected"),
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
        ({}, {"ttl": "never"}, NEVER_S),
        ({"in": 0}, {"never": ("0",)}, NEVER_S),
        ({"in": 0}, {}, 0),
        ({"at": None}, {"never": ("null",)}, NEVER_S),
        ({"in": 0.0}, {"never": ("0",)}, NEVER_S),
        ({"at": "20270115080100"}, {"time_format": "%Y%m%d%H%M%S", "time_zone": "UTC"}, 60),
        ({"at": "2027-01-15t08:01:00z"}, {}, 60),
        ({"at": "2027-01-15T08:00:60Z"}, {}, 59),
        ({"at": "Fri Jan 15 08:01:00 2027"}, {"time_format": "http"}, 60),
        ({"at": "15.01.2027 08:01 UTC"}, {"time_format": "%d.%m.%Y %H:%M %Z"}, 60),
    ],
)  # fmt: skip
def test_forms_of_a_lifetime(
    body: dict[str, Any], options: dict[str, Any], expected: float | None
) -> None:
    """Relative and absolute, units and formats, missing and unlimited."""
    assert lifetime_of(body, **options) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        ({"at": (NOW + 60) * 1e3}, "year 3000"),
        ({"at": "15/01/2027"}, "not in the provider's time_format"),
        (
            {"at": "2027-01-15T08:01:00"},
            "not in the provider's time_format (it has no zone: set time_zone)",
        ),
        ({"in": "soon"}, "not a number"),
        ({"in": 10**12}, "ten years"),
        ({"in": -1}, "negative"),
        ({"at": NOW / 1e3}, "more than a day in the past"),
    ],
)
def test_implausible_values_get_a_remark(body: dict[str, Any], remark: str) -> None:
    """Nothing is guessed: the value is ignored, and `ttl` is used instead."""
    found, remarks = lifetime_and_remarks(body, ttl=300)
    assert remark in remarks
    assert found in (300, TEN_YEARS, 0)


@pytest.mark.parametrize("life", [1_800_000, 3_600_000, 7_200_000, 86_400_000])
def test_possible_milliseconds_get_a_remark(life: int) -> None:
    """An hour in milliseconds is 42 days in seconds, which is possible, so the value is kept."""
    found, remark = lifetime_and_remarks({"in": life})
    assert found == life
    assert 'time_unit = "ms"' in remark


@pytest.mark.parametrize("days", [0.04, 1, 7, 14, 25, 30, 50, 60, 90, 100, 180, 365, 730])
def test_lifetimes_in_days_get_no_remark(days: float) -> None:
    """Typical values of servers."""
    assert lifetime_and_remarks({"in": days * 86_400}) == (days * 86_400, "")


def test_issue_time_is_compared_with_the_servers_clock() -> None:
    """A server that is an hour behind still gives the whole lifetime if its reply has a Date."""
    where = Reply(expires_in=("in",), issued_at=("from",))
    body = json.dumps({"in": 600, "from": "2027-01-15T07:00:00Z"}).encode()
    headers = {"content-type": "application/json", "date": "Fri, 15 Jan 2027 07:00:10 GMT"}
    found, _ = compute_lifetime(where, ReplyDocument(HttpReply(200, headers, body)), None, NOW)
    assert found == 590


@pytest.mark.parametrize("skew", [-3 * 3600, 3 * 3600])
def test_a_wrong_clock_shortens_no_lifetime(skew: float) -> None:
    """Times that the server states are compared with the server's clock, however wrong ours is."""
    headers = {"content-type": "application/json", "date": "Fri, 15 Jan 2027 08:00:00 GMT"}
    body = json.dumps({"at": NOW + 600}).encode()
    reply = HttpReply(200, headers, body, received_at=NOW + skew)
    claims = base64.urlsafe_b64encode(json.dumps({"exp": NOW + 300}).encode()).decode().rstrip("=")
    for places, token, expected in (
        (Reply(expires_at=("at",)), None, 600),
        (Reply(expires_in=("in",)), f"eyJhbGciOiJub25lIn0.{claims}.", 300),
    ):
        found, remarks = compute_lifetime(places, ReplyDocument(reply), token, NOW + skew)
        assert (found, remarks) == (expected, ())


def test_milliseconds_are_detected_by_the_jwt() -> None:
    """If expires_in is a thousand times the JWT's lifetime, the JWT counts."""
    jwt = "eyJhbGciOiJub25lIn0.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0."  # iat 1000, exp 1300
    found, remark = lifetime_and_remarks({"in": 300_000}, jwt)
    assert found == 300
    assert 'time_unit = "ms"' in remark


def test_jwt_without_iat_expires_at_exp() -> None:
    """Counted by this computer's clock."""
    jwt = "eyJhbGciOiJub25lIn0.eyJleHAiOjE4MDAwMDAwOTB9."  # exp NOW + 90
    assert lifetime_of({}, jwt) == 90
