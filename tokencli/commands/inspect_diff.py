"""`tokencli inspect diff`: compare two tokens, or the last good one with the one that is stored now."""

import json
from collections.abc import Iterator, Sequence

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.tables import render_styled
from tokencli.commands.token_input import LoadedToken, load_stored_token, load_token
from tokencli.core.token_checks import RequestedChecks
from tokencli.core.token_diff import Change, TokenDiff, TokenFacts, describe_event, diff_tokens
from tokencli.core.token_life import read_events
from tokencli.errors import CredentialsError, UsageError
from tokencli.formats.json import dump_json_line, time_to_dict
from tokencli.humanize import format_time, humanize_duration, humanize_relative_time
from tokencli.sanitize import sanitize_text
from tokencli.token_event import OBTAINING_EVENTS

SUBCOMMAND = "diff"
INCOMPLETE_NOTE = "the earlier token is not stored, so only what the event log has is compared: key, lifetime, scope and audience"


def print_diff(names: Sequence[str], app: App, *, id_token: bool, json_output: bool) -> None:
    """Print how the second token differs from the first; of one profile, the last two tokens."""
    if len(names) > 2:
        raise UsageError(
            f"diff compares two tokens, but {len(names)} were given",
            fix="tokencli inspect diff --help",
        )
    if list(names) == ["-", "-"]:
        raise UsageError("only one of the two tokens can be read from stdin")
    if len(names) == 2:
        checks = RequestedChecks(id_token=id_token)
        loaded = [load_token(name, None, app, checks) for name in names]
        if any(each.is_argument for each in loaded):
            app.terminal.print_note(
                "a token is now in your shell's history; next time use files or stdin"
            )
        old, new = (
            _describe_token(each, name, app) for each, name in zip(loaded, names, strict=True)
        )
    else:
        if id_token:
            raise UsageError("--id-token needs two tokens: the event log knows only access tokens")
        old, new = _find_last_two(names[0], app)
    diff = diff_tokens(old, new)
    if json_output:
        output.write_stdout(dump_json_line(diff_to_dict(diff, old, new)))
    else:
        output.write_stdout(
            "".join(f"{line}\n" for line in _render(diff, old, new, app.clock.now()))
        )


def _find_last_two(name: str, app: App) -> tuple[TokenFacts, TokenFacts]:
    """Return the profile's last token before the stored one, and that one, by the event log."""
    profile = app.get_profile(name)
    new = _describe_token(load_stored_token(profile, app), name, app)
    obtained = [
        event
        for event in read_events(app, profile.name)
        if event.outcome == "ok"
        and event.fingerprint is not None
        and event.event in OBTAINING_EVENTS
    ]
    # What the log knows of the stored token is compared: its claims may name scopes in other words.
    own = [at for at, event in enumerate(obtained) if event.fingerprint == new.fingerprint]
    if own:
        new = describe_event(obtained[own[0]], new.label)
        obtained = obtained[: own[0]]
    earlier = [event for event in obtained if event.fingerprint != new.fingerprint]
    if not earlier:
        raise CredentialsError(
            f"the event log has no earlier token of profile {name!r}",
            cause=None
            if app.event_log.enabled
            else "event_log = false in the configuration turns the log off",
        )
    return describe_event(earlier[-1], f"{name}, the token before"), new


def _describe_token(loaded: LoadedToken, name: str, app: App) -> TokenFacts:
    inspection, life = loaded.inspection, loaded.inspection.life.in_seconds()
    label = f"{name}, stored" if loaded.stored_for else "stdin" if name == "-" else name
    return TokenFacts(
        "the argument" if loaded.is_argument else label,
        app.event_log.fingerprint(loaded.token),
        issued=life.issued,
        lifetime=None
        if life.expires is None or life.issued is None
        else life.expires - life.issued,
        scopes=inspection.scopes,
        audience=inspection.audience,
        key_id=inspection.header.get("kid"),
        kind=inspection.kind,
        header=inspection.header,
        claims=inspection.claims,
    )


def diff_to_dict(diff: TokenDiff, old: TokenFacts, new: TokenFacts) -> dict[str, object]:
    """Return the differences as the object that `--json` prints."""
    return {
        "same_token": diff.same_token,
        "different": bool(diff.changes),
        "a": _side_to_dict(old),
        "b": _side_to_dict(new),
        "changes": [
            {
                "part": change.part,
                "name": change.name,
                "change": change.kind,
                "removed": change.removed,
                "added": change.added,
                "detail": change.detail,
            }
            for change in diff.changes
        ],
        "not_compared": diff.not_compared,
    }


def _side_to_dict(facts: TokenFacts) -> dict[str, object]:
    return {
        "source": "event_log" if not facts.is_complete else "token",
        "fingerprint": facts.fingerprint,
        **time_to_dict("issued_at", facts.issued),
        "lifetime": facts.lifetime,
    }


def _render(diff: TokenDiff, old: TokenFacts, new: TokenFacts, now: float) -> Iterator[str]:
    yield render_styled(f"--- {_describe_side(old, now)}", "bold")
    yield render_styled(f"+++ {_describe_side(new, now)}", "bold")
    if diff.same_token:
        yield "It is the same token."
    elif old.issued is not None and new.issued is not None:
        shift = new.issued - old.issued
        direction = "later" if shift > 0 else "earlier"
        apart = "at the same time" if not shift else f"{humanize_duration(shift)} {direction}"
        yield f"issued    {apart}"
    for change in diff.changes:
        yield _render_title(change)
        yield from (render_styled(f"  - {_quote(each)}", "red") for each in change.removed)
        yield from (render_styled(f"  + {_quote(each)}", "green") for each in change.added)
    if not diff.changes and not diff.same_token:
        yield "No differences."
    if diff.not_compared:
        yield f"They differ in every token: {', '.join(diff.not_compared)}"
    if not (old.is_complete and new.is_complete):
        yield f"({INCOMPLETE_NOTE})"


def _render_title(change: Change) -> str:
    place = change.name if change.part == "token" else f"{change.part}: {_quote(change.name)}"
    key = (
        "; it is signed with another key" if (change.part, change.name) == ("header", "kid") else ""
    )
    detail = f": {change.detail}" if change.detail else key
    return f"{place} {change.kind}{detail}"


def _describe_side(facts: TokenFacts, now: float) -> str:
    label = sanitize_text(facts.label)
    if facts.issued is None:
        return f"{label} (time of issue unknown)"
    return (
        f"{label} (issued {format_time(facts.issued)}, {humanize_relative_time(facts.issued, now)})"
    )


def _quote(value: object) -> str:
    return sanitize_text(json.dumps(value, ensure_ascii=False))
