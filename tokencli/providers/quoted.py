"""What of a token reply may be shown: not its own tokens, nor what was secret in the request."""

from tokencli.model import Profile, Secret, WireRequest
from tokencli.providers.places import Document
from tokencli.providers.redact import hide
from tokencli.providers.spec import Reply


def tokens(found: Document, where: Reply, *but: object) -> tuple[Secret, ...]:
    """Return the tokens of a reply, but for texts that stand in a token's place and are none."""
    places = (*where.access_token, *where.refresh_token, *where.id_token)
    texts = (found.at(place) for place in places)
    return tuple(Secret(text) for text in texts if isinstance(text, str) and text not in but)


def clean(profile: Profile, request: WireRequest, text: str, own: tuple[Secret, ...]) -> str:
    """Return what a reply says of its token; a word that the profile's scope has is no secret."""
    known = (profile.scope or "").split()
    return hide(text, [one for one in (*request.secrets, *own) if one.reveal() not in known])
