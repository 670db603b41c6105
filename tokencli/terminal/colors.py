"""Colors in a terminal: whether they are wanted, and the few that are used.

Only colors of the terminal's own palette that are readable on dark and light backgrounds: no yellow
or cyan, which vanish on white, and no blue, which vanishes on black. Backgrounds are never changed.
"""

from collections.abc import Mapping

STYLES = {
    "bold": "1",
    "red": "31",
    "green": "32",
    "magenta": "35",
    "bold red": "1;31",
    "bold magenta": "1;35",
}
"""Name -> parameters of the control sequence SGR (ECMA-48 section 8.3.117).

There is no bold green: many terminals draw it in a bright green that is hardly visible on white.
"""


def is_color_wanted(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment allows colors in a terminal that is capable of them.

    They are turned off by NO_COLOR (no-color.org), CLICOLOR=0 (bixense.com/clicolors) and
    FORCE_COLOR=0.
    """
    if environ.get("NO_COLOR"):
        return False
    return "0" not in (environ.get("CLICOLOR"), environ.get("FORCE_COLOR"))


def style_text(text: str, style: str) -> str:
    """Return `text`, which must be sanitized, in a style of `STYLES`."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if text else ""
