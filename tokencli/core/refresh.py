"""Refresh: get a new token now, for one profile or for several."""

from collections.abc import Callable, Iterator, Sequence

from tokencli.core.get_token import TokenResult, get_token
from tokencli.errors import TokencliError
from tokencli.fast_dataclass import dataclass
from tokencli.models import Profile
from tokencli.protocols import Context


def refresh_profile(profile: Profile, ctx: Context) -> TokenResult:
    """Return a new token: by refresh token if there is one, else by the grant."""
    return get_token(profile, ctx, force=True)


@dataclass(frozen=True, slots=True)
class RefreshOutcome:
    """The result for one of several profiles: a token or an error."""

    profile_name: str
    token_result: TokenResult | None = None
    error: TokencliError | None = None


def refresh_profiles(
    names: Sequence[str], open_profile: Callable[[str], Profile], ctx: Context
) -> Iterator[RefreshOutcome]:
    """Refresh the profiles one after the other; a failure doesn't stop the others."""
    for name in names:
        try:
            yield RefreshOutcome(name, refresh_profile(open_profile(name), ctx))
        except TokencliError as error:
            yield RefreshOutcome(name, error=error)
