"""The default store: the keyring if it works, else the runtime directory, else memory."""

from typing import TYPE_CHECKING

from tokencli.errors import KeyringError
from tokencli.models import Profile
from tokencli.protocols import TokenStore
from tokencli.secret_sources.keyring_client import get_os_keyring
from tokencli.system.private_files import list_names
from tokencli.system.user_dirs import explain_missing_runtime_dir, runtime_dir, state_dir
from tokencli.token_store import StoreContext, keyring
from tokencli.token_store.locked_store import profile_file_prefix

if TYPE_CHECKING:
    from tokencli.machine import StoreChoice, StoreName


def open_store(profile: Profile, context: StoreContext) -> TokenStore:
    """Return the first store that works, and tell the user if it is not the keyring."""
    terminal, (name, reasons) = context.terminal, _choose_store(context)
    if name == "keyring":
        return keyring.open_store(profile, context)
    if name == "runtime":
        from tokencli.token_store import runtime  # not needed if the keyring works

        # A user with tokens in the keyring would wonder why a new one is fetched.
        keys_dir = context.once("state_dir None", state_dir) / "keys"
        keyring_keys = list_names(keys_dir, prefix=profile_file_prefix(profile.name))
        tell = terminal.print_note if keyring_keys else terminal.print_detail
        tell(f"{reasons[0]}; storing tokens in the runtime directory instead")
        return runtime.open_store(profile, context)
    from tokencli.token_store.memory import MemoryStore  # not needed if another store works

    loss_reason = " and ".join(reasons)
    warning = (
        f"tokens are not stored, because {loss_reason};"
        ' store = "file" stores them on disk, and store = "none" disables this warning'
    )
    return MemoryStore(loss_reason, lambda: terminal.print_warning(warning))


def choose_store(context: StoreContext) -> "StoreChoice":
    """Return which store is used on this machine, and why not the ones before it."""
    from tokencli.machine import StoreChoice  # start-up cost: `get` needs no report

    return StoreChoice(*_choose_store(context))


def _choose_store(context: StoreContext) -> "tuple[StoreName, tuple[str, ...]]":
    reason = context.once("keyring_failure", lambda: _find_keyring_failure(context))
    if reason is None:
        return "keyring", ()
    if context.once("runtime_dir", lambda: runtime_dir(context.environ)) is not None:
        return "runtime", (reason,)
    missing = f"there is no memory-backed runtime directory ({explain_missing_runtime_dir()})"
    return "none", (reason, missing)


def _find_keyring_failure(context: StoreContext) -> str | None:
    """Return why the OS keyring can't be used, or None."""
    try:
        get_os_keyring(context.environ, context.terminal).require_usable()
    except KeyringError as error:
        return error.message
    return None
