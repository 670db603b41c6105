"""The picture of a token's life: to scale, as wide as asked, and with its marks in order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.commands.test_tables import terminal
from tokencli.commands.life_picture import MAX_WIDTH, MIN_WIDTH, draw_life
from tokencli.core.token_life import TokenLife

NOW = 1_800_000_000.0
HOUR = TokenLife(issued=NOW, refresh_due=NOW + 3540, expires=NOW + 3600)
EPOCH = st.none() | st.floats(NOW - 1e9, NOW + 1e9) | st.sampled_from([NOW, NOW * 1000, -1.0, 1e30])


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (NOW, "IN----------------------------------DE"),
        (NOW + 1800, "I=================N-----------------DE"),
        (NOW + 3570, "I==================================DNE"),
        (NOW + 3600 + 1800, "I=======================DE...........N"),
        (NOW + 360_000, "I================================DE//N"),
        (NOW - 1800, "N...........I-----------------------DE"),
        (NOW - 360_000, "N//I--------------------------------DE"),
    ],
)
def test_where_now_is(now: float, line: str) -> None:
    """Near marks are to scale, and far ones are beyond a break; what is over is filled."""
    assert draw_life(HOUR, now, 38)[0] == line


def test_end_of_the_refresh_token() -> None:
    """A month is not to scale beside an hour, but two hours are."""
    for end, line in (
        (NOW + 30 * 86_400, "I================N---------------DE//R"),
        (NOW + 7200, "I========N--------DE.................R"),
    ):
        life = TokenLife(NOW, None, NOW + 3540, NOW + 3600, end)
        assert draw_life(life, NOW + 1800, 38)[0] == line


def test_a_token_for_later() -> None:
    """What is before the `nbf` is not a part of its life."""
    life = replace(HOUR, valid_from=NOW + 1800)
    assert draw_life(life, NOW + 900, 38)[0] == "I........N........V-----------------DE"
    assert "V becomes valid in 15 minutes" in " ".join(draw_life(life, NOW + 900, 70))
    assert draw_life(life, NOW + 2700, 38)[0] == "I.................V=========N-------DE"


def test_legend_says_when() -> None:
    """Each letter is explained, and lines break only between explanations."""
    life = TokenLife(NOW, NOW + 60, NOW + 3540, NOW + 3600, NOW + 864_000)
    assert draw_life(life, NOW + 1800, 38)[1:] == [
        "I issued 30 minutes ago",
        "V became valid 29 minutes ago   N now",
        "D refresh due in 29 minutes",
        "E expires in 30 minutes",
        "R refresh token ends in 9 days",
    ]
    late = " ".join(draw_life(life, NOW + 4000, 70))
    assert "E expired 6 minutes ago" in late and "D refresh was due 7 minutes ago" in late


def test_an_estimate_is_called_one() -> None:
    """The end of a refresh token that is only concluded from earlier ones is `about` right."""
    life = replace(HOUR, refresh_end=NOW + 864_000, is_refresh_end_estimated=True)
    assert "R refresh token ends in about 10 days" in " ".join(draw_life(life, NOW, 70))
    late = " ".join(draw_life(life, NOW + 2 * 864_000, 70))
    assert "R refresh token ended about 10 days ago" in late


@pytest.mark.parametrize(
    "life",
    [
        TokenLife(),
        TokenLife(expires=NOW + 60),
        TokenLife(issued=NOW),
        TokenLife(issued=NOW, expires=NOW),
        TokenLife(issued=NOW, expires=NOW - 60),
        TokenLife(issued=NOW, expires=NOW * 1000),
        TokenLife(issued=NOW * 1000, expires=(NOW + 60) * 1000),
        TokenLife(issued=-5.0, expires=NOW),
    ],
)
def test_nothing_is_drawn_that_is_not_known(life: TokenLife) -> None:
    """Unknown times, times in milliseconds and times in the wrong order have no scale."""
    assert draw_life(life, NOW, 70) == []


def test_blocks_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A UTF-8 terminal shows blocks in the color of the state, and a dumb one ASCII."""
    with terminal(monkeypatch):
        line = draw_life(HOUR, NOW + 1800, 20, "green")[0]
    assert line == "\x1b[32mI█████████N░░░░░░░DE\x1b[0m"
    with terminal(monkeypatch, TERM="dumb"):
        assert draw_life(HOUR, NOW + 1800, 20, "green")[0] == "I=========N-------DE"


@given(
    st.builds(TokenLife, *[EPOCH] * 5),
    st.floats(NOW - 1e9, NOW + 1e9),
    st.integers(0, 200),
)
def test_any_life(life: TokenLife, now: float, width: int) -> None:
    """No line is too wide, each mark is there once, and they are in the order of their times."""
    lines = draw_life(life, now, width)
    if not lines:
        return
    assert len(lines[0]) == max(MIN_WIDTH, min(width, MAX_WIDTH))
    assert all(len(line) <= max(MIN_WIDTH, width) for line in lines[1:])
    known = life.in_seconds()
    times = {
        "I": known.issued,
        "V": known.valid_from,
        "N": now,
        "D": known.refresh_due,
        "E": known.expires,
        "R": known.refresh_end,
    }
    drawn = [letter for letter in lines[0] if letter.isalpha()]
    assert sorted(drawn) == sorted(name for name, epoch in times.items() if epoch is not None)
    epochs = [times[letter] or 0.0 for letter in drawn]
    assert epochs == sorted(epochs)
