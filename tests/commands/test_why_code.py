"""`tokencli why --code` as a process: a code is explained however it is given, and nothing is sent."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Run, script

OWN = """
[providers.acme]
title = "Acme"
endpoints.token = "https://id.example.com/token"
request = { body = "json", send = { user = "{username}" } }
[providers.acme.errors.codes]
E0000004 = { what = "the badge is blank", whose = "nobody", do = "Wait" }
"out of cheese" = { what = "the cheese is gone", whose = "vendor", doc = "https://acme.example.com/cheese" }

[profiles.cheese]
provider = "acme"
username = "jdoe"

[profiles.corp]
provider = "entra"
tenant = "11111111-2222-3333-4444-555555555555"
client_id = "batch"
"""


def test_a_code_says_cause_whose_job_what_to_do_and_where(tokencli: Run) -> None:
    """The four facts, one line each."""
    done = tokencli("why", "--code", "AADSTS7000215")
    assert done.code == 0
    assert done.out.splitlines() == [
        "AADSTS7000215 (Microsoft Entra ID)",
        "  cause      the client secret is wrong; it must be the secret's value, not its ID",
        "  whose job  you",
        "  do         tokencli login PROFILE --again",
        "  page       https://learn.microsoft.com/entra/identity-platform/reference-error-codes",
    ]
    assert done.err == ""


@pytest.mark.parametrize("code", ["aadsts7000215", "7000215", "x AADSTS7000215: Invalid …", "-"])
def test_a_code_is_recognized_however_it_is_given(tokencli: Run, code: str) -> None:
    """In small letters, as a number, in a message, on stdin."""
    done = tokencli("why", "--code", code, "--json", stdin='{"error_codes": [7000215]}')
    (found,) = json.loads(done.out)["codes"]
    assert found == {
        "code": "AADSTS7000215",
        "provider": "entra",
        "title": "Microsoft Entra ID",
        "cause": "the client secret is wrong; it must be the secret's value, not its ID",
        "whose": "you",
        "do": "tokencli login PROFILE --again",
        "doc": "https://learn.microsoft.com/entra/identity-platform/reference-error-codes",
    }


def test_a_profile_chooses_the_provider_and_is_named_in_the_command(
    tokencli: Run, write_config: Callable[[str], Path]
) -> None:
    """Its codes are looked for first, then those of all providers."""
    write_config(OWN)
    assert "tokencli login corp --again" in tokencli("why", "corp", "--code", "AADSTS50126").out
    assert "Acme" in tokencli("why", "--code", "E0000004", "--profile", "cheese").out
    done = tokencli("why", "--code", "E0000004")
    assert [line for line in done.out.splitlines() if line.startswith("E")] == [
        "E0000004 (Acme)",
        "E0000004 (Okta)",
    ]
    assert "E0000004 (Okta)" in tokencli("why", "corp", "--code", "E0000004").out
    assert "the cheese is gone" in tokencli("why", "--code", "+++ Out of\n cheese +++").out


def test_several_codes_are_explained_and_unknown_ones_named(tokencli: Run) -> None:
    """What is known is printed, in the order of the text."""
    done = tokencli("why", "--code", "AADSTS50126, then E0000069, then AADSTS999999")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines() if line[:1].isalpha()] == [
        "AADSTS50126",
        "E0000069",
    ]
    assert "not documented here: AADSTS999999" in done.err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AADSTS7000216", "Microsoft Entra ID documents more codes: https://learn.microsoft.com/"),
        ("incorect_client_credentials", "incorrect_client_credentials (GitHub)"),
        ("503", "a status alone says little"),
        ("", "has no error code"),
    ],
)
def test_an_unknown_code_is_a_usage_error_that_helps(tokencli: Run, code: str, said: str) -> None:
    """It names the vendor's page, or similar codes."""
    done = tokencli("why", "--code", code)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "fix: tokencli help error-codes" in done.err


@pytest.mark.parametrize("secret", ["canary2023", "abc/canary1234/def", "x+canary-99991", "E12345"])
@pytest.mark.parametrize("code", ["", "AADSTS50126 "])
def test_a_secret_in_the_text_is_not_repeated(tokencli: Run, code: str, secret: str) -> None:
    """A password or a part of a token may look like a code, so only known kinds of codes are named."""
    done = tokencli("why", "--code", f"{code}password={secret}")
    assert done.code == (0 if code else 2)
    assert "canary" not in done.err + done.out
    assert secret not in done.err + done.out


def test_a_profile_does_not_hide_the_codes_of_other_vendors(
    tokencli: Run, write_config: Callable[[str], Path]
) -> None:
    """A code with a number is its vendor's, and is not called undocumented."""
    write_config(OWN)
    done = tokencli("why", "cheese", "--code", "E0000004 because of AADSTS50126")
    assert "E0000004 (Acme)" in done.out
    assert "E0000004 (Okta)" not in done.out
    assert "AADSTS50126 (Microsoft Entra ID)" in done.out
    assert done.err == ""


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig"])
def test_a_file_that_powershell_wrote_is_read(tmp_path: Path, encoding: str) -> None:
    """Its `>` writes UTF-16."""
    file = tmp_path / "error.txt"
    file.write_text("AADSTS50126: Error validating credentials", encoding)
    with file.open("rb") as stdin:
        out = subprocess.check_output([script(), "why", "--code", "-"], stdin=stdin, timeout=60)
    assert out.startswith(b"AADSTS50126 ")


def test_a_long_text_is_searched_up_to_a_limit_that_is_named(tokencli: Run) -> None:
    """The error is often at the end of a log, so a silent limit would mislead."""
    log = "0123456789 abcdefgh\n" * 50_000
    done = tokencli("why", "--code", "-", stdin=log + "AADSTS50126")
    assert (done.code, done.err) == (0, "")
    done = tokencli("why", "--code", "-", stdin=log * 2 + "AADSTS50126")
    assert done.code == 2
    assert "only the first 1 MiB" in done.err


def test_a_text_without_a_code_is_not_repeated(tokencli: Run) -> None:
    """It may be a token that was pasted by mistake."""
    done = tokencli("why", "--code", "-", stdin="Bearer canary-5f3a-canary and more")
    assert done.code == 2
    assert "canary" not in done.err + done.out


def test_a_code_is_explained_with_a_broken_configuration(
    tokencli: Run, write_config: Callable[[str], Path]
) -> None:
    """A broken configuration doesn't keep it from answering."""
    write_config("[profiles.p\n")
    assert "Okta" in tokencli("why", "--code", "E0000047").out


def test_a_call_and_a_code_exclude_each_other(tokencli: Run) -> None:
    """`--code` sends nothing, so a URL is a mistake."""
    done = tokencli("why", "corp", "https://api.example.com/", "--code", "E0000004")
    assert done.code == 2
    assert "--code" in done.err
