"""Make a provider of a request that somebody has seen work, or of an OAuth server's description.

What can't be a secret, by its name, its type or its form, stays as a constant and is listed; whatever
else stands in the request becomes a reference, and is neither kept nor shown.
"""

from tokencli.providers.draft.made import Draft as Draft
from tokencli.providers.draft.request import draft as draft
