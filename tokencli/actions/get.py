"""Get a token: the stored one while it is fresh, else a refreshed one, else one by the grant."""

from dataclasses import dataclass, replace

from tokencli import clientauth, grants
from tokencli.actions.drive import drive
from tokencli.actions.keep import Obtained as Obtained
from tokencli.actions.keep import keep
from tokencli.actions.secrets import Wallet
from tokencli.actions.sliding import handed_out
from tokencli.actions.subject import subject
from tokencli.errors import (
    LoginNeeded,
    PersonNeeded,
    RefusedError,
    ReplyError,
    UnreachableError,
)
from tokencli.model import Profile, Secret, StoredToken, TokenSet
from tokencli.ports import Edges, TokenStore
from tokencli.providers.reply import endpoint
from tokencli.stores.key import binding

UNABLE = (500, 501)
"""A server that does not do refresh tokens answers so, too (GroupID documents both)."""
LATER = (408, 425, 429)
"""Refusals that say nothing about the refresh token, only about the moment."""
ROOM = 256 * 1024
"""Bytes that are reserved in the store before anything is sent: the largest token set that is kept
(`providers.sizes`)."""


class SignInDue(LoginNeeded):
    """Nothing but a person's sign-in brings another token."""


def get(
    profile: Profile,
    edges: Edges,
    *,
    min_ttl: float | None = None,
    force: bool = False,
    wallet: Wallet | None = None,
    interactive: bool = False,
    by_grant: bool = False,
) -> Obtained:
    """Return a token of the profile that is fresh for `min_ttl` seconds, by the cheapest way.

    A hit takes no lock. A miss takes the credential's lock and reads again, so that however many
    processes ask, one request is sent. With `force` a stored token counts only if another process
    got it after this call began, and with `by_grant` no refresh token is spent: what the profile
    says of itself is put to the test. A sign-in by a person is begun only where `interactive` or the
    profile says so, and with no lock of the credential held meanwhile.

    Raises:
        TokencliError: any of its kinds; what is stored stays stored, unless the server said of the
            very refresh token in it that it is dead.
    """
    bound = binding(profile)
    least = min_ttl if min_ttl is not None else profile.min_ttl
    began = edges.clock.now()
    wallet = wallet or Wallet(profile, edges)
    traded = subject(profile, wallet)

    def usable(stored: StoredToken | None) -> bool:
        return (
            stored is not None
            and stored.binding == bound
            and stored.subject == traded
            and stored.token.fresh(edges.clock.now(), least)
            and (not force or stored.token.obtained_at > began)
            and not by_grant
        )

    copy = edges.hot(profile)
    at_hand = copy.read(bound)
    if at_hand is not None and usable(at_hand):
        return Obtained(at_hand.token, "stored")
    store = edges.store(profile)
    stored = None
    # Where there is a copy the store has nothing better; but a person is asked for no more than needed.
    if at_hand is None or edges.terminal.interactive:
        stored = store.load(bound.key)
        if stored is not None and usable(stored):
            copy.keep(stored, store)
            return Obtained(handed_out(stored, store, profile, edges).token, "stored")
    if edges.terminal.interactive:
        wallet.collect(_due(profile, None if by_grant else stored))
    while True:
        try:
            with store.lock(bound.key, profile.lock_timeout):
                stored = store.load(bound.key)
                if stored is not None and usable(stored):
                    copy.keep(stored, store)
                    return Obtained(stored.token, "stored")
                elsewhere = stored is not None and (stored.binding, stored.subject) != (
                    bound,
                    traded,
                )
                old = None if elsewhere else stored
                obtained = Renewal(profile, edges, store, wallet, traded).run(
                    None if by_grant else old
                )
                if profile.provider.issuing.max_sessions is not None:
                    from tokencli.actions.calling import retire

                    retire(profile, edges, wallet, old, obtained.token)
                return obtained
        except PersonNeeded as due:  # a person is asked with no lock held, then all is read again
            wallet.ask(due.names)
        except SignInDue as due:
            from tokencli.actions.sign_in import in_progress, sign_in

            if not (interactive or profile.sign_in.interactive):
                raise in_progress(profile, store) or due from None
            return sign_in(profile, edges, wallet)


def _due(profile: Profile, stored: StoredToken | None) -> tuple[str, ...]:
    """Return the secrets that a renewal will take."""
    if stored is None or stored.token.refresh_token is None:
        return grants.needed_secrets(profile)
    return clientauth.SECRETS[profile.client_auth]


@dataclass(frozen=True, slots=True)
class Renewal:
    """What happens under the lock, once the store has been read again."""

    profile: Profile
    edges: Edges
    store: TokenStore
    wallet: Wallet
    traded: str = ""
    """Hash of what is traded for the token; see `actions.subject`."""

    def run(self, stored: StoredToken | None) -> Obtained:
        """Return a new token by refresh token or grant; raises SignInDue where neither will do."""
        key = binding(self.profile).key
        self.store.prepare(key, ROOM)
        if stored is not None and stored.token.refresh_token:
            self.wallet.proof_key = stored.token.proof_key
            obtained = self._refresh(stored.token)
            if obtained is not None:
                return obtained
        if grants.by_person(self.profile.grant):
            raise SignInDue(
                f"there is no token for profile {self.profile.name!r}, and getting one needs a"
                " person to sign in",
                hint=f"tokencli login {self.profile.as_typed}",
            )
        return self._grant()

    def _grant(self) -> Obtained:
        module = grants.load(self.profile.grant)
        for name in grants.needed_secrets(self.profile):
            self.wallet.find(name)  # before signals are held back: a source may take its time
        with self.edges.uninterrupted(self.profile.connection.timeout):
            found = drive(module.run(self.profile), self.profile, self.edges, self.wallet)
            return keep(
                found, self.profile.grant, self.profile, self.edges, self.store, self.traded
            )

    def _refresh(self, known: TokenSet) -> Obtained | None:
        """Spend the refresh token; None means that it is dead and the grant is the way on."""
        from tokencli.grants import refresh_token

        profile, store, key = self.profile, self.store, binding(self.profile).key
        spent = known.refresh_token or Secret("")
        for name in (*clientauth.SECRETS[profile.client_auth], *grants.renewing_secrets(profile)):
            self.wallet.find(name, optional=True)  # before signals are held back
        broken_off = store.interrupted(key, spent)
        with self.edges.uninterrupted(self.profile.connection.timeout):
            store.begin(key, spent)
            try:
                found = drive(
                    refresh_token.run(profile, spent, known), profile, self.edges, self.wallet
                )
            except RefusedError as refusal:
                if refusal.status in UNABLE and not grants.by_person(profile.grant):
                    # It can't, for whatever reason, and what it does with another grant is not
                    # known yet. Spent or not: the journal stays, and what is stored as well.
                    self._elsewise(refusal)
                    return None
                if refusal.status in LATER or (refusal.status or 0) >= 500:
                    raise  # it may have been spent all the same, now or before: the journal stays
                store.conclude(key)
                return self._refused(refusal, spent, broken_off)
            except UnreachableError as failure:
                if not failure.sent and not broken_off:
                    store.conclude(key)
                raise
            except ReplyError:
                raise  # the server may have spent it: the journal stays
            if found.token.refresh_token is None:  # RFC 6749 section 6: then the old one stays good
                found = replace(found, token=replace(found.token, refresh_token=spent))
            return keep(found, "refresh_token", self.profile, self.edges, self.store, self.traded)

    def _refused(self, refusal: RefusedError, spent: Secret, broken_off: bool) -> Obtained | None:
        key = binding(self.profile).key
        stored = self.store.load(key)
        theirs = stored.token.refresh_token if stored is not None else None
        if stored is not None and theirs is not None and theirs != spent:
            if stored.token.fresh(self.edges.clock.now()):
                return Obtained(stored.token, "stored")  # another process won, by another lock
            self.wallet.proof_key = stored.token.proof_key
            return self._refresh(stored.token)
        if refusal.error == "invalid_grant":
            self.store.clear(key, only=spent)
        if broken_off:
            self.edges.terminal.warn(
                "an earlier refresh was interrupted before its answer could be saved, and the"
                " server now refuses the refresh token that it spent"
            )
        if grants.by_person(self.profile.grant):
            if refusal.error not in ("invalid_grant", None):
                raise refusal  # nothing that a sign-in would mend
            why = (
                "was spent by a refresh that was interrupted" if broken_off else "is no longer good"
            )
            raise SignInDue(
                f"the refresh token of profile {self.profile.name!r} {why}"
                f" ({endpoint(self.profile)} says {refusal.error or refusal.status}), and a new one"
                " needs a person to sign in",
                hint=f"tokencli login {self.profile.as_typed}",
            )
        self._elsewise(refusal)
        return None

    def _elsewise(self, refusal: RefusedError) -> None:
        self.edges.terminal.detail(
            f"{refusal.message}; going on with the {self.profile.grant} grant"
        )
