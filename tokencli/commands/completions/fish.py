"""The completion script for fish: one `complete` per subcommand and option."""

from tokencli.commands.completions import (
    COMMANDS_PLACEHOLDER,
    FILES_PLACEHOLDER,
    PROFILES_PLACEHOLDER,
    CommandSpec,
)


def render_script(commands: tuple[CommandSpec, ...]) -> str:
    """Return the completion script for fish."""
    rows = []
    for command in commands:
        at = f"complete -c tokencli -n {_quote_fish(f'__tokencli_at {command.name}'.strip())}"
        for sub in commands:
            if sub.path and sub.path[:-1] == command.path:
                rows.append(f"{at} -f -a {sub.path[-1]} -d {_quote_fish(sub.help)}")
        if command.path:
            rows.append(f"{at} {_render_candidates(command.candidates)}")
        for option in command.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            value = f" -r {_render_candidates(option.candidates)}" if option.value_name else ""
            rows.append(f"{at} {names}{value} -d {_quote_fish(option.help)}")
    paths = [name for each in commands if each.path for name in (each.name, *each.other_names)]
    aliases = [
        f"        case {_quote_fish(name)}\n            set command {_quote_fish(command.name)}"
        for command in commands
        for name in command.other_names
    ]
    return _TEMPLATE.format(
        paths=" ".join(map(_quote_fish, paths)), aliases="\n".join(aliases), rows="\n".join(rows)
    )


def _render_candidates(words: tuple[str, ...]) -> str:
    special = {
        PROFILES_PLACEHOLDER: "-f -a '(__tokencli_names)'",
        FILES_PLACEHOLDER: "-F",
        COMMANDS_PLACEHOLDER: "-f -a '(__fish_complete_command)'",
    }
    if words and words[0] in special:
        return special[words[0]]
    return f"-f -a {_quote_fish(' '.join(words))}" if words else "-f"


def _quote_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_TEMPLATE = """\
@NOTE@

function __tokencli_at
    set -l command
    set -l words (commandline -opc)
    for word in $words[2..-1]
        set -l next (string trim -- "$command $word")
        if contains -- $next {paths}
            set command $next
        end
    end
    switch "$command"
{aliases}
    end
    test "$command" = "$argv"
end

function __tokencli_names
    string match -q -- '-*' (commandline -ct); and return
    set -l program (commandline -opc)[1]
    command $program completion --profiles (commandline -ct) 2>/dev/null
end

{rows}
"""
