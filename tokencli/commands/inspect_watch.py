"""`tokencli inspect --watch`: a countdown to the expiry of a token, with a picture of its life."""

from collections.abc import Iterator

from tokencli.app import App
from tokencli.commands.inspection_view import STATE_STYLES, render_lifetime, render_row
from tokencli.commands.live_view import run_live_view
from tokencli.commands.tables import render_styled
from tokencli.commands.token_input import LoadedToken, load_stored_token
from tokencli.core.inspect import inspect_token
from tokencli.core.stored_token import require_stored_token
from tokencli.core.token_checks import RequestedChecks
from tokencli.errors import TokencliError
from tokencli.humanize import format_time

TIME_RULES = ("time_not_number", "time_not_seconds", "exp_missing", "time_order")
"""The rules of lint that explain why there is no countdown or no picture."""


def watch_token(loaded: LoadedToken, app: App, checks: RequestedChecks) -> int:
    """Show the countdown until Ctrl-C; a stored token is read again each second."""
    return run_live_view(app, _Watch(loaded, app, checks).render)


class _Watch:
    """The token that is watched, and what happened to it since the beginning."""

    def __init__(self, loaded: LoadedToken, app: App, checks: RequestedChecks) -> None:
        self._loaded, self._app, self._checks = loaded, app, checks
        self._event = ""

    def render(self) -> str:
        """Return the lines for this second."""
        problem = ""
        try:
            self._reload()
        except TokencliError as error:
            problem = error.message
        lines = [*self._render_token(), *self._render_events(problem), "", "Ctrl-C to stop"]
        return "\n".join(lines)

    def _reload(self) -> None:
        profile = self._loaded.profile
        if profile is None or self._loaded.stored is None:
            return
        stored = require_stored_token(profile, self._app, id_token=self._checks.id_token)
        if stored.in_server_time() != self._loaded.stored:
            former = self._loaded.token
            self._loaded = load_stored_token(profile, self._app, self._checks)
            if self._loaded.token != former:
                self._event = f"replaced by another token at {format_time(self._app.clock.now())}"

    def _render_token(self) -> Iterator[str]:
        loaded = self._loaded
        now = self._app.clock.now() - loaded.clock_skew
        inspection = inspect_token(
            loaded.token.reveal(),
            now=now,
            stored=None if self._checks.id_token else loaded.stored,
            profile=loaded.profile,
            refresh_end=loaded.refresh_end,
            is_id_token=self._checks.id_token,
        )
        if loaded.stored_for is not None:
            yield render_row("profile", loaded.stored_for)
        if inspection.issuer is not None:
            yield render_row("issuer", inspection.issuer)
        style = STATE_STYLES[inspection.state]
        yield f"{'state':<10}{render_styled(inspection.describe_state(now), style)}"
        if inspection.life.in_seconds().expires is not None:
            left = format_countdown((inspection.expires_at or 0.0) - now)
            yield f"{'left':<10}{render_styled(left, style)}"
        yield from render_lifetime(inspection, now)
        for finding in inspection.findings:
            if finding.id in TIME_RULES:
                yield render_row("remark", finding.text)

    def _render_events(self, problem: str) -> Iterator[str]:
        if self._event:
            yield render_row("event", self._event)
        if problem:
            yield f"{'problem':<10}{render_styled(problem, 'red')}"


def format_countdown(seconds: float) -> str:
    """Return `59:04`, `1:00:00` or `3 days 04:00:00`; `0:00` once nothing is left."""
    whole = int(min(max(0.0, seconds), 1e9))
    days, rest = divmod(whole, 86_400)
    hours, minutes, left = rest // 3600, rest % 3600 // 60, rest % 60
    if days:
        return f"{days} day{'' if days == 1 else 's'} {hours:02}:{minutes:02}:{left:02}"
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
