# tokencli in zsh: `get` and `export` print a cached, fresh token without starting a process, and
# variables are renewed before the prompt. In any doubt the program is run. `tokencli_unhook` undoes
# everything.

function {
    \builtin emulate -LR zsh
    \builtin typeset -f tokencli_unhook >/dev/null ||
        \builtin unset _tokencli_profiles _tokencli_next _tokencli_seen _tokencli_variables \
            _tokencli_loaded
    \builtin typeset -ga _tokencli_loaded
    \builtin local module feature
    # Not `stat`, which would hide the program of that name.
    for module feature in zsh/datetime p:EPOCHSECONDS zsh/parameter p:parameters zsh/stat b:zstat \
        zsh/system b:syswrite; do
        \builtin zmodload -Fe $module +$feature && \continue
        \builtin zmodload -F $module $feature
        _tokencli_loaded+=($module $feature)
    done
}

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
    elif (( ${#_tokencli_profiles} )); then
        \command tokencli "$@"
        _tokencli_follow $? "${1-}"
    else
        \command tokencli "$@"
    fi
}

# Print what the program would print, or fail if that is not certain: with 2 if part of the output may
# have been written already, so that it must not be written again.
function _tokencli_warm {
    \builtin emulate -LR zsh
    \builtin setopt no_xtrace # a trace would show the token
    \builtin local config records_dir base name
    \builtin local -i written
    \builtin local -a record
    \builtin local -A info
    # The program would not see a variable that is not exported.
    for name in TOKENCLI_CONFIG TOKENCLI_PROFILE XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME; do
        [[ -z ${(P)name-} || ${parameters[$name]} == *export* ]] || \return 1
    done
    for name in ${(k)parameters[(I)TOKENCLI_*]} ${(k)parameters[(I)_TOKENCLI_COMPLETE]}; do
        [[ $name == TOKENCLI_CONFIG || $name == TOKENCLI_PROFILE ]] || \return 1
    done
    [[ -n ${TOKENCLI_CONFIG-}${XDG_CONFIG_HOME-} || ${HOME-} == /* ]] || \return 1
    config=${TOKENCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/tokencli/config.toml}
    [[ $config == /* ]] || \return 1
    for base in @BASE_DIRS@; do
        records_dir=$base/@RECORDS_PATH@/${config//\//@SLASH@}
        [[ $base == /* && -d $records_dir ]] && break
    done
    for name in $base $base/@APP_DIR@ $base/@RECORDS_PATH@ $records_dir; do
        \builtin zstat -LH info -- $name 2>/dev/null || \return 1
        (( (info[mode] & 8#170077) == 8#040000 && info[uid] == EUID )) || \return 1
    done
    name=${2-${TOKENCLI_PROFILE-}}
    if [[ $# -eq 1 && -z $name ]]; then
        _tokencli_read default "" .default || \return 1
        name=$record[5]
    fi
    [[ $name == [A-Za-z0-9]* && $name != *[^A-Za-z0-9._-]* ]] || \return 1
    _tokencli_read token $name $name || \return 1
    [[ $record[5]$record[6] == [1-9]* && $record[5]$record[6] != *[^0-9]* ]] || \return 1
    (( record[5] <= EPOCHSECONDS && EPOCHSECONDS < record[6] )) || \return 1
    [[ -n $record[8] && $record[8] != *[^A-Za-z0-9._~+/=-]* ]] || \return 1
    { \: >&1 } 2>/dev/null || \return 1 # stdout is closed
    if [[ $1 == get ]]; then
        record[8]+=$'\n'
    else
        record[8]="export $record[7]='$record[8]';"$'\n'
    fi
    \builtin syswrite -c written $record[8] 2>/dev/null && \return 0
    \return $(( written ? 2 : 1 ))
}

# Read the lines of the record of kind $1 and name $2 from file $3; a record is written twice over.
function _tokencli_read {
    \builtin local file=$records_dir/$3 half stamp
    \builtin zstat -LH info -- $file 2>/dev/null || \return 1
    (( (info[mode] & 8#170077) == 8#100000 && info[uid] == EUID && info[nlink] == 1 )) || \return 1
    record=("${(@f)$(<$file)}") 2>/dev/null
    half=$(( $#record / 2 ))
    (( half > 4 && half * 2 == $#record )) || \return 1
    [[ "${(pj:\n:)record[1,half]}" == "${(pj:\n:)record[half+1,-1]}" ]] || \return 1
    [[ $record[1] == "tokencli @RECORD_FORMAT@ $1" && $record[2] == $config ]] || \return 1
    [[ $record[4] == "$2" ]] || \return 1
    # The stamp: mtime and ctime in nanoseconds, size, inode, device.
    stamp=("${(@s: :)record[3]}")
    [[ $#stamp -eq 5 && $record[3] != *[^0-9\ ]* ]] || \return 1
    \builtin zstat -H info -- $config 2>/dev/null || \return 1
    (( (info[mode] & 8#170022) == 8#100000 && (info[mode] & 8#400) )) || \return 1
    (( info[uid] == EUID )) || \return 1
    [[ "$info[size] $info[inode] $info[device]" == "$stamp[3] $stamp[4] $stamp[5]" ]] || \return 1
    (( info[mtime] == stamp[1] / 1000000000 && info[ctime] == stamp[2] / 1000000000 )) || \return 1
    # Compares fractions of a second: the program gives a record the time of its configuration.
    [[ ! $file -nt $config && ! $file -ot $config ]]
}

function _tokencli_prompt {
    \builtin emulate -LR zsh
    \builtin setopt no_xtrace # a trace would show the token
    # A time before that of the last prompt means that the clock was set back.
    if (( EPOCHSECONDS >= _tokencli_next || EPOCHSECONDS < _tokencli_seen )); then
        _tokencli_next=$(( EPOCHSECONDS + 60 )) # after a failure
        _tokencli_renew
    fi
    _tokencli_seen=$EPOCHSECONDS
    \return 0
}

# Unset what the last renewal set, and set what the program prints now. So nothing is left if it fails.
function _tokencli_renew {
    \builtin emulate -LR zsh
    \builtin setopt no_xtrace # a trace or a trap would show the token
    \builtin trap - DEBUG
    (( $#_tokencli_profiles )) || \return 0
    \builtin local _tokencli_name _tokencli_statements
    {
        _tokencli_statements=$(\command tokencli hook zsh --renew "$@" $_tokencli_profiles)
    } always { # also after Ctrl-C
        for _tokencli_name in $_tokencli_variables; do
            _tokencli_set $_tokencli_name
        done
        _tokencli_variables=()
    }
    \builtin eval "$_tokencli_statements"
}

# Export variable $1 with the value $2, or unset it if there is none.
function _tokencli_set {
    \builtin emulate -LR zsh
    \builtin setopt no_xtrace
    if [[ ${parameters[$1]-} == *readonly* ]]; then
        (( $# == 1 )) || \builtin print -ru2 "tokencli: warning: $1 is read-only in this shell"
        \return 0
    fi
    \builtin unset $1
    if (( $# == 2 )); then
        \builtin export "$1=$2"
        _tokencli_variables+=($1)
    fi
    \return 0
}

# After command $2, which ended with status $1: a variable must not outlive its token.
function _tokencli_follow {
    if [[ $2 == logout ]]; then
        _tokencli_renew --after-logout
    elif [[ $2 == login || $2 == refresh || $2 == profiles ]]; then
        _tokencli_next=0
    fi
    \return $1
}

function tokencli_unhook {
    \builtin emulate -LR zsh
    \builtin local _tokencli_name
    for _tokencli_name in $_tokencli_variables; do
        _tokencli_set $_tokencli_name
    done
    \builtin local module feature
    \builtin local -a features
    (( $+precmd_functions )) && precmd_functions=(${precmd_functions:#_tokencli_prompt})
    for module feature in $_tokencli_loaded; do
        # Others may be using the module by now.
        \builtin zmodload -lF -P features $module 2>/dev/null || \continue
        [[ ${(M)features:#+*} == +$feature ]] && \builtin zmodload -u $module
    done
    \builtin unset _tokencli_next _tokencli_seen _tokencli_profiles _tokencli_variables _tokencli_loaded
    \builtin unfunction tokencli _tokencli_warm _tokencli_read _tokencli_prompt _tokencli_renew \
        _tokencli_set _tokencli_follow tokencli_unhook
    \return 0
}

function {
    \builtin emulate -LR zsh
    \builtin typeset -gi _tokencli_next _tokencli_seen
    \builtin typeset -gaU _tokencli_profiles _tokencli_variables
    _tokencli_profiles+=("$@")
    (( $# )) && _tokencli_next=0
    if (( $#_tokencli_profiles && ! ${+precmd_functions[(r)_tokencli_prompt]} )); then
        \builtin typeset -ga precmd_functions
        precmd_functions+=(_tokencli_prompt)
    fi
    \return 0
} @PROFILES@
