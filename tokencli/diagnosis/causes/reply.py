"""How a call went, and what the API said."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urljoin, urlsplit

from tokencli.diagnosis.causes.api_messages import API_MESSAGES
from tokencli.diagnosis.evidence import CallFacts

MAX_QUOTE = 240
"""Characters of a server's text in a sentence."""
MAX_TEXT = 4096
"""Characters of a server's texts that are searched."""
_LOGIN_URL = re.compile(
    r"log-?in|sign-?in|\bsso\b|saml|/authorize|/oauth2?/|/adfs/|/cas/|accounts\.|openid",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What the API says about a cause."""

    is_name: bool
    """Whether its words mean this cause alone."""
    expected: str | None = None
    """The audience, issuer or scope that it requires, if it says so."""


def name_host(call: CallFacts) -> str:
    """Return the host of the API."""
    return hostname(call.url) or "the API"


def hostname(url: str | None) -> str | None:
    """Return the host of a URL; None if it has none."""
    try:
        return urlsplit(url or "").hostname
    except ValueError:
        return None


def origin(url: str | None) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a URL, for comparison."""
    try:
        parts = urlsplit(url or "")
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        return parts.scheme, parts.hostname, port
    except ValueError:
        return "", None, None


def is_sign_in_url(url: str) -> bool:
    """Tell whether a redirect leads to a sign-in."""
    return bool(_LOGIN_URL.search(url))


def redirect_target(call: CallFacts) -> str | None:
    """Return where a redirect leads; None if the reply is none."""
    location = call.headers.get("location")
    if call.status is None or not 300 <= call.status < 400 or call.status == 304 or not location:
        return None
    try:
        return urljoin(call.url, location)
    except ValueError:
        return None


def read_statements(call: CallFacts | None) -> Mapping[str, Statement]:
    """Return what the reply says: cause -> statement. Words that fit several causes name none."""
    if call is None or call.status is None:
        return {}
    return _read_statements("\n".join(_texts(call))[:MAX_TEXT])


@lru_cache(maxsize=16)
def _read_statements(text: str) -> Mapping[str, Statement]:
    statements: dict[str, Statement] = {}
    for row in API_MESSAGES:
        matches = list(re.finditer(row.says, text, re.IGNORECASE))
        for cause in row.causes if matches else ():
            expected = next(
                filter(None, (each.groupdict().get("expected") for each in matches)), None
            )
            known = statements.get(cause)
            if known is None or (len(row.causes) == 1 and not known.is_name):
                statements[cause] = Statement(len(row.causes) == 1, expected)
        if matches:
            text = re.sub(row.says, "\0", text, flags=re.IGNORECASE)
    return statements


def _texts(call: CallFacts) -> list[str]:
    texts = [call.error_code, call.error_text]
    for challenge in call.challenges:
        texts += [challenge.params.get(name) for name in ("error", "error_description")]
    if call.body_kind == "html":
        texts.append(call.page_title)
    return list(dict.fromkeys(text for text in texts if text))


def describe_answer(call: CallFacts) -> str | None:
    """Return `api.example.com answers 401 invalid_token: "The token expired"`; None without reply."""
    if call.status is None:
        return None
    description = next(
        (
            challenge.params["error_description"]
            for challenge in call.challenges
            if challenge.params.get("error_description")
        ),
        None,
    )
    text = call.error_text or description
    code = call.error_code
    if text is None and call.body_kind == "html" and call.page_title:
        text = call.page_title
    text = (text or "").removeprefix(str(call.status)).strip() or None
    if code and text and text.startswith(code):
        code = None
    verb = "answered" if call.is_saved else "answers"
    shown_code = f" {code[:80]}" if code and code != text else ""
    quoted = f': "{shorten(text)}"' if text else ""
    return f"{name_host(call)} {verb} {call.status}{shown_code}{quoted}"


def shorten(text: str) -> str:
    """Return the beginning of a text on one line, as it is quoted."""
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_QUOTE else f"{flat[: MAX_QUOTE - 1]}…"


def challenge_param(call: CallFacts | None, name: str) -> str | None:
    """Return a parameter of the first challenge that has it."""
    for challenge in call.challenges if call else ():
        if value := challenge.params.get(name):
            return value
    return None


def challenge_schemes(call: CallFacts | None) -> tuple[str, ...]:
    """Return the schemes that a 401 offers, in lower case."""
    if call is None or call.status == 407:
        return ()
    return tuple(dict.fromkeys(challenge.scheme for challenge in call.challenges))


def says_token_error(call: CallFacts) -> bool:
    """Tell whether the reply names something that is wrong with the token, whatever its status."""
    statements = read_statements(call)
    return any(
        cause not in ("intermediary", "too_large", "rate_limited") for cause in statements
    ) or call.error_code in ("invalid_token", "invalid_auth", "UNAUTHENTICATED")


def is_success(call: CallFacts | None) -> bool:
    """Tell whether the API did what it was asked. Some APIs say `invalid_auth` with status 200."""
    if call is None or call.status is None:
        return False
    if not (200 <= call.status < 300 or call.status == 304) or call.is_sign_in_page:
        return False
    said = call.error_code or call.error_text
    return not (said and (says_token_error(call) or read_statements(call)))


def is_refused(call: CallFacts | None) -> bool:
    """Tell whether the API refused the call because of who calls: 401, 403, or in its words."""
    if call is None or call.status is None or is_success(call):
        return False
    if call.status in (401, 403):
        return not call.is_sign_in_page
    return (
        call.status != 429
        and (200 <= call.status < 300 or call.status >= 400)
        and (says_token_error(call) and not call.is_sign_in_page)
    )


def is_unspecific(call: CallFacts | None) -> bool:
    """Tell whether the API refused the token without any hint at the reason."""
    if call is None or call.status == 403 or not is_refused(call):
        return False
    return not read_statements(call)


def may_hide(call: CallFacts | None) -> bool:
    """Tell whether a 404 may hide what the token may not see, as GitHub's and GitLab's do."""
    return (
        call is not None
        and call.status == 404
        and any(
            name.startswith(("x-github-", "x-gitlab-", "x-oauth-scopes")) for name in call.headers
        )
    )


def same_url(one: str, other: str) -> bool:
    """Compare two identifiers, with or without a slash at the end."""
    return one.rstrip("/") == other.rstrip("/")
