"""Profiles as tables and objects."""

from collections.abc import Iterable, Sequence

from tokencli.actions.profiles import Life, Presence, Row, Setting, endpoint_host
from tokencli.actions.prove import Proof
from tokencli.cli.view import table
from tokencli.jwt.times import rfc3339, utc, words
from tokencli.model import Profile
from tokencli.printable import printable


def as_table(rows: Iterable[Row], now: float) -> str:
    """Return the list of profiles for a person."""
    heads = ("NAME", "PROVIDER", "ENDPOINT", "GRANT", "SECRETS", "TOKEN")
    return table(heads, [_cells(row, now) for row in rows])


def _cells(row: Row, now: float) -> tuple[str, ...]:
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
        _life(row.life, now),
    )


def _life(life: Life, now: float) -> str:
    if life.expires_at is None:
        return {"not_asked": "not looked at", "unknown": "of unknown life"}.get(life.state, "none")
    left = life.expires_at - now
    if left > 0 and life.state == "fresh":
        return f"good for {words(left)}"
    return f"ends in {words(left)}" if left > 0 else f"expired {words(left)} ago"


def as_objects(rows: Iterable[Row], now: float) -> list[dict[str, object]]:
    """Return the list of profiles for a program."""
    return [_object(row, now) for row in rows]


def _object(row: Row, now: float) -> dict[str, object]:
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
            name: {"kind": ref.kind, "place": ref.describe()}
            for name, ref in profile.secrets.items()
        },
        "token": life_as_object(row.life, now),
    }


def life_as_object(life: Life, now: float) -> dict[str, object]:
    """Return a token's life for a program."""
    ends = life.expires_at
    return {
        "state": life.state,
        "expires_at": None if ends is None else rfc3339(ends),
        "expires_at_epoch": None if ends is None else int(ends),
        "remaining_s": None if ends is None else int(ends - now),
        "why": life.why,
    }


def shown_as_text(
    profile: Profile,
    settings: Sequence[Setting],
    presences: Sequence[Presence],
    life: Life,
    now: float,
) -> str:
    """Return one profile for a person: settings, secrets, token."""
    lines = [f"profile {printable(profile.name)}: {printable(profile.provider.title)}", ""]
    values = [(one.key, one.value, one.origin) for one in settings]
    text = "\n".join(lines) + "\n" + table(("SETTING", "VALUE", "FROM"), values)
    if presences:
        secrets = [(one.ref.name, one.ref.describe(), _present(one)) for one in presences]
        text += "\n" + table(("SECRET", "PLACE", "THERE"), secrets)
    when = f", until {utc(life.expires_at)}" if life.expires_at is not None else ""
    why = f" ({printable(life.why)})" if life.why else ""
    return text + f"\ntoken: {_life(life, now)}{when}{why}\n"


def _present(presence: Presence) -> str:
    if presence.present is None:
        return f"not known: {presence.why}"
    return "yes" if presence.present else "missing"


def shown_as_object(
    profile: Profile,
    settings: Sequence[Setting],
    presences: Sequence[Presence],
    life: Life,
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
                "place": one.ref.describe(),
                "present": one.present,
                "why": one.why,
            }
            for one in presences
        },
        "token": life_as_object(life, now),
    }


def proof_in_words(profile: Profile, proof: Proof) -> str:
    """Say what a token request brought and proved, without the token."""
    obtained, token = proof.obtained, proof.obtained.token
    way = "by refresh token" if obtained.how == "refresh_token" else f"by the {obtained.how} grant"
    asked = f" (asked for: {profile.scope})" if profile.scope else ""
    facts = [
        f"{profile.name}: it works, {endpoint_host(profile)} gave a token {way}",
        f"  proven: {', '.join(proof.proven) or 'that no secret is needed'}"
        + (f"; not tried: {', '.join(proof.unproven)}" if proof.unproven else ""),
        f"  life: {'not said' if token.lifetime is None else words(token.lifetime)}",
        f"  scope: {token.scope or 'not said'}{asked}",
        f"  refresh token: {'yes' if token.refresh_token else 'no'}",
    ]
    return "".join(f"{printable(fact)}\n" for fact in facts)
