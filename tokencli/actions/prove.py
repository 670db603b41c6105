"""Put a profile to the test: whether what it says of itself brings a token."""

from tokencli import clientauth, grants
from tokencli.actions.get import Obtained, get
from tokencli.frozen import dataclass
from tokencli.model import Profile
from tokencli.ports import Edges

ASKED = ("prompt", "stdin")
"""Kinds of places that take a person, or one run's pipe."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The token that came, and what it shows to be right."""

    obtained: Obtained
    proven: tuple[str, ...]
    """Names of the profile's secrets, or `refresh token`."""
    unproven: tuple[str, ...]
    """What was not needed this time."""


def prove(profile: Profile, edges: Edges) -> Proof:
    """Get a token by the grant where that takes no person, else by the refresh token.

    It replaces the stored one; where none comes, that one stays.

    Raises:
        TokencliError: any of its kinds.
    """
    needed = grants.needed_secrets(profile)
    asked = any(profile.secrets[name].kind in ASKED for name in needed if name in profile.secrets)
    alone = not grants.by_person(profile.grant) and (edges.terminal.interactive or not asked)
    obtained = get(profile, edges, force=True, by_grant=alone)
    if obtained.how != "refresh_token":
        return Proof(obtained, tuple(needed), ())
    used = clientauth.SECRETS[profile.client_auth]
    left = tuple(name for name in needed if name not in used)
    sign_in = ("a sign-in",) if grants.by_person(profile.grant) else ()
    return Proof(obtained, ("refresh token", *used), (*left, *sign_in))
