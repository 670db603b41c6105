"""Check that variables can be set safely: the rules for names and values that all formats share.

No name may be that of a variable that controls what a shell, loader or interpreter runs.
"""

from collections.abc import Sequence

from tokencli.errors import ReplyError, UsageError
from tokencli.fastpath.reader import B64TOKEN_CHARACTERS as _B64TOKEN_TEXT
from tokencli.formats import Variables

MAX_NAME_LENGTH = 200

_FIRST_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NAME_CHARACTERS = _FIRST_CHARACTERS | frozenset("0123456789")

_DENIED_NAMES_TEXT = (
    # variables that shells read, reserve, or make read-only
    "_ PATH ENV IFS HOME SHELL USER USERNAME LOGNAME HOSTNAME PWD OLDPWD CDPATH TERM TMPDIR TEMP TMP"
    " PROMPT PROMPT_COMMAND PS0 PS1 PS2 PS3 PS4 RPROMPT RPS1 SHELLOPTS BASHOPTS GLOBIGNORE SHLVL"
    " HISTFILE HISTCMD UID EUID GID EGID PPID RANDOM SRANDOM SECONDS LINENO OPTIND OPTARG OPTERR"
    " REPLY DIRSTACK GROUPS FUNCNAME MACHTYPE HOSTTYPE OSTYPE MAIL MAILPATH MAILCHECK COLUMNS LINES"
    " ZDOTDIR FPATH MANPATH MODULE_PATH FIGNORE WATCH PSVAR KEYBOARD_HACK NULLCMD READNULLCMD"
    " STATUS PIPESTATUS ARGV ARGC COMMANDS FUNCTIONS ALIASES OPTIONS PARAMETERS SIGNALS HISTORY"
    " VERSION FISH_VERSION FISH_PID FISH_FUNCTION_PATH FISH_COMPLETE_PATH KSH_VERSION"
    # variables that decide what programs run, load or trust
    " NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS _JAVA_OPTIONS"
    " CLASSPATH GCONV_PATH LOCPATH NLSPATH TZ TZDIR MALLOC_TRACE EDITOR VISUAL PAGER MANPAGER BROWSER"
    " OPENSSL_CONF OPENSSL_MODULES SSLKEYLOGFILE NETRC CURL_HOME SSH_ASKPASS SSH_AUTH_SOCK"
    " LESS LESSOPEN LESSCLOSE PIP_CONFIG_FILE GIT_SSH GIT_SSH_COMMAND GIT_ASKPASS GIT_EXEC_PATH GIT_DIR"
    " GIT_PROXY_COMMAND GIT_PAGER GIT_EDITOR GIT_EXTERNAL_DIFF GIT_TEMPLATE_DIR GITHUB_ENV GITHUB_PATH"
    " GITHUB_OUTPUT GITHUB_STATE GITHUB_STEP_SUMMARY GITHUB_WORKSPACE"
    # Windows
    " PATHEXT COMSPEC SYSTEMROOT SYSTEMDRIVE WINDIR APPDATA LOCALAPPDATA PROGRAMDATA PROGRAMFILES"
    " USERPROFILE PSMODULEPATH"
)
DENIED_NAMES = frozenset(_DENIED_NAMES_TEXT.split())
DENIED_PREFIXES = (
    "LD_", "DYLD_", "BASH_", "PYTHON", "PERL5", "PERLLIB", "JDK_", "GIT_CONFIG", "GIT_TRACE", "XDG_",
    "DBUS_", "SSL_CERT_", "LC_", "TOKENCLI_", "COR_PROFILER", "CORECLR_PROFILER", "DOTNET_STARTUP",
    "NPM_CONFIG_",
)  # fmt: skip
DENIED_SUFFIXES = ("_PROXY", "_CA_BUNDLE", "_PRELOAD")


def check_variable_name(name: str, command: str = "tokencli export") -> None:
    """Raise UsageError unless a token may be put into the variable `name`.

    Its fix is `command` with another variable.

    Letter case is ignored: so does Windows, and zsh's `path` is its PATH.
    """
    if (
        not name
        or name[0] not in _FIRST_CHARACTERS
        or not _NAME_CHARACTERS.issuperset(name)
        or len(name) > MAX_NAME_LENGTH
    ):
        raise UsageError(
            f"invalid variable name {name[:MAX_NAME_LENGTH]!r}",
            cause="a name consists of letters, digits and _, and doesn't start with a digit",
            fix=f"{command} --var API_TOKEN",
        )
    upper = name.upper()
    if (
        upper in DENIED_NAMES
        or upper.startswith(DENIED_PREFIXES)
        or upper.endswith(DENIED_SUFFIXES)
    ):
        raise UsageError(
            f"can't put a token into {name}: it controls what a shell or a program runs",
            fix=f"{command} --var API_TOKEN",
        )


def check_variable_names(names: Sequence[str]) -> Sequence[str]:
    """Return the names, or raise UsageError like `check_variable_name`."""
    for name in names:
        check_variable_name(name)
    return names


B64TOKEN_CHARACTERS = frozenset(_B64TOKEN_TEXT)
"""The characters of a bearer token (RFC 6750 section 2.1); no dialect has to escape them."""


def check_variables(variables: Variables, dialect: str, refused: str = "") -> Variables:
    """Return the variables, or raise for a name or value that `dialect` can't represent safely.

    A value is printable ASCII with only single spaces inside, and without the characters in `refused`.

    Raises:
        UsageError: a name is not allowed. ReplyError: a value can't be written.
    """
    for name, value in variables:
        check_variable_name(name)
        reason = _rejection_reason(value, refused)
        if reason is not None:
            raise ReplyError(
                f"the value of {name} {reason}, so it can't be written safely for {dialect}",
                cause="the value comes from the server's reply or from the profile; `tokencli get"
                " --json` prints any value",
            )
    return variables


def require_one_word(value: str, what: str) -> None:
    """Raise ReplyError unless `value` is printable ASCII without a space."""
    reason = "contains a space" if " " in value else None if value else "is empty"
    reason = reason or _rejection_reason(value, "")
    if reason is not None:
        raise ReplyError(
            f"the {what} {reason}, so it can't be sent in a header",
            cause="the server issued it like this; `tokencli get --json` prints any value",
        )


def _rejection_reason(value: str, refused: str) -> str | None:
    if not value.isascii():
        return "contains a character outside ASCII"
    if not value.isprintable():
        return "contains a control character or a line break"
    if value != " ".join(value.split()):
        return "has spaces at its start or end, or several in a row"
    forbidden = sorted(set(value) & set(refused))
    return f"contains {' '.join(forbidden)}" if forbidden else None
