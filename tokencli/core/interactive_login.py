"""Let a person sign in, with no lock of the credential held while they do."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256

from tokencli.core.get_token import RESERVED_BYTES
from tokencli.core.grant_runner import run_grant
from tokencli.core.save_token import TokenResult, not_saved_error, save_then_check
from tokencli.core.secret_resolver import SecretResolver
from tokencli.core.subject_hash import hash_subject
from tokencli.errors import KeyringError, LockTimeoutError, LoginRequiredError, StorageError
from tokencli.models import Profile
from tokencli.oauth import grants
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding


def sign_in_user(profile: Profile, ctx: Context, resolver: SecretResolver) -> TokenResult:
    """Have a person sign in and keep what that brings.

    The credential's lock is held for two moments: before, to see that there is room for a token,
    and after, to save it. What others stored in between is replaced, as it is older.

    Raises:
        LoginNeeded: nobody is there, nobody came back, or a login is in progress already.
        TokencliError: any other of its kinds; nothing that is stored has been touched.
    """
    store, key = ctx.token_store(profile), derive_binding(profile).key
    with exclusive_login(profile, store):
        with store.lock_credential(key, profile.lock_timeout):
            store.reserve_space(key, RESERVED_BYTES)
        resolver.prompt_for(grants.required_secrets(profile))
        with ExitStack() as held:
            module = grants.load_grant(profile.grant)
            found = run_grant(module.run(profile), profile, ctx, resolver, held)
            try:
                with store.lock_credential(key, profile.lock_timeout):
                    store.reserve_space(key, RESERVED_BYTES)
                    traded = hash_subject(profile, resolver)
                    return save_then_check(found, profile.grant, profile, ctx, store, traded)
            except (StorageError, KeyringError) as error:
                lost = not_saved_error(error, found.token, profile.grant, profile)
                return TokenResult(found.token, profile.grant, lost, found.refresh_lifetime)


@contextmanager
def exclusive_login(profile: Profile, store: TokenStore) -> Iterator[None]:
    """Let one login of a profile be in progress; raises LoginNeeded at once where one is."""
    with ExitStack() as lock:
        try:
            lock.enter_context(store.lock_credential(_login_lock_key(profile), 0.0))
        except LockTimeoutError as busy:
            raise _login_busy_error(profile, busy) from None
        yield


def login_in_progress_error(profile: Profile, store: TokenStore) -> LoginRequiredError | None:
    """Return what to tell where a login of the profile is in progress elsewhere, else None."""
    try:
        with store.lock_credential(_login_lock_key(profile), 0.0):
            return None
    except LockTimeoutError as busy:
        return _login_busy_error(profile, busy)


def _login_lock_key(profile: Profile) -> str:
    """Return the name of the lock that logins of the profile hold, and nothing else does."""
    return sha256(f"login {profile.name}".encode()).hexdigest()


def _login_busy_error(profile: Profile, busy: LockTimeoutError) -> LoginRequiredError:
    who = busy.message.partition(" has been ")[0]
    return LoginRequiredError(
        f"a login for profile {profile.name!r} is in progress ({who})",
        fix=f"finish it where it runs, or end it with Ctrl-C; then tokencli get {profile.command_line_name}",
    )
