# tokencli in bash: `get` and `export` print a cached, fresh token without starting a process, and
# variables are renewed before the prompt. In any doubt the program is run. `tokencli_unhook` undoes
# everything.

\builtin declare -F tokencli_unhook >/dev/null ||
    \builtin unset -v _tokencli_profiles _tokencli_next _tokencli_seen _tokencli_variables

function tokencli {
    if [[ $# -le 2 && ( ${1-} == get || ${1-} == export ) ]]; then
        if _tokencli_warm "$@"; then
            \return 0
        elif [[ $? -ne 2 ]]; then
            \command tokencli "$@"
        elif [[ -c /dev/full ]]; then
            \command tokencli "$@" >/dev/full
        else
            \command tokencli "$@" >&-
        fi
    elif [[ ${1-} == doctor ]]; then
        \command tokencli "$@" --hook @VERSION@
    elif [[ ${_tokencli_profiles[*]-} ]]; then
        \command tokencli "$@"
        _tokencli_follow "$?" "${1-}"
    else
        \command tokencli "$@"
    fi
}

# Print what the program would print, or fail if that is not certain: with 2 if part of the output may
# have been written already, so that it must not be written again.
function _tokencli_warm {
    ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || \return 1
    [[ ${OSTYPE-} != msys && ${OSTYPE-} != cygwin ]] || \return 1 # only the program can decrypt the copies of Windows
    \builtin local -
    \builtin set +aeuvx # a trace would show the token
    [[ a != A ]] || \return 1 # `shopt -s nocasematch`
    # It fails if the user has a read-only variable of one of these names.
    \builtin local config records_dir base name now 2>/dev/null || \return 1
    \builtin local -a record 2>/dev/null || \return 1
    # The program would not see a variable that is not exported.
    for name in TOKENCLI_CONFIG TOKENCLI_PROFILE XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME; do
        [[ -z ${!name} || ${!name@a} == *x* ]] || \return 1
    done
    for name in "${!TOKENCLI_@}" "${!_TOKENCLI_COMPLETE@}"; do
        [[ $name == TOKENCLI_CONFIG || $name == TOKENCLI_PROFILE ]] || \return 1
    done
    [[ $TOKENCLI_CONFIG || $XDG_CONFIG_HOME || $HOME == /* ]] || \return 1
    config=${TOKENCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/tokencli/config.toml}
    [[ $config == /* && -f $config && -O $config ]] || \return 1
    for base in @BASE_DIRS@; do
        records_dir=$base/@RECORDS_PATH@/${config//\//@SLASH@}
        [[ $base == /* && -d $records_dir ]] && break
    done
    for name in "$base" "$base/@APP_DIR@" "$base/@RECORDS_PATH@" "$records_dir"; do
        [[ -d $name && -O $name && ! -L $name ]] || \return 1
    done
    name=${2-${TOKENCLI_PROFILE}}
    if [[ $# -eq 1 && -z $name ]]; then
        _tokencli_read default "" .default || \return 1
        name=${record[4]}
    fi
    [[ $name == [A-Za-z0-9]* && $name != *[!A-Za-z0-9._-]* ]] || \return 1
    _tokencli_read token "$name" "$name" || \return 1
    [[ ${record[4]} == [1-9]* && ${record[5]} == [1-9]* && \
        ${record[4]}${record[5]} != *[!0-9]* ]] || \return 1
    \builtin printf -v now '%(%s)T' -1 || \return 1
    ((record[4] <= now && now < record[5])) || \return 1
    [[ ${record[7]} && ${record[7]} != *[!A-Za-z0-9._~+/=-]* ]] || \return 1
    { \: >&1; } 2>/dev/null || \return 1 # stdout is closed
    if [[ $1 == get ]]; then
        \builtin printf '%s\n' "${record[7]}" 2>/dev/null && \return 0
    else
        \builtin printf "export %s='%s';\n" "${record[6]}" "${record[7]}" 2>/dev/null && \return 0
    fi
    # A pipe takes this little completely or not at all.
    [[ -f /dev/fd/1 || ${#record[6]}+${#record[7]} -gt 4000 ]] && \return 2
    \return 1
}

# Read the lines of the record of kind $1 and name $2 from file $3; a record is written twice over.
function _tokencli_read {
    \builtin local "file=$records_dir/$3" half line 2>/dev/null || \return 1
    [[ -f $file && -O $file && ! -L $file ]] || \return 1
    # The program gives a record the modification time of its configuration.
    [[ $file -nt $config || $file -ot $config ]] && \return 1
    { \builtin mapfile -t record <"$file"; } 2>/dev/null || \return 1
    half=$((${#record[@]} / 2))
    ((half > 4 && half * 2 == ${#record[@]})) || \return 1
    for ((line = 0; line < half; line++)); do
        [[ ${record[line]} == "${record[half + line]}" ]] || \return 1
    done
    [[ ${record[0]} == "tokencli @RECORD_FORMAT@ $1" && ${record[1]} == "$config" ]] || \return 1
    [[ ${record[3]} == "$2" ]]
}

function _tokencli_prompt {
    \builtin local "_tokencli_status=$?" _tokencli_now
    [[ $- != *e* ]] || _tokencli_status=0 # it would end the shell
    \builtin local -
    \builtin set +aeTuvx # a trace or a trap would show the token
    if \builtin printf -v _tokencli_now '%(%s)T' -1; then
        # A time before that of the last prompt means that the clock was set back.
        if ((_tokencli_now >= _tokencli_next || _tokencli_now < _tokencli_seen)); then
            _tokencli_next=$((_tokencli_now + 60)) # after a failure
            _tokencli_renew
        fi
        _tokencli_seen=$_tokencli_now
    fi
    \builtin return "$_tokencli_status"
}

# Unset what the last renewal set, and set what the program prints now. So nothing is left if it fails.
function _tokencli_renew {
    \builtin local - 2>/dev/null || \return 0 # an older bash has no variables to renew
    \builtin set +aeTuvx
    [[ ${_tokencli_profiles[*]-} ]] || \return 0
    \builtin local _tokencli_name _tokencli_statements
    \builtin local -a _tokencli_environment
    # Ctrl-C ends this function, so the variables are unset first. The program still sees them.
    for _tokencli_name in "${_tokencli_variables[@]}"; do
        _tokencli_environment+=("$_tokencli_name=${!_tokencli_name}")
        _tokencli_set "$_tokencli_name"
    done
    _tokencli_variables=()
    _tokencli_statements=$(
        \builtin export "${_tokencli_environment[@]}" >/dev/null 2>&1
        \command tokencli hook bash --renew "$@" "${_tokencli_profiles[@]}"
    )
    \builtin eval "${_tokencli_statements//$'\r'/}" # programs of Windows may end lines with it
}

# Export variable $1 with the value $2, or unset it if there is none.
function _tokencli_set {
    \builtin local _tokencli_attributes
    _tokencli_attributes=$(\builtin declare -p "$1" 2>/dev/null)
    _tokencli_attributes=${_tokencli_attributes#declare -}
    if [[ ${_tokencli_attributes%% *} == *r* ]]; then
        [[ $# -eq 1 ]] || \builtin printf 'tokencli: warning: %s is read-only in this shell\n' "$1" >&2
        \return 0
    fi
    \builtin unset -v "$1"
    if [[ $# -eq 2 ]]; then
        \builtin export "$1=$2"
        _tokencli_variables+=("$1")
    fi
}

# After command $2, which ended with status $1: a variable must not outlive its token.
function _tokencli_follow {
    if [[ $2 == logout ]]; then
        _tokencli_renew --after-logout
    elif [[ $2 == login || $2 == refresh || $2 == profiles ]]; then
        _tokencli_next=0
    fi
    \return "$1"
}

# Remove _tokencli_prompt from the commands in `_tokencli_entry`, and the separator that it leaves.
function _tokencli_without {
    \builtin local "_tokencli_rest=$_tokencli_entry" _tokencli_before='' _tokencli_blank=$' \t'
    \builtin local _tokencli_left _tokencli_right
    while [[ ${_tokencli_rest#*_tokencli_prompt} != "$_tokencli_rest" ]]; do
        _tokencli_before+=${_tokencli_rest%%_tokencli_prompt*}
        _tokencli_rest=${_tokencli_rest#*_tokencli_prompt}
        _tokencli_left=${_tokencli_before%"${_tokencli_before##*[!$_tokencli_blank]}"}
        _tokencli_right=${_tokencli_rest#"${_tokencli_rest%%[!$_tokencli_blank]*}"}
        if [[ $_tokencli_before == *[A-Za-z0-9_./-] || $_tokencli_rest == [A-Za-z0-9_./-]* ]]; then
            _tokencli_before+=_tokencli_prompt # part of another name
        elif [[ $_tokencli_left && $_tokencli_left != *[$';\n'] ||
            $_tokencli_right == ';;'* || $_tokencli_right == [!$';\n']* ]]; then
            _tokencli_before+=: # a command is required here
        elif [[ $_tokencli_right ]]; then
            _tokencli_rest=${_tokencli_right#?}
        else
            _tokencli_before=${_tokencli_left%?} _tokencli_rest=''
        fi
    done
    _tokencli_entry=$_tokencli_before$_tokencli_rest
}

function tokencli_unhook {
    \builtin local - 2>/dev/null && \builtin set +aeu
    \builtin local _tokencli_name _tokencli_entry
    for _tokencli_name in "${_tokencli_variables[@]}"; do
        _tokencli_set "$_tokencli_name"
    done
    \builtin local -a _tokencli_others
    if [[ ${PROMPT_COMMAND[*]-} == *_tokencli_prompt* ]]; then
        _tokencli_others=()
        for _tokencli_entry in "${PROMPT_COMMAND[@]}"; do
            [[ $_tokencli_entry == *_tokencli_prompt* ]] && _tokencli_without &&
                [[ ! $_tokencli_entry ]] && \continue
            _tokencli_others+=("$_tokencli_entry")
        done
        if [[ $(\builtin declare -p PROMPT_COMMAND) == 'declare -a'* ]]; then
            PROMPT_COMMAND=("${_tokencli_others[@]}")
        elif [[ ${#_tokencli_others[@]} -eq 0 ]]; then
            \builtin unset -v PROMPT_COMMAND
        else
            PROMPT_COMMAND=${_tokencli_others[0]}
        fi
    fi
    \builtin unset -v _tokencli_next _tokencli_seen _tokencli_profiles _tokencli_variables
    \builtin unset -f tokencli _tokencli_warm _tokencli_read _tokencli_prompt _tokencli_renew \
        _tokencli_set _tokencli_follow _tokencli_without tokencli_unhook
    \return 0
}

# Add profiles to those whose variables are kept fresh.
function _tokencli_install {
    \builtin local - 2>/dev/null && \builtin set +aeu
    \builtin local _tokencli_name _tokencli_known
    _tokencli_next=${_tokencli_next-0} _tokencli_seen=${_tokencli_seen-0}
    for _tokencli_name in "$@"; do
        _tokencli_next=0
        for _tokencli_known in "${_tokencli_profiles[@]-}"; do
            \builtin test "$_tokencli_known" = "$_tokencli_name" && \continue 2
        done
        _tokencli_profiles+=("$_tokencli_name")
    done
    if [[ ! ${_tokencli_profiles[*]-} || ${PROMPT_COMMAND[*]-} == *_tokencli_prompt* ]]; then
        \return 0
    elif ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
        \builtin printf 'tokencli: warning: renewing variables requires bash 4.4 or newer\n' >&2
    elif [[ ${PROMPT_COMMAND@a} == *r* ]]; then
        \builtin printf 'tokencli: warning: variables are not renewed: PROMPT_COMMAND is read-only\n' >&2
    elif [[ $(\builtin declare -p PROMPT_COMMAND 2>/dev/null) == 'declare -a'* ]]; then
        PROMPT_COMMAND=(_tokencli_prompt "${PROMPT_COMMAND[@]}")
    else
        PROMPT_COMMAND=_tokencli_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}
    fi
}

# Under `set -a` the functions would be exported to every process.
\builtin export -fn tokencli _tokencli_warm _tokencli_read _tokencli_prompt _tokencli_renew \
    _tokencli_set _tokencli_follow _tokencli_without _tokencli_install tokencli_unhook
_tokencli_install @PROFILES@
\builtin unset -f _tokencli_install
