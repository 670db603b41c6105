"""Find the secrets that a profile names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokencli.errors import ConfigError, CredentialsError, PromptRequiredError
from tokencli.models import DpopKey, Profile, Secret, SecretRef
from tokencli.protocols import Context

MISSING_SECRET_HINTS = {
    "keyring": "tokencli login {profile}",
    "env": "export {target}=…, or store it once and for all: tokencli profiles edit {profile}",
    "file": "write the secret to {target}, or name another place: tokencli profiles edit {profile}",
    "command": "run {target} by hand and see what it prints",
    "prompt": "tokencli login {profile}",
    "stdin": "… | tokencli get {profile}",
    "profile": "tokencli get {target}",
}
"""What to do where a place holds no secret, by kind of place."""


@dataclass(slots=True)
class SecretResolver:
    """The secrets of one run: each is fetched once, and prompts only where `may_ask`."""

    profile: Profile
    ctx: Context
    resolved: dict[str, Secret] = field(default_factory=dict)
    may_prompt: bool = False
    proof_key: DpopKey | None = None
    """The key that this run's tokens are bound to (RFC 9449)."""
    profile_chain: tuple[str, ...] = ()
    """The profiles that wait for this one's token, to trade it."""

    def resolve(self, name: str, *, optional: bool = False) -> Secret | None:
        """Return the secret of that logical name.

        Raises:
            PersonNeeded: it has to be asked for, and now is not the time.
            CredentialsError: its place holds none, or can't be read.
        """
        if name in self.resolved:
            return self.resolved[name]
        ref = self.profile.secrets.get(name)
        if ref is None:
            if optional:
                return None
            raise CredentialsError(
                f"profile {self.profile.name!r} says nothing about its {name}",
                fix=f"tokencli profiles edit {self.profile.name}",
            )
        if ref.kind == "prompt" and not self.may_prompt:
            raise PromptRequiredError(f"{name} has to be typed", names=(name,))
        found = (
            self._token_of_profile(ref)
            if ref.kind == "profile"
            else self.ctx.secret_source(ref.kind).read(ref)
        )
        if found is None or not found:
            if optional:
                return None
            raise missing_secret_error(ref)
        self.resolved[name] = found
        return found

    def _token_of_profile(self, ref: SecretRef) -> Secret:
        """Return the token of another profile, by whatever way that profile gets it."""
        from tokencli.core.get_token import get_token

        way = (*self.profile_chain, self.profile.name)
        if ref.target[0] in way:
            raise ConfigError(
                f"profiles trade each other's tokens in a circle: {' -> '.join((*way, ref.target[0]))}",
                fix=f"tokencli profiles edit {ref.profile}",
            )
        other = self.ctx.get_profile(ref.target[0])
        return get_token(
            other, self.ctx, resolver=SecretResolver(other, self.ctx, profile_chain=way)
        ).token.access_token

    def prefetch(self, names: tuple[str, ...]) -> None:
        """Fetch what will be needed while no lock is held: a command or a keyring may ask a person.

        What is missing is not said yet: another process may bring the token first.
        """
        for name in names:
            try:
                self.resolve(name, optional=True)
            except CredentialsError:
                continue

    def prompt_for(self, names: Mapping[str, object] | tuple[str, ...]) -> None:
        """Ask the person for these secrets, now that no lock is held."""
        self.may_prompt = True
        try:
            for name in names:
                self.resolve(name)
        finally:
            self.may_prompt = False


def missing_secret_error(ref: SecretRef) -> CredentialsError:
    """Say that a place holds no secret, and how to put one there."""
    fix = MISSING_SECRET_HINTS[ref.kind].format(profile=ref.profile, target=" ".join(ref.target))
    return CredentialsError(
        f"there is no {ref.name} for profile {ref.profile!r} in {ref.describe_source()}", fix=fix
    )
