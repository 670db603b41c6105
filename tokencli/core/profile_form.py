"""The questions of `tokencli profiles add`: which system, where it is, who you are, and which CA."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tokencli.config.config_file import expand_path
from tokencli.config.profile_assignments import nest_keys
from tokencli.config.profile_schema import ENDPOINT_URL_KEYS, secret_key_names
from tokencli.config.resolve import (
    check_new_profile,
    resolve_new_profile,
)
from tokencli.core.partial_profile import PartialProfile, describe_field
from tokencli.core.server_discovery import (
    choose_client_auth,
    complete_url,
    discover_server,
    is_token_url,
    probe_server,
)
from tokencli.errors import (
    ConfigError,
    ReplyError,
    TlsError,
    TokencliError,
    UnreachableError,
    UsageError,
)
from tokencli.models import Connection, Profile
from tokencli.oauth import grants
from tokencli.oauth.issuer_search import AuthorizationServer
from tokencli.protocols import Choice, Context
from tokencli.provider_schema import Provider
from tokencli.providers.catalog import BUILTIN_NAMES
from tokencli.providers.endpoint_urls import check_endpoint_url, get_url_origin
from tokencli.providers.url_matching import recognize_url, split_pasted_url
from tokencli.shell_words import user_shell

_ANY_TOKEN_URL = "{token_url}"
"""The template of a provider for any token endpoint."""

GRANT_CHOICES: Mapping[str, str] = {
    "client_credentials": "as a program, with a client secret",
    "authorization_code": "as a user, in the browser",
    "device_code": "as a user, on another device",
    "password": "with a user name and a password",
    "jwt_bearer": "with a signed assertion (JWT)",
    "token_exchange": "by exchanging another token",
}
"""Grant -> how to say it."""

CA_HELP = (
    "The server's administrators have this file: the certificate of the CA that issued the server's"
    " certificate, in PEM format. On a Windows server, run certlm.msc, find the CA under Trusted Root"
    " Certification Authorities, and choose All Tasks > Export > Base-64 encoded X.509. If you don't"
    " have it yet, press Enter: `tokencli profiles edit` can set ca_file later."
)
GRANT_HELP = (
    "A program that runs without you, such as a cron job, uses client credentials. If the token is to"
    " act for you, sign in as a user: in the browser of this computer, or on another device."
)
CLIENT_HELP = "Clients for command lines and desktops usually have none: they are registered as public or native."
SCOPE_HELP = (
    "What the token may be used for, e.g. openid profile. The documentation of the API names them. Without"
    " any, the server decides."
)
AUDIENCE_HELP = (
    "The identifier of the API, e.g. https://api.example.com: see APIs > your API > Identifier. Without"
    " it, the tenant's default audience is used if it has one; otherwise a program gets no token, and a"
    " user gets one for the user's own profile only."
)
_ASKS_AUDIENCE = ("auth0",)
"""Providers whose tokens are usually of no use without the `audience` parameter."""
URL_HELP = (
    "Any of these: the issuer (https://login.example.com/realms/acme), the token endpoint"
    " (https://login.example.com/oauth2/token), or the API, if it says where its issuer is. tokencli"
    " asks that server for its metadata, without sending any credentials."
)


@dataclass
class ProfileForm:
    """A new profile while it is being asked for. What is answered stays, whatever fails later."""

    name: str
    ctx: Context
    provider: Provider
    keys: dict[str, Any] = field(default_factory=dict)
    """Key -> value; a key such as `params.tenant` reaches into a table."""
    is_provider_given: bool = False
    """Whether the user named the provider, so that no other is used."""
    is_discovered: bool = False
    """Whether provider and keys follow from a URL."""
    server: AuthorizationServer | None = None
    """What the issuer's metadata says, if it was fetched."""
    verified: set[str] = field(default_factory=set)
    """Origins whose certificate was verified."""

    @property
    def draft(self) -> PartialProfile:
        """The profile as far as it is known."""
        return PartialProfile(self.name, self.provider, self.keys)

    @property
    def connection(self) -> Connection:
        """How to reach the server before the profile exists."""
        chosen = {key: self.keys[key] for key in ("ca_file", "proxy") if key in self.keys}
        return Connection(**chosen)

    @property
    def is_complete(self) -> bool:
        """Whether nothing has to be asked."""
        return not self.draft.missing_values() and not self.draft.unsatisfied_groups()

    def ask(self) -> None:
        """Ask for everything that is missing, and check the server's certificate.

        Raises:
            ConfigError: the known keys are invalid already. KeyboardInterrupt: the user cancelled.
        """
        self.raise_if_invalid()
        if self._needs_server():
            self._ask_server()
        self._ask_grant()
        self._ask_client_auth()
        self._ask_missing_values()
        if self.provider.name in _ASKS_AUDIENCE:
            self._ask_optional("audience", "API that the token is for", AUDIENCE_HELP)
        self.allow_plain_http()
        self._ask_scope()
        self._check_server()

    def raise_if_invalid(self) -> None:
        """Raise ConfigError with the problems of the keys that are known."""
        findings = check_new_profile(self.name, self.provider, nest_keys(self.keys))
        if findings:
            raise ConfigError(
                "the profile would be invalid, so nothing was written",
                problems=[finding.to_problem(None) for finding in findings],
            )

    def resolve_ca_path(self) -> None:
        """Make the path of a CA file absolute: on a command line it is relative to the working directory."""
        if path := self.keys.get("ca_file"):
            self.keys["ca_file"] = str(expand_path(path, Path.cwd()))

    def split_urls(self) -> None:
        """Take apart the URLs that were given for a host, a base URL or another part of a URL."""
        for name, value in tuple(self.keys.items()):
            if isinstance(value, str) and name in self.provider.fields:
                found = split_pasted_url(self.provider, name, value)
                if found != {name: value}:
                    self._apply(name, found, value)

    def discover(self, url: str, *, ask_contact: bool = False) -> None:
        """Take provider and keys from a URL.

        Another host than the URL's is contacted only with `ask_contact`, and if the user agrees.

        Raises:
            UsageError: it is another system's URL than the given provider's. TokencliError: see
                `discover_server`.
        """
        if self.is_provider_given and self.provider.endpoints.token != _ANY_TOKEN_URL:
            check_endpoint_url(url)
            other, keys = recognize_url(url) or (self.provider, {})
            if self.provider.name in BUILTIN_NAMES and other.name != self.provider.name:
                fields = self.provider.fields
                keys |= {key: value for key, value in self.keys.items() if key not in fields}
                raise UsageError(
                    f"this is a URL of {other.title}, not of {self.provider.title}",
                    fix=PartialProfile(self.name, other, keys).add_command(),
                )
            for name, described in self.provider.fields.items():
                found = split_pasted_url(self.provider, name, url)
                is_server = described.kind in ("host", "url") and name not in ENDPOINT_URL_KEYS
                if is_server or found != {name: url}:
                    self.keys = {**found, **self.keys}
                    self.is_discovered = True
                    self._show_found(found)
                    return
        settings = discover_server(
            url,
            self.ctx,
            self.connection,
            may_contact=self._confirm_contact if ask_contact else lambda _: False,
            provider=self.provider if self.is_provider_given else None,
        )
        self.provider, self.server = settings.provider, settings.server
        self.is_discovered = True
        self.keys |= {key: value for key, value in settings.keys.items() if key not in self.keys}
        self.ctx.terminal.print_note(settings.description)
        if settings.server is not None and settings.server.endpoints:
            self.verified.add(get_url_origin(settings.server.issuer))

    def choose_defaults(self) -> None:
        """Choose grant and client authentication by what the server announces, if they are not given."""
        if len(self.provider.grants) > 1:
            self.keys.setdefault("grant", self._default_grant())
        if "client_auth" not in self.keys:
            is_public = grants.is_interactive(self.draft.grant) and "client_secret" not in self.keys
            method = "none" if is_public and "none" in self.provider.client_auth else None
            self._set_client_auth(method or choose_client_auth(self.provider, self.server))

    def _default_grant(self) -> str:
        """Return the provider's first grant that the server announces, or else its first one."""
        announced = self.server.grant_types if self.server is not None else ()
        names = tuple(self.provider.grants)
        types = {name: grants.load_grant(name).grant_type or name for name in names}
        return next((name for name in names if types[name] in announced), names[0])

    def _set_client_auth(self, method: str | None) -> None:
        if method is not None and method != self.provider.client_auth[0]:
            self.keys["client_auth"] = method

    def _confirm_contact(self, origin: str) -> bool:
        return self.ctx.terminal.ask_yes_no(
            f"That server names {_show_origin(origin)} as the issuer. Ask it for its metadata?",
            default=True,
            help="No credentials are sent, only a request for a public document. Without it, the"
            " endpoints are looked up at your first login.",
        )

    # The questions, in this order

    def _needs_server(self) -> bool:
        is_any = self.provider.endpoints.token == _ANY_TOKEN_URL
        return is_any and not {"token_url", "issuer"} & self.keys.keys()

    def _ask_server(self) -> None:
        """Ask for a URL until its server is known, or the user says what the URL is."""
        while True:
            text = self.ctx.terminal.ask_line(
                "URL of the issuer, the token endpoint or the API",
                validate=_find_url_problem,
                help=URL_HELP,
            )
            if self.discover_or_ask(text, ask_contact=True):
                return

    def discover_or_ask(self, url: str, *, ask_contact: bool = False) -> bool:
        """Take provider and keys from a URL, and ask what only the user can know if that fails.

        Return whether they are known now; if not, the user wants to enter another URL.
        """
        url = complete_url(url)
        is_ca_given = "ca_file" in self.keys
        while True:
            try:
                self.discover(url, ask_contact=ask_contact)
                issuer = self.server.issuer if self.server is not None else url
                if not is_ca_given and get_url_origin(issuer) != get_url_origin(url):
                    self.keys.pop("ca_file", None)  # it was asked for to reach the API
            except ConfigError as error:
                if "ca_file" not in self.keys:
                    raise
                self._drop_ca_file(error)
                continue
            except (UnreachableError, ReplyError) as error:
                if isinstance(error, TlsError) and self._ask_ca(error, can_wait=False):
                    continue
                answer = self._ask_meaning(url, error)
                if answer == "retry":
                    continue
                if answer != "change":
                    self.keys[answer] = url
                return answer != "change"
            return True

    def _ask_meaning(self, url: str, error: TokencliError) -> str:
        """Return `token_url` or `issuer`, or else `change` or `retry`, for a URL without metadata."""
        self._show_failure(error)
        is_offline = isinstance(error, UnreachableError)
        options = [Choice("token_url", "use this URL as the token endpoint")]
        if is_offline:
            options.append(Choice("issuer", "use this URL as the issuer"))
        options.append(Choice("change", "enter another URL"))
        if is_offline:
            options.append(Choice("retry", "try again"))
        default = "token_url" if is_token_url(url) else "issuer" if is_offline else "change"
        if isinstance(error, TlsError):  # e.g. the certificate is for another host name
            default = "change"
        return self.ctx.terminal.ask_choice("What now?", options, default=default)

    def _ask_grant(self) -> None:
        names = tuple(self.provider.grants)
        while "grant" not in self.keys and len(names) > 1:
            options = [
                Choice(name, GRANT_CHOICES[name], name)
                if name in GRANT_CHOICES
                else Choice(name, name)
                for name in names
            ]
            self.keys["grant"] = self.ctx.terminal.ask_choice(
                "How to get a token", options, default=self._default_grant(), help=GRANT_HELP
            )
            findings = check_new_profile(self.name, self.provider, nest_keys(self.keys))
            if not any(finding.key_path[2:3] == ("grant",) for finding in findings):
                return
            if self.ctx.terminal.ask_yes_no(
                "RFC 9700 forbids the password grant, because this program sees your password. Use it"
                " nevertheless?",
                default=False,
            ):
                self.keys["allow_password_grant"] = True
                return
            del self.keys["grant"]

    def _ask_client_auth(self) -> None:
        if "client_auth" in self.keys:
            return
        methods, grant = self.provider.client_auth, self.draft.grant
        method = choose_client_auth(self.provider, self.server)
        may_be_public = grants.is_interactive(grant) or grant == "password"
        if (
            may_be_public
            and "none" in methods
            and len(methods) > 1
            and "client_secret" not in self.keys
        ):
            if not self.ctx.terminal.ask_yes_no(
                "Does the client have a client secret?", default=False, help=CLIENT_HELP
            ):
                method = "none"
            elif methods[0] == "none":
                method = method or methods[1]
        self._set_client_auth(method)

    def _ask_missing_values(self) -> None:
        while groups := self.draft.unsatisfied_groups():
            secrets = secret_key_names(self.provider)
            names = [name for name in groups[0] if name not in secrets]
            chosen = names[0]
            if len(names) > 1 and "token_url" not in names:
                options = [Choice(name, describe_field(self.provider, name).ask) for name in names]
                chosen = self.ctx.terminal.ask_choice(
                    "Which one do you have?", options, default=chosen
                )
            self._ask_value(chosen)
        while missing := self.draft.missing_values():
            self._ask_value(missing[0])

    def allow_plain_http(self) -> None:
        """Ask before credentials go to an http URL of the provider, which has to be of this machine.

        Raises:
            ConfigError: there is no terminal to ask at.
        """
        keys = nest_keys(self.keys)
        allowed = {**keys, "allow_http": True}
        findings = resolve_new_profile(self.name, self.provider, keys)
        if isinstance(findings, Profile) or not (
            isinstance(resolve_new_profile(self.name, self.provider, allowed), Profile)
        ):
            return
        if not self.ctx.terminal.interactive:
            raise ConfigError(
                "the profile would be invalid, so nothing was written",
                problems=[each.to_problem(None) for each in findings],
                fix=replace(self.draft, keys={**self.keys, "allow_http": True}).add_command(),
            )
        question = "The server's URL is http. Send credentials unencrypted, on this machine?"
        if self.ctx.terminal.ask_yes_no(question, default=True):
            self.keys["allow_http"] = True

    def _ask_value(self, name: str) -> None:
        """Ask for a value that is valid together with the known keys."""
        described = describe_field(self.provider, name)
        example = f", e.g. {described.example}" if described.example else ""

        def find_problem(text: str) -> str | None:
            found = split_pasted_url(self.provider, name, text)
            keys = nest_keys({**self.keys, **found})
            findings = check_new_profile(self.name, self.provider, keys)
            return (
                "; ".join(
                    "; ".join(filter(None, (finding.message, finding.suggestion)))
                    for finding in findings
                    if finding.key_path[2:3] and finding.key_path[2] in found
                )
                or None
            )

        answer = self.ctx.terminal.ask_line(
            f"{described.ask}{example}",
            default=described.default,
            validate=find_problem,
            help=described.help,
        )
        self._apply(name, split_pasted_url(self.provider, name, answer), answer)

    def _apply(self, name: str, found: Mapping[str, str], text: str) -> None:
        """Set what follows from an answer or an option; say so if that is something else."""
        items: list[tuple[str, Any]] = []
        for key, value in (self.keys if name in self.keys else {**self.keys, name: text}).items():
            items += found.items() if key == name else [(key, value)]
        self.keys = {**dict(items), **found}
        if found != {name: text}:
            self._show_found(found)

    def _show_found(self, found: Mapping[str, str]) -> None:
        shown = ", ".join(f"{key} = {value}" for key, value in found.items())
        self.ctx.terminal.print_note(f"from that URL: {shown}")

    def _ask_scope(self) -> None:
        is_native_password = next(iter(self.provider.grants)) == "password"
        if self.provider.scope or self.provider.request.is_custom:
            return
        if is_native_password and self.provider.name in BUILTIN_NAMES:
            return
        self._ask_optional("scope", "Scopes, separated by spaces", SCOPE_HELP)

    def _ask_optional(self, key: str, question: str, explanation: str) -> None:
        """Ask for a key that may be left out, unless it is known."""
        if key in self.keys:
            return

        def find_problem(text: str) -> str | None:
            keys = nest_keys({**self.keys, key: text})
            findings = check_new_profile(self.name, self.provider, keys)
            return next((each.message for each in findings if each.key_path[2:3] == (key,)), None)

        answer = self.ctx.terminal.ask_line(
            f"{question} (Enter for none)", default="", validate=find_problem, help=explanation
        )
        if answer:
            self.keys[key] = answer

    # The server's certificate

    def _check_server(self) -> None:
        """Connect to the server that the answers name, and ask for its CA if that is not trusted."""
        while True:
            profile = resolve_new_profile(self.name, self.provider, nest_keys(self.keys))
            if not isinstance(profile, Profile):
                self.raise_if_invalid()
                return
            origin = get_url_origin(profile.token_url)
            if origin in self.verified or not self._names_host(origin):
                return
            try:
                probe_server(profile.token_url, self.ctx, profile.connection)
            except ConfigError as error:
                if "ca_file" not in self.keys:
                    raise
                self._drop_ca_file(error)
            except UnreachableError as error:
                is_unknown_ca = isinstance(error, TlsError) and error.untrusted_issuer is not None
                if isinstance(error, TlsError) and self._ask_ca(error):
                    continue
                if is_unknown_ca or not self._change_server(origin, error):
                    return
            else:
                self.verified.add(origin)

    def _names_host(self, origin: str) -> bool:
        """Tell whether the user named the host, here or in a provider, and not only a built-in provider."""
        if self.provider.name not in BUILTIN_NAMES:
            return True
        host = urlsplit(origin).hostname or ""
        return any(host in value.lower() for value in self.keys.values() if isinstance(value, str))

    def _ask_ca(self, error: TlsError, *, can_wait: bool = True) -> bool:
        """Return whether the user named a file with the server's CA, which `can_wait` for the login."""
        if error.untrusted_issuer is None:
            return False
        terminal = self.ctx.terminal
        terminal.show_message(error.message)
        if "ca_file" in self.keys:
            terminal.show_message(f"{self.keys.pop('ca_file')} does not contain that CA")
        if error.untrusted_issuer:
            terminal.show_message(f"the CA is: {error.untrusted_issuer}")
        without = "to set it later" if can_wait else "if you have none"
        answer = terminal.ask_line(
            f"File with the CA's certificate (PEM; Enter {without})", default="", help=CA_HELP
        ).strip("'\"")
        if answer:
            self.keys["ca_file"] = str(expand_path(answer, Path.cwd()))
            return True
        if not can_wait:
            return False
        command = f"tokencli profiles edit {self.name or 'NAME'} --set ca_file={user_shell().example_path('ca.pem')}"
        terminal.print_note(f"login will fail until the CA is set: {command}")
        return False

    def _drop_ca_file(self, error: ConfigError) -> None:
        """Forget a CA file that can't be used, so that it is asked for again."""
        self._show_failure(error)
        del self.keys["ca_file"]

    def _change_server(self, origin: str, error: TokencliError) -> bool:
        """Return whether to check again, perhaps after the user has corrected the host."""
        self._show_failure(error)
        options = [
            Choice("keep", "go on with this host"),
            Choice("change", "enter another host"),
            Choice("retry", "try again"),
        ]
        answer = self.ctx.terminal.ask_choice("What now?", options, default="keep")
        if answer == "change":
            host = urlsplit(origin).hostname or ""
            for key, value in tuple(self.keys.items()):
                if isinstance(value, str) and host in value.lower():
                    del self.keys[key]
            if self._needs_server():
                self._ask_server()
            self._ask_missing_values()
        return answer != "keep"

    def _show_failure(self, error: TokencliError) -> None:
        self.ctx.terminal.show_message(error.message)
        if error.cause:
            self.ctx.terminal.show_message(f"cause: {error.cause}")


def _find_url_problem(text: str) -> str | None:
    try:
        check_endpoint_url(complete_url(text))
    except ConfigError as error:
        return "; ".join(filter(None, (error.message, error.fix)))
    return None


def _show_origin(origin: str) -> str:
    return origin.removesuffix(":443")
