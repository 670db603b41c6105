"""The results of `doctor` as tables and as JSON."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from tokencli.commands.tables import Styled, is_displayable, render_styled, render_table
from tokencli.diagnosis.check_runner import CheckResult
from tokencli.diagnosis.checks import State
from tokencli.sanitize import sanitize_text

SIGNS: Mapping[State, str] = {"ok": "✓", "warning": "!", "failed": "✗", "skipped": "-"}
WORDS: Mapping[State, str] = {
    "ok": "ok",
    "warning": "warning",
    "failed": "FAILED",
    "skipped": "skipped",
}
"""Instead of the signs in a pipe, or if they can't be displayed."""
STYLES: Mapping[State, str] = {"ok": "green", "warning": "magenta", "failed": "red", "skipped": ""}
MACHINE_TITLE = "this computer"


def render_results(results: Sequence[CheckResult]) -> str:
    """Return a table for the machine and one for each profile, then what to do about the failures."""
    signs = SIGNS if is_displayable("".join(SIGNS.values())) else WORDS
    width = max(map(len, signs.values()))
    parts = []
    for profile, group in groupby(results, key=lambda result: result.profile):
        title = MACHINE_TITLE if profile is None else f"profile {profile}"
        rows = [
            (Styled(f"{signs[state]:<{width}} {name}", STYLES[state]), detail)
            for name, state, detail in _merge_blocked(group)
        ]
        table = render_table((f"{'':<{width}} CHECK", "RESULT"), rows)
        parts.append(f"{render_styled(title, 'bold')}\n{table}")
    advice = "".join(_render_advice(result, signs) for result in results)
    return "\n".join((*parts, advice) if advice else parts)


def _merge_blocked(results: Iterable[CheckResult]) -> Iterator[tuple[str, State, str]]:
    """Yield one row per check, but one for all that were skipped because of the same failure."""
    for _, group in groupby(results, key=lambda r: r.outcome.detail if r.is_blocked else r.id):
        first, *others = group
        detail = first.outcome.detail
        if first.is_blocked:
            names = ", ".join(other.id for other in others)
            detail = f"skipped{f', like {names}' if names else ''}, because {detail}"
        yield first.id, first.outcome.state, detail


def _render_advice(result: CheckResult, signs: Mapping[State, str]) -> str:
    """Return cause and fix of a failure or a warning, the fix on one line, so that it can be copied."""
    outcome = result.outcome
    if outcome.state not in ("failed", "warning") or not (outcome.cause or outcome.fix):
        return ""
    name = result.id if result.profile is None else f"{result.id} of {result.profile}"
    lines = [render_styled(f"{signs[outcome.state]} {name}", STYLES[outcome.state])]
    if outcome.cause:
        lines.append(f"  cause: {sanitize_text(outcome.cause)}")
    if outcome.fix:
        lines.append(f"  fix: {sanitize_text(outcome.fix)}")
    return "".join(f"{line}\n" for line in lines)


def results_to_dicts(results: Iterable[CheckResult]) -> list[dict[str, object]]:
    """Return the results as the objects that `--json` prints."""
    return [
        {
            "id": result.id,
            "profile": result.profile,
            "ok": result.ok,
            "warning": result.outcome.state == "warning",
            "detail": sanitize_text(result.outcome.detail),
            "cause": sanitize_text(result.outcome.cause) if result.outcome.cause else None,
            "fix": sanitize_text(result.outcome.fix) if result.outcome.fix else None,
            "exit_code": result.exit_code,
        }
        for result in results
    ]
