"""Profiles and providers that are written as another kind of table."""

from pathlib import Path

import pytest

from tokencli.config.load import Config
from tokencli.errors import ConfigError

KEYS = 'provider = "oauth2"\ntoken_url = "https://id.example.com/token"\nclient_id = "a"\n'
FORMS = {
    f"[profile.p]\n{KEYS}": "write [profiles.p]",
    f'[[profiles]]\nname = "p"\n{KEYS}': "write [profiles.p]",
    f'[[profiles]]\nname = "p"\n{KEYS}[[profiles]]\nname = "q r"\n{KEYS}': (
        'write [profiles.p] and [profiles."q r"]'
    ),
    f"[[profiles]]\n{KEYS}": "write [profiles.NAME]",
    f'[[profile]]\nname = "p"\n{KEYS}': "write [profiles.p]",
    f"[[profiles.p]]\n{KEYS}": "write [profiles.p]",
    f"[profiles]\n{KEYS}": "write [profiles.NAME]",
    f"[profile]\n{KEYS}": "write [profiles.NAME]",
    f"[Profiles.p]\n{KEYS}": "write [profiles.p]",
    f"[p]\n{KEYS}": "write [profiles.p]",
}


@pytest.mark.parametrize("name", [None, "p"])
@pytest.mark.parametrize("text", FORMS)
def test_each_form_is_answered_with_the_right_header(text: str, name: str | None) -> None:
    """Choosing or getting the profile says which header to write, not that there is no profile."""
    config = Config(Path("config.toml"), text, {})
    with pytest.raises(ConfigError) as error:
        config.get_profile(config.choose_profile(name))
    assert FORMS[text] in [problem.right for problem in error.value.problems]


@pytest.mark.parametrize("header", ["[provider.x]", "[providerS.x]", '[[providers]]\nname = "x"'])
def test_provider_in_another_table_is_answered_with_the_right_header(header: str) -> None:
    """The same for providers."""
    text = f'{header}\nendpoints.token = "https://id.example.com/token"\n'
    problems = Config(Path("config.toml"), text, {}).find_problems()
    assert [problem.right for problem in problems] == ["write [providers.x]"]


def test_misplaced_profile_beside_a_good_one_is_reported() -> None:
    """A profile that is only in [profile.b] is not called unknown."""
    config = Config(Path("config.toml"), f"[profile.b]\n{KEYS}[profiles.a]\n{KEYS}", {})
    with pytest.raises(ConfigError, match="has 1 problem") as error:
        config.get_profile("b")
    assert error.value.problems[0].right == "write [profiles.b]"
