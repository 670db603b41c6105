"""Keep what a server handed out, before anything else is made of it."""

from tokencli.errors import ReplyError, TokencliError, TokenNotStoredError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile, StoredTokenSet, TokenSet
from tokencli.oauth.token_response import TokenResponse, get_endpoint_host
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding


@dataclass(frozen=True, slots=True)
class TokenResult:
    """A token, and how it came."""

    token: TokenSet
    source: str
    """`stored`, `refresh_token`, or the grant's name."""
    save_error: TokenNotStoredError | None = None
    """Why the token could not be kept, where it could not."""
    refresh_token_lifetime: float | None = None
    """Seconds for which the refresh token is good, where the server said so."""


def save_then_check(
    found: TokenResponse, how: str, profile: Profile, ctx: Context, store: TokenStore, traded: str
) -> TokenResult:
    """Save first; only then look at whether the token can be used.

    A token that could not be saved is handed out all the same.

    Raises:
        ReplyError: it can't be used.
    """
    unsaved: TokenNotStoredError | None = None
    kept = found.token.storable_copy(cacheable=profile.provider.issuing.cacheable)
    try:
        if kept.access_token or kept.refresh_token:
            store.save(StoredTokenSet(derive_binding(profile), kept, traded))
    except TokencliError as error:
        unsaved = not_saved_error(error, kept, how, profile)
    for remark in found.remarks:
        ctx.terminal.print_warning(f"{get_endpoint_host(profile)} sent a token, but {remark}")
    if found.unusable_reason is not None:
        raise ReplyError(
            f"{get_endpoint_host(profile)} sent a token reply, but {found.unusable_reason}",
            fix=f"tokencli profiles show {profile.name}",
        )
    return TokenResult(found.token, how, unsaved, found.refresh_lifetime)


def not_saved_error(
    error: TokencliError, token: TokenSet, how: str, profile: Profile
) -> TokenNotStoredError:
    """Say what is lost: the token itself is good, and gone with whoever got it now."""
    lost = ""
    if how == "refresh_token":
        lost = "; the refresh token that it cost may be spent"
        if token.refresh_token is not None:
            lost += ", and the one that came with it is lost"
    elif token.refresh_token is not None:
        lost = "; its refresh token is lost"
    mend = f"{error.fix}; then: " if error.fix else ""
    return TokenNotStoredError(
        f"a token of profile {profile.name!r} came, and could not be kept: {error.message}{lost}",
        fix=f"{mend}tokencli login {profile.command_line_name}",
    )
