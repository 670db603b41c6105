"""Tokens in files of the user's memory-backed runtime directory: gone after a logout or reboot."""

from tokencli.models import Profile
from tokencli.protocols import TokenStore
from tokencli.system.user_dirs import runtime_dir
from tokencli.token_store import StoreContext
from tokencli.token_store.file import FileStore


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the store; its locks and journals last as long as its tokens."""
    return FileStore(
        context.once("runtime_dir", lambda: runtime_dir(context.environ)),
        profile.name,
        terminal=context.terminal,
        clock=context.clock,
        name="runtime",
        lock_timeout=profile.lock_timeout,
    )
