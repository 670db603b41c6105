"""Resolve the secrets that a profile refers to: from the keyring, a file, a prompt and so on."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256

from tokencli.core.secret_account import read_secret
from tokencli.errors import ConfigError, CredentialsError, KeyringError, PromptRequiredError
from tokencli.jwt.decode import decode_token
from tokencli.models import DpopKey, Profile, Secret, SecretRef
from tokencli.oauth import grants
from tokencli.oauth.token_usage import list_usage_secrets
from tokencli.protocols import Context, Interaction

VOLATILE_CLAIMS = ("exp", "iat", "nbf", "jti", "auth_time", "nonce")
"""Claims that differ between tokens of the same subject."""


@dataclass(slots=True)
class SecretResolver:
    """The secrets of one run. Each is fetched once, and prompted for only if `may_prompt`.

    In a `while_locked` block only secrets are fetched that nobody and no program has to supply.
    """

    profile: Profile
    ctx: Context
    resolved: dict[str, Secret | None] = field(default_factory=dict)
    """What was fetched; None if a source has no secret."""
    may_prompt: bool = False
    is_lock_held: bool = False
    proof_key: DpopKey | None = None
    """The key that this run's tokens are bound to (RFC 9449)."""
    requesters: tuple[str, ...] = ()
    """The profiles that exchange this profile's token, outermost first."""

    def resolve(self, name: str, *, optional: bool = False) -> Secret | None:
        """Return the secret with that logical name; None only if it is `optional`.

        Raises:
            PromptRequiredError: it must be prompted for, but `may_prompt` is off; or a program, stdin
                or another profile supplies it, and the lock is held.
            CredentialsError: it is missing, or its source can't be read.
        """
        ref = self.profile.secrets.get(name)
        if name not in self.resolved and ref is not None:
            self.resolved[name] = self._fetch(ref)
        secret = self.resolved.get(name)
        if secret is None and not optional:
            if ref is not None:
                raise missing_secret_error(ref, self.ctx)
            raise CredentialsError(
                f"profile {self.profile.name!r} has no {name}",
                fix=f"tokencli profiles edit {self.profile.name} --secret {name}=env:VAR",
            )
        return secret

    def _fetch(self, ref: SecretRef) -> Secret | None:
        interaction = source_interaction(ref, self.ctx)
        if (interaction == "prompt" and not self.may_prompt) or (
            interaction != "none" and self.is_lock_held
        ):
            raise PromptRequiredError(f"a prompt for the {ref.name} is required", names=(ref.name,))
        if ref.kind == "profile":
            return self._get_profile_token(ref)
        try:
            return read_secret(self.profile, ref, self.ctx)
        except KeyringError as error:
            if error.affects_whole_keyring:
                names = grants.required_secrets(self.profile)
                refs = [self.profile.secrets[name] for name in names]
                error.alternatives = self.ctx.list_setup_commands(
                    self.profile, [each for each in refs if each.kind == "keyring"]
                )
            raise

    def _get_profile_token(self, ref: SecretRef) -> Secret:
        requesters = (*self.requesters, self.profile.name)
        if ref.target[0] in requesters:
            raise ConfigError(
                "circular token exchange between profiles:"
                f" {' -> '.join((*requesters, ref.target[0]))}",
                fix=f"tokencli profiles edit {ref.profile} --secret {ref.name}=env:VAR",
            )
        return self.ctx.get_profile_token(ref.target[0], requesters)

    @contextmanager
    def while_locked(self) -> Iterator[None]:
        """Let nobody and no program supply a secret in the block, in which a lock is held."""
        self.is_lock_held = True
        try:
            yield
        finally:
            self.is_lock_held = False

    def prefetch(self, names: tuple[str, ...]) -> None:
        """Resolve secrets before a lock is taken, because a command or a keyring may prompt.

        A missing secret isn't reported yet: another process may store a token first.
        """
        for name in names:
            try:
                self.resolve(name, optional=True)
            except CredentialsError:
                continue

    def prompt_for(self, names: Mapping[str, object] | tuple[str, ...]) -> None:
        """Fetch these secrets, and prompt or run programs if necessary; no lock may be held.

        A missing one is reported once it is needed.
        """
        self.may_prompt = True
        try:
            for name in names:
                self.resolve(name, optional=True)
        finally:
            self.may_prompt = False


def source_interaction(ref: SecretRef, ctx: Context) -> Interaction:
    """Return what reading the secret involves; getting another profile's token counts as a program."""
    return "program" if ref.kind == "profile" else ctx.secret_source(ref.kind).interaction


def missing_secret_error(ref: SecretRef, ctx: Context) -> CredentialsError:
    """Return the error for a source that holds no secret, with the source's own fix."""
    cause, fix = (
        (None, f"tokencli get {ref.target[0]}")
        if ref.kind == "profile"
        else ctx.secret_source(ref.kind).explain_missing(ref)
    )
    return CredentialsError(
        f"profile {ref.profile!r} has no {ref.name} in {ref.describe_source()}",
        cause=cause,
        fix=fix,
    )


def resolve_usage_secrets(profile: Profile, ctx: Context) -> dict[str, Secret]:
    """Return the secrets that requests send along with the token; most profiles have none.

    Raises:
        CredentialsError: one is missing.
    """
    resolver, secrets = SecretResolver(profile, ctx, may_prompt=True), {}
    for name in list_usage_secrets(profile):
        described = profile.provider.fields.get(name)
        secret = resolver.resolve(name, optional=described is not None and described.optional)
        if secret is not None:
            secrets[name] = secret
    return secrets


def hash_subject(profile: Profile, resolver: SecretResolver) -> str:
    """Return a hash of the tokens that the grant exchanges; empty if it exchanges none.

    Tokens of the same subject have the same hash, so that a stored token is never returned for
    another subject.

    Raises:
        CredentialsError: a token to exchange can't be obtained.
    """
    names = list_exchanged_secrets(profile)
    if not names:
        return ""
    try:
        secrets = [resolver.resolve(name) for name in names]
    except PromptRequiredError as error:
        resolver.prompt_for(error.secret_names)
        secrets = [resolver.resolve(name) for name in names]
    text = json.dumps([_stable_identity(secret) for secret in secrets if secret is not None])
    return sha256(text.encode()).hexdigest()


def list_exchanged_secrets(profile: Profile) -> list[str]:
    """Return the names of the profile's secrets that are tokens, which its grant exchanges."""
    exchanged = grants.load_grant(profile.grant).exchanged_secrets
    return [name for name in exchanged if name in profile.secrets]


def _stable_identity(token: Secret) -> object:
    """Return a token's claims without the volatile ones, or the whole token if it isn't a JWT."""
    decoded = decode_token(token.reveal())
    if decoded.kind != "jwt" or decoded.problems or "sub" not in decoded.claims:
        return token.reveal()
    return sorted(
        [name, json.dumps(value, sort_keys=True)]
        for name, value in decoded.claims.items()
        if name not in VOLATILE_CLAIMS
    )
