"""What carries a profile's token in each request of a program that sends many."""

from collections.abc import Mapping, Sequence
from typing import Literal

from tokencli.core.secret_resolver import resolve_usage_secrets
from tokencli.core.token_keeper import KeptToken, TokenKeeper
from tokencli.models import HttpReply, Secret
from tokencli.oauth import dpop
from tokencli.oauth.token_usage import build_headers_and_query, is_usage_constant, may_be_renewed
from tokencli.protocols import Context

Pairs = Sequence[tuple[str, str]]


class RequestCredentials:
    """The headers and parameters for each request to one API, with a proof if the token needs one.

    The secrets that are sent besides the token are resolved once, by the first `get`.
    """

    def __init__(self, keeper: TokenKeeper, ctx: Context) -> None:
        self._keeper, self._ctx = keeper, ctx
        self._secrets: Mapping[str, Secret] | None = None
        self._nonce: str | None = None
        self._last: tuple[KeptToken, tuple[Pairs, Pairs]] | None = None

    @property
    def due_at(self) -> float:
        """Return the epoch second from which `get` renews the token, or tries again."""
        return self._keeper.due_at

    def get(self, refused: Secret | None = None) -> KeptToken:
        """Return the token, and another one than the API `refused`.

        Raises:
            TokencliError: there is no valid token, or a secret is missing.
        """
        kept = self._keeper.get(refused=refused)
        if self._secrets is None:
            self._secrets = resolve_usage_secrets(kept.profile, self._ctx)
        return kept

    def give_up(self, refused: Secret) -> None:
        """Note that a token is refused although it is new."""
        self._keeper.give_up(refused)

    def build_headers_and_query(
        self, kept: KeptToken, method: str, url: str
    ) -> tuple[Pairs, Pairs]:
        """Return the headers and the query parameters that carry the token in one request.

        Values of parameters are percent-encoded.

        Raises:
            TokencliError: a value is missing or can't be sent.
        """
        if self._last is not None and self._last[0] is kept:
            return self._last[1]
        token, now = kept.token, self._ctx.clock.now()
        headers, query = build_headers_and_query(kept.profile, token, self._secrets or {}, now)
        if token.dpop_key is not None:
            proof = dpop.create_proof(
                token.dpop_key, method, url, now, nonce=self._nonce, token=token.access_token
            )
            return [*headers, (dpop.PROOF_HEADER, proof)], query
        if is_usage_constant(kept.profile):
            self._last = kept, (headers, query)
        return headers, query

    def judge_refusal(
        self, status: int, headers: Mapping[str, str]
    ) -> Literal["renew", "resend"] | None:
        """Return what makes the API accept a request that it replied to like this.

        `renew` is another token, `resend` a new proof for the same one (RFC 9449 section 9), None
        nothing. The names of the headers are in lower case.
        """
        reply = HttpReply(status, headers, b"")
        self._nonce = dpop.read_nonce(reply) or self._nonce
        if dpop.requires_nonce(reply):
            return "resend"
        return "renew" if may_be_renewed(status, headers.get("www-authenticate", "")) else None
