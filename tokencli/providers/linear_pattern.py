"""Search text for a regular expression, in time that grows linearly with the text.

`re` takes time that grows with a power of the text's length for patterns such as `.*.*(x)`. Patterns
here repeat single characters only, so it is enough to try each of their parts once at each position
(memoized backtracking), and the result is that of `re`. RE2, a library that guarantees linear time,
has no wheels for Alpine Linux.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as op  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from tokencli.errors import ConfigError

MAX_PATTERN_LENGTH = 500
MAX_TEXT_LENGTH = 64 * 1024
"""Characters of the text that are searched: a longer token can't be stored."""
_MAX_INLINE_REPEATS = 16
"""A character that is repeated more often is counted like one that is repeated any number of times."""
_SINGLE_CHARACTER_OPS = (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.CATEGORY)
_REPEAT_OPS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_C_STEPS_PER_STEP = 256
"""Characters that `re` reads in the time of one step here."""


class _Characters(NamedTuple):
    """Single characters and anchors, one after the other."""

    pattern: re.Pattern[str]
    then: int


class _Repeat(NamedTuple):
    """One character, at least and at most so many times."""

    run: re.Pattern[str]
    """Matches the character as often as possible."""
    least: int
    most: int
    kind: Any
    then: int


class _Choice(NamedTuple):
    """Alternatives: the index of the first part of each, the preferred one first."""

    first_parts: tuple[int, ...]


class _GroupEdge(NamedTuple):
    """The start or the end of the group."""

    is_start: bool
    then: int


class _Try(NamedTuple):
    """What is still to be tried: a part at each of these positions, with the group found so far."""

    part: int
    positions: Iterator[int]
    group: tuple[int, int]


_Part = _Characters | _Repeat | _Choice | _GroupEdge
_MATCHED = -1
"""Index of the part after the last one."""


class LinearPattern:
    """A regular expression with one group. It can't repeat groups, look around or refer back."""

    def __init__(self, pattern: str) -> None:
        """Compile a pattern.

        Raises:
            ConfigError: it is not a regular expression, or not of this kind.
        """
        shown = repr(pattern[:80])
        try:
            tree = _parser.parse(pattern[: MAX_PATTERN_LENGTH + 1])
        except (re.error, OverflowError, RecursionError):
            raise ConfigError(f"{shown} is not a regular expression") from None
        groups = tree.state.groups - 1
        if groups != 1:
            raise ConfigError(
                f"the regular expression {shown} has {groups} groups instead of one",
                fix="put ( ) around the part to take, and (?: ) around other groups",
            )
        self._parts: list[_Part] = []
        self._state = tree.state
        try:
            if len(pattern) > MAX_PATTERN_LENGTH:
                raise _UnsupportedError
            self._first = self._compile(tree, (), _MATCHED)
        except (_UnsupportedError, RecursionError):
            raise ConfigError(
                f"the regular expression {shown} could take too long",
                fix="don't repeat a group, don't use lookahead or lookbehind, and use at most"
                f" {MAX_PATTERN_LENGTH} characters",
            ) from None

    def search(self, text: str, max_steps: int) -> tuple[str | None, int]:
        """Return the group of the first match, and the steps that were made.

        The group is None if nothing matches within `max_steps`, or if the group is empty.
        """
        text = text[:MAX_TEXT_LENGTH]
        tried: set[tuple[int, int]] = set()
        runs = _RunCache()
        pending = [_Try(self._first, self._iter_starts(text), (-1, -1))]
        result, rounds = None, 0
        while pending and rounds + len(tried) + runs.cost <= max_steps:
            rounds += 1
            part, positions, group = pending[-1]
            at = next(positions, -1)
            if at < 0:
                pending.pop()
                continue
            while part != _MATCHED and (part, at) not in tried:
                tried.add((part, at))
                match self._parts[part]:
                    case _Characters(pattern, then):
                        found = pattern.match(text, at)
                        if found is None:
                            break
                        part, at = then, found.end()
                    case _Repeat() as repeat:
                        ends = runs.iter_ends(part, repeat, text, at)
                        pending.append(_Try(repeat.then, ends, group))
                        break
                    case _Choice((part, *others)):
                        pending += [_Try(each, iter((at,)), group) for each in others[::-1]]
                    case _GroupEdge(is_start, part):
                        group = (at, -1) if is_start else (group[0], at)
            if part == _MATCHED:
                result = text[slice(*group)] if -1 < group[0] < group[1] else None
                break
        return result, rounds + len(tried) + runs.cost

    def _iter_starts(self, text: str) -> Iterator[int]:
        """Yield the positions at which a match can start."""
        first = self._parts[self._first] if self._first != _MATCHED else None
        if not isinstance(first, _Characters):
            yield from range(len(text) + 1)
            return
        at = 0
        while found := first.pattern.search(text, at):
            yield found.start()
            at = found.start() + 1
            if at > len(text):
                return

    def _compile(self, items: Sequence[Any], flags: tuple[Any, ...], then: int) -> int:
        """Compile the items of a parsed pattern, followed by the part `then`; return the first part."""
        characters: list[Any] = []
        for kind, argument in [*items][::-1]:
            if self._is_fixed(kind, argument):
                characters.insert(0, (kind, argument))
                continue
            if characters:
                then = self._add(_Characters(self._to_re(characters, flags), then))
                characters = []
            if kind in _REPEAT_OPS:
                least, most, (*repeated,) = argument
                run = self._to_re([(op.MAX_REPEAT, (0, op.MAXREPEAT, argument[2]))], flags)
                if len(repeated) != 1 or repeated[0][0] not in _SINGLE_CHARACTER_OPS:
                    raise _UnsupportedError
                then = self._add(_Repeat(run, least, int(most), kind, then))
            elif kind is op.BRANCH:
                then = self._add(
                    _Choice(tuple(self._compile(each, flags, then) for each in argument[1]))
                )
            elif kind is op.SUBPATTERN:
                group, add_flags, del_flags, inner = argument
                inside = (*flags, (add_flags, del_flags))
                if group is None:
                    then = self._compile(inner, inside, then)
                else:
                    end = self._add(_GroupEdge(False, then))
                    then = self._add(_GroupEdge(True, self._compile(inner, inside, end)))
            else:
                raise _UnsupportedError
        return self._add(_Characters(self._to_re(characters, flags), then)) if characters else then

    def _is_fixed(self, kind: Any, argument: Any) -> bool:
        """Tell whether an item is a character or an anchor, or a few characters of one kind."""
        if kind in _REPEAT_OPS:
            least, most, repeated = argument
            few = least == most <= _MAX_INLINE_REPEATS
            return few and len(repeated) == 1 and repeated[0][0] in _SINGLE_CHARACTER_OPS
        return kind in _SINGLE_CHARACTER_OPS or kind is op.AT

    def _to_re(self, items: list[Any], flags: tuple[Any, ...]) -> re.Pattern[str]:
        """Compile items of a parsed pattern by themselves, under the flags of the groups around them."""
        inner = _parser.SubPattern(self._state, items)
        for add_flags, del_flags in flags[::-1]:
            inner = _parser.SubPattern(
                self._state, [(op.SUBPATTERN, (None, add_flags, del_flags, inner))]
            )
        compiled: re.Pattern[str] = _compiler.compile(inner)
        return compiled

    def _add(self, part: _Part) -> int:
        self._parts.append(part)
        return len(self._parts) - 1


class _UnsupportedError(Exception):
    """The pattern has an element whose cost is not bounded here."""


class _RunCache:
    """Where the runs of a repeated character end, and which ends have been tried."""

    def __init__(self) -> None:
        self.cost = 0
        """Steps spent on reading runs."""
        self._last_run: dict[int, tuple[int, int]] = {}
        self._least_tried: dict[tuple[int, int], int] = {}

    def iter_ends(self, part: int, repeat: _Repeat, text: str, at: int) -> Iterator[int]:
        """Yield the positions after the repeats from `at`, the preferred first, each end once."""
        run_end = self._find_run_end(part, repeat.run, text, at)
        last = min(run_end, at + repeat.most)
        first = at + repeat.least
        if repeat.kind is op.POSSESSIVE_REPEAT:
            return iter((last,) if first <= last else ())
        untried = self._least_tried.get((part, last), last + 1)
        self._least_tried[part, last] = min(untried, first)
        ends = range(first, untried)
        return iter(ends if repeat.kind is op.MIN_REPEAT else ends[::-1])

    def _find_run_end(self, part: int, run: re.Pattern[str], text: str, at: int) -> int:
        """Return where the run of a character that starts at or before `at` ends."""
        start, end = self._last_run.get(part, (len(text), len(text)))
        if not start <= at <= end:
            found = run.match(text, at, start if at < start else len(text))
            reached = found.end() if found else at
            self.cost += (reached - at) // _C_STEPS_PER_STEP
            end = end if reached == start else reached
            self._last_run[part] = (at, end)
        return end


@cache
def compile_pattern(pattern: str) -> LinearPattern:
    """Return the compiled pattern; raises ConfigError."""
    return LinearPattern(pattern)
