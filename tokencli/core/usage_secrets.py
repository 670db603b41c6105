"""What a request carries beside its token: the profile's own keys, where its provider wants them."""

from tokencli.core.secret_resolver import SecretResolver
from tokencli.models import Profile, Secret
from tokencli.oauth.token_usage import list_usage_secrets
from tokencli.protocols import Context


def resolve_usage_secrets(profile: Profile, ctx: Context) -> dict[str, Secret]:
    """Return the profile's secrets that the use of its token takes; mostly there are none.

    Raises:
        CredentialsError: one is missing.
    """
    resolver, found = SecretResolver(profile, ctx, may_prompt=True), {}
    for name in list_usage_secrets(profile):
        field = profile.provider.fields.get(name)
        secret = resolver.resolve(name, optional=field is not None and field.optional)
        if secret is not None:
            found[name] = secret
    return found
