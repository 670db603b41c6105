"""A curl command line is read as the shell would read it that it was copied for."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokencli.errors import ConfigError
from tokencli.importers.command_line import split_commands
from tokencli.importers.curl import parse_curl
from tokencli.importers.draft.request import draft_provider

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(TEXT, max_size=4))
def test_quoted_words_come_back(told: list[str]) -> None:
    """What quotes for a POSIX shell is undone, whatever the words hold."""
    assert split_commands(f"curl {shlex.join(told)}") == [["curl", *told]]


@given(st.text("ab\\'\"^$\n \r%`(){};&|<>#", max_size=30))
def test_any_text_has_words_or_is_refused(text: str) -> None:
    """Nonsense is cut somehow, or ends in our own error; never in anything else."""
    try:
        assert all(isinstance(word, str) for words in split_commands(text) for word in words)
    except ConfigError as error:
        assert error.message.startswith("the command line ")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (r"""curl -d $'{"a":"it\'s"}'""", '{"a":"it\'s"}'),
        (r"curl -d $'a\u0021\x41\101\n\\'", "a!AA\n\\"),
        (r"curl -d $'\ud83d\ude00'", "\U0001f600"),
        (r"curl -d $'\U110000x\cAy'", "xy"),
        ("curl -d 'a'\"b\"c\\ d", "abc d"),
        ('curl -d "a\\"b\\$c\\d"', 'a"b$c\\d'),
        ('curl \\\n  -d "x" \\\r\n', "x"),
        ("curl ^\n -d 'x'", "x"),
        ("curl -d ''", ""),
        (r'curl -d ^"^{^\^"a^\^":^\^"it' + r"'s^\^\^\^" + r'"^\^"^}^"', '{"a":"it\'s\\""}'),
        ('curl ^"-d^" ^\n  ^"a^%^41^"', "a%41"),
        ('curl ^"-d^" ^\r\n  ^"a^\r\n\r\nb^"', "a\nb"),
        ('curl ^"-d^" ^"c:^\\^\\^"', "c:\\"),
        ('curl ^"-d^" ^"^"', ""),
        ('curl "-d" "{\\"a\\":\\"c:\\\\x\\"}" ^\r\n', '{"a":"c:\\\\x"}'),
        ("curl `\n  -d 'it''s'", "it's"),
        ('curl `\r\n  -d \'{\\"a\\": "b"}\'', '{"a": "b"}'),
        ('curl `\n  -d "a`"b""c`$d$e f${g}$env:h"', 'a"b"c$d{{e}} f{{g}}{{h}}'),
        ("curl `\n  -d a`=$b", "a={{b}}"),
    ],
)
def test_each_shells_quotation_marks_are_understood(line: str, told: str) -> None:
    r"""Those of bash with `$'…'`, of Windows' cmd with `^"`, and of PowerShell with a backtick."""
    assert split_commands(line) == [["curl", "-d", told]]


@pytest.mark.parametrize("line", ["curl 'a", 'curl "a', "curl $'a\\'", 'curl ^"a'])
def test_a_quotation_mark_that_is_not_closed_is_said(line: str) -> None:
    """In each of them."""
    with pytest.raises(ConfigError, match="unclosed"):
        parse_curl(line)


def test_a_header_in_ansi_quotes_keeps_its_name() -> None:
    """The dollar sign before the quotation mark is none of its letters."""
    (seen,) = parse_curl(r"curl https://x.example/t -H $'X-A: b\u0021'")
    assert seen.headers == (("X-A", "b!"),)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("$ curl https://x.example/t", "prompt"),
        ("user@host:~/x$ curl https://x.example/t", "prompt"),
        ("# curl https://x.example/t", "prompt"),
        ("PS C:\\Users\\x> curl.exe https://x.example/t", "prompt"),
        ("C:\\Users\\x>curl https://x.example/t", "prompt"),
        ("curl https://x.example/t \\\n> -d a=canary", "prompt"),
        ("curl https://x.example/t?a=canary&b=c", "&"),
        ("curl -K canary.txt https://x.example/t", "--config"),
        ("curl -sKcanary.txt", "--config"),
        ("curl --variable a=canary --expand-url 'https://{{a}}'", "--variable"),
        ("curl --expand-url 'https://{{a}}'", "--variable"),
        ("curl --help", "--help"),
        ("curl --canary=x https://x.example/t", "unknown option$"),
        ("curl --canary https://x.example/t", "--canary"),
        ("curl --reques PUT https://x.example/t", "unknown option: --reques"),
        ("curl -sX POST -? https://x.example/t", "unknown option: -[?]"),
        ("curl -Method Post -Uri https://x.example/t -Body canary", "-method"),
        ("curl https://x.example/t \u2013d canary=1", "typographic"),
        ("curl https://x.example/t -d a=b -H \u201cA: canary\u201d", "typographic"),
        ("```console\n$ curl https://x.example/t\n```", "prompt"),
        ("\u279c  ~ curl https://x.example/t -d canary=1", "precedes curl"),
        ("$ export A=canary\n$ curl https://x.example/t", "precedes curl"),
        ("docker run --rm curlimages/curl https://x.example/t", "precedes curl"),
        ("curl ftp://x.example/canary", "ftp"),
        ("wget https://x.example/canary", "not a curl"),
        ("sudo apt-get install curl canary", "not a curl"),
        ("curl -s -o canary", "no URL"),
        ("curl https://x.example/t --data", "no value"),
    ],
)
def test_what_can_not_be_read_is_refused_with_the_reason(line: str, reason: str) -> None:
    """Without guessing at anything, and without quoting a value."""
    with pytest.raises(ConfigError, match=reason) as refused:
        parse_curl(line)
    shown = f"{refused.value.message} {refused.value.cause}"
    assert "canary" not in shown.replace("option: --canary", "")


@pytest.mark.parametrize(
    "option", ["--request", "--REQUEST", "--request-t x -X", "-X", "-sX", "-sXPUT -X"]
)
def test_an_option_may_be_abbreviated(option: str) -> None:
    """And in capitals, as older versions of curl accept it; the last of several values counts."""
    (seen,) = parse_curl(f"curl --max-t 3 {option} PUT https://x.example/t")
    assert seen.method == "PUT"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "-so x --retry 2 --compressed",
            "left out -s, -o, --retry, --compressed",
        ),
        (
            "-k --cacert x -E y",
            "-k (set insecure in the profile), --cacert (set ca_file in the profile), -E",
        ),
        ("--no-location", "left out --no-location"),
        ("--digest -u a:b", "HTTP Digest (--digest) is not supported"),
        ("--aws-sigv4 aws:amz -u a:b", "AWS Signature (--aws-sigv4) is not supported"),
        ("--netrc", "the user name and password, which are in a file"),
        ("-b cookies.txt", "the cookies are in a file"),
        ("-b a=canary", "the cookie, if the server requires one"),
        ("-A x -e https://y", "headers that were left out (request.headers): User-Agent, Referer"),
        ("-H 'Origin: https://y' -H 'Sec-X: 1' -H 'X-Empty;'", "Origin, Sec-X, X-Empty"),
        ("-H 'X-A: 1' -H 'x-a: 2'", "left out (request.headers): x-a"),
        ("-d '{\"a\": 1}'", "whether the body is JSON"),
        ("-F a=@canary", "the value of a is in a file"),
        ("-F scope=@canary", "the value of scope is in a file"),
        ("--data-urlencode scope@canary", "the value of scope is in a file"),
        ("--url-query scope@canary", "the value of scope is in a file"),
        ("-F a=b", "tokencli does not write multipart/form-data bodies"),
        ("-T canary", "the body is in a file"),
        ("-X PROPFIND", "because PROPFIND is not supported"),
        ("-d a=b | jq .x", "the commands other than curl"),
    ],
)
def test_what_was_left_out_is_listed(words: str, said: str) -> None:
    """Options, headers, files and forms that the draft does not have."""
    made = draft_provider(parse_curl(f"curl https://x.example/t {words}")[0], "T")
    assert any(said in question for question in made.open_questions), made.open_questions
    assert "canary" not in made.to_toml()


@pytest.mark.parametrize(
    ("line", "url"),
    [
        ("curl --retry-delay 5 id.example.com/t", "http://id.example.com/t"),
        ("curl --proto-default https id.example.com/t", "https://id.example.com/t"),
        ("curl https://$HOST/t", "https://{{HOST}}/t"),
        ('curl "${BASE_URL:-x}/t"', "{{BASE_URL}}/t"),
        ('curl "https://$(hostname -f)/t"', "https://{{command}}/t"),
        ("curl '{{baseUrl}}/t'", "{{baseUrl}}/t"),
        ("curl https://<your-domain>/t -d client_id=<client_id>", "https://<your-domain>/t"),
        (
            "curl --connect-to a:1:b:2 --resolve c:3:d --doh-url https://e https://f/t",
            "https://f/t",
        ),
        ("curl -x http://proxy:8080 -e https://from -o out https://f/t", "https://f/t"),
    ],
)
def test_the_host_is_the_one_of_the_url(line: str, url: str) -> None:
    """It is never that of another option, and a variable in it stays one."""
    assert [request.url for request in parse_curl(line)] == [url]


def test_a_variable_may_be_the_beginning_of_the_url() -> None:
    """It becomes a field for a URL, even if its name looks like that of a secret."""
    (seen,) = parse_curl(
        'curl "$KEYCLOAK_URL/realms/$REALM/token" -d grant_type=client_credentials'
    )
    text = draft_provider(seen, "T").to_toml()
    assert 'endpoints.token = "{part_1}/realms/{realm}/token"' in text
    assert 'part_1.kind = "url"' in text


def test_a_variable_of_the_shell_is_no_constant() -> None:
    """A parameter whose value is a variable becomes a reference, though its name is a constant's."""
    (seen,) = parse_curl('curl https://x.example/t -d grant_type=$GRANT -d "scope=a ${SCOPE}"')
    text = draft_provider(seen, "T").to_toml()
    assert 'send = { grant_type = "{grant_type}", scope = "{scope}" }' in text


@pytest.mark.parametrize(
    "text",
    [
        "```\n{}\n```",
        "\n```bash\n{}\n```\n",
        "~~~~ sh\n{}\n~~~~",
        "  ```sh\n{}\n  ```\n",
        "```\n{}",
        "`{}`",
        "TOKEN=`{}`",
        'export TOKEN="`{} | jq -r .access_token`"',
    ],
)
def test_the_quotes_around_a_whole_command_are_not_part_of_it(text: str) -> None:
    """Those of a code block or code span in Markdown, and the backticks of a shell."""
    (seen,) = parse_curl(text.format("curl -s -d a=b \\\n  -d c=d https://x.example/t"))
    assert (seen.url, seen.body) == ("https://x.example/t", "a=b&c=d")


@pytest.mark.parametrize(
    ("user", "basic", "note"),
    [
        ("me:canary", "{client_id}:{client_secret}", False),
        ("me", "{client_id}:{client_secret}", True),
        ("me:", "{client_id}:", False),
        (":canary", ":{client_secret}", False),
    ],
)
def test_half_of_the_credentials_may_be_missing(user: str, basic: str, note: bool) -> None:
    """An empty half stays empty. Only if there is no colon, curl prompts for a password."""
    (seen,) = parse_curl(f"curl -u {user} https://x.example/t -d grant_type=client_credentials")
    text = draft_provider(seen).to_toml()
    assert f'basic = "{basic}"' in text
    assert ("which curl prompts for" in text) is note
    assert "canary" not in text


def test_a_host_header_for_another_host_is_listed() -> None:
    """tokencli sends the URL's."""
    line = "curl https://x.example/t -d grant_type=client_credentials -H 'Host: {}'"
    texts = [
        draft_provider(parse_curl(line.format(host))[0]).to_toml()
        for host in ("X.example", "other.example")
    ]
    assert ["left out (request.headers): Host" in text for text in texts] == [False, True]
