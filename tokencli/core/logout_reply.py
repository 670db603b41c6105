"""What a server's answer to a logout means: done, known no more, can't be done, or none of these."""

from typing import Literal
from urllib.parse import urlsplit

from tokencli.errors import ReplyError
from tokencli.models import HttpReply, HttpRequest, Profile
from tokencli.oauth.token_response import raise_if_refused
from tokencli.provider_schema import Reply
from tokencli.providers.reply_locator import ReplyDocument

RevocationOutcome = Literal["revoked", "gone", "unable"]
"""`gone`: the server knew the token no more. `unable`: it can't revoke tokens of that kind."""


def check_logout_response(
    profile: Profile, request: HttpRequest, reply: HttpReply, where: Reply
) -> None:
    """Raise unless the answer says yes; a web page does not, whatever its status.

    Raises:
        RefusedError: the server said no. ReplyError: it said neither yes nor no.
    """
    found = ReplyDocument(reply)
    raise_if_refused(profile, request, found, where)
    if where.success or reply.status in where.status:
        return  # the provider itself says what a yes looks like
    came = (
        "a web page"
        if _is_html_page(found)
        else ""
        if 200 <= reply.status < 300
        else "no yes or no"
    )
    if came:
        raise ReplyError(
            f"{urlsplit(request.url).netloc} answered HTTP {reply.status} with {came}, which makes no"
            " sense as the answer to a logout: a proxy or a portal may have given it"
        )


def _is_html_page(found: ReplyDocument) -> bool:
    """Tell whether a body is HTML; an empty one and JSON of that content type are not."""
    if not found.body_text or found.unreadable_reason is None:
        return False
    kind = found.reply.headers.get("content-type", "").split(";")[0].strip().lower()
    opening = found.body_text[:14].lower()
    return "html" in kind or opening.startswith(("<html", "<!doctype html"))
