"""`tokencli logout`."""

from typing import Annotated

import typer

from tokencli.app import App
from tokencli.commands.options import (
    CommonOptions,
    ProfileArgument,
    ProfileOption,
    common_options,
    select_profile_name,
)
from tokencli.core.logout import LogoutResult, describe_tokens, log_out
from tokencli.system.companion import delete_abandoned_dirs
from tokencli.system.user_dirs import list_hand_over_dirs, state_dir


@common_options(lock_timeout=True)
def logout(
    common: CommonOptions,
    profile: ProfileArgument = None,
    profile_option: ProfileOption = None,
    secrets: Annotated[
        bool,
        typer.Option("--secrets", help="Also delete the profile's secrets from the OS keyring."),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Delete tokens even if the server couldn't revoke them."),
    ] = False,
) -> None:
    """Revoke and delete a profile's tokens.

    Tokens are first revoked at the server, if it has a revocation endpoint (RFC 7009), and then
    deleted from every store. A token that can't be revoked is kept unless --force is given. --force
    also skips a keyring that can't be reached. Secrets are deleted only with --secrets.

    \b
    tokencli logout groupid
    tokencli logout groupid --secrets
    """
    app = App(common)
    chosen = app.get_profile(select_profile_name(profile, profile_option), anew=None)
    result = log_out(chosen, app, secrets=secrets, force=force)
    in_keyring = any(ref.kind == "keyring" for ref in chosen.secrets.values())
    said = _describe_logout(result, secrets_are_kept=in_keyring and not secrets)
    app.terminal.print_note(f"{chosen.name}: {said}")
    for directory in list_hand_over_dirs(app.environ, state_dir(chosen.state_dir)):
        delete_abandoned_dirs(directory)


def _describe_logout(result: LogoutResult, *, secrets_are_kept: bool) -> str:
    parts = []
    if result.revoked:
        parts.append(f"revoked {describe_tokens(result.revoked)}")
    if result.already_invalid:
        parts.append(f"already invalid at the server: {describe_tokens(result.already_invalid)}")
    count = result.token_count
    parts.append(f"deleted {count or 'no'} token{'' if count == 1 else 's'}")
    if result.secret_names:
        parts.append(f"deleted the secrets {', '.join(result.secret_names)}")
    if secrets_are_kept:
        parts.append("kept the secrets (--secrets deletes them)")
    return "; ".join(parts)
