"""New profiles: only the values that the provider requires are asked for."""

from pathlib import Path

import pytest

from tests.fakes import FakeTerminal
from tokencli.config.load import Config
from tokencli.config.profile_assignments import parse_assignments
from tokencli.core.profile_wizard import (
    PartialProfile,
    ask_missing_values,
)
from tokencli.errors import ConfigError, UsageError
from tokencli.providers.catalog import BUILTIN_NAMES, load_builtin


def form(provider: str, **keys: object) -> PartialProfile:
    """Return a new profile of a built-in provider."""
    return PartialProfile("p", load_builtin(provider), keys)


def test_groupid_asks_for_five_values() -> None:
    """Host, client id, user name and identity store id, but no secrets and no URL."""
    terminal = FakeTerminal(["demomachine", "c", "jdoe", "1"], interactive=True)
    keys = ask_missing_values(form("groupid"), terminal)
    assert keys == {
        "host": "demomachine",
        "client_id": "c",
        "username": "jdoe",
        "identity_store_id": "1",
    }
    asked = " ".join(terminal.messages)
    assert "e.g. demomachine:4443" in asked
    assert "SVC.Identitystore" in asked
    assert "assword" not in asked


def test_given_values_are_not_asked() -> None:
    """Options answer questions, and token_url replaces the host."""
    terminal = FakeTerminal(["jdoe"], interactive=True)
    given = {"token_url": "https://x.example/t", "client_id": "c", "identity_store_id": "1"}
    assert ask_missing_values(form("groupid", **given), terminal) == {**given, "username": "jdoe"}


def test_socialid_asks_which_of_two() -> None:
    """User name or email address is chosen first; a value with a default isn't asked for."""
    terminal = FakeTerminal(["email_address", "j@d.example", "138"], interactive=True)
    keys = ask_missing_values(form("socialid"), terminal)
    assert keys == {"email_address": "j@d.example", "client_id": "138"}


def test_invalid_answer_is_asked_again() -> None:
    """Each answer is checked at once by the configuration's own rules, and the reason is shown."""
    answers = ["https://demomachine:4443/GroupID", "demomachine:4443", "c", "j\x07d", "jdoe", "1"]
    terminal = FakeTerminal(answers, interactive=True)
    keys = ask_missing_values(form("groupid"), terminal)
    assert (keys["host"], keys["username"]) == ("demomachine:4443", "jdoe")
    help_text, first, why, second, *_ = terminal.messages
    assert help_text == "the same as in the URL of the GroupID portal; default port: 4443"
    assert first == second == "Host and port of the GroupID server, e.g. demomachine:4443"
    assert why.endswith('a host is only a name and a port, not a URL; write "demomachine:4443"')


@pytest.mark.parametrize(
    ("name", "given"), [("p", {"timeout": "soon"}), ("no name", {}), ("p", {"client_id": ""})]
)
def test_invalid_options_end_before_questions(name: str, given: dict[str, str]) -> None:
    """Errors in the command line are reported before the first question."""
    terminal = FakeTerminal(interactive=True)
    with pytest.raises(ConfigError, match="nothing was written") as caught:
        ask_missing_values(PartialProfile(name, load_builtin("groupid"), given), terminal)
    assert caught.value.problems
    assert terminal.messages == []


@pytest.mark.parametrize("provider", BUILTIN_NAMES)
def test_missing_options_are_listed_at_once(provider: str) -> None:
    """Without a terminal one error names every missing option."""
    with pytest.raises(UsageError) as error:
        ask_missing_values(form(provider), FakeTerminal())
    assert "--client-id" in error.value.message
    assert error.value.fix and error.value.fix.startswith("tokencli profiles add p --provider")


def test_all_options_ask_nothing() -> None:
    """With all options there is no question, and the profile loads."""
    given = parse_assignments(
        ["token_url=https://x.example/t", "client_id=c", "params.tenant=acme", "hot_copy=false",
         "resource=https://a.example,https://b.example", "timeout=5"],
        load_builtin("oauth2"),
    )  # fmt: skip
    keys = ask_missing_values(form("oauth2", **given), FakeTerminal())
    assert keys["params"] == {"tenant": "acme"}
    assert keys["hot_copy"] is False
    assert keys["resource"] == ["https://a.example", "https://b.example"]
    import tomlkit

    text = tomlkit.dumps({"profiles": {"p": {"provider": "oauth2", **keys}}})
    assert Config(Path("c.toml"), text, {}).find_problems() == ()
