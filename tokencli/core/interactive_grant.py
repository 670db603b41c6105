"""Get a token by an interactive sign-in, one login of a profile at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256

from tokencli.core.grant_runner import run_grant
from tokencli.core.secret_account import record_accounts
from tokencli.core.secret_resolver import SecretResolver, hash_subject
from tokencli.core.token_events import Attempt
from tokencli.core.token_renewal import (
    RESERVED_BYTES,
    TokenResult,
    build_not_stored_error,
    save_then_check,
)
from tokencli.errors import KeyringError, LockTimeoutError, LoginRequiredError, StorageError
from tokencli.models import Profile
from tokencli.oauth import grants
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding


def sign_in_user(profile: Profile, ctx: Context, resolver: SecretResolver) -> TokenResult:
    """Run an interactive grant and store its token.

    The credential's lock is held twice for a moment: before the sign-in to check that there is
    space for a token, and after it to store the token. A token set that another process stored in
    between is older and is replaced.

    Raises:
        LoginRequiredError: there is no user, the user didn't finish, or another login is running.
        TokencliError: any other subclass. Nothing that is stored was changed.
    """
    store, key = ctx.token_store(profile), derive_binding(profile).key
    with (
        Attempt(profile, ctx, profile.grant, event="login") as attempt,
        exclusive_login(profile, store),
    ):
        attempt.secrets = resolver.resolved.values()
        with store.lock_credential(key, profile.lock_timeout):
            store.reserve_space(key, RESERVED_BYTES)
        required = grants.required_secrets(profile)
        resolver.prompt_for(required)
        for name in required:
            resolver.resolve(name)
        with ExitStack() as deferred_signals:
            grant = grants.load_grant(profile.grant)
            response = run_grant(grant.run(profile), profile, ctx, resolver, deferred_signals)
            try:
                with store.lock_credential(key, profile.lock_timeout):
                    store.reserve_space(key, RESERVED_BYTES)
                    subject = hash_subject(profile, resolver)
                    result = save_then_check(response, profile.grant, profile, ctx, store, subject)
            except (StorageError, KeyringError) as error:
                not_stored = build_not_stored_error(error, response.token, profile.grant, profile)
                result = TokenResult(
                    response.token, profile.grant, not_stored, response.refresh_lifetime
                )
                attempt.record_token(result.token, result.refresh_token_lifetime, result.save_error)
                return result
            attempt.record_token(result.token, result.refresh_token_lifetime, result.save_error)
        record_accounts(profile, required, resolver.resolved, ctx)
        return result


@contextmanager
def exclusive_login(profile: Profile, store: TokenStore) -> Iterator[None]:
    """Allow one login of a profile at a time; raises LoginRequiredError if another one is running."""
    with ExitStack() as lock:
        try:
            lock.enter_context(store.lock_credential(_login_lock_key(profile), 0.0))
        except LockTimeoutError as error:
            raise _login_busy_error(profile, error) from None
        yield


def find_running_login(profile: Profile, store: TokenStore) -> LoginRequiredError | None:
    """Return the error for another login of the profile that is running, or None."""
    try:
        with store.lock_credential(_login_lock_key(profile), 0.0):
            return None
    except LockTimeoutError as error:
        return _login_busy_error(profile, error)


def _login_lock_key(profile: Profile) -> str:
    """Return the key of the lock that only logins of the profile hold."""
    return sha256(f"login {profile.name}".encode()).hexdigest()


def _login_busy_error(profile: Profile, error: LockTimeoutError) -> LoginRequiredError:
    holder = error.message.partition(" has been ")[0]
    return LoginRequiredError(
        f"another login of profile {profile.name!r} is in progress ({holder})",
        cause="finish or cancel the other login, then run the command again",
    )
