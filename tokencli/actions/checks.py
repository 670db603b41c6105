"""What others say of a token that is being inspected: its issuer's keys, its server."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tokencli.actions.introspect import introspect, userinfo
from tokencli.actions.secrets import Wallet
from tokencli.actions.verify import verify
from tokencli.errors import PersonNeeded
from tokencli.jwt.verify import NotValid, Verified
from tokencli.model import Profile, Secret, TokenSet
from tokencli.ports import Edges


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which checks somebody asked for."""

    verify: bool = False
    introspect: bool = False
    userinfo: bool = False
    audiences: Sequence[str] = ()
    """Whom the token may be for, beside those whom the profile names."""

    @property
    def any(self) -> bool:
        """Whether anything is to be asked of anybody."""
        return self.verify or self.introspect or self.userinfo


@dataclass(frozen=True, slots=True)
class Checks:
    """What was found out; None for what was not asked for."""

    verified: Verified | None = None
    not_verified: str | None = None
    """Why the token is not to be believed, as a clause."""
    introspection: Mapping[str, Any] | None = None
    userinfo: Mapping[str, Any] | None = None

    @property
    def refuted(self) -> str | None:
        """Why the token is of no use, by somebody who must know."""
        if self.not_verified is not None:
            return self.not_verified
        if self.introspection is not None and self.introspection["active"] is False:
            return "its server says that it is not active: expired, revoked, or never issued"
        return None


UNCHECKED = Checks()
"""Nobody was asked."""


def check(
    profile: Profile, edges: Edges, token: str, stored: TokenSet | None, wanted: Wanted
) -> Checks:
    """Ask whoever is to be asked; raises TokencliError where somebody can't be."""
    found = Checks()
    if wanted.verify:
        try:
            proven = verify(profile, edges, token, wanted.audiences)
            found = replace(found, verified=proven)
        except NotValid as why:
            found = replace(found, not_verified=str(why))
    if wanted.introspect:
        found = replace(found, introspection=_introspected(profile, edges, Secret(token)))
    if wanted.userinfo:
        kind = "DPoP" if profile.dpop else "Bearer"
        alone = TokenSet(Secret(token), kind, obtained_at=edges.clock.now())
        found = replace(found, userinfo=userinfo(profile, edges, stored or alone))
    return found


def _introspected(profile: Profile, edges: Edges, token: Secret) -> Mapping[str, Any]:
    wallet = Wallet(profile, edges)
    try:
        return introspect(profile, edges, wallet, token)
    except PersonNeeded as due:
        wallet.ask(due.names)
        return introspect(profile, edges, wallet, token)
