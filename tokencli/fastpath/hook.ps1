# tokencli in PowerShell: variables are renewed before the prompt, and after a line was entered, before
# it runs. `Get-TokencliToken` returns a fresh token. `tokencli_unhook` undoes everything.
#
# It works in Windows PowerShell 5.1, in ConstrainedLanguage mode, and with any preferences of the user.
# Commands have their module's name, because an alias may have theirs. The names of local variables are
# unusual, because the prompt that is called sees them. A token is neither in a text that is evaluated
# nor in the argument of a command, because PowerShell can log both, nor is it assigned to a variable of
# PowerShell, which a trace would show.

# Before a prompt. $_tokencli_ok is the user's `$?`, $_tokencli_layer the number of what was wrapped.
function global:_tokencli_prompt ($_tokencli_ok, $_tokencli_layer) {
    $_tokencli_code = _tokencli_exit_code
    if ($global:_tokencli.Profiles) {
        $_tokencli_now = [DateTime]::UtcNow.Ticks
        # A time before that of the last prompt means that the clock was set back.
        if ($_tokencli_now -ge $global:_tokencli.Next -or $_tokencli_now -lt $global:_tokencli.Seen) {
            _tokencli_renew
        }
        $global:_tokencli.Seen = $_tokencli_now
    }
    _tokencli_call
}

# Read a line, and renew what has become due since the prompt was shown.
function global:_tokencli_read_line ($_tokencli_ok, $_tokencli_layer) {
    $_tokencli_code = _tokencli_exit_code
    $_tokencli_line = _tokencli_call
    if ($global:_tokencli.Profiles) {
        if ([DateTime]::UtcNow.Ticks -ge $global:_tokencli.Next) {
            _tokencli_renew
        }
        # A variable must not outlive its token.
        if ("$_tokencli_line" -match '\btokencli\S*\s+(login|logout|refresh|profiles)\b') {
            $global:_tokencli.Next = 0
            $global:_tokencli.AfterLogout = $global:_tokencli.AfterLogout -or $Matches[1] -eq 'logout'
        }
    }
    $_tokencli_line
}

# Call what was wrapped. It sees the user's `$?` and `$LASTEXITCODE`, and the latter stays.
function global:_tokencli_call {
    try {
        if (-not $_tokencli_ok) {
            Microsoft.PowerShell.Utility\Write-Error '-' -ErrorAction Ignore # sets `$?`, not `$Error`
        }
        & $global:_tokencli.Layers[$_tokencli_layer]
    } finally {
        _tokencli_restore_exit_code
    }
}

# Return `$LASTEXITCODE`, or nothing if no program has run.
function global:_tokencli_exit_code {
    Microsoft.PowerShell.Core\Set-StrictMode -Off
    $global:LASTEXITCODE
}

function global:_tokencli_restore_exit_code {
    if ($null -ne $_tokencli_code) {
        $global:LASTEXITCODE = $_tokencli_code
    } elseif ($null -ne (_tokencli_exit_code)) {
        Microsoft.PowerShell.Utility\Remove-Variable LASTEXITCODE -Scope Global -Force -ErrorAction Ignore `
            -WhatIf:$false -Verbose:$false
    }
}

# Set what the program prints, and unset what it has set before. So nothing is left if it fails.
function global:_tokencli_renew {
    $ErrorActionPreference = 'Continue'
    $InformationPreference = 'Continue'
    $PSNativeCommandUseErrorActionPreference = $false
    $_tokencli_code = _tokencli_exit_code
    $_tokencli_state = $global:_tokencli
    $_tokencli_options = @('--renew')
    if ($_tokencli_state.AfterLogout) {
        $_tokencli_options += '--after-logout'
    }
    $_tokencli_state.AfterLogout = $false
    $_tokencli_retry = [DateTime]::UtcNow.Ticks + 600000000 # a minute, after a failure
    $_tokencli_state.Next = $_tokencli_retry
    $_tokencli_before = $_tokencli_state.Variables
    $_tokencli_state.Variables = @()
    try {
        $_tokencli_program = Microsoft.PowerShell.Core\Get-Command tokencli -CommandType Application `
            -TotalCount 1 -ErrorAction Ignore
        if ($_tokencli_program) {
            & $_tokencli_program hook powershell @_tokencli_options $_tokencli_state.Profiles |
                & { process { _tokencli_apply } }
            if ($global:LASTEXITCODE -ne 0) {
                Microsoft.PowerShell.Utility\Write-Host (
                    "tokencli: error: no variable was renewed (exit code $global:LASTEXITCODE)")
            } elseif ($_tokencli_state.Next -eq $_tokencli_retry) {
                Microsoft.PowerShell.Utility\Write-Host (
                    'tokencli: error: no variable was renewed, because PowerShell can not read what tokencli ' +
                    'printed, probably because of [Console]::OutputEncoding')
            }
        } else {
            Microsoft.PowerShell.Utility\Write-Host (
                "tokencli: error: tokencli is not in PATH, so $($_tokencli_state.Profiles) can't be renewed")
        }
    } finally { # also after Ctrl-C
        foreach ($_tokencli_entry in $_tokencli_before) {
            if ($_tokencli_state.Variables -cnotcontains $_tokencli_entry) {
                _tokencli_unset $_tokencli_entry.Split(' ')[1]
            }
        }
        _tokencli_restore_exit_code
    }
}

# Apply one line of the program: `set PROFILE VARIABLE VALUE`, `unset VARIABLE`, `profiles NAMES`,
# `next SECOND` or `show TEXT`. PowerShell hides what the program writes to stderr during a prompt.
function global:_tokencli_apply {
    if ($_ -cmatch '^set ([A-Za-z0-9._-]+ ([A-Za-z_][A-Za-z0-9_]*)) ') {
        Microsoft.PowerShell.Utility\Invoke-Expression (
            '$env:{0} = $_.Substring({1})' -f $Matches[2], $Matches[0].Length)
        $_tokencli_state.Variables += $Matches[1]
    } elseif ($_ -cmatch '^unset ([A-Za-z_][A-Za-z0-9_]*)$') {
        _tokencli_unset $Matches[1]
    } elseif ($_ -cmatch '^profiles( [A-Za-z0-9._ -]*)?$') {
        $_tokencli_state.Profiles = @($_.Substring(8) -split ' ' -ne '')
    } elseif ($_ -cmatch '^next ([0-9]+)$') {
        $_tokencli_state.Next = [long]$Matches[1] * 10000000 + 621355968000000000
    } elseif ($_ -clike 'show *') {
        Microsoft.PowerShell.Utility\Write-Host "tokencli: $($_.Substring(5))"
    }
}

function global:_tokencli_unset ($_tokencli_name) {
    Microsoft.PowerShell.Utility\Invoke-Expression "`$env:$_tokencli_name = `$null"
}

# Return a fresh token: of a hooked profile the one in its variable, else what `tokencli get` prints.
function global:Get-TokencliToken ([string]$Name, [switch]$AsSecureString) {
    $ErrorActionPreference = 'Continue'
    $PSNativeCommandUseErrorActionPreference = $false
    if ($global:_tokencli.Profiles -and [DateTime]::UtcNow.Ticks -ge $global:_tokencli.Next) {
        _tokencli_renew
    }
    $_tokencli_variable = ''
    foreach ($_tokencli_entry in $global:_tokencli.Variables) {
        if ($_tokencli_entry.Split(' ')[0] -ceq $Name) {
            $_tokencli_variable = $_tokencli_entry.Split(' ')[1]
        }
    }
    & {
        if ($_tokencli_variable) {
            Microsoft.PowerShell.Utility\Invoke-Expression "`$env:$_tokencli_variable"
        } else {
            $_tokencli_program = Microsoft.PowerShell.Core\Get-Command tokencli `
                -CommandType Application -TotalCount 1 -ErrorAction Stop
            & $_tokencli_program get @(if ($Name) { '--', $Name })
            if ($global:LASTEXITCODE -ne 0) {
                throw "tokencli get $Name failed"
            }
        }
    } | & {
        process {
            if ($AsSecureString) {
                $_ | Microsoft.PowerShell.Security\ConvertTo-SecureString -AsPlainText -Force
            } else {
                $_
            }
        }
    }
}

# Restore what was wrapped. A function that another program has wrapped since stays, and only calls.
function global:tokencli_unhook {
    $WhatIfPreference = $false
    $ConfirmPreference = 'None'
    $VerbosePreference = 'SilentlyContinue'
    $PSDefaultParameterValues = @{}
    foreach ($_tokencli_entry in $global:_tokencli.Variables) {
        _tokencli_unset $_tokencli_entry.Split(' ')[1]
    }
    $env:_TOKENCLI_HOOK = $null
    $global:_tokencli.Profiles = @()
    $global:_tokencli.Variables = @()
    foreach ($_tokencli_name in 'prompt', 'PSConsoleHostReadLine') {
        while ("$(Microsoft.PowerShell.Management\Get-Content -LiteralPath "function:$_tokencli_name" `
            -ErrorAction Ignore)" -cmatch '^\s*_tokencli_[a-z_]+ \$\? ([0-9]+)\s*$') {
            Microsoft.PowerShell.Management\Set-Item -LiteralPath "function:global:$_tokencli_name" `
                $global:_tokencli.Layers[[int]$Matches[1]]
            $global:_tokencli.Layers.Remove([int]$Matches[1])
        }
    }
    $_tokencli_names = '_tokencli_renew', '_tokencli_apply', '_tokencli_unset', 'Get-TokencliToken',
        'tokencli_unhook'
    if ($global:_tokencli.Layers.Count -eq 0) {
        $_tokencli_names += '_tokencli_prompt', '_tokencli_read_line', '_tokencli_call',
            '_tokencli_exit_code', '_tokencli_restore_exit_code'
        Microsoft.PowerShell.Utility\Remove-Variable _tokencli -Scope Global -Force
    }
    foreach ($_tokencli_name in $_tokencli_names) {
        Microsoft.PowerShell.Management\Remove-Item -LiteralPath "function:$_tokencli_name"
    }
}

# Wrap the functions, unless that was done, and add profiles to those whose variables are kept fresh.
& {
    if (-not (Microsoft.PowerShell.Management\Test-Path variable:global:_tokencli)) {
        # Read-only, so that `Remove-Variable *` leaves it, without which there would be no prompt.
        Microsoft.PowerShell.Utility\Set-Variable _tokencli @{
            Profiles = @(); Variables = @(); Next = 0; Seen = 0; AfterLogout = $false; Layers = @{}; Last = 0
        } -Scope Global -Option ReadOnly -WhatIf:$false -Confirm:$false -Verbose:$false
    }
    $env:_TOKENCLI_HOOK = "powershell @VERSION@ $PID" # `tokencli doctor` reads it
    foreach ($_tokencli_name in @(@PROFILES@)) {
        $global:_tokencli.Next = 0
        if ($global:_tokencli.Profiles -cnotcontains $_tokencli_name) {
            $global:_tokencli.Profiles += $_tokencli_name
        }
    }
    $_tokencli_helpers = @{ prompt = '_tokencli_prompt'; PSConsoleHostReadLine = '_tokencli_read_line' }
    foreach ($_tokencli_name in $_tokencli_helpers.Keys) {
        $_tokencli_wrapped = Microsoft.PowerShell.Management\Get-Content -LiteralPath `
            "function:$_tokencli_name" -ErrorAction Ignore
        if (-not $global:_tokencli.Profiles -or $null -eq $_tokencli_wrapped -or
            "$_tokencli_wrapped" -cmatch '^\s*_tokencli_[a-z_]+ \$\? [0-9]+\s*$') {
            continue
        }
        try {
            $global:_tokencli.Last++
            $global:_tokencli.Layers[$global:_tokencli.Last] = $_tokencli_wrapped
            Microsoft.PowerShell.Utility\Invoke-Expression (
                'function global:{0} {{ {1} $? {2} }}' -f
                $_tokencli_name, $_tokencli_helpers[$_tokencli_name], $global:_tokencli.Last)
        } catch {
            $global:_tokencli.Layers.Remove($global:_tokencli.Last)
            Microsoft.PowerShell.Utility\Write-Host (
                "tokencli: warning: variables are not renewed: the function $_tokencli_name is read-only")
        }
    }
}
