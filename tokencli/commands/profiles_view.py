"""Profiles as tables for people and objects for `--json`; loaded without Typer to list them."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tokencli.app import App
from tokencli.commands import output
from tokencli.commands.error_report import problems_to_dicts
from tokencli.commands.tables import Cell, Styled, render_styled, render_table
from tokencli.core.profile_status import (
    EffectiveSetting,
    ProfileRow,
    SecretStatus,
    TokenStatus,
    endpoint_host,
    list_profiles,
)
from tokencli.formats.json import dump_json_line, expiry_to_dict
from tokencli.humanize import describe_clock, format_time, humanize_duration
from tokencli.models import Profile
from tokencli.problems import count_problems
from tokencli.sanitize import sanitize_text

if TYPE_CHECKING:
    from tokencli.config.load import Config
    from tokencli.core.profile_test import ProfileTestResult


def print_profile_list(app: App, *, json_output: bool = False) -> None:
    """Print the profiles; what is wrong with them goes to stderr."""
    rows = list(list_profiles(app.config, app, app.with_cached_endpoints))
    now = app.clock.now()
    if json_output:
        members = {
            "profiles": profiles_to_dicts(rows, now),
            "default_profile": app.config.default_profile,
        }
        output.write_stdout(dump_json_line(members))
    elif rows:
        output.write_stdout(render_profile_table(rows, now))
    for reason in dict.fromkeys(row.token_status.reason for row in rows if row.token_status.reason):
        app.terminal.print_warning(f"some tokens were not read: {reason}")
    for row in rows:
        if (skew := row.token_status.clock_skew) is not None:
            app.terminal.print_note(f"{row.name}: the expiry is {describe_clock(skew)}")
    if app.config.find_problems():
        raise app.config.invalid_config_error()
    if not rows and not json_output:
        error = app.config.no_profile_error()
        suggestion = f"; try: {error.fix}" if error.fix else ""
        app.terminal.print_note(f"{error.message} ({error.cause}){suggestion}")


def render_profile_table(rows: Iterable[ProfileRow], now: float) -> str:
    """Return the table of profiles."""
    return render_table(
        list(COLUMNS),
        [[cell(row, now) for cell in COLUMNS.values()] for row in rows],
        optional=("SECRETS", "GRANT", "PROVIDER"),
    )


def _cell_of_valid(describe: Callable[[Profile], str]) -> Callable[[ProfileRow, float], Cell]:
    """Return a cell that describes the profile, and is `-` if the profile is invalid or has no such value."""
    return lambda row, _: (describe(row.profile) if row.profile else "") or "-"


def _name_cell(row: ProfileRow, _: float) -> str:
    return f"{row.name} (default)" if row.is_default else row.name


def _list_secret_kinds(profile: Profile) -> str:
    return ", ".join(dict.fromkeys(ref.kind for ref in profile.secrets.values()))


def _token_cell(row: ProfileRow, now: float) -> Cell:
    """Describe the token; for an invalid profile, say how many problems it has."""
    if row.profile is None:
        return Styled(count_problems(row.problems), "red")
    return _style_expiry(row.token_status, now)


COLUMNS: dict[str, Callable[[ProfileRow, float], Cell]] = {
    "NAME": _name_cell,
    "PROVIDER": _cell_of_valid(lambda profile: profile.provider.name),
    "ENDPOINT": _cell_of_valid(endpoint_host),
    "GRANT": _cell_of_valid(lambda profile: profile.grant),
    "SECRETS": _cell_of_valid(_list_secret_kinds),
    "TOKEN": _token_cell,
}
"""Head of a column -> its cell in a row, given the time in epoch seconds."""


def _describe_expiry(status: TokenStatus, now: float) -> str:
    if status.expires_at is None:
        return {
            "not_asked": "not read", "unknown": "expiry unknown", "fresh": "does not expire"
        }.get(status.state, "none")  # fmt: skip
    left = status.expires_at - now
    if left <= 0:
        return f"expired {humanize_duration(left)} ago"
    stale = "" if status.state == "fresh" else "stale, "
    return f"{stale}expires in {humanize_duration(left)}"


def _style_expiry(status: TokenStatus, now: float) -> Styled:
    """Return the expiry in the color of the token's state."""
    style = ""
    if status.state == "fresh":
        style = "green"
    elif status.expires_at is not None:
        style = "red" if status.expires_at <= now else "magenta"
    return Styled(_describe_expiry(status, now), style)


def profiles_to_dicts(rows: Iterable[ProfileRow], now: float) -> list[dict[str, object]]:
    """Return the list of profiles as objects."""
    return [_profile_to_dict(row, now) for row in rows]


def _profile_to_dict(row: ProfileRow, now: float) -> dict[str, object]:
    members: dict[str, object] = {"name": row.name, "default": row.is_default}
    profile = row.profile
    if profile is None:
        return members | {"problems": problems_to_dicts(row.problems)}
    return members | {
        "provider": profile.provider.name,
        "grant": profile.grant,
        "token_url": profile.token_url,
        "endpoint": endpoint_host(profile),
        "store": profile.store,
        "export": profile.export,
        "secrets": {
            name: {"kind": ref.kind, "place": ref.label_source()}
            for name, ref in profile.secrets.items()
        },
        "token": token_status_to_dict(row.token_status, now),
    }


def summarize_profiles(config: "Config", names: Iterable[str]) -> list[dict[str, str]]:
    """Return each profile's name, and its provider and endpoint if it has no problems."""
    summaries = []
    for name in names:
        members = {"name": name}
        if not config.find_profile_problems(name):
            profile = config.get_profile_ignoring_top_level(name)
            members |= {"provider": profile.provider.name, "endpoint": endpoint_host(profile)}
        summaries.append(members)
    return summaries


def token_status_to_dict(status: TokenStatus, now: float) -> dict[str, object]:
    """Return a token's state and expiry as an object."""
    return {
        "state": status.state,
        **expiry_to_dict(status.expires_at),
        "remaining_s": None if status.expires_at is None else int(status.expires_at - now),
        "clock_skew_s": None if status.clock_skew is None else round(status.clock_skew),
        "why": status.reason,
    }


def render_profile_details(
    profile: Profile,
    settings: Sequence[EffectiveSetting],
    secret_statuses: Sequence[SecretStatus],
    token_status: TokenStatus,
    now: float,
) -> str:
    """Return one profile's settings, secrets and token as tables."""
    title = f"profile {sanitize_text(profile.name)}: {sanitize_text(profile.provider.title)}"
    rows = [(setting.key, setting.value, setting.origin) for setting in settings]
    text = f"{title}\n\n" + render_table(("SETTING", "VALUE", "FROM"), rows)
    if secret_statuses:
        secrets = [
            (s.ref.name, s.ref.label_source(), _describe_presence(s)) for s in secret_statuses
        ]
        text += "\n" + render_table(("SECRET", "SOURCE", "PRESENT"), secrets)
    expires_at = token_status.expires_at
    when = ""
    if expires_at is not None:
        when = f", at {format_time(expires_at - (token_status.clock_skew or 0.0))}"
        if token_status.clock_skew is not None:
            when += f" ({describe_clock(token_status.clock_skew)})"
    reason = f" ({sanitize_text(token_status.reason)})" if token_status.reason else ""
    return text + f"\ntoken: {render_styled(*_style_expiry(token_status, now))}{when}{reason}\n"


def _describe_presence(status: SecretStatus) -> str:
    if status.present is None:
        return f"unknown: {status.reason}"
    return "yes" if status.present else "missing"


def profile_details_to_dict(
    profile: Profile,
    settings: Sequence[EffectiveSetting],
    secret_statuses: Sequence[SecretStatus],
    token_status: TokenStatus,
    now: float,
) -> dict[str, object]:
    """Return one profile's settings, secrets and token as an object."""
    return {
        "name": profile.name,
        "provider": profile.provider.name,
        "settings": {s.key: {"value": s.value, "from": s.origin} for s in settings},
        "secrets": {
            status.ref.name: {
                "kind": status.ref.kind,
                "place": status.ref.label_source(),
                "present": status.present,
                "why": status.reason,
            }
            for status in secret_statuses
        },
        "token": token_status_to_dict(token_status, now),
    }


def render_test_result(profile: Profile, result: "ProfileTestResult") -> str:
    """Describe the new token and what it proves, without showing it."""
    from tokencli.commands.token_output import describe_renewal  # start-up cost

    token = result.token_result.token
    unverified = ", ".join(result.unverified_secrets)
    lifetime = "unknown" if token.lifetime is None else humanize_duration(token.lifetime)
    if token.never_expires:
        lifetime = "unlimited"
    requested = f" (requested: {profile.scope})" if profile.scope else ""
    lines = [
        f"{profile.name}: test succeeded: {endpoint_host(profile)} issued"
        f" {'' if result.token_result.reissued else 'a '}{describe_renewal(result.token_result)}",
        f"  verified: {', '.join(result.verified_secrets) or 'no secret needed'}"
        + (f"; not tried: {unverified}" if unverified else ""),
        f"  lifetime: {lifetime}",
        f"  scope: {token.scope or 'not stated'}{requested}",
        f"  refresh token: {'yes' if token.refresh_token else 'no'}",
    ]
    return "".join(f"{sanitize_text(line)}\n" for line in lines)
