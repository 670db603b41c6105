"""The completion script for PowerShell 5.1 and 7: a table of words, and a function that reads it.

The script is ASCII, because Windows PowerShell reads files in the ANSI code page. It runs in every
language mode: in ConstrainedLanguage mode it can't create a `CompletionResult`, and offers bare words.
"""

from collections.abc import Iterator, Mapping

from tokencli.commands.completions import PROFILES_PLACEHOLDER, CommandSpec, OptionSpec


def render_script(commands: tuple[CommandSpec, ...]) -> str:
    """Return the completion script for PowerShell."""
    summaries = {command.path: command.help for command in commands}
    tables = []
    for command in commands:
        described = {name: summaries[*command.path, name] for name in command.subcommands}
        rows = [
            *(row for option in command.options for row in _render_option(option)),
            "||",
            *_render_words(command.subcommands, described),
            *_render_words(command.candidates, command.descriptions),
        ]
        tables += [f"        {_quote(command.name)} = @'", *rows, "'@"]
    aliases = [
        f"    $tables[{_quote(name)}] = $tables[{_quote(command.name)}]"
        for command in commands
        for name in command.other_names
    ]
    return _TEMPLATE.replace("@TABLES@", "\n".join(tables)).replace("@ALIASES@", "\n".join(aliases))


def _render_option(option: OptionSpec) -> Iterator[str]:
    """Yield a line `NAMES|METAVAR|HELP`, and one for each candidate of its value."""
    yield f"{' '.join(option.names)}|{option.value_name or ''}|{option.help}"
    yield from _render_words(option.candidates, option.descriptions)


def _render_words(words: tuple[str, ...], descriptions: Mapping[str, str]) -> Iterator[str]:
    """Yield a line ` WORD|DESCRIPTION` for each word; files and commands are PowerShell's own."""
    for word in words:
        if word == PROFILES_PLACEHOLDER or not word.startswith("<"):
            yield f" {word}|{descriptions.get(word, '')}"


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_TEMPLATE = r"""@NOTE@

Register-ArgumentCompleter -Native -CommandName (@('tokencli') + @(Get-Alias |
    Where-Object { $_.Definition -match '(^|[\\/])tokencli(\.exe)?$' } |
    ForEach-Object { $_.Name })) -ScriptBlock {
    param($current, $line, $position)
    Set-StrictMode -Off
    $ErrorActionPreference = 'SilentlyContinue'
    $PSNativeCommandUseErrorActionPreference = $false
    $isFull = $ExecutionContext.SessionState.LanguageMode -eq 'FullLanguage'

    # Each option is a line NAMES|METAVAR|HELP, the arguments are one without names. The lines
    # below it, WORD|HELP with a space in front, are what can be its value.
    $tables = @{
@TABLES@
    }
@ALIASES@

    # Curved quotes are quotes here, too.
    $isQuoted = $current -match '^["''\u2018-\u201e](.*?)["''\u2018-\u201e]?$'
    if ($isQuoted) { $current = $Matches[1] }
    $command = ''
    $before = ''
    foreach ($element in $line.CommandElements | Select-Object -Skip 1) {
        if ($element.Extent.EndOffset -ge $position) { break }
        $before = $element.Value
        if ($before -isnot [string]) { $before = $element.Extent.Text }
        if ($before -ceq '--') {
            $start = $element.Extent.EndOffset - $line.Extent.StartOffset
            $length = $position - $line.Extent.StartOffset
            $rest = $line.Extent.Text.PadRight($length).Substring(0, $length).Substring($start)
            $rest = $rest.TrimStart()
            $cursor = $rest.Length
            return (TabExpansion2 $rest $cursor).CompletionMatches
        }
        $next = "$command $before".Trim()
        if ($tables.ContainsKey($next)) { $command = $next }
    }
    $option = ''
    if ($current -match '^(--[^=]+)=(.*)$') {
        $before = $Matches[1]
        $option = "$before="
        $current = $Matches[2]
    }

    $options = @()
    $values = @()
    $arguments = @()
    $takesValue = $false
    $isValue = $false
    $isArgument = $false
    foreach ($row in $tables[$command] -split "`r?`n") {
        if ($row.StartsWith(' ')) {
            $word = $row.Trim() -split '\|', 2
            if ($isValue) { $values += , $word } elseif ($isArgument) { $arguments += , $word }
            continue
        }
        $names, $metavar, $help = $row -split '\|', 3
        $isArgument = -not $names
        $isValue = $metavar -and (-split $names) -ccontains $before
        $takesValue = $takesValue -or $isValue
        foreach ($name in -split $names) { $options += , @($name, $help) }
    }
    $kind = 'ParameterValue'
    if ($option -or $takesValue) {
        $words = $values
    } elseif ($current.StartsWith('-')) {
        $kind = 'ParameterName'
        $words = $options
    } else {
        $words = $arguments
    }

    if ($words.Count -eq 1 -and $words[0][0] -eq '<profiles>') {
        $words = @()
        $program = $line.CommandElements[0].Value
        if (-not (Get-Command $program -ErrorAction Ignore)) { return }
        $hasCode = Test-Path variable:global:LASTEXITCODE
        $code = $global:LASTEXITCODE
        $encoding = $null
        try {
            # The output is ASCII, which only a few encodings spell differently.
            if ($isFull -and "$([Console]::OutputEncoding.GetBytes('{'))" -ne '123') {
                $encoding = [Console]::OutputEncoding
                [Console]::OutputEncoding = [System.Text.Encoding]::ASCII
            }
            $json = & $program completion --profiles --json 2>$null
        } finally {
            if ($encoding) { [Console]::OutputEncoding = $encoding }
            if ($hasCode) { $global:LASTEXITCODE = $code }
        }
        if ("$json".StartsWith('{')) {
            foreach ($profile in ("$json" | ConvertFrom-Json).profiles) {
                $help = @($profile.provider, $profile.endpoint) -ne $null -join ' at '
                $words += , @($profile.name, $help)
            }
        }
    }

    $found = $false
    foreach ($pair in $words) {
        $word, $help = $pair
        if (-not $word.StartsWith($current, 'OrdinalIgnoreCase')) { continue }
        $found = $true
        $text = "$option$word"
        if ($isQuoted -or $text -notmatch '^[\w./:=+-]+$') {
            $text = "'" + ($text -replace '[''\u2018-\u201b]', '$0$0') + "'"
        }
        if (-not $help) { $help = $word }
        if ($isFull) {
            [System.Management.Automation.CompletionResult]::new($text, $word, $kind, $help)
        } else {
            $text
        }
    }
}
"""
