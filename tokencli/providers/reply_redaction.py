"""What of a token reply may be shown: not its own tokens, nor what was secret in the request."""

from tokencli.models import HttpRequest, Profile, Secret
from tokencli.provider_schema import Reply
from tokencli.providers.redaction import mask_secrets
from tokencli.providers.reply_locator import ReplyDocument


def find_reply_tokens(found: ReplyDocument, where: Reply, *but: object) -> tuple[Secret, ...]:
    """Return the tokens of a reply, but for texts that stand in a token's place and are none."""
    places = (*where.access_token, *where.refresh_token, *where.id_token)
    texts = (found.lookup(place) for place in places)
    return tuple(Secret(text) for text in texts if isinstance(text, str) and text not in but)


def redact_reply_text(
    profile: Profile, request: HttpRequest, text: str, own: tuple[Secret, ...]
) -> str:
    """Return what a reply says of its token; a word that the profile's scope has is no secret."""
    known = (profile.scope or "").split()
    return mask_secrets(
        text, [one for one in (*request.secrets, *own) if one.reveal() not in known]
    )
