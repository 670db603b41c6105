"""Let a person sign in, with no lock of the credential held while they do."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256

from tokencli import grants
from tokencli.actions.drive import drive
from tokencli.actions.get import ROOM
from tokencli.actions.keep import Obtained, keep, not_kept
from tokencli.actions.secrets import Wallet
from tokencli.actions.subject import subject
from tokencli.errors import KeyringError, LockTimeout, LoginNeeded, StorageError
from tokencli.model import Profile
from tokencli.ports import Edges, TokenStore
from tokencli.stores.key import binding


def sign_in(profile: Profile, edges: Edges, wallet: Wallet) -> Obtained:
    """Have a person sign in and keep what that brings.

    The credential's lock is held for two moments: before, to see that there is room for a token,
    and after, to save it. What others stored in between is replaced, as it is older.

    Raises:
        LoginNeeded: nobody is there, nobody came back, or a login is in progress already.
        TokencliError: any other of its kinds; nothing that is stored has been touched.
    """
    store, key = edges.store(profile), binding(profile).key
    with one_at_a_time(profile, store):
        with store.lock(key, profile.lock_timeout):
            store.prepare(key, ROOM)
        wallet.ask(grants.needed_secrets(profile))
        with ExitStack() as held:
            module = grants.load(profile.grant)
            found = drive(module.run(profile), profile, edges, wallet, held)
            try:
                with store.lock(key, profile.lock_timeout):
                    store.prepare(key, ROOM)
                    traded = subject(profile, wallet)
                    return keep(found, profile.grant, profile, edges, store, traded)
            except (StorageError, KeyringError) as error:
                lost = not_kept(error, found.token, profile.grant, profile)
                return Obtained(found.token, profile.grant, lost, found.refresh_life)


@contextmanager
def one_at_a_time(profile: Profile, store: TokenStore) -> Iterator[None]:
    """Let one login of a profile be in progress; raises LoginNeeded at once where one is."""
    with ExitStack() as lock:
        try:
            lock.enter_context(store.lock(_key(profile), 0.0))
        except LockTimeout as busy:
            raise _busy(profile, busy) from None
        yield


def in_progress(profile: Profile, store: TokenStore) -> LoginNeeded | None:
    """Return what to tell where a login of the profile is in progress elsewhere, else None."""
    try:
        with store.lock(_key(profile), 0.0):
            return None
    except LockTimeout as busy:
        return _busy(profile, busy)


def _key(profile: Profile) -> str:
    """Return the name of the lock that logins of the profile hold, and nothing else does."""
    return sha256(f"login {profile.name}".encode()).hexdigest()


def _busy(profile: Profile, busy: LockTimeout) -> LoginNeeded:
    who = busy.message.partition(" has been ")[0]
    return LoginNeeded(
        f"a login for profile {profile.name!r} is in progress ({who})",
        hint=f"finish it where it runs, or end it with Ctrl-C; then tokencli get {profile.as_typed}",
    )
