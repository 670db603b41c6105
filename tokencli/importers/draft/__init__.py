"""Make a provider of a request that somebody has seen work, or of an OAuth server's description.

What can't be a secret, by its name, its type or its form, stays as a constant and is listed; whatever
else stands in the request becomes a reference, and is neither kept nor shown.
"""

from tokencli.importers.draft.builder import ProviderDraft as ProviderDraft
from tokencli.importers.draft.request import draft_provider as draft_provider
