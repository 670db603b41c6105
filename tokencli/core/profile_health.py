"""The health of profiles: can `get` get a token without a person, how renewals went, and what is next.

Nothing is sent, nothing is prompted for, and no program is run: what isn't known stays unknown.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tokencli.core.profile_status import (
    MAX_KEYRING_LOOKUPS,
    ProfileRow,
    list_profiles,
    list_secret_statuses,
)
from tokencli.core.secret_resolver import source_interaction
from tokencli.core.token_life import find_refresh_end, read_events
from tokencli.models import Profile, TokenSet
from tokencli.oauth import grants
from tokencli.protocols import Context
from tokencli.token_event import OBTAINING_EVENTS, TokenEvent

if TYPE_CHECKING:
    from tokencli.config.load import Config

RECENT_S = 7 * 86_400.0
"""How far back refreshes and failures are counted."""
CREDENTIAL_ERRORS = ("invalid_client", "invalid_grant", "unauthorized_client", "access_denied")
"""Errors that the same credentials get again (RFC 6749 section 5.2, RFC 8628 section 3.5)."""
OPTIONAL_SECRETS = ("key_passphrase",)

Forecast = Literal["known", "estimate", "never", "unknown"]
HealthState = Literal["fresh", "stale", "expired", "none", "unknown", "invalid"]


@dataclass(frozen=True, slots=True)
class PersonNeeded:
    """When a person has to sign in, type a secret or correct something."""

    now: bool | None
    """Whether that is needed now; None if it isn't known."""
    basis: str
    """How that is known, as a clause."""
    next: float | None = None
    """Epoch seconds by this computer's clock; None if it is unknown, or if no person is needed."""
    forecast: Forecast = "unknown"
    """What `next` is: `known`, an `estimate` by earlier refresh tokens, or None because a person is
    `never` needed, or because that is `unknown`."""
    command: str | None = None
    """What that person can run; None if no command helps."""


@dataclass(frozen=True, slots=True)
class Renewals:
    """What the event log says about getting tokens."""

    last_success: TokenEvent | None = None
    failures: tuple[TokenEvent, ...] = ()
    """The failures since then, the oldest first."""
    recent_refreshes: int = 0
    recent_rotations: int = 0
    recent_failures: int = 0

    @property
    def last_failure(self) -> TokenEvent | None:
        """The failure of the last attempt; None if that succeeded."""
        return self.failures[-1] if self.failures else None


@dataclass(frozen=True, slots=True)
class ProfileHealth:
    """One profile at a glance."""

    row: ProfileRow
    state: HealthState
    renewals: Renewals
    person: PersonNeeded
    reason: str | None = None
    """Why the state is unknown."""
    refresh_due: float | None = None
    """Epoch seconds from which `get` replaces the token."""

    @property
    def name(self) -> str:
        """The profile's name."""
        return self.row.name

    @property
    def token(self) -> TokenSet | None:
        """The stored token set."""
        return self.row.token_status.token

    @property
    def expires_at(self) -> float | None:
        """When the token expires, in epoch seconds; None if unknown, or if it never does."""
        return self.row.token_status.expires_at

    @property
    def is_failing(self) -> bool:
        """Whether there is no usable token and the last attempt to get one failed."""
        return self.state in ("expired", "none") and self.renewals.last_failure is not None


def list_profile_health(
    config: "Config",
    ctx: Context,
    with_endpoints: Callable[[Profile], Profile] = lambda profile: profile,
    names: Collection[str] = (),
) -> Iterator[ProfileHealth]:
    """Yield the health of every profile, or of those with the `names`, in the order of the file."""
    events = _group_events(ctx)

    def read(some: Collection[str]) -> dict[str, ProfileHealth]:
        return {
            each.name: each for each in _list_own_health(config, ctx, with_endpoints, some, events)
        }

    found = read(names)
    known, tried = dict(found), set(found)
    while missing := {name for each in known.values() for name in _list_sources(each)} - tried:
        tried |= missing
        known |= read(missing)
    for health in found.values():
        yield _judge_exchange(health, known, ctx.clock.now())


def _list_sources(health: ProfileHealth) -> list[str]:
    """Return the profiles whose tokens this one exchanges."""
    profile = health.row.profile
    refs = () if profile is None else profile.secrets.values()
    return [ref.target[0] for ref in refs if ref.kind == "profile"]


def _judge_exchange(
    health: ProfileHealth,
    known: Mapping[str, ProfileHealth],
    now: float,
    requesters: tuple[str, ...] = (),
) -> ProfileHealth:
    """Return the same health, with a person needed if one is for the token that it exchanges."""
    if health.person.forecast != "never":
        return health
    requesters = (*requesters, health.name)
    for name in _list_sources(health):
        if name not in known:
            source = PersonNeeded(True, "there is no such profile", now, "known")
        elif name in requesters:
            source = PersonNeeded(True, "that is circular", now, "known")
        else:
            source = _judge_exchange(known[name], known, now, requesters).person
        if source.forecast == "never":
            continue
        basis = f"it exchanges the token of {name}: {source.basis}"
        person = replace(source, basis=basis)
        token = health.token
        if health.state == "fresh" and token is not None:
            due = None if token.never_expires else token.fresh_until()
            if source.now or source.next is None:
                is_known = bool(source.now) and due is not None
                person = replace(
                    person,
                    now=False,
                    next=due if is_known else None,
                    forecast="known" if is_known else "unknown",
                )
            elif due is not None:
                person = replace(person, next=max(source.next, due))
        return replace(health, person=person)
    return health


def _list_own_health(
    config: "Config",
    ctx: Context,
    with_endpoints: Callable[[Profile], Profile],
    names: Collection[str],
    events: Mapping[str, Sequence[TokenEvent]],
) -> Iterator[ProfileHealth]:
    """Yield the health of profiles, without regard to those whose tokens they exchange."""
    now = ctx.clock.now()
    keyring_lookups = 0
    for row in list_profiles(config, ctx, with_endpoints, names):
        renewals = summarize_renewals(events.get(row.name, ()), now)
        profile, status = row.profile, row.token_status
        if profile is None:
            yield ProfileHealth(
                row, "invalid", renewals, PersonNeeded(None, "the profile is invalid")
            )
            continue
        if status.state == "not_asked":
            unknown = PersonNeeded(None, "the stored token can't be read")
            yield ProfileHealth(row, "unknown", renewals, unknown, status.reason)
            continue
        state: HealthState = status.state  # type: ignore[assignment]  # the other states
        token = status.token
        if state == "expired" and (status.expires_at or 0.0) > now:
            state = "stale"
        missing = _find_prompted_secret(profile, ctx)
        if state != "fresh" and not missing and not grants.is_interactive(profile.grant):
            uses_keyring = any(ref.kind == "keyring" for ref in profile.secrets.values())
            keyring_lookups += uses_keyring
            if not uses_keyring or keyring_lookups <= MAX_KEYRING_LOOKUPS:
                missing = _find_missing_secret(profile, ctx)
        person = judge_person(
            profile, state, token, renewals, events.get(row.name, ()), missing, ctx
        )
        yield ProfileHealth(
            row,
            state,
            renewals,
            person,
            "the server didn't say when it expires" if state == "unknown" else None,
            None
            if token is None or token.never_expires
            else token.fresh_until(profile.reachable_min_ttl()),
        )


def _group_events(ctx: Context) -> Mapping[str, Sequence[TokenEvent]]:
    grouped: dict[str, list[TokenEvent]] = defaultdict(list)
    for event in read_events(ctx):
        grouped[event.profile].append(event)
    return grouped


def summarize_renewals(events: Sequence[TokenEvent], now: float) -> Renewals:
    """Return how getting tokens went; `events` are those of one profile, the oldest first."""
    last_success: TokenEvent | None = None
    failures: list[TokenEvent] = []
    recent = {"refreshes": 0, "rotations": 0, "failures": 0}
    for event in events:
        is_recent = event.time >= now - RECENT_S
        if event.event in OBTAINING_EVENTS and event.outcome == "ok":
            last_success, failures = event, []
            recent["refreshes"] += is_recent and event.event == "refreshed"
            recent["rotations"] += is_recent and event.rotated is True
        elif event.event == "failed":
            failures.append(event)
            recent["failures"] += is_recent
    return Renewals(
        last_success, tuple(failures), recent["refreshes"], recent["rotations"], recent["failures"]
    )


@dataclass(frozen=True, slots=True)
class MissingSecret:
    """Why a secret that a new token takes isn't there without a person."""

    text: str
    command: str | None
    """What the person can run; None if no command helps."""


def _find_prompted_secret(profile: Profile, ctx: Context) -> MissingSecret | None:
    for ref in profile.secrets.values():
        if source_interaction(ref, ctx) == "prompt":
            return MissingSecret(f"the {ref.name} is prompted for", f"tokencli get {profile.name}")
    return None


def _find_missing_secret(profile: Profile, ctx: Context) -> MissingSecret | None:
    for status in list_secret_statuses(profile, ctx):
        ref = status.ref
        if status.present is False and ref.name not in OPTIONAL_SECRETS:
            command = f"tokencli login {profile.name}" if ref.kind == "keyring" else None
            return MissingSecret(f"the {ref.name} is not set ({ref.label_source()})", command)
    return None


def judge_person(
    profile: Profile,
    state: HealthState,
    token: TokenSet | None,
    renewals: Renewals,
    events: Sequence[TokenEvent],
    missing: MissingSecret | None,
    ctx: Context,
) -> PersonNeeded:
    """Return when a person is needed next."""
    failure = renewals.last_failure
    refusal = failure if failure is not None and failure.error in CREDENTIAL_ERRORS else None
    is_fresh, now, login = state == "fresh", ctx.clock.now(), f"tokencli login {profile.name}"
    due = None if token is None or token.never_expires else token.fresh_until()
    unattended = PersonNeeded(
        False, f"the grant {profile.grant} works without a person", forecast="never"
    )
    is_refresh_refused = refusal is not None and refusal.grant == "refresh_token"
    if token is not None and token.refresh_token and not is_refresh_refused:
        if not grants.is_interactive(profile.grant):
            return unattended
        end = find_refresh_end(token, events, ctx)
        if end is None:
            return PersonNeeded(False, "nothing says how long the refresh token lasts")
        if not is_fresh and end.epoch <= now and not end.is_estimate:
            return PersonNeeded(True, "the refresh token has expired", now, "known", login)
        forecast: Forecast = "estimate" if end.is_estimate else "known"
        return PersonNeeded(False, end.basis, end.epoch, forecast, login)
    command: str | None = login
    if refusal is not None:
        basis = f"the server refused the credentials ({refusal.error})"
        command = login if grants.is_interactive(profile.grant) else f"tokencli why {profile.name}"
    elif grants.is_interactive(profile.grant):
        basis = f"{profile.grant} needs a sign-in, and no refresh token is stored"
    elif missing:
        basis = missing.text
        command = missing.command
    else:
        return unattended
    if is_fresh:
        return PersonNeeded(False, basis, due, "unknown" if due is None else "known", command)
    return PersonNeeded(True, basis, now, "known", command)
