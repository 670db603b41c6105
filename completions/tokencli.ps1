# Written by `tokencli completion powershell`. Only names of profiles are asked of the program.

$TokencliWords = @{
    '' = @{
        '--version' = $null
        '--help' = $null
        '-h' = $null
        '' = @('get', 'refresh', 'inspect', 'export', 'login', 'logout', 'sandbox', 'hook', 'completion', 'help', 'profiles', 'providers')
    }
    'get' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--format' = @('raw', 'header', 'query', 'json', 'dpop')
        '--json' = $null
        '--method' = @()
        '--url' = @()
        '--nonce' = @()
        '--min-ttl' = @()
        '--force' = $null
        '--scope' = @()
        '--interactive' = $null
        '--dry-run' = $null
        '--trace' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--lock-timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'refresh' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--all' = $null
        '--json' = $null
        '--scope' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--lock-timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'inspect' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--json' = $null
        '--verify' = $null
        '--audience' = @()
        '--introspect' = $null
        '--userinfo' = $null
        '--id-token' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'export' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--shell' = @('sh', 'bash', 'zsh', 'dash', 'ksh', 'mksh', 'busybox', 'fish', 'powershell', 'pwsh', 'cmd', 'dotenv', 'docker', 'github_actions', 'k8s', 'json')
        '--format' = @('sh', 'bash', 'zsh', 'dash', 'ksh', 'mksh', 'busybox', 'fish', 'powershell', 'pwsh', 'cmd', 'dotenv', 'docker', 'github_actions', 'k8s', 'json')
        '--var' = @()
        '--all-vars' = $null
        '--unset' = $null
        '--min-ttl' = @()
        '--force' = $null
        '--scope' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--lock-timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'login' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--stdin' = $null
        '--again' = $null
        '--no-browser' = $null
        '--wait' = @()
        '--scope' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--lock-timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'logout' = @{
        '--profile' = @('<profiles>')
        '-p' = @('<profiles>')
        '--secrets' = $null
        '--force' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'sandbox' = @{
        '--port' = @()
        '--lifetime' = @()
        '--fail' = @()
        '--slow' = @()
        '--clock-skew' = @()
        '--grace' = @()
        '--no-refresh-token' = $null
        '--html' = $null
        '--broken-json' = $null
        '--no-token' = $null
        '--expires-in' = @()
        '--redirect' = @()
        '--drop' = @()
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<commands>')
    }
    'hook' = @{
        '--renew' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('bash', 'zsh', 'fish')
    }
    'completion' = @{
        '--profiles' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('bash', 'zsh', 'fish', 'powershell')
    }
    'help' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('getting-started', 'profiles', 'secrets', 'scripts', 'ci', 'sign-in', 'oauth', 'any-endpoint', 'provider-reference', 'inspect', 'troubleshooting', 'security', 'speed', 'platforms', 'python-api', 'architecture', 'get', 'refresh', 'export', 'providers', 'login', 'logout', 'sandbox', 'hook', 'completion', 'help')
    }
    'profiles' = @{
        '--json' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('add', 'edit', 'show', 'use', 'remove', 'test', 'schema')
    }
    'profiles add' = @{
        '--provider' = @('auth0', 'authentik', 'aws-cognito', 'dex', 'entra', 'github', 'gitlab', 'google', 'groupid', 'hydra', 'identityserver', 'keycloak', 'oauth2', 'okta', 'ping', 'salesforce', 'screening-eagle', 'slack', 'socialid', 'zitadel')
        '--host' = @()
        '--base-url' = @()
        '--token-url' = @()
        '--client-id' = @()
        '--username' = @()
        '--email-address' = @()
        '--identity-store-id' = @()
        '--scope' = @()
        '--audience' = @()
        '--grant' = @()
        '--client-auth' = @()
        '--ca-file' = @('<files>')
        '--store' = @()
        '--export' = @()
        '--set' = @()
        '--secret' = @()
        '--password-env' = @()
        '--client-secret-env' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
    'profiles edit' = @{
        '--set' = @()
        '--unset' = @()
        '--secret' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'profiles show' = @{
        '--json' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'profiles use' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'profiles remove' = @{
        '--yes' = $null
        '-y' = $null
        '--secrets' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'profiles test' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--lock-timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<profiles>')
    }
    'profiles schema' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
    'providers' = @{
        '--json' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('list', 'show', 'check', 'new', 'reference')
    }
    'providers list' = @{
        '--json' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
    'providers show' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
    'providers check' = @{
        '--json' = $null
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @('<files>')
    }
    'providers new' = @{
        '--from-curl' = @('<commands>')
        '--from' = @('<files>')
        '--pick' = @()
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
    'providers reference' = @{
        '--config' = @('<files>')
        '--timeout' = @()
        '--no-input' = $null
        '--quiet' = $null
        '-q' = $null
        '--verbose' = $null
        '-v' = $null
        '--help' = $null
        '-h' = $null
        '' = @()
    }
}

Register-ArgumentCompleter -Native -CommandName tokencli -ScriptBlock {
    param($current, $line, $position)
    $typed = @($line.CommandElements | Where-Object { $_.Extent.EndOffset -lt $position } |
        Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
    $command = ''
    foreach ($word in $typed) {
        $next = "$command $word".Trim()
        if ($TokencliWords.ContainsKey($next)) { $command = $next }
    }
    $known = $TokencliWords[$command]
    $before = if ($typed.Count) { $typed[-1] } else { '' }
    if ($current -like '-*') {
        $words = $known.Keys | Where-Object { $_ } | Sort-Object
    } elseif ($before -and $known[$before] -is [array]) {
        $words = $known[$before]
    } else {
        $words = $known['']
    }
    if ($words -contains '<profiles>') {
        $program = $line.CommandElements[0].ToString()
        $words = & $program completion --profiles $current 2>$null
    }
    $words | Where-Object { $_ -notlike '<*' -and $_ -like "$current*" } | ForEach-Object {
        [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
    }
}
