"""Tell by its form whether a header's value is the vendor's own word, and so may be kept."""

import re

MAX_VALUE_LENGTH = 200
_VERSION_PATTERN = (
    r"v?\d{1,8}(?:[.-]\d{1,4}){0,3}(?:[.-]?(?:alpha|beta|pre|preview|rc|rev|sp)[.-]?\d{0,3})?"
)
_MEDIA_TYPE_PATTERN = r"[a-z*]{1,20}/[a-z0-9*][a-z0-9.*+-]{0,60}(?:\s*;\s*(?:q=[\d.]{1,5}|charset=\"?[a-z0-9-]{1,12}\"?|version=\"?[\d.]{1,5}\"?))*"
_LANGUAGE_PATTERN = r"(?:[a-z]{1,8}(?:-[a-z0-9]{1,4}){0,2}|\*)(?:\s*;\s*q=[\d.]{1,5})?"
_VENDOR_HEADER_PATTERNS: tuple[tuple[str, str], ...] = (
    (r"accept|content-type", rf"{_MEDIA_TYPE_PATTERN}(?:\s*,\s*{_MEDIA_TYPE_PATTERN})*"),
    (r"accept-language", rf"{_LANGUAGE_PATTERN}(?:\s*,\s*{_LANGUAGE_PATTERN})*"),
    (r"soapaction", r"\"?(?:https?://|urn:)?[a-z]*(?:[./:#_-]+(?:[a-z]+|\d{1,8}))*/?\"?"),
    (r"x-.*target", r"[a-z]+(?:[._/-](?:[a-z]+|\d{1,8}))*"),
    (r"x-requested-with", r"[a-z]+(?:[._-][a-z]+)*"),
    (r"x-.*version|.*-version", _VERSION_PATTERN),
)
"""A header's name in small letters -> what a value of it looks like that is nobody's secret."""


def is_vendor_header(name: str, value: str) -> bool:
    """Tell whether a header, its name in small letters, is one that every client sends the same."""
    form = next(
        (form for named, form in _VENDOR_HEADER_PATTERNS if re.fullmatch(named, name)), None
    )
    if form is None or len(value) > MAX_VALUE_LENGTH or not value.isascii():
        return False
    return re.fullmatch(form, value, re.IGNORECASE) is not None
