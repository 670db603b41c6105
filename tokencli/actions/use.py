"""What a request carries beside its token: the profile's own keys, where its provider wants them."""

from tokencli.actions.secrets import Wallet
from tokencli.model import Profile, Secret
from tokencli.ports import Edges
from tokencli.providers.use import named_secrets


def beside(profile: Profile, edges: Edges) -> dict[str, Secret]:
    """Return the profile's secrets that the use of its token takes; mostly there are none.

    Raises:
        CredentialsError: one is missing.
    """
    wallet, found = Wallet(profile, edges, may_ask=True), {}
    for name in named_secrets(profile):
        field = profile.provider.fields.get(name)
        secret = wallet.find(name, optional=field is not None and field.optional)
        if secret is not None:
            found[name] = secret
    return found
