"""Fuzz one parser: `python -m tests.fuzz TARGET [--seconds N] [--random]`.

With atheris (`pip install atheris`) coverage guides the inputs, and its
`stat::number_of_executed_units` counts them; without it, or with --random, inputs are seeds changed
at random. An input that breaks a promise is printed, and the run ends with its traceback.
"""

import argparse
import random
import sys
import time
from importlib.util import find_spec
from pathlib import Path

NOTEWORTHY = (b"\0", b"\xff", b"\xed\xa0\x80", b'"', b"\\", b"{", b"[", b"\n", b"=", b".", b"1e999",
              b"NaN", b"null", b"-0", b"\xef\xbb\xbf", b"\\ud800", b"9" * 5000, b"[" * 3000)  # fmt: skip
LONGEST = 8192


def main() -> int:
    """Fuzz one target for the given time and report the number of inputs."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("target")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--random", action="store_true", help="leave atheris aside")
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    if find_spec("atheris") and not given.random:
        return _guided(given.target, given.seconds)
    return _random(given.target, given.seconds, given.seed)


def _random(name: str, seconds: float, seed: int) -> int:
    from tests.fuzz.targets import TARGETS

    target = TARGETS[name]
    chance = random.Random(seed)
    runs, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutated(chance, target.seeds)
        try:
            target.check(data)
        except BaseException:
            sys.stderr.write(f"{name}: input {runs + 1} broke it: {data!r}\n")
            raise
        runs += 1
    sys.stdout.write(f"{name}: {runs} inputs at random in {seconds:g} s, nothing broke\n")
    return 0


def mutated(chance: random.Random, seeds: tuple[bytes, ...]) -> bytes:
    """Return a seed with some pieces removed, doubled, inserted or changed."""
    data = bytearray(chance.choice(seeds) if chance.random() < 0.95 else b"")
    for _ in range(chance.choice((0, 1, 1, 2, 4, 16))):
        start = chance.randint(0, len(data))
        end = min(len(data), start + chance.choice((0, 1, 1, 4, 30)))
        piece = chance.choice(
            (b"", bytes(data[start:end]) * 2, chance.choice(NOTEWORTHY), chance.randbytes(4))
        )
        data[start:end] = piece
    return bytes(data[:LONGEST])


def _guided(name: str, seconds: float) -> int:
    from tempfile import TemporaryDirectory

    import atheris

    with atheris.instrument_imports(include=["tokencli"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    with TemporaryDirectory() as corpus:
        for number, seed in enumerate(target.seeds):
            (Path(corpus) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={int(seconds)}", f"-max_len={LONGEST}", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, corpus], target.check)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
