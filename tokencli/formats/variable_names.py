"""Check that a variable may be set: none that controls what a shell, loader or interpreter runs."""

from collections.abc import Sequence

from tokencli.errors import UsageError

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
