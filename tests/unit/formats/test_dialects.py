"""The output of each dialect, read back by its consumers (requirements 11 and 34)."""

import io
import json
from types import ModuleType

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ReplyError
from tokencli.formats import (
    SHELLS,
    bruno,
    cmd,
    describe_shells,
    docker,
    dotenv,
    eval_failure_text,
    fish,
    github_actions,
    gitlab,
    http_client,
    load_dialect,
    postman,
    powershell,
    sh,
)

VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
VALUES = st.lists(VISIBLE, max_size=4).map(" ".join)
VARIABLES = st.dictionaries(
    st.from_regex(r"\AMY_[A-Z0-9]{0,8}_TOKEN\Z"), VALUES, min_size=1, max_size=4
).map(lambda found: list(found.items()))
TWO = [("ACCESS_TOKEN", "it's"), ("ACCESS_TOKEN_SCOPE", "a b")]


def test_statements_of_each_shell() -> None:
    """Values are quoted and each statement is terminated, on one line without a comment."""
    assert sh.render(TWO) == "export ACCESS_TOKEN='it'\\''s'; export ACCESS_TOKEN_SCOPE='a b';\n"
    assert fish.render([("T", "a\\b'c")]) == "set -gx T 'a\\\\b\\'c';\n"
    assert powershell.render([("T", "it's $x")]) == "$env:T = 'it''s $x';\n"
    assert cmd.render([("T", "a b"), ("U", "c")]) == 'set "T=a b"\nset "U=c"\n'


@pytest.mark.requirement(11)
def test_zsh_expansions_are_quoted() -> None:
    """In several words `~` and `=` follow a quotation mark; a token of one word is left alone."""
    assert sh.quote_value("Bearer ~a") == """'Bearer '"~"'a'"""
    assert sh.quote_value("Bearer a==") == """'Bearer a='"="''"""
    assert sh.quote_value("~a==") == "'~a=='"


def test_unset_statements_of_each_shell() -> None:
    """Each shell has its own statement."""
    names = ["T", "U"]
    assert sh.render_unset(names) == "unset T; unset U;\n"
    assert fish.render_unset(names) == "set -e T; set -e U;\n"
    assert powershell.render_unset(names) == "$env:T = $null; $env:U = $null;\n"
    assert cmd.render_unset(names) == 'set "T="\nset "U="\n'


@pytest.mark.requirement(11)
def test_powershell_doubles_typographic_quotes() -> None:
    """PowerShell treats four typographic quotation marks like the straight one."""
    marks = ["'", "\u2018", "\u2019", "\u201a", "\u201b"]
    doubled = "".join(mark * 2 for mark in marks)
    assert powershell.quote_value("".join(marks)) == f"'{doubled}'"


@pytest.mark.requirement(11)
@pytest.mark.parametrize("mark", '%!"^&|<>')
def test_cmd_rejects_special_characters(mark: str) -> None:
    """cmd has no reliable quoting, so nothing doubtful is written."""
    with pytest.raises(ReplyError):
        cmd.render([("T", f"a{mark}b")])


@pytest.mark.requirement(11)
@pytest.mark.parametrize(
    ("value", "warned"),
    [
        ("eyJ.x-y_z~+/=", False),
        ("a:b", True),
        ("a*b", True),
        ("a'b", True),
        ("{a,b}", True),
        ("$x", True),
    ],
)
def test_unquoted_eval_warning(value: str, warned: bool) -> None:
    """Beyond RFC 6750's characters an unquoted eval could change the value, so there is a warning."""
    assert (sh.unquoted_eval_warning([("T", value)]) is not None) == warned
    assert (sh.unquoted_eval_warning([("T", "ok"), ("S", "read:user openid")])) is None
    assert (sh.unquoted_eval_warning([("T", "ok"), ("S", "a ~root =ls; x@y")])) is None
    assert "S" in (sh.unquoted_eval_warning([("T", "ok"), ("S", "a b*")]) or "")


@pytest.mark.requirement(34)
@given(VARIABLES)
def test_python_dotenv_round_trip(variables: list[tuple[str, str]]) -> None:
    """A value is either rejected, or the real parser reads it back exactly, with interpolation on."""
    try:
        written = dotenv.render(variables)
    except ReplyError:
        assert any(set("'\\$`") & set(value) for _, value in variables)
        return
    assert dict(variables) == dict(dotenv_values(stream=io.StringIO(written), interpolate=True))


@pytest.mark.requirement(34)
@pytest.mark.parametrize("value", ["${HOME}", "$HOME", "`id`", "a\\nb", "it's"])
def test_dotenv_rejects_expandable_characters(value: str) -> None:
    """Some readers expand `$` even in single quotes, and they disagree on escapes."""
    with pytest.raises(ReplyError):
        dotenv.render([("T", value)])


@pytest.mark.requirement(34)
@given(VARIABLES)
def test_docker_env_file_round_trip(variables: list[tuple[str, str]]) -> None:
    """`--env-file` has one variable per line, split at the first `=`, with quotes kept."""
    lines = docker.render(variables).split("\n")
    assert lines.pop() == ""
    assert [tuple(line.split("=", 1)) for line in lines] == variables


def gitlab_variables(text: str) -> dict[str, str]:
    """Read a dotenv report as GitLab does: each line is split at the first `=`, and both are stripped.

    Then the runner expands `$NAME` and `${NAME}` in a value.
    """
    assert len(text.encode()) < 5 * 1024, "Dotenv Artifact Too Big"
    lines = text.split("\n")[:-1]
    assert all("=" in line for line in lines), "Invalid Format"
    pairs = (line.split("=", 1) for line in lines)
    return {name.strip(): value.strip().replace("$", "") for name, value in pairs}


@pytest.mark.requirement(34)
@given(VARIABLES)
def test_gitlab_dotenv_round_trip(variables: list[tuple[str, str]]) -> None:
    """A value is either rejected because a runner would change it, or a job gets it exactly."""
    try:
        written = gitlab.render(variables)
    except ReplyError:
        assert any("$" in value for _, value in variables)
    else:
        assert gitlab_variables(written) == dict(variables)


@pytest.mark.requirement(34)
def test_gitlab_limits_are_named() -> None:
    """GitLab would refuse the whole report when the job has ended, so the export fails at once."""
    largest = [("T", "t" * 5116)]
    assert gitlab_variables(gitlab.render(largest)) == dict(largest)
    with pytest.raises(ReplyError, match="5120 bytes") as caught:
        gitlab.render([("T", "t" * 5117)])
    assert (
        caught.value.cause
        == "GitLab accepts less than 5 KB; get the token in the job that needs it"
    )
    assert caught.value.fix is None


def test_many_variables_for_gitlab_are_warned_about() -> None:
    """How many it accepts is set per plan and server, and is 20 at least."""
    many = [(f"T{n}", "") for n in range(21)]
    assert gitlab.find_warning(many[:20]) is None
    assert "21 variables" in (gitlab.find_warning(many) or "")
    assert gitlab_variables(gitlab.render(many)) == dict(many)


def runner_environment(text: str) -> dict[str, str]:
    """Read a $GITHUB_ENV file as the runner does: NAME=value lines, or NAME<<DELIMITER blocks."""
    found = {}
    lines = iter(text.split("\n")[:-1] if text.endswith("\n") else text.split("\n"))
    for line in lines:
        if not line:
            continue
        equals, arrows = line.find("="), line.find("<<")
        if equals >= 0 and (arrows < 0 or equals < arrows):
            found[line[:equals]] = line[equals + 1 :]
        elif arrows > 0:
            block: list[str] = []
            for inner in lines:
                if inner == line[arrows + 2 :]:
                    break
                block.append(inner)
            else:
                raise ValueError("no end")
            found[line[:arrows]] = "\n".join(block)
        else:
            raise ValueError("no variable")
    return found


@pytest.mark.requirement(34)
@given(VARIABLES)
def test_github_env_round_trip(variables: list[tuple[str, str]]) -> None:
    """A value can't end its block, so no other variable is set."""
    assert runner_environment(github_actions.render(variables)) == dict(variables)


@pytest.mark.requirement(34)
def test_github_delimiter_is_random() -> None:
    """It has 128 random bits, different each time."""
    found = {github_actions.render([("T", "x")]).split("\n")[2] for _ in range(50)}
    assert len(found) == 50
    assert all(len(delimiter) >= 32 for delimiter in found)


@pytest.mark.requirement(34)
def test_github_mask_is_escaped() -> None:
    """`%` is the escape character of workflow commands."""
    assert github_actions.mask_command("a%0Ab") == "::add-mask::a%250Ab\n"


@pytest.mark.parametrize("module", [postman, bruno, http_client])
def test_api_clients_get_no_templates(module: ModuleType) -> None:
    """API clients replace `{{NAME}}` in values of variables as well, e.g. by another secret."""
    with pytest.raises(ReplyError):
        module.DIALECT.render([("A_TOKEN", "{{OTHER_TOKEN}}")])


@given(variables=VARIABLES)
def test_postman_and_http_client_round_trip(variables: list[tuple[str, str]]) -> None:
    """The names and values are those of the variables; Postman masks each value."""
    try:
        found = json.loads(postman.render(variables))
    except ReplyError:
        assert any({*value} & {*"{}"} for _, value in variables)
        return
    assert [(each["key"], each["value"]) for each in found["values"]] == variables
    assert all(each["type"] == "secret" and each["enabled"] for each in found["values"])
    assert json.loads(http_client.render(variables)) == {"tokencli": dict(variables)}


def test_k8s_secret_is_named_after_the_variable() -> None:
    """The manifest is JSON, which kubectl reads as YAML; the name is a DNS label."""
    found = json.loads(load_dialect("k8s").render(TWO))
    assert found["kind"] == "Secret"
    assert found["metadata"]["name"] == "access-token"
    assert found["stringData"] == dict(TWO)
    assert json.loads(load_dialect("k8s").render([("__T_", "x")]))["metadata"]["name"] == "t"


@pytest.mark.requirement(12)
@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (["export"], "false\n"),
        (["export", "p", "--shell", "zsh"], "false\n"),
        (["export", "--shell=fish"], "false\n"),
        (["export", "--shell", "powershell"], "throw 'tokencli export failed';\n"),
        (["export", "--shell", "cmd"], "cmd /c exit 1\n"),
        (["export", "--format", "dotenv"], ""),
        (["export", "--format=json"], ""),
        (["export", "--shell", "tcsh"], "false\n"),
        (["export", "--shell"], "false\n"),
        (["export", "--shell", "sh", "--format", "json"], "false\n"),
        (["export", "--no-such-option"], "false\n"),
    ],
)
def test_failure_text_of_every_command_line(argv: list[str], word: str) -> None:
    """Even a command line that can't be parsed makes `eval` fail; data formats stay empty."""
    assert eval_failure_text(argv) == word


def test_the_help_names_every_shell_once() -> None:
    """Shells that share a dialect are described together, and `sh` as the default."""
    described = describe_shells()
    assert described[0].startswith("sh (default; also bash, ")
    assert "powershell (also pwsh)" in described and "cmd" in described
    words = " ".join(described).replace("(", " ").replace(")", " ").replace(",", " ").split()
    assert [word for word in words if word not in ("default;", "also")] == list(SHELLS)
