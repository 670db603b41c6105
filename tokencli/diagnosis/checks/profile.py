"""Local checks of one profile: its settings, secrets, lock, store and token."""

from tokencli.core.secret_account import read_secret
from tokencli.core.secret_resolver import missing_secret_error, source_interaction
from tokencli.core.stored_token import find_stored_token
from tokencli.diagnosis.checks import Outcome, Subject, failed, failed_by, passed, warned
from tokencli.diagnosis.checks.machine import list_problems
from tokencli.errors import CredentialsError, KeyringError, NoKeyringError
from tokencli.humanize import humanize_duration
from tokencli.models import SecretRef
from tokencli.oauth import grants
from tokencli.token_store.credential_key import derive_credential_key

LOCK_TIMEOUT_S = 2.0
"""Seconds to wait for another process that is fetching the profile's token."""
RESERVED_BYTES = 64 * 1024
"""Space for one token set."""


def check_profile(subject: Subject) -> Outcome:
    """Judge the profile's settings."""
    assert subject.name is not None and subject.config is not None
    problems = subject.config.find_profile_problems(subject.name)
    if problems or subject.valid_profile is None:
        error = subject.config.invalid_config_error()
        return failed("; ".join(list_problems(problems)) or error.message, fix=error.fix)
    profile = subject.valid_profile
    return passed(
        f"provider {profile.provider.name}, grant {profile.grant}, client_auth {profile.client_auth}"
    )


def check_secrets(subject: Subject) -> Outcome:
    """Look up the secrets that the profile needs, without prompting or running a program."""
    profile, ctx = subject.profile, subject.ctx
    needed = grants.required_secrets(profile)
    if not needed:
        return passed("none needed")
    stored, asked = [], []
    ctx.take_warnings()
    for name in needed:
        ref = profile.secrets[name]
        if source_interaction(ref, ctx) != "none":
            asked.append(f"{name} (from {ref.label_source()})")
            continue
        try:
            secret = read_secret(profile, ref, ctx)
        except CredentialsError as error:
            fix = error.fix
            if isinstance(error, NoKeyringError):
                fix = _suggest_other_source(subject, ref) or fix
            return Outcome("failed", error.message, error.cause, fix, error.exit_code)
        if not secret:
            return failed_by(missing_secret_error(ref, ctx))
        stored.append(f"{name} (in {ref.describe_source()})")
    parts = []
    if stored:
        parts.append(f"there: {', '.join(stored)}")
    if asked:
        parts.append(f"read only when needed: {', '.join(asked)}")
    if warnings := ctx.take_warnings():
        return warned("; ".join((*parts, *warnings)))
    return passed("; ".join(parts))


def _suggest_other_source(subject: Subject, ref: SecretRef) -> str | None:
    """Return the command that lets the profile take the secret from elsewhere than the keyring."""
    commands = subject.ctx.list_setup_commands(subject.profile, [ref])
    return commands[0].command if commands else None


def check_lock(subject: Subject) -> Outcome:
    """Take the lock of the profile's token and release it."""
    profile = subject.profile
    store = subject.ctx.token_store(profile)
    timeout = min(LOCK_TIMEOUT_S, subject.remaining_s)
    with store.lock_credential(derive_credential_key(profile), timeout):
        return passed("free")


def check_store(subject: Subject) -> Outcome:
    """Say where tokens are stored and why, and reserve space for one."""
    profile, ctx = subject.profile, subject.ctx
    store, key = ctx.token_store(profile), derive_credential_key(profile)
    reason = ""
    if profile.isolated:
        reason = " (isolated = true)"
    elif profile.store == "auto":
        choice = ctx.choose_store()
        because = f", because {' and '.join(choice.reasons)}" if choice.reasons else ""
        reason = f' (store = "auto"{because})'
        if choice.name == "none":
            return warned(
                f"tokens are not stored{reason}",
                fix=f"tokencli profiles edit {profile.name} --set store=file",
            )
    if store.name == "none":
        return passed('tokens are not stored (store = "none")')
    if store.name == "keyring":
        try:
            ctx.keyring.check_usable()  # `keyring` stores an item
        except KeyringError as error:
            fix = error.fix or f"tokencli profiles edit {profile.name} --set store=file"
            return Outcome("failed", error.message, error.cause, fix, error.exit_code)
    else:
        with store.lock_credential(key, min(LOCK_TIMEOUT_S, subject.remaining_s)):
            store.reserve_space(key, RESERVED_BYTES)
    return passed(f"{store.name}{reason}")


def check_token(subject: Subject) -> Outcome:
    """Say whether a token is stored, and whether the user is needed for the next one."""
    profile, ctx = subject.profile, subject.ctx
    now = ctx.clock.now()
    stored = find_stored_token(profile, ctx)
    interactive = grants.is_interactive(profile.grant)
    get, login = (f"tokencli {command} {profile.command_line_name}" for command in ("get", "login"))
    if stored is None:
        if interactive:
            return failed(f"none is stored, and {profile.grant} needs a sign-in", fix=login)
        return passed(f"none is stored; `{get}` gets one")
    token = stored.token
    if token.is_fresh(now, profile.reachable_min_ttl()):
        left = token.remaining_lifetime(now)
        expiry = (
            "does not expire"
            if token.never_expires
            else f"expires in {humanize_duration(left or 0.0)}"
        )
        return passed(f"stored, {expiry}")
    left = token.remaining_lifetime(now)
    state = (
        "its expiry is unknown"
        if left is None
        else "it is about to expire"
        if left > 0
        else f"it expired {humanize_duration(left)} ago"
    )
    if token.refresh_token:
        return passed(f"stored; {state}, and `{get}` refreshes it")
    if interactive:
        return failed(
            f"{state}, there is no refresh token, and {profile.grant} needs a sign-in", fix=login
        )
    return passed(f"stored; {state}, and `{get}` gets a new one")
