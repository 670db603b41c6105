"""Find the secrets that a profile names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tokencli.errors import ConfigError, CredentialsError, PersonNeeded
from tokencli.model import Profile, ProofKey, Secret, SecretRef
from tokencli.ports import Edges

MISSING = {
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
class Wallet:
    """The secrets of one run: each is fetched once, and prompts only where `may_ask`."""

    profile: Profile
    edges: Edges
    answers: dict[str, Secret] = field(default_factory=dict)
    may_ask: bool = False
    proof_key: ProofKey | None = None
    """The key that this run's tokens are bound to (RFC 9449)."""
    via: tuple[str, ...] = ()
    """The profiles that wait for this one's token, to trade it."""

    def find(self, name: str, *, optional: bool = False) -> Secret | None:
        """Return the secret of that logical name.

        Raises:
            PersonNeeded: it has to be asked for, and now is not the time.
            CredentialsError: its place holds none, or can't be read.
        """
        if name in self.answers:
            return self.answers[name]
        ref = self.profile.secrets.get(name)
        if ref is None:
            if optional:
                return None
            raise CredentialsError(
                f"profile {self.profile.name!r} says nothing about its {name}",
                hint=f"tokencli profiles edit {self.profile.name}",
            )
        if ref.kind == "prompt" and not self.may_ask:
            raise PersonNeeded(f"{name} has to be typed", names=(name,))
        found = self._of(ref) if ref.kind == "profile" else self.edges.source(ref.kind).read(ref)
        if found is None or not found:
            if optional:
                return None
            raise missing(ref)
        self.answers[name] = found
        return found

    def _of(self, ref: SecretRef) -> Secret:
        """Return the token of another profile, by whatever way that profile gets it."""
        from tokencli.actions.get import get

        way = (*self.via, self.profile.name)
        if ref.target[0] in way:
            raise ConfigError(
                f"profiles trade each other's tokens in a circle: {' -> '.join((*way, ref.target[0]))}",
                hint=f"tokencli profiles edit {ref.profile}",
            )
        other = self.edges.profile(ref.target[0])
        return get(other, self.edges, wallet=Wallet(other, self.edges, via=way)).token.access_token

    def collect(self, names: tuple[str, ...]) -> None:
        """Fetch what will be needed while no lock is held: a command or a keyring may ask a person.

        What is missing is not said yet: another process may bring the token first.
        """
        for name in names:
            try:
                self.find(name, optional=True)
            except CredentialsError:
                continue

    def ask(self, names: Mapping[str, object] | tuple[str, ...]) -> None:
        """Ask the person for these secrets, now that no lock is held."""
        self.may_ask = True
        try:
            for name in names:
                self.find(name)
        finally:
            self.may_ask = False


def missing(ref: SecretRef) -> CredentialsError:
    """Say that a place holds no secret, and how to put one there."""
    hint = MISSING[ref.kind].format(profile=ref.profile, target=" ".join(ref.target))
    return CredentialsError(
        f"there is no {ref.name} for profile {ref.profile!r} in {ref.describe()}", hint=hint
    )
