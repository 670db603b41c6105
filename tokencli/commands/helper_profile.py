"""The profile whose token a credential helper hands out for a server, and the token."""

from collections.abc import Collection, Sequence

from tokencli.app import App
from tokencli.core.get_token import get_token
from tokencli.core.helper_credential import (
    find_api_origin,
    list_receiving_origins,
    require_plain_token,
)
from tokencli.errors import ConfigError, UsageError
from tokencli.formats.variable_checks import require_one_word
from tokencli.models import Profile


def find_profile(
    app: App,
    origins: Collection[str],
    profile_name: str | None,
    servers: Sequence[str],
    *,
    command: str,
) -> Profile | None:
    """Return the profile for a server, of which several origins may be meant; None if there is none.

    It is the named one if it is for that server, i.e. for one of the `servers` or by default for those
    of `list_receiving_origins`. Without a name, it is the one with an API on that server.

    Raises:
        UsageError: there are several, or the `servers` have no profile or can't be sent a token.
    """
    wanted = set(origins)
    if profile_name is not None:
        profile = app.get_profile(profile_name, anew=None)
        return None if wanted.isdisjoint(list_receiving_origins(profile, servers)) else profile
    if servers:
        raise UsageError("--host requires --profile", fix=f"tokencli {command} --help")
    found = [each for each in list_api_profiles(app) if find_api_origin(each) in wanted]
    chosen = app.environ.get("TOKENCLI_PROFILE")
    found = [each for each in found if each.name == chosen] or found
    if len(found) > 1:
        names = " and ".join(each.name for each in found[:3])
        raise UsageError(
            f"several profiles are for this server: {names}",
            cause="the api_url of each is on it; TOKENCLI_PROFILE chooses one",
        )
    return found[0] if found else None


def list_api_profiles(app: App) -> list[Profile]:
    """Return the profiles that set `api_url` themselves; a provider's default isn't a helper's server."""
    profiles = []
    for name in app.list_profile_names():
        try:
            profile = app.get_profile(name, anew=None)
        except ConfigError:
            continue
        if "api_url" in profile.own_keys:
            profiles.append(profile)
    return profiles


def get_plain_token(app: App, profile: Profile, consumer: str, *, min_ttl: float | None) -> str:
    """Return the profile's token as a password; a token that can't be stored is only a warning.

    Raises:
        TokencliError: there is no token, or it is bound to a key or has odd characters.
    """
    result = get_token(app.with_token_endpoint(profile), app, min_ttl=min_ttl)
    require_plain_token(profile, result.token, consumer)
    token = result.token.access_token.reveal()
    require_one_word(token, "token")
    if result.save_error is not None:
        app.terminal.print_warning(result.save_error.message)
    return token
