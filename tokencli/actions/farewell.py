"""Have a server end the token sets that are stored for a profile, and keep what it does not end."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tokencli import clientauth
from tokencli.actions.answer import Answer
from tokencli.actions.calling import Elsewhere, end
from tokencli.actions.revoke import due, revoke
from tokencli.actions.secrets import Wallet
from tokencli.errors import PersonNeeded, TokencliError
from tokencli.model import Binding, Profile, Secret, StoredToken, TokenSet
from tokencli.ports import Edges, TokenStore
from tokencli.stores.key import binding, elsewhere


@dataclass(slots=True)
class Told:
    """What a server was told to forget, and what it made of it."""

    revoked: list[str] = field(default_factory=list)
    """`refresh_token`, `access_token`: once for each that was."""
    gone: list[str] = field(default_factory=list)
    """Those that the server knew no more."""
    foreign: list[Binding] = field(default_factory=list)
    """The token sets that are another server's or another client's."""
    tokens: int = 0
    """The token sets that are forgotten, because nothing of them is good any more."""


class Farewell:
    """End token sets at the server of a profile whose endpoints are known."""

    def __init__(self, profile: Profile, edges: Edges, told: Told) -> None:
        self._profile = profile
        self._edges = edges
        self._told = told
        self._wallet = Wallet(profile, edges)
        self._own = binding(profile)

    def end(self, store: TokenStore, key: str) -> None:
        """End what is stored now, under the credential's lock: nobody refreshes it meanwhile.

        Raises:
            TokencliError: the server did not end all of it; what it did is forgotten, the rest kept.
        """
        while True:
            try:
                with store.lock(key, self._profile.lock_timeout):
                    stored = store.load(key)
                    if stored is not None and self._ended(store, stored):
                        self._told.tokens += store.clear(key)
                return
            except PersonNeeded as needed:
                self._wallet.ask(needed.names or clientauth.SECRETS[self._profile.client_auth])

    def _ended(self, store: TokenStore, stored: StoredToken) -> bool:
        """End a token set, unless it is not this profile's to end, and tell which it was."""
        bound, own = stored.binding, self._own
        older = bound != own
        if older and ((bound.origin, bound.client_id) != (own.origin, own.client_id)):
            self._told.foreign.append(bound)
            return False
        if self._profile.provider.logout is not None:
            return self._ended_its_way(stored, only=bound.origin if older else None)
        if older and elsewhere(self._profile, "revocation") is not None:
            # Nobody knows if that place was in the profile when this token set was stored.
            self._told.foreign.append(bound)
            return False
        self._revoke(store, stored)
        return True

    def _ended_its_way(self, stored: StoredToken, *, only: str | None) -> bool:
        """End a token set by the provider's own request."""
        try:
            answers = end(self._profile, self._edges, self._wallet, stored.token, only=only)
        except Elsewhere:
            self._told.foreign.append(stored.binding)
            return False
        for name, answer in answers.items():
            self._note(name, answer)
        for name in self._due(stored.token).keys() - answers:
            self._edges.terminal.warn(
                f"the logout of {self._profile.provider.title} does not name the {_words(name)}:"
                " if it has not ended with the session, it stays good until it expires"
            )
        return True

    def _revoke(self, store: TokenStore, stored: StoredToken) -> None:
        """Revoke the refresh token first, then the access token while it lives (RFC 7009)."""
        ended = False
        try:
            for name, secret in self._due(stored.token).items():
                answer = revoke(self._profile, self._edges, self._wallet, name, secret)
                self._note(name, answer, with_refresh_token=ended)
                ended = ended or answer != "unable"
        except TokencliError:
            if ended:
                rest = replace(stored.token, refresh_token=None)
                with suppress(TokencliError):
                    store.save(replace(stored, token=rest))
            raise

    def _note(self, name: str, answer: Answer, *, with_refresh_token: bool = False) -> None:
        if answer != "unable":
            (self._told.revoked if answer == "revoked" else self._told.gone).append(name)
        elif with_refresh_token:
            self._edges.terminal.note(
                f"{host(self._own)} does not revoke the {_words(name)} by itself: it ended with its"
                " refresh token, or lives to its end"
            )
        else:
            self._edges.terminal.warn(
                f"{host(self._own)} can't revoke the {_words(name)}, so it stays good until it expires"
            )

    def _due(self, token: TokenSet) -> dict[str, Secret]:
        return due(token, self._edges.clock.now())


def host(bound: Binding) -> str:
    """Name the server of a token set as a person knows it."""
    return urlsplit(bound.origin).netloc.removesuffix(":443")


def _words(name: str) -> str:
    return name.replace("_", " ")
