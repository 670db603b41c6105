"""Filters: what they compute, and that they never do anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.providers.template import fill_template, fill_typed
from tokencli.providers.template_filters import FILTER_NAMES


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{x|base64}", "YWI="),
        ("{x|base64url}", "YWI"),
        ("{x|hex}", "6162"),
        ("{x|sha256|hex}", "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"),
        ("{x|md5|hex|upper}", "187EF4436122D1CC2F40DC2B92F0EBA0"),
        ("{x|hmac_sha256:key|base64}", "7w4F6iv9cA6xfKkKbGWYJsV3dKDOFkAcY3IBCjdvfNQ="),
        ("{t|date:%Y%m%dT%H%M%SZ}", "20270115T080000Z"),
        ("a{x|url}/b", "aab/b"),
        ("{s|url}", "%20%2F"),
    ],
)
def test_each_filter_computes(template: str, expected: str) -> None:
    """Encodings, digests, HMACs under another value, and times."""
    values = {"x": "ab", "key": "k", "t": "1800000000", "s": " /"}
    if "hmac" in template:
        import base64
        import hmac

        expected = base64.b64encode(hmac.digest(b"k", b"ab", "sha256")).decode()
    assert fill_template(template, values) == expected


@given(st.text(max_size=30), st.lists(st.sampled_from(FILTER_NAMES), max_size=3))
def test_a_filter_gives_text_or_our_own_error(value: str, steps: list[str]) -> None:
    """Whatever goes through whatever filters ends in text, a JSON value, or a ConfigError."""
    template = "".join(
        ["{x", *(f"|{step}:x" if step.startswith("hmac") else f"|{step}" for step in steps), "}"]
    )
    try:
        fill_template(template, {"x": value})
        fill_typed(template, {"x": value})
    except ConfigError:
        pass


@given(st.text(alphabet="{}|:.!()_abxyz[]", max_size=30))
def test_a_template_is_names_and_filters_and_nothing_else(template: str) -> None:
    """No attribute, index, call or format is understood: it is literal text, or refused."""
    try:
        filled = fill_template(template, {"x": "1"})
    except ConfigError:
        return
    assert filled is None or "<" not in filled
