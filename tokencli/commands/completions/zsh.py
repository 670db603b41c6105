"""The completion script for zsh: put it as `_tokencli` into a folder of $fpath, or source it."""

from collections.abc import Iterable

from tokencli.commands.completions import (
    COMMANDS_PLACEHOLDER,
    FILES_PLACEHOLDER,
    PROFILES_PLACEHOLDER,
    CommandSpec,
    OptionSpec,
    quote_posix,
)


def render_script(commands: tuple[CommandSpec, ...]) -> str:
    """Return the completion script for zsh."""
    functions = []
    for command in commands:
        specs = [spec for option in command.options for spec in _render_option_specs(option)]
        if command.subcommands:
            subs = {
                sub.path[-1]: sub for sub in commands if sub.path and sub.path[:-1] == command.path
            }
            rows = [
                quote_posix(f"{name}:{_replace_spec_characters(subs[name].help)}")
                for name in command.subcommands
            ]
            branches = [
                f"        {'|'.join((name, *subs[name].aliases))})"
                f" {_function_name((*command.path, name))} ;;"
                for name in command.subcommands
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
            specs.append(quote_posix(f"*: :{_render_candidates(command.candidates)}"))
            after = []
        body = " \\\n        ".join(specs)
        local = "    local state line curcontext=$curcontext" if command.subcommands else ""
        if not command.path:
            local += "\n    local _tokencli_program=$words[1]"
        start = "_arguments -C" if command.subcommands else "_arguments"
        functions += [
            f"{_function_name(command.path)}() {{",
            *([local] if local else []),
            f"    {start} -s \\\n        {body}",
            *after,
            "}",
            "",
        ]
    return _TEMPLATE.format(functions="\n".join(functions))


def _function_name(path: Iterable[str]) -> str:
    return "_".join(("_tokencli", *path))


def _render_option_specs(option: OptionSpec) -> list[str]:
    exclusive = " ".join(option.names)
    value = (
        f":{option.value_name}:{_render_candidates(option.candidates)}" if option.value_name else ""
    )
    text = _replace_spec_characters(option.help)
    return [quote_posix(f"({exclusive}){name}[{text}]{value}") for name in option.names]


def _render_candidates(words: tuple[str, ...]) -> str:
    special = {
        PROFILES_PLACEHOLDER: "_tokencli_names",
        FILES_PLACEHOLDER: "_files",
        COMMANDS_PLACEHOLDER: "_normal",
    }
    if words and words[0] in special:
        return special[words[0]]
    return f"({' '.join(words)})" if words else ""


def _replace_spec_characters(text: str) -> str:
    """Replace the characters that have a meaning in specifications of `_arguments`."""
    return text.translate(str.maketrans("[]:`\\", "(),'/"))


_TEMPLATE = """\
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
