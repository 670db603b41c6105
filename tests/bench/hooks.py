"""The time of a hooked `get` in bash, zsh and fish, measured in the shell: it starts no process."""

import shutil
import subprocess
import time
from collections.abc import Mapping

CALLS = 500
LOOPS = {
    "bash": (["bash", "--norc", "--noprofile", "-c"], 'eval "$(tokencli hook bash)"',
             "for ((i = 0; i < {n}; i++)); do tokencli get >/dev/null; done"),
    "zsh": (["zsh", "-f", "-c"], 'eval "$(tokencli hook zsh)"',
            "for ((i = 0; i < {n}; i++)); do tokencli get >/dev/null; done"),
    "fish": (["fish", "--no-config", "-c"], "tokencli hook fish | source",
             "for i in (seq {n}); tokencli get >/dev/null; end"),
}  # fmt: skip
"""Shell -> how it is started, how it is hooked, and many calls."""


def seconds(shell: str, environ: Mapping[str, str], rounds: int = 12) -> float | None:
    """Return the least time of one hooked `get` in seconds, or None without that shell.

    It is the difference between many calls and one, which excludes the shell's own start.
    """
    if shutil.which(shell) is None:
        return None
    start, hook, loop = LOOPS[shell]

    def timed(calls: int) -> float:
        began = time.perf_counter()
        subprocess.run(
            [*start, f"{hook}\n{loop.format(n=calls)}"], env=environ, check=True, timeout=300
        )
        return time.perf_counter() - began

    pairs = [(timed(1), timed(CALLS)) for _ in range(rounds)]
    one, many = (min(times) for times in zip(*pairs, strict=True))
    return (many - one) / (CALLS - 1)
