"""Compare two tokens: what was added, removed and changed, without what differs in every token."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tokencli.humanize import humanize_duration
from tokencli.jwt.decode import finite_number
from tokencli.jwt.explain import MILLISECONDS_THRESHOLD
from tokencli.jwt.lint import is_secret
from tokencli.token_event import TokenEvent

PER_TOKEN_CLAIMS = (
    "jti", "at_hash", "c_hash", "s_hash", "rt_hash", "nonce", "uti", "aio", "rh", "origin_jti",
)  # fmt: skip
"""Claims with another value in every token: registered ones, and those of Entra and Cognito."""
LIFETIME_CLAIMS = ("iat", "exp", "nbf")
SCOPE_CLAIMS = ("scope", "scp", "scopes")
DATE_CLAIMS = ("auth_time", "updated_at")
HIDDEN = "(a secret, not shown)"

Part = Literal["token", "header", "claims"]


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What is known about a token that is compared."""

    label: str
    """What it is, e.g. `corp, stored`."""
    fingerprint: str
    """Equal for the same token."""
    issued: float | None = None
    """Epoch seconds."""
    lifetime: float | None = None
    """Seconds."""
    scopes: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    key_id: object = None
    kind: str | None = None
    header: Mapping[str, object] = field(default_factory=dict)
    claims: Mapping[str, object] = field(default_factory=dict)
    is_complete: bool = True
    """False if it was read from the event log, which has neither the header nor the claims."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    part: Part
    name: str
    """The claim or header parameter, with the path of a nested one: `realm_access.roles`."""
    removed: tuple[object, ...] = ()
    """The values that only the first token has: one, or those of a list."""
    added: tuple[object, ...] = ()
    """The values that only the second token has."""
    detail: str | None = None
    """What the difference means, as a clause."""

    @property
    def kind(self) -> Literal["added", "removed", "changed"]:
        """How the second token differs from the first."""
        if self.removed and self.added:
            return "changed"
        return "removed" if self.removed else "added"


@dataclass(frozen=True, slots=True)
class TokenDiff:
    """The differences between two tokens."""

    changes: tuple[Change, ...]
    not_compared: tuple[str, ...]
    """Claims that differ, as they do in every token."""
    same_token: bool
    """Whether it is one and the same token."""


def describe_event(event: TokenEvent, label: str) -> TokenFacts:
    """Return what the event log knows of a token."""
    issued = event.obtained_at if event.iat is None else event.iat
    expires = event.expires_at if event.exp is None or event.iat is None else event.exp
    return TokenFacts(
        label,
        event.fingerprint or "",
        issued=issued,
        lifetime=None if issued is None or expires is None else expires - issued,
        scopes=tuple((event.scope or "").split()),
        audience=event.aud,
        key_id=event.kid,
        is_complete=False,
    )


def diff_tokens(old: TokenFacts, new: TokenFacts) -> TokenDiff:
    """Return how `new` differs from `old`; lists are compared without regard to their order."""
    changes: list[Change] = []
    if old.is_complete and new.is_complete:
        if old.kind != new.kind:
            changes.append(Change("token", "kind", (old.kind,), (new.kind,)))
        changes += _diff_objects("header", old.header, new.header)
    else:
        changes += _diff_objects("header", _key_header(old), _key_header(new))
    if (
        old.lifetime is not None
        and new.lifetime is not None
        and abs(new.lifetime - old.lifetime) >= 1
    ):
        texts = (humanize_duration(old.lifetime),), (humanize_duration(new.lifetime),)
        changes.append(Change("token", "lifetime", *texts, _describe_shift(old, new)))
    changes += _diff_sets("scope", old.scopes, new.scopes)
    changes += _diff_sets("audience", old.audience, new.audience)
    not_compared: list[str] = []
    if old.is_complete and new.is_complete:
        names = ("aud", *LIFETIME_CLAIMS, *SCOPE_CLAIMS, *DATE_CLAIMS, *PER_TOKEN_CLAIMS)
        changes += _diff_special_claims(old.claims, new.claims)
        changes += _diff_objects("claims", _without(old.claims, names), _without(new.claims, names))
        not_compared = [
            name
            for name in PER_TOKEN_CLAIMS
            if name in old.claims and name in new.claims and old.claims[name] != new.claims[name]
        ]
    changes = [_hide_secrets(change) for change in changes]
    same = bool(old.fingerprint) and old.fingerprint == new.fingerprint
    return TokenDiff(tuple(changes), tuple(not_compared), same)


def _hide_secrets(change: Change) -> Change:
    removed, added = (
        tuple(_hide_secret(change.name, value) for value in values)
        for values in (change.removed, change.added)
    )
    return replace(change, removed=removed, added=added)


def _hide_secret(name: str, value: object) -> object:
    if is_secret(name, value):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _hide_secret(key, member) for key, member in value.items()}
    return [_hide_secret(name, item) for item in value] if isinstance(value, list) else value


def _key_header(facts: TokenFacts) -> dict[str, object]:
    return {} if facts.key_id is None else {"kid": facts.key_id}


def _describe_shift(old: TokenFacts, new: TokenFacts) -> str:
    difference = (new.lifetime or 0.0) - (old.lifetime or 0.0)
    return f"{humanize_duration(difference)} {'longer' if difference > 0 else 'shorter'}"


def _without(claims: Mapping[str, object], names: Sequence[str]) -> dict[str, object]:
    return {name: value for name, value in claims.items() if name not in names}


def _diff_sets(name: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Change]:
    removed = tuple(value for value in dict.fromkeys(old) if value not in new)
    added = tuple(value for value in dict.fromkeys(new) if value not in old)
    if removed or added:
        yield Change("token", name, removed, added)


def _diff_special_claims(old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Change]:
    """Yield how claims differ whose values differ in every token, or are compared otherwise."""
    for name in (*LIFETIME_CLAIMS, *SCOPE_CLAIMS, *PER_TOKEN_CLAIMS):
        if (name in old) != (name in new):
            yield from _diff_members("claims", name, old, new)
    for name in LIFETIME_CLAIMS:
        if name in old and name in new:
            units = [_name_unit(claims[name]) for claims in (old, new)]
            yield from _diff_values("claims", name, *units)
    if (
        "aud" in old
        and "aud" in new
        and isinstance(old["aud"], list) != isinstance(new["aud"], list)
    ):
        forms = ("a list" if isinstance(each["aud"], list) else "one value" for each in (old, new))
        yield Change(
            "claims", "aud", (next(forms),), (next(forms),), "some APIs accept only one form"
        )
    delays = [_read_delay(claims) for claims in (old, new)]
    if None not in delays and abs((delays[1] or 0.0) - (delays[0] or 0.0)) >= 1:
        texts = [f"{humanize_duration(delay or 0.0)} after iat" for delay in delays]
        yield Change("claims", "nbf", (texts[0],), (texts[1],))
    for name in DATE_CLAIMS:
        before, after = finite_number(old.get(name)), finite_number(new.get(name))
        if before is not None and after is not None and before != after:
            direction = "later" if after > before else "earlier"
            shift = f"{humanize_duration(after - before)} {direction}"
            yield Change("claims", name, (old[name],), (new[name],), shift)
        elif old.get(name) != new.get(name):
            yield from _diff_members("claims", name, old, new)


def _name_unit(value: object) -> str:
    number = finite_number(value)
    if number is None:
        return "not a number"
    return "not in seconds" if number > MILLISECONDS_THRESHOLD else "in seconds"


def _read_delay(claims: Mapping[str, object]) -> float | None:
    """Return how many seconds after its issue the token becomes valid; None if that is unknown."""
    iat, nbf = finite_number(claims.get("iat")), finite_number(claims.get("nbf"))
    return None if iat is None or nbf is None else nbf - iat


def _diff_objects(
    part: Part, old: Mapping[str, object], new: Mapping[str, object], path: str = ""
) -> Iterator[Change]:
    """Yield the differences between two objects, in the order of the names in the first."""
    for name in dict.fromkeys((*old, *new)):
        yield from _diff_members(part, name, old, new, path)


def _diff_members(
    part: Part, name: str, old: Mapping[str, object], new: Mapping[str, object], path: str = ""
) -> Iterator[Change]:
    full = f"{path}.{name}" if path else name
    if name not in old:
        yield Change(part, full, added=(new[name],))
    elif name not in new:
        yield Change(part, full, removed=(old[name],))
    else:
        yield from _diff_values(part, full, old[name], new[name])


def _diff_values(part: Part, name: str, old: Any, new: Any) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _diff_objects(part, old, new, name)
    elif isinstance(old, list) and isinstance(new, list):
        removed, added = _subtract(old, new), _subtract(new, old)
        if removed or added:
            yield Change(part, name, removed, added)
    elif _normalize(old) != _normalize(new):
        yield Change(part, name, (old,), (new,))


def _subtract(items: Sequence[object], others: Sequence[object]) -> tuple[object, ...]:
    """Return the items that are not among the others, each as often as it is missing there."""
    texts = [_normalize(other) for other in others]
    missing = []
    for item in items:
        if (text := _normalize(item)) in texts:
            texts.remove(text)
        else:
            missing.append(item)
    return tuple(missing)


def _normalize(value: object) -> str:
    """Return a text that is equal for values that differ only in the order of members or items."""
    if isinstance(value, dict):
        return json.dumps({name: _normalize(value[name]) for name in sorted(value)})
    if isinstance(value, list):
        return json.dumps(sorted(map(_normalize, value)))
    return json.dumps(value)
