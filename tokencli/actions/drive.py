"""Perform the steps that a grant yields: a table of step -> function."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from tokencli.actions import person
from tokencli.actions.exchange import exchange, sign
from tokencli.actions.secrets import Wallet
from tokencli.errors import TokencliError
from tokencli.grants.steps import (
    AwaitRedirect,
    Fetch,
    Listen,
    Need,
    OpenBrowser,
    Post,
    Send,
    ShowUserCode,
    Sign,
    Step,
    Steps,
    Values,
    Wait,
)
from tokencli.model import Profile
from tokencli.ports import Edges
from tokencli.providers.reply import Read, members, read


@dataclass(slots=True)
class Stage:
    """Where one conversation is held: who speaks, through what, and what the last reply brought."""

    profile: Profile
    edges: Edges
    wallet: Wallet
    held: ExitStack | None
    person: person.Person
    last: Read | None = None


def drive(
    steps: Steps, profile: Profile, edges: Edges, wallet: Wallet, held: ExitStack | None = None
) -> Read:
    """Run a grant to its end and return what the last reply brought.

    An error in a step is thrown into the grant, which may know what to do about it. With `held`,
    signals are held back from each sending to the token endpoint on, and after one that brought
    a token until the caller closes the stack: so a person can leave meanwhile, but loses no token.
    """
    with person.Person(profile, edges) as somebody:
        stage = Stage(profile, edges, wallet, held, somebody)
        try:
            step: Step = next(steps)
            while True:
                try:
                    came = PERFORM[type(step)](step, stage)
                except TokencliError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(came)
        except StopIteration as end:
            assert stage.last is not None, "a grant ends with a reply"
            return replace(stage.last, token=end.value)


def _need(step: Need, stage: Stage) -> Any:
    return stage.wallet.find(step.name, optional=step.optional)


def _values(step: Values, stage: Stage) -> Any:
    from tokencli.providers.values import complete

    return complete(stage.profile, step.given, stage.edges.clock.now())


def _post(step: Post | Send, stage: Stage) -> Any:
    if stage.held is None:
        stage.last = _sent(step, stage)
        return stage.last.token
    stage.held.enter_context(stage.edges.uninterrupted(stage.profile.connection.timeout))
    try:
        stage.last = _sent(step, stage)
    except TokencliError:
        stage.held.close()
        raise
    return stage.last.token


def _fetch(step: Fetch, stage: Stage) -> Any:
    url = stage.profile.endpoints.get(step.endpoint)
    if url is None:
        raise person.unaddressed(stage.profile, step.endpoint)
    request, reply, _ = exchange(stage.profile, step.params, stage.edges, stage.wallet, url=url)
    return members(replace(stage.profile, token_url=url), request, reply)


def _sent(step: Post | Send, stage: Stage) -> Read:
    """Send one token request and read its reply; lifetimes count from before the sending."""
    profile, edges, wallet = stage.profile, stage.edges, stage.wallet
    if isinstance(step, Send):
        from tokencli.actions.calling import call

        return call(step, profile, edges, wallet)
    request, reply, started = exchange(profile, step.params, edges, wallet)
    found = read(profile, request, reply, started)
    return replace(found, token=replace(found.token, proof_key=wallet.proof_key))


PERFORM: dict[type[Step], Callable[[Any, Stage], Any]] = {
    Need: _need,
    Values: _values,
    Post: _post,
    Send: _post,
    Sign: lambda step, stage: sign(step, stage.profile, stage.edges, stage.wallet),
    Fetch: _fetch,
    Listen: lambda step, stage: stage.person.listen(step),
    OpenBrowser: lambda step, stage: stage.person.send(step),
    AwaitRedirect: lambda step, stage: stage.person.await_redirect(step),
    ShowUserCode: lambda step, stage: stage.person.show_user_code(step),
    Wait: lambda step, stage: stage.person.wait(step),
}
"""Step -> what performs it; its result is sent back into the grant."""
