"""Gather the evidence about a call that fails: everything outside is asked here, within a deadline.

Probes that don't depend on each other run side by side in threads. One that isn't done when the time is
over is left behind, and becomes an open question, as does each one that wasn't allowed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any
from urllib.parse import urlsplit

from tokencli.core.api_request import load_client_certificate
from tokencli.core.secret_resolver import SecretResolver, resolve_usage_secrets, source_interaction
from tokencli.core.stored_token import find_stored_token, require_stored_token
from tokencli.diagnosis import issuer_probes
from tokencli.diagnosis.api_call import (
    ApiCall,
    TokenBearer,
    describe_url,
    send_call,
)
from tokencli.diagnosis.evidence import (
    CallFacts,
    EventFacts,
    Evidence,
    IssuerFacts,
    OpenQuestion,
    ResourceFacts,
    TokenFacts,
)
from tokencli.diagnosis.fresh_token import (
    FreshTokenPlan,
    end_fresh_token,
    get_fresh_token,
    plan_fresh_token,
    prepare_secrets,
)
from tokencli.diagnosis.history import read_history
from tokencli.diagnosis.investigation import Investigation
from tokencli.diagnosis.issuer_probes import ClientSecrets, ProbeContext, read_resource_metadata
from tokencli.diagnosis.profile_facts import compare_tokens, describe_profile
from tokencli.diagnosis.side_by_side import collect_until
from tokencli.diagnosis.token_facts import add_introspection, describe_token
from tokencli.errors import CredentialsError, DeadlineError, TokencliError
from tokencli.models import Connection, Profile, Secret, TokenSet
from tokencli.oauth.token_usage import list_usage_secrets
from tokencli.protocols import Context, WaitStatus
from tokencli.token_store.credential_key import derive_binding

REPORTING_S = 0.4
"""Seconds before the end at which the last request gives up, so that its error can be reported."""
TOKEN_STATUSES = frozenset(range(400, 500)) - {407, 408, 429, 431}
"""Statuses that may be about the token."""
LEAST_SECONDS = 0.5
"""Seconds that a test with a fresh token gets at least, which was asked for."""


@dataclass(slots=True)
class _Answers:
    """What the probes found out so far; each thread adds its own part."""

    call: CallFacts | None = None
    bare_call: CallFacts | None = None
    resource: ResourceFacts | None = None
    issuer: IssuerFacts = field(default_factory=IssuerFacts)
    keys: Mapping[str, Any] | None = None
    token: TokenFacts | None = None
    mangling: tuple[str, ...] = ()
    """What only a call showed."""
    fresh_token: TokenFacts | None = None
    fresh_call: CallFacts | None = None
    fresh_error: TokencliError | None = None
    events: EventFacts = field(default_factory=EventFacts)
    stored_tokens: dict[str, TokenSet] = field(default_factory=dict)
    """Profile -> the token set that it has stored."""
    questions: list[OpenQuestion] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def merge_issuer(self, facts: IssuerFacts | None) -> None:
        """Add what one probe found out about the issuer."""
        if facts is None:
            return
        with self.lock:
            found = {
                name: value
                for name in facts.__slots__
                if (value := getattr(facts, name)) is not None
            }
            self.issuer = replace(self.issuer, **found)


class Gatherer:
    """One run: first `gather`, then perhaps `add_fresh_token`."""

    def __init__(self, investigation: Investigation, ctx: Context) -> None:
        self.given = investigation
        self.ctx = ctx
        self.profile = investigation.profile
        self.answers = _Answers()
        self.seconds_left = investigation.seconds
        self.stored: TokenSet | None = None
        self.token: TokenSet | None = None
        self.bearer: TokenBearer | None = None
        """What presents the token in the call; None if the call has its own token, or none."""

    def gather(self) -> Evidence:
        """Return the evidence, with everything that the limits allow to ask.

        Whatever needs a prompt is asked first. Then the probes run.

        Raises:
            TokencliError: a secret that the call needs is missing.
        """
        self.stored, self.token, token_error = self._find_token()
        facts = self._describe_token(self.token)
        self.answers.token = facts
        self._run(self._plan_probes(self.token, facts))
        return self._assemble(token_error)

    def plan_fresh_token(self) -> FreshTokenPlan | None:
        """Return how to get a fresh token for a test; None if there is nothing to test."""
        call = self.answers.call
        if self.profile is None or self.given.offline or self.given.call is None:
            return None
        if call is None or call.status not in TOKEN_STATUSES:
            return None
        return plan_fresh_token(self.profile, self.stored, self.ctx)

    def add_fresh_token(self, evidence: Evidence, plan: FreshTokenPlan) -> Evidence:
        """Get a fresh token, try the call with it, and return the evidence with the results."""
        assert self.profile is not None
        self.answers.questions = []
        token: TokenSet | None = None
        try:
            resolver = prepare_secrets(self.profile, plan, self.ctx)
            if (
                plan.way != "grant"
            ):  # here and in its own time, so that nothing that is issued gets lost
                token = get_fresh_token(self.profile, plan, self.ctx, resolver)
        except TokencliError as error:
            return replace(evidence, fresh_error=error)
        self._run({"fresh_token": lambda ctx: self._try_fresh_token(ctx, plan, resolver, token)})
        answers = self.answers
        return replace(
            evidence,
            now=self.ctx.clock.now(),
            fresh_token=answers.fresh_token,
            fresh_call=answers.fresh_call,
            fresh_error=answers.fresh_error,
            open_questions=(*evidence.open_questions, *answers.questions),
        )

    def leave_fresh_token_open(self, evidence: Evidence, plan: FreshTokenPlan) -> Evidence:
        """Return the evidence with the question whether a fresh token is accepted."""
        assert self.profile is not None
        command = self.given.with_option("--probe")
        if plan.way == "sign_in":
            command = f"tokencli login {self.profile.command_line_name}"
        reason = f"{plan.cost}{plan.describe_prompts(self.profile)}"
        question = OpenQuestion("fresh_token", reason, command)
        return replace(evidence, open_questions=(*evidence.open_questions, question))

    # What is there before anything is asked

    def _find_token(self) -> tuple[TokenSet | None, TokenSet | None, TokencliError | None]:
        """Return the stored token set, the token set to test, and why there is none."""
        stored, error = None, None
        if self.profile is not None:
            try:
                found = find_stored_token(self.profile, self.ctx)
                stored = found.token if found is not None else None
            except TokencliError as failure:
                error = failure
        if self.given.pasted is not None:
            secret = Secret(self.given.pasted.token)
            if stored is not None and stored.access_token == secret:
                return stored, stored, None
            return stored, TokenSet(secret, "Bearer", self.ctx.clock.now()), None
        if self.given.token_error is not None:
            return stored, None, self.given.token_error
        if stored is not None and stored.access_token:
            return stored, stored, None
        if error is None and self.profile is not None:
            error = _no_token_error(self.profile, self.ctx)
        return stored, None, error

    def _describe_token(self, token: TokenSet | None) -> TokenFacts | None:
        if token is None:
            return None
        pasted = self.given.pasted
        return describe_token(
            token.access_token,
            fingerprint=self.ctx.event_log.fingerprint(token.access_token),
            profile=self.profile,
            stored=self.stored,
            mangling=() if pasted is None else pasted.mangling,
            damage=None if pasted is None else pasted.damage,
            length=None if pasted is None else len(pasted.sent),
            thumbprint=self._read_thumbprint(),
        )

    def _read_thumbprint(self) -> str | None:
        """Return the `x5t#S256` of the profile's client certificate; None if it has none to read."""
        if self.profile is None or self.profile.client_cert is None:
            return None
        from tokencli.jwt.sign import UnusableKeyError, certificate_thumbprints

        try:
            pem = Path(self.profile.client_cert[0]).read_bytes()
            return certificate_thumbprints(pem)["x5t#S256"]
        except (OSError, UnusableKeyError):
            return None  # the call reports it

    # The probes

    def _plan_probes(
        self, token: TokenSet | None, facts: TokenFacts | None
    ) -> dict[str, Callable[[Context], None]]:
        """Return the probes by name, after asking whatever has to be asked in the terminal."""
        probes: dict[str, Callable[[Context], None]] = {}
        given, profile = self.given, self.profile
        if given.other_profiles:
            probes["other_profiles"] = self._read_other_profiles
        probes["event_log"] = self._read_event_log
        if given.saved is None and given.call is None:
            self._leave_open("call", "no URL was given", self._url_command())
        if given.saved is not None:
            self.answers.call = given.saved
        elif given.call is not None and (token is not None or given.is_call_complete):
            if given.offline:
                self._leave_open("call", "--offline was given", self._online_command())
            elif self._may_send(given.call):
                self.bearer = self._prepare_bearer(token)
                probes["call"] = self._call
        if profile is None or token is None or facts is None:
            return probes
        if given.offline:
            self._leave_open("issuer", "--offline was given", self._online_command())
            return probes
        if profile.issuer is not None or "jwks" in profile.endpoints:
            probes["jwks"] = lambda ctx: self._ask_keys(ctx, token.access_token)
        if not issuer_probes.may_send_token(profile, facts):
            self._leave_open(
                "issuer", "the token names another issuer than the profile, so it isn't sent there"
            )
            return probes
        if not self._may_reach_receivers():
            self._leave_open(
                "issuer",
                "the login is older than the servers that the profile names now",
                f"tokencli login {profile.command_line_name}",
            )
            return probes
        if (resolver := self._prepare_introspection()) is not None:
            secrets = resolver
            probes["introspection"] = lambda ctx: self.answers.merge_issuer(
                issuer_probes.ask_introspection(profile, ctx, secrets, token.access_token)
            )
        if profile.grant != "client_credentials":  # no user has signed in
            probes["userinfo"] = lambda ctx: self.answers.merge_issuer(
                issuer_probes.ask_userinfo(profile, ctx, token, is_stored=facts.stored)
            )
        return probes

    def _may_send(self, call: ApiCall) -> bool:
        """Tell whether the call may be sent: a method that may change something has to be allowed."""
        if call.is_safe or self.given.may_change:
            return True
        terminal = self.ctx.terminal
        if terminal.interactive and terminal.ask_yes_no(
            f"Send the {call.method} again?",
            default=False,
            help=f"If {describe_url(call.url, call.secrets)} accepts it this time, it takes effect.",
        ):
            return True
        self._leave_open(
            "call",
            f"a {call.method} may change something, so it isn't sent again without being allowed",
            self.given.with_option("--resend"),
        )
        return False

    def _may_reach_receivers(self) -> bool:
        """Tell whether the stored token may go to the servers that the profile names now."""
        assert self.profile is not None
        if self.given.pasted is not None:
            return True
        try:
            found = find_stored_token(self.profile, self.ctx)
        except TokencliError:
            return False
        return found is not None and found.binding == derive_binding(self.profile)

    def _prepare_bearer(self, token: TokenSet | None) -> TokenBearer | None:
        if token is None:
            return None
        call, pasted = self.given.call, self.given.pasted
        profile = self.profile
        certificate = None if profile is None else load_client_certificate(profile, self.ctx)
        if call is not None and call.carries_token:
            return TokenBearer(token, certificate=certificate)
        if pasted is not None:  # whoever has only the text has no key either
            text = pasted.sent if pasted.mangling else pasted.token
            token = TokenSet(Secret(text), "Bearer", token.obtained_at, outputs=token.outputs)
        if profile is None:
            return TokenBearer(token)
        return TokenBearer(
            token,
            profile,
            resolve_usage_secrets(profile, self.ctx) if list_usage_secrets(profile) else {},
            certificate,
        )

    def _prepare_introspection(self) -> SecretResolver | None:
        """Return the client's secrets, or None if they may not be used."""
        assert self.profile is not None
        secrets = ClientSecrets.of(self.profile, self.ctx)
        if not secrets.interactive:
            return secrets.resolver
        if not self.given.introspect:
            name = secrets.interactive[0].replace("_", " ")
            source = self.profile.secrets[secrets.interactive[0]]
            kind = source_interaction(source, self.ctx)
            if kind == "stdin" or not (
                self.ctx.terminal.interactive
                and self.ctx.terminal.ask_yes_no(
                    f"Introspect the token? The {name} comes from {source.describe_source()}.",
                    default=False,
                    help="Introspection asks the server whether the token is still active. The client"
                    " authenticates for it, as for a new token.",
                )
            ):
                self._leave_open(
                    "introspection",
                    f"the {name} comes from {source.describe_source()}",
                    self.given.with_option("--introspect"),
                )
                return None
        try:
            secrets.resolver.prompt_for(secrets.interactive)
        except TokencliError as error:
            self._leave_open("introspection", error.message, error.fix)
            return None
        return secrets.resolver

    def _call(self, ctx: Context) -> None:
        """Send the call, and if it is refused, once more without the token."""
        call, bearer = self.given.call, self.bearer
        assert call is not None
        connection = self._connection()
        facts = send_call(call, bearer, ctx, connection)
        if bearer is not None and facts.status is not None and facts.status < 300:
            facts = self._call_with_scheme_twice(facts, bearer, ctx, connection)
        self.answers.call = facts
        if isinstance(facts.failure_error, DeadlineError):
            self._leave_open("call", facts.failure_error.message, self._slower_command())
        if not _is_worth_comparing(facts):
            return
        document = next(
            (each.params["resource_metadata"] for each in facts.challenges
             if "resource_metadata" in each.params), None,
        )  # fmt: skip
        if document is not None:
            named = [call.url]
            if self.profile is not None:
                named += filter(None, (self.profile.issuer, self.profile.token_url))
            self.answers.resource = read_resource_metadata(document, named, ctx, connection)
            if self.answers.resource is None:
                host = urlsplit(document).netloc
                self._leave_open("resource_metadata", f"it is on {host}, which only the API names")
        if call.is_safe:
            self.answers.bare_call = send_call(call.without_token(), None, ctx, connection)

    def _call_with_scheme_twice(
        self, facts: CallFacts, bearer: TokenBearer, ctx: Context, connection: Connection
    ) -> CallFacts:
        """If the token was pasted with a scheme and is accepted without it, try what a program may send."""
        call, pasted = self.given.call, self.given.pasted
        if call is None or pasted is None or not pasted.has_scheme or not call.is_safe:
            return facts
        token = replace(bearer.token, access_token=Secret(pasted.sent))
        again = send_call(call, replace(bearer, token=token), ctx, connection)
        if again.status is None or again.status < 400:
            return facts
        scheme = pasted.sent.split()[0]
        self.answers.mangling = (f'it begins with "{scheme} "',)
        return again

    def _connection(self) -> Connection:
        """Return how to connect to the API: as to the token endpoint, with the time that is left."""
        usual = Connection() if self.profile is None else self.profile.connection
        call = self.given.call
        ca_file = call.ca_file if call is not None and call.ca_file is not None else usual.ca_file
        return replace(usual, timeout=self.given.seconds, ca_file=ca_file)

    def _ask_keys(self, ctx: Context, token: Secret) -> None:
        """Ask the issuer for its metadata and its keys, and check the signature."""
        profile = self.profile
        assert profile is not None
        assert self.answers.token is not None
        metadata = None
        if profile.issuer is not None:
            facts, metadata = issuer_probes.ask_metadata(profile, ctx)
            self.answers.merge_issuer(facts)
        facts, keys = issuer_probes.ask_keys(profile, metadata, ctx)
        self.answers.merge_issuer(facts)
        checked = issuer_probes.check_signature(token, self.answers.token, profile, keys)
        self.answers.token = checked
        is_open = checked.kind == "jwt" and checked.signature == "unchecked" and not checked.damage
        if is_open and checked.signature_problem:
            self._leave_open("signature", checked.signature_problem)

    def _try_fresh_token(
        self,
        ctx: Context,
        plan: FreshTokenPlan,
        resolver: SecretResolver,
        token: TokenSet | None,
    ) -> None:
        profile, call = self.profile, self.given.call
        assert profile is not None
        assert call is not None
        try:
            token = token or get_fresh_token(profile, plan, ctx, resolver)
        except TokencliError as error:
            self.answers.fresh_error = error
            return
        self.answers.fresh_token = describe_token(
            token.access_token,
            fingerprint=self.ctx.event_log.fingerprint(token.access_token),
            profile=profile,
        )
        if call.carries_token:
            pasted = self.given.pasted
            place = call.token_placeholder if pasted is None else pasted.sent
            call = replace(call, token_placeholder=place).with_token(token.access_token)
        bearer = replace(self.bearer or TokenBearer(token, profile), token=token)
        self.answers.fresh_call = send_call(call, bearer, ctx, self._connection())
        end_fresh_token(profile, plan, ctx, resolver, token)

    def _read_event_log(self, _: Context) -> None:
        facts = self.answers.token
        try:
            self.answers.events = read_history(
                self.ctx.event_log.read(),
                None if self.profile is None else self.profile.name,
                None if facts is None else facts.fingerprint,
            )
        except TokencliError as error:
            self._leave_open("event_log", error.message, error.fix)

    def _read_other_profiles(self, ctx: Context) -> None:
        for profile in self.given.other_profiles:
            try:
                found = find_stored_token(profile, ctx)
            except TokencliError as error:
                self._leave_open("other_profiles", error.message, error.fix)
                return
            if found is not None and found.token.access_token:
                self.answers.stored_tokens[profile.name] = found.token

    # Running them

    def _run(self, probes: Mapping[str, Callable[[Context], None]]) -> None:
        """Run the probes side by side until all are done or the time is over."""
        began = self.ctx.clock.monotonic()
        deadline = began + self.seconds_left
        done: SimpleQueue[tuple[str, BaseException | None]] = SimpleQueue()
        running = dict.fromkeys(probes)
        self.ctx.transport  # noqa: B018 - built here, before several threads need it

        def work(name: str, probe: Callable[[Context], None]) -> None:
            ctx = ProbeContext(self.ctx, deadline - REPORTING_S)
            error: BaseException | None = None
            try:
                probe(ctx.as_context())
            except BaseException as failure:  # noqa: BLE001 - raised again in the main thread
                error = failure
            if ctx.last_reply is not None and name not in ("call", "fresh_token"):
                self.answers.merge_issuer(
                    IssuerFacts(
                        server_time=ctx.last_reply.server_time,
                        received_at=ctx.last_reply.received_at,
                    )
                )
            done.put((name, error))

        for name, probe in probes.items():
            Thread(target=work, args=(name, probe), daemon=True).start()

        def describe() -> WaitStatus:
            open_probes = " and ".join(PROBE_TITLES[name] for name in running)
            return WaitStatus(f"waiting for {open_probes}", self.given.seconds)

        with self.ctx.terminal.show_wait(describe):
            for name, error in collect_until(deadline, self.ctx.clock, done, len(probes)):
                running = {each: None for each in running if each != name}
                if isinstance(error, TokencliError):
                    is_late = isinstance(error, DeadlineError)
                    self._leave_open(
                        name, error.message, self._slower_command() if is_late else error.fix
                    )
                elif error is not None:
                    raise error
        self.seconds_left = max(deadline - self.ctx.clock.monotonic(), LEAST_SECONDS)
        limit = f"it takes more than {self.given.seconds:g} seconds"
        for name in running:
            self._leave_open(name, limit, self._slower_command())

    # Open questions

    def _leave_open(self, probe: str, reason: str, command: str | None = None) -> None:
        with self.answers.lock:
            self.answers.questions.append(OpenQuestion(probe, reason, command))

    def _slower_command(self) -> str | None:
        return self.given.with_option(f"--timeout {max(60, round(self.given.seconds * 3))}s")

    def _online_command(self) -> str | None:
        return self.given.command

    def _url_command(self) -> str | None:
        return self.given.with_option("https://api.example.com/")

    # The evidence

    def _assemble(self, token_error: TokencliError | None) -> Evidence:
        answers = self.answers
        with answers.lock:  # what a probe adds later doesn't count
            questions = tuple(answers.questions)
            issuer = answers.issuer
        call, bare, resource = answers.call, answers.bare_call, answers.resource
        token = answers.token
        if token is not None:
            token = add_introspection(
                token, issuer.introspection, self.profile, self.stored, self._read_thumbprint()
            )
        same, rivals = compare_tokens(
            token, dict(answers.stored_tokens), call, resource, self.ctx.event_log.fingerprint
        )
        if token is not None and answers.mangling:
            token = replace(token, mangling=(*token.mangling, *answers.mangling))
        return Evidence(
            now=self.ctx.clock.now(),
            token=token,
            token_error=token_error,
            call=call,
            bare_call=bare,
            profile=None if self.profile is None else describe_profile(self.profile, self.stored),
            issuer=issuer,
            resource=resource,
            events=answers.events,
            same_token_as=same,
            rival_profiles=rivals,
            open_questions=questions,
        )


PROBE_TITLES: Mapping[str, str] = {
    "call": "the API",
    "jwks": "the issuer's keys",
    "introspection": "introspection",
    "userinfo": "UserInfo",
    "other_profiles": "the token stores of the other profiles",
    "event_log": "the event log",
    "fresh_token": "a fresh token",
}
"""Probe -> what it waits for."""


def _is_worth_comparing(facts: CallFacts) -> bool:
    """Tell whether the same call without the token would tell more.

    That is so unless the API answered with data, or that it is called too often (429).
    """
    if facts.status is None:
        return facts.failure == "broken_off"
    return facts.status != 429 and (facts.status >= 300 or facts.body_kind == "html")


def _no_token_error(profile: Profile, ctx: Context) -> TokencliError:
    try:
        require_stored_token(profile, ctx)
    except TokencliError as error:
        return error
    return CredentialsError(  # e.g. a token for a single use
        f"no access token is stored for profile {profile.name!r}",
        fix=f"tokencli get {profile.command_line_name}",
    )
