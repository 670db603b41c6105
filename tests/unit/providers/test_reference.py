"""The reference page of the provider language is whole, and says what holds."""

import re
import tomllib

from tokencli.config.load import Config
from tokencli.config.provider_validation import KNOWN_NAMES, validate_provider
from tokencli.provider_schema import Provider
from tokencli.providers.reference import render_reference

ENTRY = re.compile(r"^- `(\w+)` \((.+?)\): (.+)$", re.MULTILINE)


def test_every_key_has_its_type_what_it_is_for_and_an_example_that_is_toml() -> None:
    """None is left to guess, and what stands in backquotes can be pasted."""
    entries = ENTRY.findall(render_reference(KNOWN_NAMES.reserved_field_names))
    assert len(entries) > 70
    assert len(entries) == len(
        re.findall(r"^- ", render_reference(KNOWN_NAMES.reserved_field_names), re.MULTILINE)
    )
    for key, _, text in entries:
        about, _, example = text.partition(" Example: ")
        assert len(about) > 10, key
        quotes = re.fullmatch(r"(`+)(.+)\1", example)
        assert quotes, f"{key}: {text}"
        tomllib.loads(f"{key} = {quotes[2]}")


def test_the_provider_at_its_head_works_as_it_stands_there() -> None:
    """Pasted into a configuration it has no problem."""
    from pathlib import Path

    block = re.search(
        r"((?:^    .*\n|^\n)+)", render_reference(KNOWN_NAMES.reserved_field_names), re.MULTILINE
    )
    assert block
    text = re.sub(r"(?m)^    ", "", block[1])
    config = Config(Path("config.toml"), text, {})
    assert config.find_problems() == ()
    assert config.get_profile("acme").token_url == "https://acme.example.com/api/login"
    assert isinstance(validate_provider("acme", tomllib.loads(text)["providers"]["acme"]), Provider)
