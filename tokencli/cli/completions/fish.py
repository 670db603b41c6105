"""fish: one `complete` for each word."""

from tokencli.cli.words import COMMANDS, FILES, PROFILES, Command


def script(known: tuple[Command, ...]) -> str:
    """Return the completions for fish."""
    rows = []
    for command in known:
        at = f"complete -c tokencli -n {_quoted(f'__tokencli_at {command.name}'.strip())}"
        for one in known:
            if one.path and one.path[:-1] == command.path:
                rows.append(f"{at} -f -a {one.path[-1]} -d {_quoted(one.help)}")
        if command.path:
            rows.append(f"{at} {_words(command.words)}")
        for option in command.options:
            names = " ".join(
                f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
                for name in option.names
            )
            value = f" -r {_words(option.words)}" if option.takes else ""
            rows.append(f"{at} {names}{value} -d {_quoted(option.help)}")
    paths = " ".join(_quoted(command.name) for command in known if command.path)
    return _TEXT.format(paths=paths, rows="\n".join(rows))


def _words(words: tuple[str, ...]) -> str:
    special = {
        PROFILES: "-f -a '(__tokencli_names)'",
        FILES: "-F",
        COMMANDS: "-f -a '(__fish_complete_command)'",
    }
    if words and words[0] in special:
        return special[words[0]]
    return f"-f -a {_quoted(' '.join(words))}" if words else "-f"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_TEXT = """\
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
    test "$command" = "$argv"
end

function __tokencli_names
    string match -q -- '-*' (commandline -ct); and return
    set -l program (commandline -opc)[1]
    command $program completion --profiles (commandline -ct) 2>/dev/null
end

{rows}
"""
