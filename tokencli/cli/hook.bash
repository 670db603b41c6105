# tokencli in bash: a warm `get` or `export` costs no process, and variables are renewed before the
# prompt. Where anything is in doubt the program is called. `tokencli_unhook` takes it all away again.

function tokencli {
    if [[ $# -le 2 && ( ${1-} == get || ${1-} == export ) ]] && _tokencli_warm "$@"; then
        return 0
    fi
    \command tokencli "$@"
}

# Print what the program would print, or fail where that is not certain.
function _tokencli_warm {
    ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || return 1
    \builtin local -
    \builtin set +x +e +u # a trace would show the token
    \builtin local config place base name now
    \builtin local -a record
    # What is not exported, the program does not see.
    for name in TOKENCLI_CONFIG TOKENCLI_PROFILE XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME; do
        [[ -z ${!name} || ${!name@a} == *x* ]] || return 1
    done
    for name in "${!TOKENCLI_@}" "${!_TOKENCLI_COMPLETE@}"; do
        [[ $name == TOKENCLI_CONFIG || $name == TOKENCLI_PROFILE ]] || return 1
    done
    config=${TOKENCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/tokencli/config.toml}
    [[ $config == /* && -f $config && -O $config ]] || return 1
    for base in "$XDG_RUNTIME_DIR" "/run/user/$EUID"; do
        place=$base/tokencli/hot/${config//\//%}
        [[ $base == /* && -d $place ]] && break
    done
    for name in "$base" "$base/tokencli" "$base/tokencli/hot" "$place"; do
        [[ -d $name && -O $name && ! -L $name ]] || return 1
    done
    name=${2-${TOKENCLI_PROFILE}}
    if [[ $# -eq 1 && -z $name ]]; then
        _tokencli_read default "" .default || return 1
        name=${record[4]}
    fi
    [[ $name == [A-Za-z0-9]* && $name != *[!A-Za-z0-9._-]* ]] || return 1
    _tokencli_read token "$name" "$name" || return 1
    [[ ${record[4]} == [1-9]* && ${record[5]} == [1-9]* ]] || return 1
    [[ ${record[4]}${record[5]} != *[!0-9]* ]] || return 1
    \builtin printf -v now '%(%s)T' -1 || return 1
    ((record[4] <= now && now < record[5])) || return 1
    [[ ${record[7]} && ${record[7]} != *[!A-Za-z0-9._~+/=-]* ]] || return 1
    { : >&1; } 2>/dev/null || return 1 # stdout is closed
    if [[ $1 == get ]]; then
        \builtin printf '%s\n' "${record[7]}" 2>/dev/null
    else
        \builtin printf "export %s='%s';\n" "${record[6]}" "${record[7]}" 2>/dev/null
    fi
}

# Read the record KIND of NAME in FILE, written twice over, as lines.
function _tokencli_read {
    \builtin local file=$place/$3 half line
    [[ -f $file && -O $file && ! -L $file ]] || return 1
    # The program gives a record the time of its configuration.
    [[ $file -nt $config || $file -ot $config ]] && return 1
    { \builtin mapfile -t record <"$file"; } 2>/dev/null || return 1
    half=$((${#record[@]} / 2))
    ((half > 4 && half * 2 == ${#record[@]})) || return 1
    for ((line = 0; line < half; line++)); do
        [[ ${record[line]} == "${record[half + line]}" ]] || return 1
    done
    [[ ${record[0]} == "tokencli @VERSION@ $1" && ${record[1]} == "$config" ]] || return 1
    [[ ${record[3]} == "$2" ]]
}

function _tokencli_prompt {
    \builtin local status=$? now
    if \builtin printf -v now '%(%s)T' -1 2>/dev/null && ((now >= _tokencli_next)); then
        _tokencli_next=$((now + 60)) # after a failure
        \builtin eval "$(\command tokencli hook bash --renew "${_tokencli_profiles[@]}")"
    fi
    \builtin return "$status"
}

function tokencli_unhook {
    \builtin local entry
    if [[ ${PROMPT_COMMAND@a} == *a* ]]; then
        \builtin local -a others
        others=()
        for entry in "${PROMPT_COMMAND[@]}"; do
            [[ $entry == _tokencli_prompt ]] || others+=("$entry")
        done
        PROMPT_COMMAND=("${others[@]}")
    elif [[ ${PROMPT_COMMAND-} == _tokencli_prompt ]]; then
        \builtin unset -v PROMPT_COMMAND
    elif [[ ${PROMPT_COMMAND-} == *'_tokencli_prompt;'* ]]; then
        PROMPT_COMMAND=${PROMPT_COMMAND/_tokencli_prompt;/}
    fi
    \builtin unset -v _tokencli_next _tokencli_profiles
    \builtin unset -f tokencli _tokencli_warm _tokencli_read _tokencli_prompt tokencli_unhook
    return 0
}

_tokencli_profiles=(@PROFILES@)
_tokencli_next=0
if [[ ${#_tokencli_profiles[@]} -gt 0 && ${PROMPT_COMMAND[*]-} != *_tokencli_prompt* ]]; then
    if [[ ${PROMPT_COMMAND@a} == *a* ]]; then
        PROMPT_COMMAND=(_tokencli_prompt "${PROMPT_COMMAND[@]}")
    else
        PROMPT_COMMAND=_tokencli_prompt${PROMPT_COMMAND:+;$PROMPT_COMMAND}
    fi
fi
