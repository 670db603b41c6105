"""Get a new token now, of one profile or of all."""

from collections.abc import Callable, Iterator, Sequence

from tokencli.actions.get import Obtained, get
from tokencli.errors import TokencliError
from tokencli.frozen import dataclass
from tokencli.model import Profile
from tokencli.ports import Edges


def refresh(profile: Profile, edges: Edges) -> Obtained:
    """Return a new token: by refresh token where there is one, else by the grant."""
    return get(profile, edges, force=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one profile among several."""

    profile: str
    obtained: Obtained | None = None
    error: TokencliError | None = None


def refresh_all(
    names: Sequence[str], open_profile: Callable[[str], Profile], edges: Edges
) -> Iterator[Outcome]:
    """Refresh one profile after the other; a failure of one does not keep the others from theirs."""
    for name in names:
        try:
            yield Outcome(name, refresh(open_profile(name), edges))
        except TokencliError as error:
            yield Outcome(name, error=error)
