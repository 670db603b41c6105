"""The default store: the keyring if it works, else the runtime directory, else memory."""

from tokencli.errors import KeyringError
from tokencli.models import Profile
from tokencli.protocols import TokenStore
from tokencli.secret_sources.keyring_client import get_os_keyring
from tokencli.system.private_files import list_names
from tokencli.system.user_dirs import explain_missing_runtime_dir, runtime_dir, state_dir
from tokencli.token_store import StoreContext, keyring
from tokencli.token_store.locked_store import profile_file_prefix


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the first store that works, and tell the user if it is not the keyring."""
    terminal = context.terminal
    try:
        get_os_keyring(context.environ, terminal).require_usable()
    except KeyringError as error:
        reason = error.message
    else:
        return keyring.open_store(profile, context)
    if runtime_dir(context.environ) is not None:
        from tokencli.token_store import runtime  # not needed if the keyring works

        # A user with tokens in the keyring would wonder why a new one is fetched.
        keyring_keys = list_names(state_dir() / "keys", prefix=profile_file_prefix(profile.name))
        tell = terminal.print_note if keyring_keys else terminal.print_detail
        tell(f"{reason}; storing tokens in the runtime directory instead")
        return runtime.open_store(profile, context)
    from tokencli.token_store.memory import MemoryStore  # not needed if another store works

    warning = (
        f"tokens are not stored, because {reason} and there is no memory-backed runtime directory"
        f" ({explain_missing_runtime_dir()});"
        ' store = "file" stores them on disk, and store = "none" disables this warning'
    )
    return MemoryStore(lambda: terminal.print_warning(warning))
