"""`get --template`: names and filters, and nothing that runs."""

import json
from dataclasses import replace

import pytest

from tests.unit.formats.test_token_formats import NOW, PROFILE, token
from tokencli.errors import ReplyError, UsageError
from tokencli.formats import check_format_options, render_token
from tokencli.formats.template import TOKEN_NAMES
from tokencli.models import Secret, TokenSet


def fill(text: str, issued: TokenSet | None = None) -> str:
    """Check the template and return it filled."""
    options = check_format_options("template", PROFILE, {"template": text})
    return render_token("template", PROFILE, issued or token("a+b/c=="), NOW, **options)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{ access_token }}", "a+b/c==\n"),
        ("{{access_token}}\n", "a+b/c==\n"),
        ("{{ access_token|url }}", "a%2Bb%2Fc%3D%3D\n"),
        ("{{ access_token | base64 }}", "YStiL2M9PQ==\n"),
        ("{{ access_token | base64 | json }}", '"YStiL2M9PQ=="\n'),
        ('{"a":{"b":{{access_token | json}}}}', '{"a":{"b":"a+b/c=="}}\n'),
        ("{{ scope }}|{{ scope | json }}", "|null\n"),
        ("{{ obtained_at_epoch | json }}", "1716465989\n"),
        ("{a} ${x} $(id) `id` {% if 1 %} %s é \\n{{profile}}", "{a} ${x} $(id) `id` {% if 1 %} %s é \\ncorp\n"),
    ],
)  # fmt: skip
def test_placeholders_are_replaced_and_the_rest_is_kept(text: str, filled: str) -> None:
    """Only `{{ name | filter }}` means anything; an unknown value is empty, or null as JSON."""
    assert fill(text) == filled


@pytest.mark.requirement(11)
def test_values_are_not_templates() -> None:
    """A token that looks like a placeholder is printed as it is."""
    assert fill("{{ access_token }}", token("{{profile|json}}")) == "{{profile|json}}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ acess_token }}", "did you mean access_token?"),
        ("{{ token }}", "did you mean access_token?"),
        ("{{ access_token | urlencode }}", "did you mean url?"),
        ("{{ access_token | upper }}", "filters: json, url, base64, base64url"),
        ("{{ access_token.__class__ }}", "unknown value"),
        ("{{ 7*7 }}", "can't read '{{ 7*7 }}'"),
        ("{{ access_token", "can't read '{{ access_token'"),
        ("{{ access_token | }}", "can't read"),
        ("{{ open('x') }}", "can't read"),
        ("{{}}", "can't read"),
        ("", "no placeholder"),
        ("@file", "no placeholder"),
        ("{access_token} $access_token", "{{ access_token }}"),
        ("\udcff{{ access_token }}", "not valid text"),
    ],
)
def test_unknown_names_are_refused_before_anything_is_sent(text: str, words: str) -> None:
    """The error lists what there is, with what was probably meant."""
    with pytest.raises(UsageError) as caught:
        check_format_options("template", PROFILE, {"template": text})
    assert words in f"{caught.value.message} {caught.value.cause}"
    if "unknown value" in caught.value.message:
        assert all(name in (caught.value.cause or "") for name in TOKEN_NAMES)


@pytest.mark.requirement(14)
@pytest.mark.parametrize("value", ["é", "a\nb", "a\x1b[2J", "a\x7f", "\ud800"])
def test_values_that_are_not_printable_need_a_filter(value: str) -> None:
    """What a server sent can't write lines or move the cursor."""
    with pytest.raises(ReplyError, match="access_token contains a character"):
        fill("{{ access_token }}", token(value))
    found = fill("{{ access_token | json }}", token(value))
    assert json.loads(found) == value and found[:-1].isprintable()


def test_names_are_those_of_get_json() -> None:
    """The two can't drift apart."""
    found = json.loads(render_token("json", PROFILE, token(), NOW))
    assert tuple(found) == TOKEN_NAMES


def test_outputs_of_the_provider_have_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider's other values are `outputs.NAME`, as in the JSON."""
    provider = replace(
        PROFILE.provider, reply=replace(PROFILE.provider.reply, outputs={"csrf": "x"})
    )
    profile = replace(PROFILE, provider=provider)
    issued = token(outputs={"csrf": Secret("canary-csrf")})
    options = check_format_options("template", profile, {"template": "{{ outputs.csrf }}"})
    assert render_token("template", profile, issued, NOW, **options) == "canary-csrf\n"
    with pytest.raises(UsageError) as caught:
        check_format_options("template", profile, {"template": "{{ csrf }}"})
    assert "did you mean outputs.csrf?" in (caught.value.cause or "")
