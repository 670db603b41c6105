"""Keep what a server handed out, before anything else is made of it."""

from tokencli.errors import NotKept, ReplyError, TokencliError
from tokencli.frozen import dataclass
from tokencli.model import Profile, StoredToken, TokenSet
from tokencli.ports import Edges, TokenStore
from tokencli.providers.reply import Read, endpoint
from tokencli.stores.key import binding


@dataclass(frozen=True, slots=True)
class Obtained:
    """A token, and how it came."""

    token: TokenSet
    how: str
    """`stored`, `refresh_token`, or the grant's name."""
    unsaved: NotKept | None = None
    """Why the token could not be kept, where it could not."""
    refresh_life: float | None = None
    """Seconds for which the refresh token is good, where the server said so."""


def keep(
    found: Read, how: str, profile: Profile, edges: Edges, store: TokenStore, traded: str
) -> Obtained:
    """Save first; only then look at whether the token can be used.

    A token that could not be saved is handed out all the same.

    Raises:
        ReplyError: it can't be used.
    """
    unsaved: NotKept | None = None
    kept = found.token.kept(cacheable=profile.provider.issuing.cacheable)
    try:
        if kept.access_token or kept.refresh_token:
            store.save(StoredToken(binding(profile), kept, traded))
    except TokencliError as error:
        unsaved = not_kept(error, kept, how, profile)
    for remark in found.remarks:
        edges.terminal.warn(f"{endpoint(profile)} sent a token, but {remark}")
    if found.unusable is not None:
        raise ReplyError(
            f"{endpoint(profile)} sent a token reply, but {found.unusable}",
            hint=f"tokencli profiles show {profile.name}",
        )
    return Obtained(found.token, how, unsaved, found.refresh_life)


def not_kept(error: TokencliError, token: TokenSet, how: str, profile: Profile) -> NotKept:
    """Say what is lost: the token itself is good, and gone with whoever got it now."""
    lost = ""
    if how == "refresh_token":
        lost = "; the refresh token that it cost may be spent"
        if token.refresh_token is not None:
            lost += ", and the one that came with it is lost"
    elif token.refresh_token is not None:
        lost = "; its refresh token is lost"
    mend = f"{error.hint}; then: " if error.hint else ""
    return NotKept(
        f"a token of profile {profile.name!r} came, and could not be kept: {error.message}{lost}",
        hint=f"{mend}tokencli login {profile.as_typed}",
    )
