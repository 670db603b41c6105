# tokencli in zsh: a warm `get` or `export` costs no process, and variables are renewed before the
# prompt. Where anything is in doubt the program is called. `tokencli_unhook` takes it all away again.

zmodload -F zsh/datetime p:EPOCHSECONDS
zmodload -F zsh/stat b:zstat # not `stat`, which would stand before the program of that name
zmodload -F zsh/parameter p:parameters

function tokencli {
    if [[ $# -le 2 && ( ${1-} == get || ${1-} == export ) ]] && _tokencli_warm "$@"; then
        return 0
    fi
    command tokencli "$@"
}

# Print what the program would print, or fail where that is not certain.
function _tokencli_warm {
    builtin emulate -LR zsh
    builtin local config place base name
    builtin local -a record
    builtin local -A found
    # What is not exported, the program does not see.
    for name in TOKENCLI_CONFIG TOKENCLI_PROFILE XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME; do
        [[ -z ${(P)name-} || ${parameters[$name]} == *export* ]] || return 1
    done
    for name in ${(k)parameters[(I)TOKENCLI_*]} ${(k)parameters[(I)_TOKENCLI_COMPLETE]}; do
        [[ $name == TOKENCLI_CONFIG || $name == TOKENCLI_PROFILE ]] || return 1
    done
    config=${TOKENCLI_CONFIG:-${XDG_CONFIG_HOME:-$HOME/.config}/tokencli/config.toml}
    [[ $config == /* ]] || return 1
    for base in "$XDG_RUNTIME_DIR" /run/user/$EUID; do
        place=$base/tokencli/hot/${config//\//%}
        [[ $base == /* && -d $place ]] && break
    done
    for name in $base $base/tokencli $base/tokencli/hot $place; do
        builtin zstat -LH found -- $name 2>/dev/null || return 1
        (( (found[mode] & 8#170077) == 8#040000 && found[uid] == EUID )) || return 1
    done
    name=${2-${TOKENCLI_PROFILE-}}
    if [[ $# -eq 1 && -z $name ]]; then
        _tokencli_read default "" .default || return 1
        name=$record[5]
    fi
    [[ $name == [A-Za-z0-9]* && $name != *[^A-Za-z0-9._-]* ]] || return 1
    _tokencli_read token $name $name || return 1
    [[ $record[5]$record[6] == [1-9]* && $record[5]$record[6] != *[^0-9]* ]] || return 1
    (( record[5] <= EPOCHSECONDS && EPOCHSECONDS < record[6] )) || return 1
    [[ -n $record[8] && $record[8] != *[^A-Za-z0-9._~+/=-]* ]] || return 1
    { : >&1 } 2>/dev/null || return 1 # stdout is closed
    if [[ $1 == get ]]; then
        builtin printf '%s\n' $record[8] 2>/dev/null
    else
        builtin printf "export %s='%s';\n" $record[7] $record[8] 2>/dev/null
    fi
}

# Read the record KIND of NAME in FILE, written twice over, as lines.
function _tokencli_read {
    builtin local file=$place/$3 half stamp
    builtin zstat -LH found -- $file 2>/dev/null || return 1
    (( (found[mode] & 8#170077) == 8#100000 && found[uid] == EUID && found[nlink] == 1 )) || return 1
    record=("${(@f)$(<$file)}") 2>/dev/null
    half=$(( $#record / 2 ))
    (( half > 4 && half * 2 == $#record )) || return 1
    [[ "${(pj:\n:)record[1,half]}" == "${(pj:\n:)record[half+1,-1]}" ]] || return 1
    [[ $record[1] == "tokencli @VERSION@ $1" && $record[2] == $config ]] || return 1
    [[ $record[4] == "$2" ]] || return 1
    # The stamp: mtime and ctime in nanoseconds, size, inode, device.
    stamp=(${=record[3]})
    [[ $#stamp -eq 5 && $record[3] != *[^0-9\ ]* ]] || return 1
    builtin zstat -H found -- $config 2>/dev/null || return 1
    (( (found[mode] & 8#170022) == 8#100000 && (found[mode] & 8#400) )) || return 1
    (( found[uid] == EUID )) || return 1
    [[ "$found[size] $found[inode] $found[device]" == "$stamp[3] $stamp[4] $stamp[5]" ]] || return 1
    (( found[mtime] == stamp[1] / 1000000000 && found[ctime] == stamp[2] / 1000000000 )) || return 1
    # Fractions of a second: the program gives a record the time of its configuration.
    [[ ! $file -nt $config && ! $file -ot $config ]]
}

function _tokencli_prompt {
    if (( EPOCHSECONDS >= _tokencli_next )); then
        _tokencli_next=$(( EPOCHSECONDS + 60 )) # after a failure
        builtin eval "$(command tokencli hook zsh --renew $_tokencli_profiles)"
    fi
}

function tokencli_unhook {
    (( $+precmd_functions )) && precmd_functions=(${precmd_functions:#_tokencli_prompt})
    builtin unset _tokencli_next _tokencli_profiles
    builtin unfunction tokencli _tokencli_warm _tokencli_read _tokencli_prompt tokencli_unhook
}

typeset -ga _tokencli_profiles=(@PROFILES@)
typeset -gi _tokencli_next=0
if (( $#_tokencli_profiles && ! ${+precmd_functions[(r)_tokencli_prompt]} )); then
    typeset -ga precmd_functions
    precmd_functions+=(_tokencli_prompt)
fi
