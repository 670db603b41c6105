"""The completion script for bash 3.2 or newer."""

from tokencli.commands.completions import (
    COMMANDS_PLACEHOLDER,
    FILES_PLACEHOLDER,
    PROFILES_PLACEHOLDER,
    CommandSpec,
    quote_posix,
)


def render_script(commands: tuple[CommandSpec, ...]) -> str:
    """Return the completion script for bash."""
    cases = []
    for command in commands:
        rows = [
            f"        {'|'.join(option.names)}) {_render_candidates(option.candidates)} ;;"
            for option in command.options
            if option.value_name
        ]
        rows.append(
            f"        *) {_render_candidates((*command.subcommands, *command.candidates))} ;;"
        )
        flags = " ".join(name for option in command.options for name in option.names)
        cases += [
            f"    {_quote_names(command)})",
            f"        options={quote_posix(flags)}",
            '        case "$before" in',
            *(f"    {row}" for row in rows),
            "        esac",
            "        ;;",
        ]
    paths = " | ".join(_quote_names(command) for command in commands if command.path)
    return _TEMPLATE.format(paths=paths, cases="\n".join(cases))


def _quote_names(command: CommandSpec) -> str:
    return " | ".join(map(quote_posix, (command.name, *command.other_names)))


def _render_candidates(words: tuple[str, ...]) -> str:
    special = {
        PROFILES_PLACEHOLDER: "kind=profiles",
        FILES_PLACEHOLDER: "kind=files",
        COMMANDS_PLACEHOLDER: "kind=commands",
    }
    if words and words[0] in special:
        return special[words[0]]
    return f"words={quote_posix(' '.join(words))}" if words else "words=''"


_TEMPLATE = """\
@NOTE@

_tokencli_complete() {{
    local IFS=$' \\t\\n' current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    local command='' options='' words='' kind='' at
    if [[ $current == = ]]; then current=''
    elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${{command:+$command }}${{COMP_WORDS[at]}}" in
        {paths}) command="${{command:+$command }}${{COMP_WORDS[at]}}" ;;
        esac
    done
    case "$command" in
{cases}
    esac
    if [[ $current == -* ]]; then
        words=$options kind=''
    fi
    COMPREPLY=()
    case "$kind" in
    profiles) words=$("$1" completion --profiles "$current" 2>/dev/null) ;;
    files) compopt -o filenames 2>/dev/null; IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); return ;;
    commands) COMPREPLY=($(compgen -c -- "$current")); return ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}

complete -F _tokencli_complete tokencli tokencli.exe
"""
