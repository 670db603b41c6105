"""The record of what `tokencli why` said in each scenario, shown in the documentation.

A test that ran `why` in a scenario calls `note(scenario, causes)`. Usually that only compares with
why_record.json, so that a change is noticed; `python -m tests.why_record` runs those tests and
rewrites why_record.json and the table of the manual's page.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tokencli.sandbox.scenarios import SCENARIOS

ROOT = Path(__file__).parent.parent
RECORD = Path(__file__).with_suffix(".json")
TEST = ROOT / "tests" / "e2e" / "test_why_causes.py"
VARIABLE = "RECORD_OF_CAUSES"
"""Where tests write to, if they are to write at all."""

Named = list[list[str]]
"""Id and confidence of each cause that was named, the first one first."""


def note(scenario: str, causes: Iterable[Mapping[str, Any]]) -> None:
    """Record which causes were named in a scenario."""
    named = [[cause["id"], cause["confidence"]] for cause in causes]
    if VARIABLE in os.environ:
        with Path(os.environ[VARIABLE]).open("a") as record:  # lines this short are written whole
            record.write(json.dumps([scenario, named]) + "\n")
        return
    assert named == read_record().get(scenario), "write it down with python -m tests.why_record"


def read_record() -> Mapping[str, Named]:
    """Return what was named, by scenario."""
    found: Mapping[str, Named] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return found


def render_table(record: Mapping[str, Named]) -> str:
    """Return the record as a Markdown table."""
    lines = [
        "| scenario | what is wrong | named first | how sure | also named |",
        "|---|---|---|---|---|",
    ]
    for name, named in record.items():
        (first, confidence), *others = named
        also = ", ".join(f"`{other}`" for other, _ in others)
        summary = SCENARIOS[name].summary
        lines.append(f"| `{name}` | {summary} | `{first}` | {confidence} | {also} |")
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Run the tests that call `note`, and rewrite the record and the page."""
    from tests import documents

    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "rows"
        said.touch()
        environ = {**os.environ, VARIABLE: str(said)}
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", str(TEST), "-k", "named"]
        subprocess.run(command, cwd=ROOT, env=environ, check=False)  # failures are seen anyway
        found = dict(json.loads(line) for line in said.read_text().splitlines())
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    RECORD.write_text(f"{{\n{rows}\n}}\n")
    page = documents.MANUAL / "why.md"
    page.write_text(documents.render_document(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
