"""The record of grants tested against third-party servers, shown in the documentation.

A test that got a token from a real server calls `ran(server, grant, client_auth)`. Usually that only
compares with record.json, so that a test without its row fails; `python -m tests.servers.record`
runs those tests and rewrites record.json and the table.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RECORD = HERE / "record.json"
PAGE = ROOT / "tokencli" / "manual" / "oauth.md"
VARIABLE = "RECORD_OF_GRANTS"
"""Where tests write to, if they are to write at all."""
BLOCK = re.compile(r"(<!-- record: grants -->\n)(?P<text>.*?)(<!-- end of record -->\n)", re.DOTALL)

Row = tuple[str, str, str, str]
"""Server, grant, client authentication, and the test that ran it."""


def ran(server: str, grant: str, client_auth: str) -> None:
    """Record that the current test got a token in this way."""
    test = os.environ["PYTEST_CURRENT_TEST"].split(" ")[0].split("[")[0]
    row = [server, grant, client_auth, test]
    if VARIABLE in os.environ:
        with Path(os.environ[VARIABLE]).open("a") as record:  # lines this short are written whole
            record.write(json.dumps(row) + "\n")
        return
    assert tuple(row) in rows(), f"{row}: write it down with python -m tests.servers.record"


def rows() -> list[Row]:
    """Return the record."""
    return [tuple(row) for row in json.loads(RECORD.read_text())]


def table(record: Iterable[Row]) -> str:
    """Return the record as a Markdown table: grants down, client authentication across."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for server, grant, client_auth, _ in record:
        found.setdefault((grant, client_auth), {})[server] = None
    across = sorted({client_auth for _, client_auth in found}, key=_place)
    lines = [
        "| | " + " | ".join(f"`{client_auth}`" for client_auth in across) + " |",
        "|---|" + "---|" * len(across),
    ]
    for grant in sorted({grant for grant, _ in found}):
        cells = [", ".join(sorted(found.get((grant, one), {}))) for one in across]
        lines.append(f"| `{grant}` | " + " | ".join(cell or "-" for cell in cells) + " |")
    return "".join(f"{line}\n" for line in lines)


def shown() -> str:
    """Return what oauth.md shows."""
    found = BLOCK.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None, "oauth.md has no place for the record"
    return found["text"]


def _place(client_auth: str) -> tuple[int, str]:
    from tokencli.oauth.client_authentication import AUTH_METHODS

    order = list(AUTH_METHODS)
    return (order.index(client_auth) if client_auth in order else len(order)), client_auth


def main() -> None:
    """Run the tests that call `ran`, and rewrite record and table."""
    speaking = [
        str(path)
        for path in sorted((ROOT / "tests" / "e2e").glob("test_*.py"))
        if "ran(" in path.read_text(encoding="utf-8")
    ]
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "rows"
        said.touch()
        environ = {**os.environ, VARIABLE: str(said), "CI": "true"}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", *speaking]
        subprocess.run(command, cwd=ROOT, env=environ, check=True)
        found = sorted({tuple(json.loads(line)) for line in said.read_text().splitlines()})
    lines = ",\n".join(f"  {json.dumps(row)}" for row in found)
    RECORD.write_text(f"[\n{lines}\n]\n")
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        BLOCK.sub(lambda block: block[1] + table(rows()) + block[3], text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
