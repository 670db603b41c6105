# Written by `tokencli completion bash`. Only names of profiles are asked of the program.

_tokencli_complete() {
    local IFS=$' \t\n' current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local command='' options='' words='' kind='' at
    if [[ $current == = ]]; then current=''
    elif [[ $before == = ]]; then before=${COMP_WORDS[COMP_CWORD - 2]}; fi
    for ((at = 1; at < COMP_CWORD; at++)); do
        case "${command:+$command }${COMP_WORDS[at]}" in
        'get' | 'refresh' | 'inspect' | 'export' | 'login' | 'logout' | 'sandbox' | 'hook' | 'completion' | 'help' | 'profiles' | 'profiles add' | 'profiles edit' | 'profiles show' | 'profiles use' | 'profiles remove' | 'profiles test' | 'profiles schema' | 'providers' | 'providers list' | 'providers show' | 'providers check' | 'providers new' | 'providers reference') command="${command:+$command }${COMP_WORDS[at]}" ;;
        esac
    done
    case "$command" in
    '')
        options='--version --help -h'
        case "$before" in
            *) words='get refresh inspect export login logout sandbox hook completion help profiles providers' ;;
        esac
        ;;
    'get')
        options='--profile -p --format --json --method --url --nonce --min-ttl --force --scope --interactive --dry-run --trace --config --timeout --lock-timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --format) words='raw header query json dpop' ;;
            --method) words='' ;;
            --url) words='' ;;
            --nonce) words='' ;;
            --min-ttl) words='' ;;
            --scope) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            --lock-timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'refresh')
        options='--profile -p --all --json --scope --config --timeout --lock-timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --scope) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            --lock-timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'inspect')
        options='--profile -p --json --verify --audience --introspect --userinfo --id-token --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --audience) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'export')
        options='--profile -p --shell --format --var --all-vars --unset --min-ttl --force --scope --config --timeout --lock-timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --shell) words='sh bash zsh dash ksh mksh busybox fish powershell pwsh cmd dotenv docker github_actions k8s json' ;;
            --format) words='sh bash zsh dash ksh mksh busybox fish powershell pwsh cmd dotenv docker github_actions k8s json' ;;
            --var) words='' ;;
            --min-ttl) words='' ;;
            --scope) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            --lock-timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'login')
        options='--profile -p --stdin --again --no-browser --wait --scope --config --timeout --lock-timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --wait) words='' ;;
            --scope) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            --lock-timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'logout')
        options='--profile -p --secrets --force --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --profile|-p) kind=profiles ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'sandbox')
        options='--port --lifetime --fail --slow --clock-skew --grace --no-refresh-token --html --broken-json --no-token --expires-in --redirect --drop --quiet -q --verbose -v --help -h'
        case "$before" in
            --port) words='' ;;
            --lifetime) words='' ;;
            --fail) words='' ;;
            --slow) words='' ;;
            --clock-skew) words='' ;;
            --grace) words='' ;;
            --expires-in) words='' ;;
            --redirect) words='' ;;
            --drop) words='' ;;
            *) kind=commands ;;
        esac
        ;;
    'hook')
        options='--renew --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='bash zsh fish' ;;
        esac
        ;;
    'completion')
        options='--profiles --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='bash zsh fish powershell' ;;
        esac
        ;;
    'help')
        options='--config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='getting-started profiles secrets scripts ci sign-in oauth any-endpoint provider-reference inspect troubleshooting security speed platforms python-api architecture get refresh export providers login logout sandbox hook completion help' ;;
        esac
        ;;
    'profiles')
        options='--json --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='add edit show use remove test schema' ;;
        esac
        ;;
    'profiles add')
        options='--provider --host --base-url --token-url --client-id --username --email-address --identity-store-id --scope --audience --grant --client-auth --ca-file --store --export --set --secret --password-env --client-secret-env --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --provider) words='auth0 authentik aws-cognito dex entra github gitlab google groupid hydra identityserver keycloak oauth2 okta ping salesforce screening-eagle slack socialid zitadel' ;;
            --host) words='' ;;
            --base-url) words='' ;;
            --token-url) words='' ;;
            --client-id) words='' ;;
            --username) words='' ;;
            --email-address) words='' ;;
            --identity-store-id) words='' ;;
            --scope) words='' ;;
            --audience) words='' ;;
            --grant) words='' ;;
            --client-auth) words='' ;;
            --ca-file) kind=files ;;
            --store) words='' ;;
            --export) words='' ;;
            --set) words='' ;;
            --secret) words='' ;;
            --password-env) words='' ;;
            --client-secret-env) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    'profiles edit')
        options='--set --unset --secret --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --set) words='' ;;
            --unset) words='' ;;
            --secret) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'profiles show')
        options='--json --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'profiles use')
        options='--config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'profiles remove')
        options='--yes -y --secrets --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'profiles test')
        options='--config --timeout --lock-timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            --lock-timeout) words='' ;;
            *) kind=profiles ;;
        esac
        ;;
    'profiles schema')
        options='--config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    'providers')
        options='--json --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='list show check new reference' ;;
        esac
        ;;
    'providers list')
        options='--json --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    'providers show')
        options='--config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    'providers check')
        options='--json --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) kind=files ;;
        esac
        ;;
    'providers new')
        options='--from-curl --from --pick --config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --from-curl) kind=commands ;;
            --from) kind=files ;;
            --pick) words='' ;;
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    'providers reference')
        options='--config --timeout --no-input --quiet -q --verbose -v --help -h'
        case "$before" in
            --config) kind=files ;;
            --timeout) words='' ;;
            *) words='' ;;
        esac
        ;;
    esac
    if [[ $current == -* ]]; then
        words=$options kind=''
    fi
    COMPREPLY=()
    case "$kind" in
    profiles) words=$("$1" completion --profiles "$current" 2>/dev/null) ;;
    files) compopt -o filenames 2>/dev/null; IFS=$'\n'; COMPREPLY=($(compgen -f -- "$current")); return ;;
    commands) COMPREPLY=($(compgen -c -- "$current")); return ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}

complete -F _tokencli_complete tokencli
