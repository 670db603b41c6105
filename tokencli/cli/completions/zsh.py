"""zsh: a function, as `_tokencli` in a folder of $fpath, or sourced."""

from collections.abc import Iterable

from tokencli.cli.words import COMMANDS, FILES, PROFILES, Command, Option


def script(known: tuple[Command, ...]) -> str:
    """Return the function for zsh; as `_tokencli` in a folder of $fpath, or sourced."""
    functions = []
    for command in known:
        specs = [spec for option in command.options for spec in _specs(option)]
        if command.below:
            named = {
                one.path[-1]: one.help
                for one in known
                if one.path and one.path[:-1] == command.path
            }
            rows = [_quoted(f"{name}:{_plain(named[name])}") for name in command.below]
            branches = [
                f"        {name}) {_function((*command.path, name))} ;;" for name in command.below
            ]
            specs += ["'1: :->command'", "'*:: :->rest'"]
            after = [
                "    case $state in",
                f"    command) local -a known=({' '.join(rows)}); _describe command known ;;",
                "    rest)",
                "        case $words[1] in",
                *branches,
                "        esac",
                "        ;;",
                "    esac",
            ]
        else:
            specs.append(_quoted(f"*: :{_action(command.words)}"))
            after = []
        body = " \\\n        ".join(specs)
        local = "    local state line curcontext=$curcontext" if command.below else ""
        if not command.path:
            local += "\n    local _tokencli_program=$words[1]"
        start = "_arguments -C" if command.below else "_arguments"
        functions += [
            f"{_function(command.path)}() {{",
            *([local] if local else []),
            f"    {start} -s \\\n        {body}",
            *after,
            "}",
            "",
        ]
    return _TEXT.format(functions="\n".join(functions))


def _function(path: Iterable[str]) -> str:
    return "_".join(("_tokencli", *path))


def _specs(option: Option) -> list[str]:
    together = " ".join(option.names)
    value = f":{option.takes}:{_action(option.words)}" if option.takes else ""
    about = _plain(option.help)
    return [_quoted(f"({together}){name}[{about}]{value}") for name in option.names]


def _action(words: tuple[str, ...]) -> str:
    special = {PROFILES: "_tokencli_names", FILES: "_files", COMMANDS: "_normal"}
    if words and words[0] in special:
        return special[words[0]]
    return f"({' '.join(words)})" if words else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _plain(text: str) -> str:
    """Take out what zsh's specifications give a meaning."""
    return text.translate(str.maketrans("[]:`\\", "(),'/"))


_TEXT = """\
#compdef tokencli
@NOTE@

_tokencli_names() {{
    local -a names
    names=(${{(f)"$(command $_tokencli_program completion --profiles "$PREFIX" 2>/dev/null)"}})
    compadd -a names
}}

{functions}
if [[ $funcstack[1] == _tokencli ]]; then
    _tokencli "$@"
else
    compdef _tokencli tokencli
fi
"""
