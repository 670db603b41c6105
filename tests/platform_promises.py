"""What was seen where: the table of the manual's platforms page, from the tests' markers.

`@pytest.mark.promise("…", "Wine")` on a test says that it shows this in that place; tests in several
places with the same text share a row. What no test can show is listed in DOCUMENTED.
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parent
PLACES = ("Linux", "Wine", "PowerShell 7 on Linux")
"""Where tests run: the table's columns."""
NOT_RUN = "not run"
DOCUMENTED = (
    "access lists on NTFS, and files that a virus scanner holds open",
    "scheduled tasks, SecretManagement and the logs of PowerShell on Windows",
    "Windows PowerShell 5.1 (hook, completion, recipes), and its execution policy",
    "Git Bash itself; WSL with secrets, programs and browsers of Windows",
    "macOS: the Keychain and its dialogs, `open`",
)
"""What follows from the vendors' documentation only."""


def read_promises(root: Path = ROOT) -> dict[str, set[str]]:
    """Return the promises in the tests' markers -> the places where they were seen."""
    promises: dict[str, set[str]] = {}
    for path in sorted(root.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "pytest.mark.promise" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
                promise, *places = (ast.literal_eval(argument) for argument in node.args)
                unknown = set(places) - set(PLACES)
                assert places and not unknown, f"{path.name}:{node.lineno}: a place of {PLACES}"
                promises.setdefault(promise, set()).update(places)
    return promises


def render_table(promises: dict[str, set[str]]) -> str:
    """Return the table: one row per promise, one column per place."""
    rows = [
        ("promise", *PLACES, "Windows, macOS"),
        ("---",) * (2 + len(PLACES)),
        *(
            (
                promise,
                *("seen" if place in promises[promise] else "" for place in PLACES),
                NOT_RUN,
            )
            for promise in sorted(promises, key=str.casefold)
        ),
        *((promise, *("",) * len(PLACES), "by documentation") for promise in DOCUMENTED),
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
