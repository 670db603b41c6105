"""The completion script for PowerShell: a table of candidates and a function that reads it."""

from tokencli.commands.completions import CommandSpec


def render_script(commands: tuple[CommandSpec, ...]) -> str:
    """Return the completion script for PowerShell."""
    rows = []
    for command in commands:
        rows.append(f"    {_quote_powershell(command.name)} = @{{")
        options: dict[str, tuple[str, tuple[str, ...] | None]] = {}
        for option in command.options:
            words = option.candidates if option.value_name else None
            for name in option.names:  # keys ignore case; of -H VALUE and -h, -H has more to say
                if words is not None or name.lower() not in options:
                    options[name.lower()] = (name, words)
        for name, words in options.values():
            value = "$null" if words is None else _render_array(words)
            rows.append(f"        {_quote_powershell(name)} = {value}")
        rows += [
            f"        '' = {_render_array((*command.subcommands, *command.candidates))}",
            "    }",
        ]
    aliases = [
        f"$TokencliWords[{_quote_powershell(name)}] = $TokencliWords[{_quote_powershell(command.name)}]"
        for command in commands
        for name in command.other_names
    ]
    return _TEMPLATE.format(rows="\n".join(rows), aliases="\n".join(aliases))


def _render_array(words: tuple[str, ...]) -> str:
    return f"@({', '.join(_quote_powershell(word) for word in words)})"


def _quote_powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_TEMPLATE = """\
@NOTE@

$TokencliWords = @{{
{rows}
}}
{aliases}

Register-ArgumentCompleter -Native -CommandName tokencli -ScriptBlock {{
    param($current, $line, $position)
    $typed = @($line.CommandElements | Where-Object {{ $_.Extent.EndOffset -lt $position }} |
        Select-Object -Skip 1 | ForEach-Object {{ $_.ToString() }})
    $command = ''
    foreach ($word in $typed) {{
        $next = "$command $word".Trim()
        if ($TokencliWords.ContainsKey($next)) {{ $command = $next }}
    }}
    $candidates = $TokencliWords[$command]
    $before = if ($typed.Count) {{ $typed[-1] }} else {{ '' }}
    if ($current -like '-*') {{
        $words = $candidates.Keys | Where-Object {{ $_ }} | Sort-Object
    }} elseif ($before -and $candidates[$before] -is [array]) {{
        $words = $candidates[$before]
    }} else {{
        $words = $candidates['']
    }}
    if ($words -contains '<profiles>') {{
        $program = $line.CommandElements[0].ToString()
        $words = & $program completion --profiles $current 2>$null
    }}
    $words | Where-Object {{ $_ -notlike '<*' -and $_ -like "$current*" }} | ForEach-Object {{
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }}
}}
"""
