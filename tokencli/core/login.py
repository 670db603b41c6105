"""Store what a profile's grant needs, and prove it with a token."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokencli.core.get_token import TokenResult, exclusive_login, get_token, sign_in_user
from tokencli.core.secret_resolver import SecretResolver, missing_secret_error, source_interaction
from tokencli.errors import KeyringError, LoginRequiredError, RefusedError, UsageError
from tokencli.humanize import humanize_duration
from tokencli.models import Profile, Secret, SecretRef
from tokencli.oauth import grants
from tokencli.protocols import Context

HTTP_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class LoginResult:
    """What a login stored, and the token that proves it."""

    stored_secrets: tuple[SecretRef, ...]
    token_result: TokenResult


def log_in(
    profile: Profile,
    ctx: Context,
    *,
    lines: Sequence[str] | None = None,
    again: bool = False,
) -> LoginResult:
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
    with exclusive_login(profile, ctx.token_store(profile)):
        return _log_in_exclusively(profile, ctx, lines, again=again)


def _log_in_exclusively(
    profile: Profile, ctx: Context, lines: Sequence[str] | None, *, again: bool
) -> LoginResult:
    resolver = SecretResolver(profile, ctx)
    refs = [profile.secrets[name] for name in grants.required_secrets(profile)]
    kept = [ref for ref in refs if ref.kind == "keyring"]
    for ref in refs:
        if ref.kind != "keyring" and source_interaction(ref, ctx) != "prompt":
            resolver.resolve(ref.name)
    absent = [ref for ref in kept if again or not ctx.keyring.read(ref)]
    if lines is not None:
        given = _secrets_from_lines(profile, lines, kept, absent)
    else:
        given = {ref.name: _prompt_secret(profile, ctx, ref) for ref in absent}
    stored: dict[str, Callable[[], bool]] = {}
    for ref in kept:
        if ref.name not in given:
            continue
        if _confirm_saving_secret(ctx, ref, asked=lines is None):
            stored[ref.name] = ctx.keyring.store_secret(ref, given[ref.name])
            ctx.terminal.print_note(f"stored the {ref.name} in {ref.describe_source()}")
        resolver.resolved[ref.name] = given[ref.name]
    by_person = grants.is_interactive(profile.grant)
    try:
        obtained = (
            sign_in_user(profile, ctx, resolver)
            if by_person
            else get_token(profile, ctx, force=True, resolver=resolver, by_grant=True)
        )
    except RefusedError as refusal:
        if are_secrets_refused(profile, refusal):
            _undo_stored_secrets(stored, ctx)
        raise
    return LoginResult(tuple(profile.secrets[name] for name in stored), obtained)


def are_secrets_refused(profile: Profile, refusal: RefusedError) -> bool:
    """Tell whether the server refuses the secrets themselves, as far as it can be told."""
    if refusal.error == "invalid_client" or refusal.status == HTTP_UNAUTHORIZED:
        return True
    if grants.is_interactive(profile.grant):
        return False  # anything else may be about how the person signed in
    errors = profile.provider.errors
    meaning = errors.codes.get(refusal.error or "") or errors.status.get(str(refusal.status))
    return refusal.error == "invalid_grant" or (meaning is not None and meaning.whose == "you")


def _undo_stored_secrets(stored: Mapping[str, Callable[[], bool]], ctx: Context) -> None:
    for name, undo in stored.items():
        try:
            older = undo()
        except KeyringError as error:
            ctx.terminal.print_warning(
                f"the {name} that is refused may still be stored: {error.message}"
            )
            continue
        ctx.terminal.print_note(
            f"put the older {name} back, since this one is refused"
            if older
            else f"the {name} is not kept, since it is refused"
        )


def describe_login(profile: Profile, obtained: TokenResult) -> Iterator[str]:
    """Yield what a login brought, a clause each: life, scopes, and how it goes on after that."""
    token = obtained.token
    life = token.lifetime
    yield (
        "got a token of unknown life"
        if life is None
        else f"got a token good for {humanize_duration(life)}"
    )
    asked = (profile.scope or "").split()
    granted = asked if token.scope is None else token.scope.split()  # RFC 6749 section 5.1
    if granted:
        yield f"scope {' '.join(granted)}"
    refused = [scope for scope in asked if scope not in granted]
    if refused:
        yield f"asked for and not granted: {' '.join(refused)}"
    if token.refresh_token:
        rest = obtained.refresh_token_lifetime
        yield "with a refresh token" + (f" good for {humanize_duration(rest)}" if rest else "")
    elif grants.is_interactive(profile.grant):
        yield "without a refresh token, so after that somebody has to sign in again"


def _prompt_secret(profile: Profile, ctx: Context, ref: SecretRef) -> Secret:
    if not ctx.terminal.interactive:
        raise LoginRequiredError(
            f"{missing_secret_error(ref, ctx).message}, and there is no terminal to ask at",
            fix=f"tokencli login {profile.command_line_name} --stdin < FILE   (one secret a line)",
        )
    while True:
        secret = ctx.terminal.ask_secret(f"{_secret_label(profile, ref)} of profile {profile.name}")
        if not secret:
            ctx.terminal.print_note("nothing was typed; Ctrl-C leaves")
        elif any(char < " " or "\x7f" <= char <= "\x9f" for char in secret.reveal()):
            # An arrow key, or a paste that went wrong: stored, it could not be read again.
            ctx.terminal.print_note("what was typed holds a control character; type it again")
        else:
            return secret


def _secret_label(profile: Profile, ref: SecretRef) -> str:
    described = profile.provider.fields.get(ref.name)
    return described.ask if described else ref.name.replace("_", " ").capitalize()


def _confirm_saving_secret(ctx: Context, ref: SecretRef, *, asked: bool) -> bool:
    """Ask before a person's own password is kept (RFC 6749 section 4.3.1 would have it discarded)."""
    if ref.name != "password" or not asked:
        return True
    return ctx.terminal.ask_yes_no(
        f"Keep the password in the OS keyring ({ref.target[0]}), so that tokens can be had without"
        " asking?",
        default=True,
    )


def _secrets_from_lines(
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
        fix=f"tokencli profiles show {profile.name}",
    )
