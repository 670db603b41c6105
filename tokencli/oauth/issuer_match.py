"""Whom a token must name as its issuer, also where one server has many tenants."""

import re
from collections.abc import Mapping

from tokencli.models import Profile
from tokencli.providers.url_template import fill_url

_GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def matches_issuer(profile: Profile, claims: Mapping[str, object]) -> bool:
    """Tell whether claims name the profile's issuer, to the letter; True where that is not known.

    A profile may say a tenant by a name that its tokens don't, such as a domain. Then the issuer is
    that of the tenant which the token itself names, at the same place, and no other. A token that
    leaves that claim out, as Microsoft's do unless `profile` is asked for, has any tenant there.
    """
    template, values, iss = profile.provider.endpoints.issuer, profile.values, claims.get("iss")
    named = {
        field: claims.get(claim, ...)
        for field, claim in profile.provider.issuer_claims.items()
        if not _GUID.fullmatch(values.get(field, ""))
    }
    if not named or template is None or profile.issuer != fill_url(template, values):
        return profile.issuer is None or iss == profile.issuer
    marks = {field: f"00000000-0000-0000-0000-{at:012}" for at, field in enumerate(named)}
    form = re.escape(fill_url(template, {**values, **marks}) or "")
    for field, mark in marks.items():
        tenant = named[field]
        if tenant is not ... and not (isinstance(tenant, str) and _GUID.fullmatch(tenant)):
            return False
        form = form.replace(
            re.escape(mark), tenant if isinstance(tenant, str) else f"(?:{_GUID.pattern})"
        )
    return isinstance(iss, str) and re.fullmatch(form, iss) is not None
