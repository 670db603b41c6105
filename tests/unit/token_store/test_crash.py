"""A model of one rotating refresh token, its server, and a machine that stops at any step.

Whatever the steps and wherever the machine stops: what is stored is a whole token set, the old one
or the new one; and if the server has rotated a token that the store still holds, the journal says
that its spending was interrupted.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.unit.token_store.crashing import Machine, Power
from tests.unit.token_store.samples import KEY, file_store, stored
from tokencli.models import Secret, StoredTokenSet
from tokencli.system import private_files

CRASH = st.none() | st.integers(1, 45)
POWER = st.sampled_from(["stays", "behind", "ahead"])


class Chain(RuleBasedStateMachine):
    """A store, a server with one live refresh token, and runs that end when they end."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="tokencli-test-", dir="/dev/shm"))
        self.machine = Machine(self.root)
        self.spent: set[int] = set()
        """The generations that the server has rotated and takes no more."""
        self.possible: set[int] = {0}
        """The generations that the store may hold; 0 for nothing."""
        self.generation = 0

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @rule(crash=CRASH, power=POWER, size=st.integers(0, 5000))
    def sign_in(self, crash: int | None, power: Power, size: int) -> None:
        """A person signs in; the machine may stop while the token set is saved."""
        self.generation += 1
        new, done = self.generation, False
        with self.machine.running(crash, power):
            store = file_store(self.root)
            with store.lock_credential(KEY, 5):
                store.reserve_space(KEY, size)
                self.possible |= {new}
                store.save(stored(new, size=size))
                done = True
        if done:
            self.possible = {new}

    @rule(crash=CRASH, power=POWER, size=st.integers(0, 5000))
    def refresh(self, crash: int | None, power: Power, size: int) -> None:
        """A run spends the refresh token, the server rotates it, and the answer is saved."""
        done: set[int] | None = None
        with self.machine.running(crash, power):
            store = file_store(self.root)
            with store.lock_credential(KEY, 5):
                found = store.load(KEY)
                if found is not None and found.token.refresh_token is not None:
                    spent = found.token.refresh_token
                    store.reserve_space(KEY, size)
                    store.begin_refresh(KEY, spent)
                    if spent not in map(token, self.spent):
                        self.spent.add(number(found))
                        self.generation += 1
                        new = self.generation
                        self.possible |= {new}
                        store.save(stored(new, size=size))
                        done = {new}
                    else:
                        store.end_refresh(KEY)
                        store.delete_token_set(KEY, only=spent)
                        done = {0}
                        self.possible |= done
        if done is not None:
            self.possible = done

    @rule(crash=CRASH, power=POWER)
    def lose(self, crash: int | None, power: Power) -> None:
        """A run that lost the race clears the token that was refused, and no other."""
        before, done = set(self.possible), False
        with self.machine.running(crash, power):
            done = not file_store(self.root).delete_token_set(
                KEY, only=Secret("canary-refresh-none")
            )
        assert done or crash is not None
        assert self.possible == before

    @invariant()
    def what_is_stored_is_whole(self) -> None:
        """The store holds a token set that was saved, and the journal knows of a broken chain."""
        store = file_store(self.root)
        found = store.load(KEY)
        held = 0
        if found is not None:
            held = number(found)
            assert found == stored(held, size=found.token.access_token.reveal().count("x"))
        assert held in self.possible, f"{held} of {self.possible}"
        if self.machine.settled:
            self.possible = {held}
        if held in self.spent:
            assert store.was_refresh_interrupted(KEY, token(held)), (
                "a lost answer that nobody would be told of"
            )
        aside = list((self.root / "tokens").glob("*.corrupt-*")) if self.root.exists() else []
        assert aside == []


def token(generation: int) -> Secret:
    """Return the refresh token of a generation."""
    return Secret(f"canary-refresh-{generation}")


def number(found: StoredTokenSet) -> int:
    """Return the generation of a token set."""
    return int(found.token.access_token.reveal().removeprefix("canary-access-").rstrip("x"))


def explore(examples: int) -> None:
    """Run the model."""
    run_state_machine_as_test(
        Chain,
        settings=settings(
            max_examples=examples,
            stateful_step_count=12,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_crash_at_any_step_leaves_old_or_new() -> None:
    """Whether a run is killed or the power fails, the store is intact and the state is known."""
    explore(150)


def try_every_step() -> Iterator[int]:
    """Stop a refresh at each of its steps in turn, in each way; yield how many there are."""
    for power in ("stays", "behind", "ahead"):
        crash = 1
        while True:
            chain = Chain()
            try:
                chain.sign_in(None, "stays", 100)
                chain.machine.steps.clear()
                chain.refresh(crash, power, 3000)
                chain.what_is_stored_is_whole()
                steps = len(chain.machine.steps)
                chain.refresh(None, "stays", 10)
                chain.what_is_stored_is_whole()
                chain.sign_in(None, "stays", 10)
                chain.what_is_stored_is_whole()
            finally:
                chain.teardown()
            if steps < crash - 1:
                break
            crash += 1
        yield crash - 1


def test_every_step_of_a_refresh_is_tried() -> None:
    """A refresh stopped at each of its steps in turn, in each way, leaves old or new."""
    assert all(steps >= 15 for steps in try_every_step())


@pytest.mark.parametrize("lost", ["content", "names", "place"])
def test_the_model_fails_without_each_step(lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without flushing the content or the directory, or with writing in place, the model fails."""
    if lost == "names":
        monkeypatch.setattr(private_files, "sync_dir", lambda folder: None)
    elif lost == "content":
        monkeypatch.setattr(private_files.AtomicWrite, "commit", _commit_unflushed)
    else:
        monkeypatch.setattr(private_files.AtomicWrite, "commit", _commit_in_place)
    with pytest.raises(AssertionError):
        list(try_every_step())


def _commit_unflushed(draft: private_files.AtomicWrite, data: bytes) -> None:
    import os

    os.write(draft._fd, data)
    os.ftruncate(draft._fd, len(data))
    os.close(draft._fd)
    draft._temp_path.replace(draft.path)
    private_files.sync_dir(draft.path.parent)


def _commit_in_place(draft: private_files.AtomicWrite, data: bytes) -> None:
    import os

    draft.discard()
    fd = os.open(draft.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, data[:50])
    os.write(fd, data[50:])
    os.fsync(fd)
    os.close(fd)
    private_files.sync_dir(draft.path.parent)
