"""bash: from 3.2 on."""

from tokencli.commands.completions.spec import (
    COMMANDS_PLACEHOLDER,
    FILES_PLACEHOLDER,
    PROFILES_PLACEHOLDER,
    CommandSpec,
)


def render_script(known: tuple[CommandSpec, ...]) -> str:
    """Return the script for bash, from 3.2 on."""
    cases = []
    for command in known:
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
            f"    {_quote_shell(command.name)})",
            f"        options={_quote_shell(flags)}",
            '        case "$before" in',
            *(f"    {row}" for row in rows),
            "        esac",
            "        ;;",
        ]
    paths = " | ".join(_quote_shell(command.name) for command in known if command.path)
    return _TEMPLATE.format(paths=paths, cases="\n".join(cases))


def _render_candidates(words: tuple[str, ...]) -> str:
    special = {
        PROFILES_PLACEHOLDER: "kind=profiles",
        FILES_PLACEHOLDER: "kind=files",
        COMMANDS_PLACEHOLDER: "kind=commands",
    }
    if words and words[0] in special:
        return special[words[0]]
    return f"words={_quote_shell(' '.join(words))}" if words else "words=''"


def _quote_shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


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

complete -F _tokencli_complete tokencli
"""
