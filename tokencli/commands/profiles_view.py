"""Profiles as tables and objects."""

from collections.abc import Iterable, Sequence

from tokencli.commands.tables import render_table
from tokencli.core.profile_status import (
    EffectiveSetting,
    ProfileRow,
    SecretStatus,
    TokenStatus,
    endpoint_host,
)
from tokencli.core.profile_test import ProfileTestResult
from tokencli.humanize import format_rfc3339, format_utc, humanize_duration
from tokencli.models import Profile
from tokencli.sanitize import sanitize_text


def render_profile_table(rows: Iterable[ProfileRow], now: float) -> str:
    """Return the list of profiles for a person."""
    heads = ("NAME", "PROVIDER", "ENDPOINT", "GRANT", "SECRETS", "TOKEN")
    return render_table(heads, [_profile_cells(row, now) for row in rows])


def _profile_cells(row: ProfileRow, now: float) -> tuple[str, ...]:
    name = f"{row.name} (default)" if row.is_default else row.name
    profile = row.profile
    if profile is None:
        count = len(row.problems)
        return (name, "-", "-", "-", "-", f"{count} problem{'s' if count > 1 else ''}")
    kinds = dict.fromkeys(ref.kind for ref in profile.secrets.values())
    return (
        name,
        profile.provider.name,
        endpoint_host(profile),
        profile.grant,
        ", ".join(kinds) or "-",
        _describe_expiry(row.token_status, now),
    )


def _describe_expiry(life: TokenStatus, now: float) -> str:
    if life.expires_at is None:
        return {"not_asked": "not looked at", "unknown": "of unknown life"}.get(life.state, "none")
    left = life.expires_at - now
    if left > 0 and life.state == "fresh":
        return f"good for {humanize_duration(left)}"
    return (
        f"ends in {humanize_duration(left)}"
        if left > 0
        else f"expired {humanize_duration(left)} ago"
    )


def profiles_to_dicts(rows: Iterable[ProfileRow], now: float) -> list[dict[str, object]]:
    """Return the list of profiles for a program."""
    return [_profile_to_dict(row, now) for row in rows]


def _profile_to_dict(row: ProfileRow, now: float) -> dict[str, object]:
    found: dict[str, object] = {"name": row.name, "default": row.is_default}
    profile = row.profile
    if profile is None:
        return found | {
            "problems": [
                {"where": p.where, "line": p.line, "what": p.what, "right": p.right}
                for p in row.problems
            ]
        }
    return found | {
        "provider": profile.provider.name,
        "grant": profile.grant,
        "token_url": profile.token_url,
        "endpoint": endpoint_host(profile),
        "store": profile.store,
        "export": profile.export,
        "secrets": {
            name: {"kind": ref.kind, "place": ref.describe_source()}
            for name, ref in profile.secrets.items()
        },
        "token": lifetime_to_dict(row.token_status, now),
    }


def lifetime_to_dict(life: TokenStatus, now: float) -> dict[str, object]:
    """Return a token's life for a program."""
    ends = life.expires_at
    return {
        "state": life.state,
        "expires_at": None if ends is None else format_rfc3339(ends),
        "expires_at_epoch": None if ends is None else int(ends),
        "remaining_s": None if ends is None else int(ends - now),
        "why": life.reason,
    }


def render_profile_details(
    profile: Profile,
    settings: Sequence[EffectiveSetting],
    presences: Sequence[SecretStatus],
    life: TokenStatus,
    now: float,
) -> str:
    """Return one profile for a person: settings, secrets, token."""
    lines = [f"profile {sanitize_text(profile.name)}: {sanitize_text(profile.provider.title)}", ""]
    values = [(one.key, one.value, one.origin) for one in settings]
    text = "\n".join(lines) + "\n" + render_table(("SETTING", "VALUE", "FROM"), values)
    if presences:
        secrets = [
            (one.ref.name, one.ref.describe_source(), _describe_presence(one)) for one in presences
        ]
        text += "\n" + render_table(("SECRET", "PLACE", "THERE"), secrets)
    when = f", until {format_utc(life.expires_at)}" if life.expires_at is not None else ""
    why = f" ({sanitize_text(life.reason)})" if life.reason else ""
    return text + f"\ntoken: {_describe_expiry(life, now)}{when}{why}\n"


def _describe_presence(presence: SecretStatus) -> str:
    if presence.present is None:
        return f"not known: {presence.reason}"
    return "yes" if presence.present else "missing"


def profile_details_to_dict(
    profile: Profile,
    settings: Sequence[EffectiveSetting],
    presences: Sequence[SecretStatus],
    life: TokenStatus,
    now: float,
) -> dict[str, object]:
    """Return one profile for a program."""
    return {
        "name": profile.name,
        "provider": profile.provider.name,
        "settings": {one.key: {"value": one.value, "from": one.origin} for one in settings},
        "secrets": {
            one.ref.name: {
                "kind": one.ref.kind,
                "place": one.ref.describe_source(),
                "present": one.present,
                "why": one.reason,
            }
            for one in presences
        },
        "token": lifetime_to_dict(life, now),
    }


def render_test_result(profile: Profile, proof: ProfileTestResult) -> str:
    """Say what a token request brought and proved, without the token."""
    obtained, token = proof.token_result, proof.token_result.token
    way = (
        "by refresh token"
        if obtained.source == "refresh_token"
        else f"by the {obtained.source} grant"
    )
    asked = f" (asked for: {profile.scope})" if profile.scope else ""
    facts = [
        f"{profile.name}: it works, {endpoint_host(profile)} gave a token {way}",
        f"  proven: {', '.join(proof.verified_secrets) or 'that no secret is needed'}"
        + (
            f"; not tried: {', '.join(proof.unverified_secrets)}"
            if proof.unverified_secrets
            else ""
        ),
        f"  life: {'not said' if token.lifetime is None else humanize_duration(token.lifetime)}",
        f"  scope: {token.scope or 'not said'}{asked}",
        f"  refresh token: {'yes' if token.refresh_token else 'no'}",
    ]
    return "".join(f"{sanitize_text(fact)}\n" for fact in facts)
