"""Log in: store the secrets that a profile's grant needs, and test them by getting a token."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tokencli.core.get_token import TokenResult, exclusive_login, get_token, sign_in_user
from tokencli.core.secret_account import describe_account, read_secret
from tokencli.core.secret_resolver import SecretResolver, missing_secret_error, source_interaction
from tokencli.errors import (
    KeyringError,
    LoginRequiredError,
    RefusedError,
    StorageError,
    UsageError,
)
from tokencli.humanize import humanize_duration
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
    """Prompt for the missing secrets (with `again`: for all), store them, and get a token.

    Secrets from sources other than the keyring are read, not prompted for. `lines` replaces the
    prompts. It has one secret per line, in the order of `grants.required_secrets`: either all that
    are stored in the keyring, or only those that are missing there.

    If the grant requires an interactive sign-in, it is started. Only one login of a profile runs at
    a time.

    Raises:
        LoginRequiredError: there is no user to sign in, or another login of the profile is running.
        UsageError: the number of lines is wrong. CredentialsError: a secret can't be read or stored.
        RefusedError: the server refused. If it refused the secrets themselves, they are deleted
            again and the previous ones restored.
    """
    with exclusive_login(profile, ctx.token_store(profile)):
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
    missing = [ref for ref in keyring_refs if again or not read_secret(profile, ref, ctx)]
    if lines is not None:
        secrets = _secrets_from_lines(profile, lines, keyring_refs, missing)
    else:
        secrets = {ref.name: _prompt_secret(profile, ctx, ref) for ref in missing}
    undo_by_name: dict[str, Callable[[], bool]] = {}
    for ref in keyring_refs:
        if ref.name not in secrets:
            continue
        if _confirm_saving_secret(ctx, ref, prompted=lines is None):
            undo_by_name[ref.name] = ctx.keyring.store_secret(
                ref, secrets[ref.name], describe_account(profile, ref.name)
            )
            ctx.terminal.print_note(f"stored the {ref.name} in {ref.describe_source()}")
        resolver.resolved[ref.name] = secrets[ref.name]
    try:
        result = (
            sign_in_user(profile, ctx, resolver)
            if grants.is_interactive(profile.grant)
            else get_token(profile, ctx, force=True, resolver=resolver, by_grant=True)
        )
    except RefusedError as refusal:
        if any(name in profile.secrets for name in refusal.blamed_secrets):
            _undo_stored_secrets(undo_by_name, ctx)
        raise
    return LoginResult(tuple(profile.secrets[name] for name in undo_by_name), result)


def _undo_stored_secrets(undo_by_name: Mapping[str, Callable[[], bool]], ctx: Context) -> None:
    for name, undo in undo_by_name.items():
        try:
            was_restored = undo()
        except (KeyringError, StorageError) as error:
            ctx.terminal.print_warning(f"the refused {name} may still be stored: {error.message}")
            continue
        ctx.terminal.print_note(
            f"restored the previous {name}, because the new one was refused"
            if was_restored
            else f"deleted the {name}, because it was refused"
        )


def describe_login(profile: Profile, result: TokenResult) -> Iterator[str]:
    """Yield clauses about the token: its lifetime, its scopes, and how it can be renewed."""
    token = result.token
    if token.lifetime is None:
        yield "got a token with unknown lifetime"
    elif token.never_expires:
        yield "got a token that does not expire"
    else:
        yield f"got a token valid for {humanize_duration(token.lifetime)}"
    requested = (profile.scope or "").split()
    granted = requested if token.scope is None else token.scope.split()  # RFC 6749 section 5.1
    if granted:
        yield f"scope {' '.join(granted)}"
    not_granted = [scope for scope in requested if scope not in granted]
    if not_granted:
        yield f"scope not granted: {' '.join(not_granted)}"
    if token.refresh_token:
        lifetime = result.refresh_token_lifetime
        yield "with a refresh token" + (
            f" valid for {humanize_duration(lifetime)}" if lifetime else ""
        )
    elif grants.is_interactive(profile.grant):
        yield "without a refresh token, so you must sign in again after that"


def _prompt_secret(profile: Profile, ctx: Context, ref: SecretRef) -> Secret:
    if not ctx.terminal.interactive:
        raise LoginRequiredError(
            missing_secret_error(ref, ctx).message,
            cause="there is no terminal to prompt for it",
            fix=f"tokencli login {profile.command_line_name} --stdin < FILE",
        )
    while True:
        secret = ctx.terminal.ask_secret(
            f"{_secret_label(profile, ref)} for profile {profile.name}"
        )
        if not secret:
            ctx.terminal.print_note("required (Ctrl-C to cancel)")
        elif any(char < " " or "\x7f" <= char <= "\x9f" for char in secret.reveal()):
            # From an arrow key or a bad paste. Once stored, it couldn't be read back.
            ctx.terminal.print_note("the input contains a control character; type it again")
        else:
            return secret


def _secret_label(profile: Profile, ref: SecretRef) -> str:
    described = profile.provider.fields.get(ref.name)
    return described.ask if described else ref.name.replace("_", " ").capitalize()


def _confirm_saving_secret(ctx: Context, ref: SecretRef, *, prompted: bool) -> bool:
    """Ask before a user's own password is stored (RFC 6749 section 4.3.1 would have it discarded)."""
    if ref.name != "password" or not prompted:
        return True
    return ctx.terminal.ask_yes_no(
        f"Save the password in the OS keyring ({ref.target[0]}) so tokencli doesn't have to ask again?",
        default=True,
    )


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
