"""Have a server end the token sets that are stored for a profile, and keep what it does not end."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from tokencli.core.custom_request import WrongOriginError, send_custom_logout
from tokencli.core.logout_reply import RevocationOutcome
from tokencli.core.revoke import revoke_token, select_revocable_tokens
from tokencli.core.secret_resolver import SecretResolver
from tokencli.errors import PromptRequiredError, TokencliError
from tokencli.models import Profile, Secret, StoredTokenSet, TokenBinding, TokenSet
from tokencli.oauth import client_authentication
from tokencli.protocols import Context, TokenStore
from tokencli.token_store.credential_key import derive_binding, foreign_endpoint_origin


@dataclass(slots=True)
class RevocationResult:
    """What a server was told to forget, and what it made of it."""

    revoked: list[str] = field(default_factory=list)
    """`refresh_token`, `access_token`: once for each that was."""
    already_invalid: list[str] = field(default_factory=list)
    """Those that the server knew no more."""
    foreign_bindings: list[TokenBinding] = field(default_factory=list)
    """The token sets that are another server's or another client's."""
    token_count: int = 0
    """The token sets that are forgotten, because nothing of them is good any more."""


class StoredTokenRevoker:
    """End token sets at the server of a profile whose endpoints are known."""

    def __init__(self, profile: Profile, ctx: Context, told: RevocationResult) -> None:
        self._profile = profile
        self._ctx = ctx
        self._result = told
        self._resolver = SecretResolver(profile, ctx)
        self._binding = derive_binding(profile)

    def revoke_stored(self, store: TokenStore, key: str) -> None:
        """End what is stored now, under the credential's lock: nobody refreshes it meanwhile.

        Raises:
            TokencliError: the server did not end all of it; what it did is forgotten, the rest kept.
        """
        while True:
            try:
                with store.lock_credential(key, self._profile.lock_timeout):
                    stored = store.load(key)
                    if stored is not None and self._revoke_token_set(store, stored):
                        self._result.token_count += store.delete_token_set(key)
                return
            except PromptRequiredError as needed:
                self._resolver.prompt_for(
                    needed.secret_names
                    or client_authentication.METHOD_SECRETS[self._profile.client_auth]
                )

    def _revoke_token_set(self, store: TokenStore, stored: StoredTokenSet) -> bool:
        """End a token set, unless it is not this profile's to end, and tell which it was."""
        bound, own = stored.binding, self._binding
        older = bound != own
        if older and ((bound.origin, bound.client_id) != (own.origin, own.client_id)):
            self._result.foreign_bindings.append(bound)
            return False
        if self._profile.provider.logout is not None:
            return self._custom_logout(stored, only=bound.origin if older else None)
        if older and foreign_endpoint_origin(self._profile, "revocation") is not None:
            # Nobody knows if that place was in the profile when this token set was stored.
            self._result.foreign_bindings.append(bound)
            return False
        self._revoke_oauth_tokens(store, stored)
        return True

    def _custom_logout(self, stored: StoredTokenSet, *, only: str | None) -> bool:
        """End a token set by the provider's own request."""
        try:
            answers = send_custom_logout(
                self._profile, self._ctx, self._resolver, stored.token, only=only
            )
        except WrongOriginError:
            self._result.foreign_bindings.append(stored.binding)
            return False
        for name, answer in answers.items():
            self._record_outcome(name, answer)
        for name in self._select_revocable(stored.token).keys() - answers:
            self._ctx.terminal.print_warning(
                f"the logout of {self._profile.provider.title} does not name the {_readable_name(name)}:"
                " if it has not ended with the session, it stays good until it expires"
            )
        return True

    def _revoke_oauth_tokens(self, store: TokenStore, stored: StoredTokenSet) -> None:
        """Revoke the refresh token first, then the access token while it lives (RFC 7009)."""
        ended = False
        try:
            for name, secret in self._select_revocable(stored.token).items():
                answer = revoke_token(self._profile, self._ctx, self._resolver, name, secret)
                self._record_outcome(name, answer, with_refresh_token=ended)
                ended = ended or answer != "unable"
        except TokencliError:
            if ended:
                rest = replace(stored.token, refresh_token=None)
                with suppress(TokencliError):
                    store.save(replace(stored, token=rest))
            raise

    def _record_outcome(
        self, name: str, answer: RevocationOutcome, *, with_refresh_token: bool = False
    ) -> None:
        if answer != "unable":
            (self._result.revoked if answer == "revoked" else self._result.already_invalid).append(
                name
            )
        elif with_refresh_token:
            self._ctx.terminal.print_note(
                f"{server_host(self._binding)} does not revoke the {_readable_name(name)} by itself: it ended with its"
                " refresh token, or lives to its end"
            )
        else:
            self._ctx.terminal.print_warning(
                f"{server_host(self._binding)} can't revoke the {_readable_name(name)}, so it stays good until it expires"
            )

    def _select_revocable(self, token: TokenSet) -> dict[str, Secret]:
        return select_revocable_tokens(token, self._ctx.clock.now())


def server_host(bound: TokenBinding) -> str:
    """Name the server of a token set as a person knows it."""
    return urlsplit(bound.origin).netloc.removesuffix(":443")


def _readable_name(name: str) -> str:
    return name.replace("_", " ")
