"""Store what a profile's grant needs, and prove it with a token."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokencli import grants
from tokencli.actions.get import Obtained, get
from tokencli.actions.secrets import Wallet, missing
from tokencli.actions.sign_in import one_at_a_time, sign_in
from tokencli.errors import KeyringError, LoginNeeded, RefusedError, UsageError
from tokencli.jwt.times import words
from tokencli.model import Profile, Secret, SecretRef
from tokencli.ports import Edges

UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """What a login stored, and the token that proves it."""

    stored: tuple[SecretRef, ...]
    obtained: Obtained


def login(
    profile: Profile,
    edges: Edges,
    *,
    lines: Sequence[str] | None = None,
    again: bool = False,
) -> LoggedIn:
    """Ask for the secrets that are missing (with `again`: for all), store them, and get a token.

    Secrets that the profile takes from elsewhere are looked at, not asked for. `lines` stands for
    the person: one secret a line, in the order of `grants.needed_secrets`, either all that the
    keyring keeps or just those that are missing.

    Where the grant needs a person to sign in, they are sent to do so. One login of a profile is
    in progress at a time.

    Raises:
        LoginNeeded: nobody can sign in, or a login is in progress elsewhere.
        UsageError: more or fewer lines than secrets. CredentialsError: a place can't be used.
        RefusedError: the server does not take it. Where it refuses the secrets themselves, they are
            not kept, and what was stored before is put back.
    """
    with one_at_a_time(profile, edges.store(profile)):
        return _login(profile, edges, lines, again=again)


def _login(profile: Profile, edges: Edges, lines: Sequence[str] | None, *, again: bool) -> LoggedIn:
    wallet = Wallet(profile, edges)
    refs = [profile.secrets[name] for name in grants.needed_secrets(profile)]
    kept = [ref for ref in refs if ref.kind == "keyring"]
    for ref in refs:
        if ref.kind not in ("keyring", "prompt"):
            wallet.find(ref.name)
    absent = [ref for ref in kept if again or not edges.keeper.read(ref)]
    if lines is not None:
        given = _from_lines(profile, lines, kept, absent)
    else:
        given = {ref.name: _ask(profile, edges, ref) for ref in absent}
    stored: dict[str, Callable[[], bool]] = {}
    for ref in kept:
        if ref.name not in given:
            continue
        if _may_keep(edges, ref, asked=lines is None):
            stored[ref.name] = edges.keeper.write(ref, given[ref.name])
            edges.terminal.note(f"stored the {ref.name} in {ref.describe()}")
        wallet.answers[ref.name] = given[ref.name]
    by_person = grants.by_person(profile.grant)
    try:
        obtained = (
            sign_in(profile, edges, wallet)
            if by_person
            else get(profile, edges, force=True, wallet=wallet, by_grant=True)
        )
    except RefusedError as refusal:
        if refuted(profile, refusal):
            _take_back(stored, edges)
        raise
    return LoggedIn(tuple(profile.secrets[name] for name in stored), obtained)


def refuted(profile: Profile, refusal: RefusedError) -> bool:
    """Tell whether the server refuses the secrets themselves, as far as it can be told."""
    if refusal.error == "invalid_client" or refusal.status == UNAUTHORIZED:
        return True
    if grants.by_person(profile.grant):
        return False  # anything else may be about how the person signed in
    errors = profile.provider.errors
    meaning = errors.codes.get(refusal.error or "") or errors.status.get(str(refusal.status))
    return refusal.error == "invalid_grant" or (meaning is not None and meaning.whose == "you")


def _take_back(stored: Mapping[str, Callable[[], bool]], edges: Edges) -> None:
    for name, undo in stored.items():
        try:
            older = undo()
        except KeyringError as error:
            edges.terminal.warn(f"the {name} that is refused may still be stored: {error.message}")
            continue
        edges.terminal.note(
            f"put the older {name} back, since this one is refused"
            if older
            else f"the {name} is not kept, since it is refused"
        )


def summary(profile: Profile, obtained: Obtained) -> Iterator[str]:
    """Yield what a login brought, a clause each: life, scopes, and how it goes on after that."""
    token = obtained.token
    life = token.lifetime
    yield "got a token of unknown life" if life is None else f"got a token good for {words(life)}"
    asked = (profile.scope or "").split()
    granted = asked if token.scope is None else token.scope.split()  # RFC 6749 section 5.1
    if granted:
        yield f"scope {' '.join(granted)}"
    refused = [scope for scope in asked if scope not in granted]
    if refused:
        yield f"asked for and not granted: {' '.join(refused)}"
    if token.refresh_token:
        rest = obtained.refresh_life
        yield "with a refresh token" + (f" good for {words(rest)}" if rest else "")
    elif grants.by_person(profile.grant):
        yield "without a refresh token, so after that somebody has to sign in again"


def _ask(profile: Profile, edges: Edges, ref: SecretRef) -> Secret:
    if not edges.terminal.interactive:
        raise LoginNeeded(
            f"{missing(ref).message}, and there is no terminal to ask at",
            hint=f"tokencli login {profile.as_typed} --stdin < FILE   (one secret a line)",
        )
    while True:
        secret = edges.terminal.ask_secret(f"{_label(profile, ref)} of profile {profile.name}")
        if not secret:
            edges.terminal.note("nothing was typed; Ctrl-C leaves")
        elif any(char < " " or "\x7f" <= char <= "\x9f" for char in secret.reveal()):
            # An arrow key, or a paste that went wrong: stored, it could not be read again.
            edges.terminal.note("what was typed holds a control character; type it again")
        else:
            return secret


def _label(profile: Profile, ref: SecretRef) -> str:
    described = profile.provider.fields.get(ref.name)
    return described.ask if described else ref.name.replace("_", " ").capitalize()


def _may_keep(edges: Edges, ref: SecretRef, *, asked: bool) -> bool:
    """Ask before a person's own password is kept (RFC 6749 section 4.3.1 would have it discarded)."""
    if ref.name != "password" or not asked:
        return True
    return edges.terminal.confirm(
        f"Keep the password in the OS keyring ({ref.target[0]}), so that tokens can be had without"
        " asking?",
        default=True,
    )


def _from_lines(
    profile: Profile, lines: Sequence[str], kept: Sequence[SecretRef], absent: Sequence[SecretRef]
) -> dict[str, Secret]:
    for wanted in (kept, absent):
        if len(lines) == len(wanted):
            return {ref.name: Secret(line) for ref, line in zip(wanted, lines, strict=True)}
    names = (
        ", ".join(ref.name for ref in kept) or "none: this profile keeps no secret in the keyring"
    )
    raise UsageError(
        f"--stdin brought {len(lines)} line(s), but profile {profile.name!r} takes one for each of:"
        f" {names}",
        hint=f"tokencli profiles show {profile.name}",
    )
