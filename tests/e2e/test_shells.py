"""Real shells evaluate what `export` writes and get exactly the token.

Hundreds of generated values are evaluated, many per process, in a folder full of files for a
careless glob to match. No value may ever run: the file CANARY must not appear.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import IN_CI
from tokencli.errors import ReplyError
from tokencli.formats import load_dialect, sh

POSIX: dict[str, list[str]] = {
    "bash": ["bash", "--norc", "--noprofile"],
    "zsh": ["zsh", "-f"],
    "dash": ["dash"],
    "ksh": ["ksh"],
    "mksh": ["mksh"],
    "busybox": ["busybox", "sh"],
}
WANTED = {**POSIX, "fish": ["fish", "--no-config"]}
PACKAGES = {"ksh": "ksh93u+m"}
"""Shell -> Debian's package, where the names differ."""


def each(*shells: str, option: str | None = None) -> list[Any]:
    """Return parameters for the shells; a shell that is not installed is skipped with a reason.

    With a shell option set, a test is part of the long suites.
    """
    return [
        pytest.param(
            *((shell,) if option is None else (shell, option)),
            marks=[
                pytest.mark.skipif(
                    shutil.which(WANTED[shell][0]) is None,
                    reason=f"{shell} is not installed: apt-get install {PACKAGES.get(shell, shell)}",
                ),
                *([pytest.mark.long] if option else []),
            ],
        )
        for shell in shells
    ]


OPTIONS = {
    "": list(POSIX),
    "set -f": list(POSIX),
    "set -u": list(POSIX),
    "set -e": list(POSIX),
    "shopt -s nullglob": ["bash"],
    "shopt -s failglob": ["bash"],
    "shopt -s extglob globstar dotglob": ["bash"],
    "set -o posix": ["bash"],
    "setopt shwordsplit": ["zsh"],
    "setopt globsubst": ["zsh"],
    "setopt nullglob globsubst": ["zsh"],
    "setopt shwordsplit globsubst extendedglob nullglob": ["zsh"],
    "emulate sh": ["zsh"],
    "emulate ksh": ["zsh"],
}
EVERY_WAY = [param for option, those in OPTIONS.items() for param in each(*those, option=option)]
HEADER_OPTIONS = {
    **OPTIONS,
    "IFS=": list(POSIX),
    "IFS='\n'": list(POSIX),
    "setopt rcquotes globsubst": ["zsh"],
    "setopt magicequalsubst globsubst": ["zsh"],
    "setopt rcquotes magicequalsubst extendedglob nullglob globsubst": ["zsh"],
}
HEADER_WAYS = [p for option, those in HEADER_OPTIONS.items() for p in each(*those, option=option)]
BAIT = ("a", "b", "export", "A_TOKEN=x", "x.y", "=", "-n", "~", "A_TOKEN='stolen';", "'", "[a]")
SCOPE = "openid read:user https://api.example.com/a.b profile"

BEARER = st.text("abzAZ059._~+/=-", min_size=1, max_size=40) | st.sampled_from(
    ["=ls", "~root", "~", "=", "-n", "--", "-e", "/etc/passwd", "../../etc", "a=b", "e", "x" * 9000]
)
ATTACKS = [
    "$(touch${IFS}CANARY)", "`touch${IFS}CANARY`", "';touch${IFS}CANARY;'", "'\\'';>CANARY;'",
    "'>CANARY", "${x:-$(>CANARY)}", "\\';>CANARY;#", "'||>CANARY||'", "$((CANARY=1))", "(>CANARY)",
    "'&>CANARY&'", "*", "?", "[a-z]", "a*", "{a,b}", "!!", "!$", "^a^b", "#x", "x#", "\\", "\\\\",
    "'", "''", "'''", '"', '"$HOME"', "%s%n", "$'\\x41'", "<(id)", "=(id)", "a;b", "a&b", "a|b", "$1",
    "~+", "~-", "**", "@(a|b)", "^x", "\\'", "'\\", "$$", "x'y\"z`w$v\\u",
]  # fmt: skip
NASTY = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
VALUE = BEARER | NASTY | st.sampled_from(ATTACKS)
WORDS = st.lists(
    BEARER | st.text('abZ09._~+/=-:,;@%&"', min_size=1, max_size=30), min_size=1, max_size=5
)
HEADER = (
    BEARER.map("Authorization: Bearer {}".format)
    | WORDS.map(lambda words: f"Cookie: {' '.join(words)}")
    | st.sampled_from(
        ['Authorization: Token token="eyJ+/=="', "Cookie: PVEAuthCookie=PVE:root@pam:4E::a+/b==; b=c",
         "X: ~", "X: =", "X: ~root ~+ ~- =ls == ~~", "X: a=~root a=:~root a:=ls a==ls", "X: -n --"]
    )
)  # fmt: skip
"""Header lines as tokens are used: a name, a colon, a space, and the words of RFC 6750 and cookies."""
EXAMPLES = settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def many(values: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    """Draw enough values at a time to be worth a process."""
    return st.lists(values, min_size=30, max_size=60)


def evaluate(
    command: Sequence[str], script: str, texts: Sequence[str], folder: Path
) -> list[tuple[str, str]]:
    """Let a shell evaluate each text (file r0, r1, …) by `script`; return the variables it then has."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in BAIT:
        (folder / name).touch()
    for number, text in enumerate(texts):
        (folder / f"r{number}").write_text(text)
    subprocess.run(
        [*command, "-c", script.replace("COUNT", str(len(texts)))],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert not (folder / "CANARY").exists()
    return [
        tuple(_text(folder / f"{kind}{number}") for kind in ("token", "scope"))  # type: ignore[misc]
        for number in range(len(texts))
    ]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else "(the shell stopped)"


def posix_script(option: str, way: str) -> str:
    """Return a script that evaluates each file and writes the variables to files."""
    return f"""
        i=0
        {option}
        while test "$i" -lt COUNT; do
            A_TOKEN=stale A_TOKEN_SCOPE=stale
            {way}
            printf %s "$A_TOKEN" >"token$i"
            printf %s "$A_TOKEN_SCOPE" >"scope$i"
            i=$((i+1))
        done
    """


def rendered(name: str, values: Sequence[str]) -> list[str]:
    """Return each value as `export --all-vars` writes it, followed by a scope with spaces."""
    return [load_dialect(name).render([("A_TOKEN", v), ("A_TOKEN_SCOPE", SCOPE)]) for v in values]


def with_header(name: str, lines: Sequence[str]) -> list[str]:
    """Return header lines as `export --all-vars` writes them, after a token."""
    return [
        load_dialect(name).render([("A_TOKEN", "t"), ("A_TOKEN_SCOPE", line)]) for line in lines
    ]


def test_all_shells_are_installed_in_ci() -> None:
    """Elsewhere a shell may be missing; in CI it may not."""
    missing = [shell for shell, command in WANTED.items() if shutil.which(command[0]) is None]
    assert not IN_CI or not missing


@pytest.mark.requirement(11)
@pytest.mark.parametrize(("shell", "option"), EVERY_WAY)
@EXAMPLES
@given(values=many(BEARER))
def test_unquoted_eval_gives_exactly_the_token(
    shell: str, option: str, values: list[str], tmp_path: Path
) -> None:
    """`eval $(tokencli export)`, as people type it, in every shell and under every option."""
    script = posix_script(option, 'eval $(cat "r$i")')
    found = evaluate(POSIX[shell], script, rendered("sh", values), tmp_path / "run")
    assert found == [(value, SCOPE) for value in values]


@pytest.mark.requirement(11)
@pytest.mark.parametrize(("shell", "option"), HEADER_WAYS)
@pytest.mark.parametrize("way", ['eval $(cat "r$i")', 'eval "$(cat "r$i")"'])
@EXAMPLES
@given(lines=many(HEADER))
def test_any_eval_gives_exactly_the_header(
    shell: str, option: str, way: str, lines: list[str], tmp_path: Path
) -> None:
    """`eval $(tokencli export --all-vars)` keeps a header line intact, whatever the shell expands."""
    assert (
        sh.unquoted_eval_warning(
            [("A_TOKEN", "t"), *((f"H{n}", line) for n, line in enumerate(lines))]
        )
        is None
    )
    script = posix_script(option, way)
    found = evaluate(POSIX[shell], script, with_header("sh", lines), tmp_path / "run")
    assert found == [("t", line) for line in lines]


@pytest.mark.requirement(11)
@pytest.mark.parametrize(("shell", "option"), EVERY_WAY)
@EXAMPLES
@given(values=many(VALUE))
def test_quoted_eval_gives_exactly_any_header(
    shell: str, option: str, values: list[str], tmp_path: Path
) -> None:
    """Quoted, a header keeps every visible character; unquoted, it may change but never runs."""
    lines = [f"X-Auth: {value} {value}" for value in values]
    texts = with_header("sh", lines)
    script = posix_script(option, 'eval "$(cat "r$i")"')
    found = evaluate(POSIX[shell], script, texts, tmp_path / "run")
    assert found == [("t", line) for line in lines]
    evaluate(POSIX[shell], posix_script(option, 'eval $(cat "r$i")'), texts, tmp_path / "run")


@pytest.mark.requirement(11)
@pytest.mark.parametrize(("shell", "option"), EVERY_WAY)
@EXAMPLES
@given(values=many(VALUE))
def test_quoted_eval_gives_exactly_any_value(
    shell: str, option: str, values: list[str], tmp_path: Path
) -> None:
    """`eval "$(tokencli export)"` keeps every visible character."""
    script = posix_script(option, 'eval "$(cat "r$i")"')
    found = evaluate(POSIX[shell], script, rendered("sh", values), tmp_path / "run")
    assert found == [(value, SCOPE) for value in values]


@pytest.mark.requirement(11)
@pytest.mark.parametrize("shell", each(*POSIX))
@EXAMPLES
@given(values=many(VALUE))
def test_sourced_file_gives_exactly_any_value(
    shell: str, values: list[str], tmp_path: Path
) -> None:
    """The statements also work from a file."""
    found = evaluate(
        POSIX[shell], posix_script("", '. "./r$i"'), rendered("sh", values), tmp_path / "run"
    )
    assert found == [(value, SCOPE) for value in values]


@pytest.mark.requirement(11)
@pytest.mark.parametrize(("shell", "option"), EVERY_WAY)
@EXAMPLES
@given(values=many(VALUE))
def test_unquoted_eval_never_runs_a_value(
    shell: str, option: str, values: list[str], tmp_path: Path
) -> None:
    """A value with a warning may change if it isn't quoted, but it never runs."""
    script = posix_script(option, 'eval $(cat "r$i")')
    found = evaluate(POSIX[shell], script, rendered("sh", values), tmp_path / "run")
    bearers = [value for value in values if sh.unquoted_eval_warning([("A_TOKEN", value)]) is None]
    stopped = "(the shell stopped)"
    assert all(
        (value, SCOPE) == got or stopped in got or value not in bearers
        for value, got in zip(values, found, strict=True)
    )


@pytest.mark.requirement(11)
@pytest.mark.parametrize("way", ["cat r$i | source", "eval (cat r$i)", "source r$i"])
@pytest.mark.parametrize("shell", each("fish"))
@EXAMPLES
@given(values=many(VALUE))
def test_fish_gives_exactly_any_value(
    shell: str, way: str, values: list[str], tmp_path: Path
) -> None:
    """By `| source`, by `eval ( )` and from a file."""
    script = f"""
        for i in (seq 0 (math COUNT - 1))
            set -g A_TOKEN stale
            {way}
            printf %s "$A_TOKEN" >token$i
            printf %s "$A_TOKEN_SCOPE" >scope$i
        end
    """
    found = evaluate(WANTED[shell], script, rendered("fish", values), tmp_path / "run")
    assert found == [(value, SCOPE) for value in values]


@pytest.mark.requirement(11)
@pytest.mark.parametrize("shell", each("fish"))
@EXAMPLES
@given(lines=many(HEADER | VALUE.map("X-Auth: {}".format)))
def test_fish_gives_exactly_the_header(shell: str, lines: list[str], tmp_path: Path) -> None:
    """By `eval ( )`, which splits lines only."""
    script = """
        for i in (seq 0 (math COUNT - 1))
            eval (cat r$i)
            printf %s "$A_TOKEN" >token$i
            printf %s "$A_TOKEN_SCOPE" >scope$i
        end
    """
    found = evaluate(WANTED[shell], script, with_header("fish", lines), tmp_path / "run")
    assert found == [("t", line) for line in lines]


@pytest.mark.requirement(12)
@pytest.mark.parametrize("shell", each(*POSIX))
@pytest.mark.parametrize("way", ['eval "$(cat r0)"', "eval $(cat r0)"])
def test_failed_export_stops_a_script(shell: str, way: str, tmp_path: Path) -> None:
    """Under `set -e` nothing runs after a failed export; otherwise its status isn't 0."""
    script = f"set -e; A_TOKEN=stale; {way}; printf survived >token0"
    assert evaluate(POSIX[shell], script, [load_dialect("sh").failure_text], tmp_path / "run") == [
        ("(the shell stopped)", "(the shell stopped)")
    ]
    script = f"{way} || printf noticed >token0"
    found = evaluate(POSIX[shell], script, [load_dialect("sh").failure_text], tmp_path / "run")
    assert found[0][0] == "noticed"


@pytest.mark.requirement(12)
@pytest.mark.parametrize("shell", each("fish"))
@pytest.mark.parametrize("way", ["cat r0 | source", "eval (cat r0)"])
def test_failed_export_in_fish(shell: str, way: str, tmp_path: Path) -> None:
    """fish has no `set -e`, but the status shows the failure."""
    script = f"{way}; or printf noticed >token0"
    found = evaluate(WANTED[shell], script, [load_dialect("fish").failure_text], tmp_path / "run")
    assert found[0][0] == "noticed"


@pytest.mark.parametrize("shell", each(*WANTED))
def test_unset_unsets(shell: str, tmp_path: Path) -> None:
    """What `--unset` prints leaves no variable, and works if there was none."""
    name = "fish" if shell == "fish" else "sh"
    row = load_dialect(name)
    assert row.render_unset is not None
    names = ["A_TOKEN", "A_TOKEN_SCOPE"]
    set_them = row.render([(name, "x") for name in names])
    script = ". ./r0; . ./r1; env >token0; . ./r1; printf done >scope0"
    found = evaluate(WANTED[shell], script, [set_them, row.render_unset(names)], tmp_path / "run")
    assert "A_TOKEN" not in found[0][0]
    assert found[0][1] == "done"


@pytest.mark.requirement(11)
@given(st.text(st.characters(categories=None), min_size=1))
def test_unsafe_values_are_refused(value: str) -> None:
    """Control characters, characters outside ASCII, and spaces lost by word splitting."""
    for name in ("sh", "fish", "powershell", "cmd"):
        if not value.isascii() or not value.isprintable() or value != " ".join(value.split()):
            with pytest.raises(ReplyError):
                load_dialect(name).render([("A_TOKEN", value)])
