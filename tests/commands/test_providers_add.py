"""`tokencli providers add` and `providers new --add`: into the configuration, after a confirmation."""

import json
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.test_profiles import at_a_terminal
from tests.conftest import Run, script

Write = Callable[[str], Path]
PROVIDER = """# from the wiki
title = "Acme ERP"   # v3
endpoints.token = "https://{host}/api/login"
fields = { host.kind = "host", tenant = {} }

# how it asks
[request]
body = "json"
send = { user = "{username}", pass = "{password}", tenant = "{tenant}" }

[reply]
access_token = "data.token"  # nested

[then]
url = "https://tokens.example.net/exchange"
send = { ticket = "{reply:data.token}" }
"""
CONFIG = """# mine
[profiles.corp]
provider = "oauth2"   # ours
token_url = "https://id.example.com/token"
client_id = "c"
client_auth = "none"
"""
CURL = "curl https://id.example.com/login -d user=a -d password=canary-91be"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a provider file."""
    path = tmp_path / "acme.toml"
    path.write_text(PROVIDER.partition("\n[then]")[0])
    return path


def test_added_with_all_comments(tokencli: Run, write_config: Write, file: Path) -> None:
    """The configuration's text stays, the file's comments come along, and the provider works."""
    path = write_config(CONFIG)
    done = tokencli("providers", "add", str(file), "--yes")
    assert done.code == 0, done.err
    assert path.read_text().startswith(CONFIG)
    for comment in ("# from the wiki", "# v3", "# how it asks", "# nested"):
        assert comment in path.read_text()
    table = tomllib.loads(path.read_text())["providers"]["acme"]
    assert table == tomllib.loads(file.read_text())
    assert "acme" in tokencli("providers").out
    assert tokencli("providers", "check", str(path)).code == 0
    again = tokencli("providers", "add", str(file), "--yes")
    assert again.code == 0
    assert "already" in again.err


def test_servers_are_shown_and_confirmed(tokencli: Run, write_config: Write, file: Path) -> None:
    """Each server is shown; without a terminal --yes is required, and the fix has it."""
    path = write_config(CONFIG)
    refused = tokencli("providers", "add", str(file))
    assert refused.code == 2
    assert "https://{host} (token requests)" in refused.err
    assert f"fix: tokencli providers add {file} --yes" in refused.err
    code, seen = at_a_terminal("providers", "add", str(file), answers=["n"])
    assert code == 0, seen
    assert path.read_text() == CONFIG
    code, seen = at_a_terminal("providers", "add", str(file), answers=["y"])
    assert code == 0, seen
    assert "acme" in tomllib.loads(path.read_text())["providers"]


def test_from_stdin_into_a_new_configuration(tmp_path: Path, file: Path) -> None:
    """The title names it; the first provider creates the file."""
    import subprocess

    command = [script(), "providers", "add", "-", "--yes"]
    done = subprocess.run(command, input=file.read_text(), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    written = tomllib.loads((tmp_path / "home/.config/tokencli/config.toml").read_text())
    assert list(written["providers"]) == ["acme-erp"]


def test_no_fix_repeats_a_command_without_its_stdin(
    tokencli: Run, write_config: Write, file: Path
) -> None:
    """What came from a pipe can't be pasted, so the cause says which options to add."""
    write_config(CONFIG)
    text, changed = file.read_text(), file.read_text().replace("data.token", "data.jwt")
    for command, sent, options in (
        (["providers", "add", "-"], text, "--yes"),
        (["providers", "add", "-", "--name", "groupid"], text, "--name my-groupid"),
        (["providers", "new", "A", "--from-curl", CURL, "--add"], "", "--yes"),
        (["providers", "new", "A", "--from-curl", "-", "--add"], CURL, "--yes"),
        (["profiles", "add", "p", "--provider", "-"], text, "--yes"),
    ):
        done = tokencli(*command, stdin=sent)
        assert done.code == 2
        assert f"repeat the whole command with {options}\n" in done.err
        assert "fix:" not in done.err
    assert tokencli("providers", "add", "-", "--yes", stdin=text).code == 0
    taken = tokencli("providers", "add", "-", "--yes", stdin=changed)
    assert "repeat the whole command with --replace --yes\n" in taken.err


def test_names_that_are_taken(tokencli: Run, write_config: Write, file: Path) -> None:
    """A built-in name is refused, another provider of the name is replaced only if asked for."""
    path = write_config(CONFIG)
    builtin = tokencli("providers", "add", str(file), "--name", "groupid", "--yes")
    assert "built-in" in builtin.err
    assert builtin.err.rstrip().endswith("--name my-groupid")
    assert tokencli("providers", "add", str(file), "--yes").code == 0
    keys = ("--set", "host=h.example", "--username", "u", "--set", "tenant=1")
    assert tokencli("profiles", "add", "p", "--provider", "acme", *keys).code == 0
    file.write_text(file.read_text().replace("data.token", "data.jwt"))
    refused = tokencli("providers", "add", str(file), "--yes")
    assert (refused.code, "profiles that use it: p" in refused.err) == (2, True)
    code, seen = at_a_terminal("providers", "add", str(file), "--yes", answers=[])
    assert (code, "--replace --yes" in seen) == (2, True), "--yes answers no question of its own"
    done = tokencli("providers", "add", str(file), "--yes", "--replace")
    assert done.code == 0, done.err
    providers = tomllib.loads(path.read_text())["providers"]
    assert providers["acme"]["reply"]["access_token"] == "data.jwt"
    invalid = tokencli("providers", "add", str(file), "--yes", "--name", "a b")
    assert "can't be the name of a provider" in invalid.err


def test_several_providers_of_a_configuration(
    tokencli: Run, write_config: Write, tmp_path: Path
) -> None:
    """All are added, or the named one; their comments come along and profiles don't."""
    other = tmp_path / "two.toml"
    other.write_text(
        CONFIG
        + """
[providers.a]
title = "A"
endpoints.token = "https://a.example/t"

# about b
[providers.b]
title = "B"
endpoints.token = "https://b.example/t"
"""
    )
    path = write_config("")
    assert tokencli("providers", "add", str(other), "--name", "b", "--yes").code == 0
    assert list(tomllib.loads(path.read_text())["providers"]) == ["b"]
    assert "# about b" in path.read_text()
    assert tokencli("providers", "add", str(other), "--yes").code == 0
    assert tomllib.loads(path.read_text()).keys() == {"providers"}
    assert set(tomllib.loads(path.read_text())["providers"]) == {"a", "b"}
    unknown = tokencli("providers", "add", str(other), "--name", "c", "--yes")
    assert "its providers are a, b" in unknown.err


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (CURL, "a curl command line"),
        (json.dumps({"log": {"entries": []}}), "a HAR file"),
        ("openapi: 3.0.0\ninfo: {title: x}\npaths: {}\n", "an OpenAPI description"),
        (json.dumps({"info": {"name": "x"}, "item": []}), "a Postman collection"),
        ("meta {\n  name: login\n}\npost {\n  url: https://id.example.com\n}\n", "a Bruno request"),
    ],
)
def test_a_recording_is_named_with_the_command_that_imports_it(
    tokencli: Run, tmp_path: Path, text: str, kind: str
) -> None:
    """The fix drafts a provider from the file; no value of it is shown."""
    path = tmp_path / "given file"
    path.write_text(text)
    done = tokencli("providers", "add", str(path), "--yes")
    assert done.code == 3
    assert f"is {kind}, not a provider" in done.err
    assert f"fix: tokencli providers new --from '{path}' --add" in done.err
    assert "canary" not in done.err


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("<html>", "is not valid TOML"),
        (CONFIG, "is a configuration without a provider"),
        ('title = "x"\n', "endpoints"),
        ('title = "x"\nendpoints.token = "https://x.example/t"\nreqest = {}\n', "line 3"),
    ],
)
def test_other_files_are_refused_with_the_reason(
    tokencli: Run, write_config: Write, tmp_path: Path, text: str, reason: str
) -> None:
    """Nothing is written, and the message is about this file."""
    path = write_config(CONFIG)
    other = tmp_path / "x.toml"
    other.write_text(text)
    done = tokencli("providers", "add", str(other), "--yes")
    assert done.code == 3
    assert reason in done.err
    assert "profiles edit" not in done.err
    assert path.read_text() == CONFIG


def test_new_with_add(tokencli: Run, write_config: Write, tmp_path: Path) -> None:
    """A draft goes into the configuration at once, with its open questions as comments."""
    path = write_config(CONFIG)
    source = tmp_path / "c.txt"
    source.write_text(CURL)
    done = tokencli("providers", "new", "Acme", "--from", str(source), "--add", "--yes")
    assert (done.code, done.out) == (0, ""), done.err
    assert tomllib.loads(path.read_text())["providers"]["acme"]["title"] == "Acme"
    assert "# OPEN: where the token is" in path.read_text()
    assert "canary" not in path.read_text() + done.err
    refused = tokencli("providers", "new", "B", "--from", str(source), "--add")
    assert f"fix: tokencli providers new B --from {source} --add --yes" in refused.err


@pytest.mark.parametrize(
    ("answers", "expected", "is_open"),
    [
        (["data.jwt", "30m", "X-Auth-Token: {token}", "error.code"],
         {"reply": {"access_token": "data.jwt", "ttl": 1800}, "use": "X-Auth-Token: {token}", "errors": {"code": "error.code"}},
         False),
        (["header:X-Token", "data.expires_at", "", "errors[0].code"],
         {"reply": {"access_token": "header:X-Token", "expires_at": "data.expires_at"}, "errors": {"code": "errors[0].code"}},
         False),
        (["", "never", "?key={token}", "code"],
         {"reply": {"access_token": "access_token", "ttl": "never"}, "use": "?key={token}", "errors": {"code": "code"}},
         False),
        (["data..jwt", "data.jwt", "5 parsecs", "data.validFor", "min", "Bearer", "Content-Length: {token}", "", ""],
         {"reply": {"access_token": "data.jwt", "expires_in": "data.validFor", "time_unit": "min"}},
         True),
        (["data.jwt", "data.validUntil", "the time", "", "code"],
         {"reply": {"access_token": "data.jwt", "expires_at": "data.validUntil"}, "errors": {"code": "code"}},
         False),
        (["data.jwt", "data.life", "", "", "code"],
         {"reply": {"access_token": "data.jwt", "expires_in": "data.life"}, "errors": {"code": "code"}},
         False),
        (["", "", "", ""], {"reply": {"access_token": "access_token"}}, True),
    ],
)  # fmt: skip
def test_new_with_add_asks_for_the_open_fields(
    tokencli: Run,
    write_config: Write,
    tmp_path: Path,
    answers: list[str],
    expected: dict[str, object],
    is_open: bool,
) -> None:
    """Token, lifetime, use and error code are asked for; an invalid answer is asked for again."""
    path = write_config(CONFIG)
    source = tmp_path / "c.txt"
    source.write_text(CURL)
    code, seen = at_a_terminal("providers", "new", "Acme", "--from", str(source), "--add",
                               answers=[*answers, "y"])  # fmt: skip
    assert code == 0, seen
    table = tomllib.loads(path.read_text())["providers"]["acme"]
    assert {key: table.get(key) for key in expected} == expected
    assert ("use" in table) is ("use" in expected)
    assert ("# OPEN: where an error's code" in path.read_text()) is is_open
    assert "# OPEN: where the token" not in path.read_text()
    assert ("# OPEN: the token's lifetime" in path.read_text()) is (answers[1] == "")
    assert tokencli("providers", "check", str(path)).code == 0


def test_answers_outlive_a_refused_addition(write_config: Write) -> None:
    """The draft of what was answered is printed if it isn't added, and a wrong URL is asked for again."""
    path = write_config(CONFIG)
    answers = ["not a url", "http://", "id.example.com/login", "2", "n", "user password", "",
               "data.jwt", "1h", "", "", "n"]  # fmt: skip
    code, seen = at_a_terminal("providers", "new", "Acme", "--add", answers=answers)
    assert code == 0, seen
    assert path.read_text() == CONFIG
    draft = tomllib.loads(seen.rpartition("not added:")[2].replace("\r\n", "\n"))
    assert draft["endpoints"]["token"] == "https://id.example.com/login"
    assert draft["reply"] == {"access_token": "data.jwt", "ttl": 3600}
    code, seen = at_a_terminal(
        "providers", "new", "Acme", "--add", "--name", "groupid", answers=answers[2:]
    )
    assert code == 2
    assert 'access_token = "data.jwt"' in seen


def test_a_provider_on_this_machine_is_asked_about(
    tokencli: Run, write_config: Write, file: Path
) -> None:
    """A provider with an http URL can be used if the user agrees; otherwise the error says how."""
    text = file.read_text().replace("https://{host}", "http://127.0.0.1:8971")
    file.write_text(text.replace('host.kind = "host", ', ""))
    path = write_config(CONFIG)
    command = ("profiles", "add", "p", "--provider", str(file), "--yes")
    code, seen = at_a_terminal(*command, answers=["u", "1", "y", "1", "y", "n"])
    assert code == 0, seen
    assert tomllib.loads(path.read_text())["profiles"]["p"]["allow_http"] is True
    settings = "--provider acme --username u --set client_id=1 --set tenant=1"
    given = ("profiles", "add", "q", *settings.split())
    refused = tokencli(*given)
    assert refused.code == 3
    assert "token_url: of provider acme is http, which sends credentials unencrypted" in refused.err
    fix = refused.err.partition("fix: tokencli ")[2].strip()
    assert "--set allow_http=true" in fix
    assert at_a_terminal(*given, answers=["y"])[0] == 0, (
        "the same question, with nothing else to ask"
    )
    assert tokencli(*shlex.split(fix.replace("add q", "add r"))).code == 0
    profiles = tomllib.loads(path.read_text())["profiles"]
    assert profiles["q"]["allow_http"] is profiles["r"]["allow_http"] is True


def test_a_profile_with_a_provider_file(
    tokencli: Run, write_config: Write, file: Path, tmp_path: Path
) -> None:
    """`profiles add --provider FILE` adds the provider first, with the same confirmation."""
    path = write_config(CONFIG)
    keys = ["--set", "host=h.example", "--username", "u", "--set", "tenant=1"]
    refused = tokencli("profiles", "add", "p", "--provider", str(file), *keys)
    assert refused.code == 2
    assert "sends credentials to" in refused.err
    assert path.read_text() == CONFIG
    done = tokencli("profiles", "add", "p", "--provider", str(file), *keys, "--yes")
    assert done.code == 0, done.err
    written = tomllib.loads(path.read_text())
    assert written["profiles"]["p"]["provider"] == "acme"
    assert "# nested" in path.read_text()
    source = tmp_path / "c.txt"
    source.write_text(CURL)
    other = tokencli("profiles", "add", "q", "--provider", str(source))
    assert f"fix: tokencli providers new --from {source} --add" in other.err
