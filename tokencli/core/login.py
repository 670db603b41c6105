"""Log in: store the secrets that a profile's grant needs, and test them by getting a token."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokencli.core.get_token import get_token
from tokencli.core.interactive_grant import exclusive_login, sign_in_user
from tokencli.core.secret_account import describe_account, read_secret
from tokencli.core.secret_resolver import SecretResolver, missing_secret_error, source_interaction
from tokencli.core.stored_token import suggest_login
from tokencli.core.token_renewal import TokenResult
from tokencli.errors import (
    KeyringError,
    LoginRequiredError,
    RefusedError,
    StorageError,
    UsageError,
)
from tokencli.humanize import format_time, humanize_duration
from tokencli.models import Profile, Secret, SecretRef
from tokencli.oauth import grants
from tokencli.protocols import Context


@dataclass(frozen=True, slots=True)
class LoginResult:
    """The secrets that a login stored, and its token."""

    stored_secrets: tuple[SecretRef, ...]
    token_result: TokenResult


def log_in(
    profile: Profile,
    ctx: Context,
    *,
    lines: Sequence[str] | None = None,
    again: bool = False,
) -> LoginResult:
    """Prompt for the missing secrets (with `again`: for all), get a token, and store them.

    Secrets from sources other than the keyring are read, not prompted for. `lines` replaces the
    prompts. It has one secret per line, in the order of `grants.required_secrets`: either all that
    are stored in the keyring, or only those that are missing there.

    If the grant requires an interactive sign-in, it is started. Only one login of a profile runs at
    a time.

    Raises:
        StorageError: a sign-in couldn't be stored on this machine.
        LoginRequiredError: there is no user to sign in, or another login of the profile is running.
        UsageError: the number of lines is wrong. CredentialsError: a secret can't be read or stored.
        RefusedError: the server refused. A secret that it refused is not stored. The others are, as
            they are after any other failure.
    """
    store = ctx.token_store(profile)
    if store.loss_reason is not None and profile.store != "none":
        fix = suggest_login(profile, store.loss_reason)
        if fix is not None:  # a secret that is stored for later would be of use; a sign-in is not
            raise StorageError(
                f"the sign-in of profile {profile.name!r} couldn't be stored, so it wasn't started",
                cause=store.loss_reason,
                fix=fix,
            )
    with exclusive_login(profile, store):
        return _log_in_exclusively(profile, ctx, lines, again=again)


def _log_in_exclusively(
    profile: Profile, ctx: Context, lines: Sequence[str] | None, *, again: bool
) -> LoginResult:
    resolver = SecretResolver(profile, ctx)
    refs = [profile.secrets[name] for name in grants.required_secrets(profile)]
    keyring_refs = [ref for ref in refs if ref.kind == "keyring"]
    for ref in refs:
        if ref.kind != "keyring" and source_interaction(ref, ctx) != "prompt":
            resolver.resolve(ref.name)
    missing = _list_missing_secrets(profile, ctx, keyring_refs, again=again)
    if lines is not None:
        secrets = _secrets_from_lines(profile, lines, keyring_refs, missing)
        to_store = [ref for ref in keyring_refs if ref.name in secrets]
    else:
        secrets, to_store = {}, []
        try:
            for ref in missing:
                _require_terminal(profile, ctx, ref)
                may_store = _announce_storing(ctx, ref)
                label = _secret_label(profile, ref)
                question = f"{label} for profile {profile.name}"
                secrets[ref.name] = ctx.terminal.ask_secret(question, required=True)
                if may_store:
                    to_store.append(ref)
        except BaseException:
            if not again:  # else older ones would be replaced by what the user may not have meant
                _store_unrefused(profile, ctx, to_store, secrets)
            raise
    resolver.resolved.update(secrets)
    try:
        result = (
            sign_in_user(profile, ctx, resolver)
            if grants.is_interactive(profile.grant)
            else get_token(
                profile, ctx, force=True, resolver=resolver, by_grant=True, event="login"
            )
        )
    except BaseException as error:
        # Stored only now: whatever ends this process, a refused secret never replaced an older one.
        refused = error.blamed_secrets if isinstance(error, RefusedError) else ()
        stored = {ref.name for ref in keyring_refs} - {ref.name for ref in missing}
        if (
            isinstance(error, RefusedError)
            and error.fix
            and not again
            and stored.isdisjoint(refused)
        ):
            error.fix = error.fix.removesuffix(" --again")  # what was refused isn't stored
        _store_unrefused(profile, ctx, to_store, secrets, refused)
        raise
    for ref in to_store:
        _store_secret(profile, ctx, ref, secrets[ref.name])
    return LoginResult(tuple(to_store), result)


def _list_missing_secrets(
    profile: Profile, ctx: Context, refs: Sequence[SecretRef], *, again: bool
) -> list[SecretRef]:
    """Return the secrets to ask for, after checking that they can be stored.

    Raises:
        KeyringError: they can't; if there is no usable keyring, with the alternatives.
    """
    try:
        missing = [ref for ref in refs if again or not _is_stored(profile, ref, ctx)]
        if missing:
            ctx.keyring.check_usable()
    except KeyringError as error:
        if error.affects_whole_keyring:
            error.alternatives = ctx.list_setup_commands(profile, refs)
        raise
    return missing


def _is_stored(profile: Profile, ref: SecretRef, ctx: Context) -> bool:
    """Tell whether the secret is stored. That of another account doesn't count if the user can be asked."""
    try:
        return bool(read_secret(profile, ref, ctx))
    except KeyringError as error:
        if error.affects_whole_keyring or not ctx.terminal.interactive:
            raise
        ctx.terminal.print_note(error.message)
        return False


def _store_unrefused(
    profile: Profile,
    ctx: Context,
    refs: Sequence[SecretRef],
    secrets: Mapping[str, Secret],
    refused: Sequence[str] = (),
) -> None:
    """Store the secrets that the server didn't refuse, after a failure that is about to be reported."""
    for ref in refs:
        if ref.name in refused:
            ctx.terminal.print_note(f"the {ref.name} was refused, so it is not stored")
            continue
        try:
            _store_secret(profile, ctx, ref, secrets[ref.name])
        except (KeyringError, StorageError) as failure:
            ctx.terminal.print_warning(f"the {ref.name} is not stored: {failure.message}")


def _store_secret(profile: Profile, ctx: Context, ref: SecretRef, secret: Secret) -> None:
    with ctx.defer_signals(f"storing the {ref.name} in the keyring"):
        ctx.keyring.store_secret(ref, secret, describe_account(profile, ref.name))
    ctx.terminal.print_note(f"stored the {ref.name} in the keyring as {ref.target[0]}")


def describe_login(
    profile: Profile, result: TokenResult, *, is_stored: bool = True
) -> Iterator[str]:
    """Yield clauses about the token: its lifetime, its scopes, and how it can be renewed."""
    token = result.token
    if token.lifetime is None:
        yield "got a token with unknown lifetime"
    elif token.never_expires:
        yield "got a token that does not expire"
    else:
        until = "" if token.known_expiry is None else f", until {format_time(token.known_expiry)}"
        yield f"got a token valid for {humanize_duration(token.lifetime)}{until}"
    requested = (profile.scope or "").split()
    granted = requested if token.scope is None else token.scope.split()  # RFC 6749 section 5.1
    if granted:
        yield f"scope {' '.join(granted)}"
    not_granted = [scope for scope in requested if scope not in granted]
    if not_granted:
        yield f"scope not granted: {' '.join(not_granted)}"
    if not is_stored:
        yield "which is not stored"
    elif token.refresh_token:
        lifetime = result.refresh_token_lifetime
        yield "with a refresh token" + (
            f" valid for {humanize_duration(lifetime)}" if lifetime else ""
        )
    elif grants.is_interactive(profile.grant):
        yield "without a refresh token, so you must sign in again after that"


def _require_terminal(profile: Profile, ctx: Context, ref: SecretRef) -> None:
    if not ctx.terminal.interactive:
        raise LoginRequiredError(
            missing_secret_error(ref, ctx).message,
            cause="there is no terminal to prompt for it",
            fix=f"tokencli login {profile.command_line_name} --stdin < FILE",
        )


def _secret_label(profile: Profile, ref: SecretRef) -> str:
    described = profile.provider.fields.get(ref.name)
    return described.ask if described else ref.name.replace("_", " ").capitalize()


def _announce_storing(ctx: Context, ref: SecretRef) -> bool:
    """Say where the secret is going to be stored, and return whether it may be.

    The user is asked about their own password (RFC 6749 section 4.3.1 would have it discarded).
    """
    if ref.name == "password":
        return ctx.terminal.ask_yes_no(
            f"Save the password in the keyring as {ref.target[0]}?", default=True
        )
    ctx.terminal.print_note(f"the {ref.name} will be stored in the keyring as {ref.target[0]}")
    return True


def _secrets_from_lines(
    profile: Profile,
    lines: Sequence[str],
    keyring_refs: Sequence[SecretRef],
    missing: Sequence[SecretRef],
) -> dict[str, Secret]:
    for refs in (keyring_refs, missing):
        if len(lines) == len(refs):
            return {ref.name: Secret(line) for ref, line in zip(refs, lines, strict=True)}
    raise UsageError(
        f"--stdin has {len(lines)} line(s), but profile {profile.name!r} stores"
        f" {len(keyring_refs)} secret(s) in the keyring",
        cause=f"expected one line for each of: {', '.join(ref.name for ref in keyring_refs)}"
        if keyring_refs
        else None,
        fix=f"tokencli profiles show {profile.name}",
    )
