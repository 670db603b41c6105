# tokencli in fish: `get` and `export` print a cached, fresh token without starting a process, and
# variables are renewed before the prompt. In any doubt the program is run. `tokencli_unhook` undoes
# everything.

builtin functions --query tokencli_unhook
or set --erase --global _tokencli_profiles _tokencli_next _tokencli_seen _tokencli_variables

function tokencli
    if builtin contains -- "$argv[1]" get export; and not set -q argv[3]
        set -q fish_trace; and set -l fish_trace # a trace would show the token
        _tokencli_warm $argv; and return 0
    end
    test "$argv[1]" = doctor; and set argv $argv --hook @VERSION@
    command tokencli $argv
    set -l before $status
    # A variable must not outlive its token.
    if test "$argv[1]" = logout; and set -q _tokencli_profiles[1]
        _tokencli_renew --after-logout
    else if builtin contains -- "$argv[1]" login refresh profiles
        set --global _tokencli_next 0
    end
    return $before
end

# Print what the program would print, or fail if that is not certain.
function _tokencli_warm
    set -l IFS \n
    # The program would not see a variable that is not exported.
    for name in TOKENCLI_CONFIG TOKENCLI_PROFILE XDG_CONFIG_HOME XDG_RUNTIME_DIR HOME
        set -qx $name; or test -z "$$name"; or return 1
    end
    for name in (string match --regex '^_?TOKENCLI_.*' -- (set --names))
        builtin contains -- $name TOKENCLI_CONFIG TOKENCLI_PROFILE; or return 1
    end
    test -n "$TOKENCLI_CONFIG$XDG_CONFIG_HOME"; or string match --quiet '/*' -- "$HOME"; or return 1
    set -l config "$TOKENCLI_CONFIG"
    if test -z "$config"
        set config $HOME/.config/tokencli/config.toml
        test -n "$XDG_CONFIG_HOME"; and set config "$XDG_CONFIG_HOME/tokencli/config.toml"
    end
    set -l key (string replace --all / @SLASH@ -- $config)
    set -l base
    for base in @BASE_DIRS@
        test -d "$base/@RECORDS_PATH@/$key"; and break
    end
    string match --quiet '/*' -- $config; and string match --quiet '/*' -- $base; or return 1
    set -l records_dir $base/@RECORDS_PATH@/$key
    set -l folders $base $base/@APP_DIR@ $base/@RECORDS_PATH@ $records_dir
    set -l ours (builtin path filter --type dir --perm user -- $folders)
    test "$ours" = "$folders"; or return 1
    test -L $base -o -L $folders[2] -o -L $folders[3] -o -L $records_dir; and return 1
    builtin path is --type file --perm user,read -- $config 2>/dev/null; or return 1
    set -l changed (builtin path mtime -- $config)
    set -l record
    set -l name $argv[2]
    if not set -q argv[2]
        set name "$TOKENCLI_PROFILE"
        if test -z "$name"
            _tokencli_read $records_dir/.default default "" 5 6 11; or return 1
            set name $record[5]
        end
    end
    string match --quiet --regex '^[A-Za-z0-9][A-Za-z0-9._-]*$' -- $name; or return 1
    _tokencli_read $records_dir/$name token $name 14 15 29; or return 1
    # fish has no clock builtin, but can tell the age of a file.
    set -l now (builtin math $changed + (builtin path mtime --relative -- $config))
    string match --quiet --regex '^[1-9][0-9]* [1-9][0-9]*$' -- "$record[5..6]"; or return 1
    test $record[5] -le $now -a $now -lt $record[6]; or return 1
    string match --quiet --regex '^[A-Za-z0-9._~+/=-]+$' -- $record[8]; or return 1
    if test $argv[1] = get
        builtin printf '%s\n' $record[8]
    else
        builtin printf "export %s='%s';\n" $record[7] $record[8]
    end
end

# Read the record in file $argv[1], of kind $argv[2] and name $argv[3], into the caller's `record`. The
# other arguments are the line numbers at which its first half ends, its second half begins, and the
# file ends (an empty line).
function _tokencli_read --no-scope-shadowing
    builtin path is --type file --perm user,read -- $argv[1] 2>/dev/null; and not test -L $argv[1]; or return 1
    # The program gives a record the modification time of its configuration.
    test (builtin path mtime -- $argv[1]) = $changed; or return 1
    read --null --list --delimiter \n record <$argv[1]; or return 1
    test (builtin count $record) -eq $argv[6]; or return 1
    test "$record[1..$argv[4]]" = "$record[$argv[5]..-2]"; or return 1
    test "$record[1]" = "tokencli @RECORD_FORMAT@ $argv[2]" -a "$record[2]" = "$config"; or return 1
    # The stamp begins with the modification time of the configuration in nanoseconds.
    string match --quiet --regex "^$changed\d{9} " -- $record[3]; or return 1
    test "$record[4]" = "$argv[3]"
end

# Unset what the last renewal set, and set what the program prints now. So nothing is left if it fails.
function _tokencli_renew
    set -q fish_trace; and set -l fish_trace # a trace would show the token
    # Ctrl-C ends this function, and with it its own copies of the variables.
    for name in $_tokencli_variables
        set --function --export $name $$name
        _tokencli_set $name
    end
    set --global _tokencli_variables
    set -l statements (command tokencli hook fish --renew $argv $_tokencli_profiles)
    builtin printf '%s\n' "$statements" | builtin source
end

# Export variable $argv[1] with the value $argv[2], or unset it if there is none.
function _tokencli_set
    set --erase --global $argv[1] # not a universal variable of the user
    if set -q argv[2]
        set --global --export $argv[1] $argv[2]
        set --global --append _tokencli_variables $argv[1]
    end
end

function tokencli_unhook
    for name in $_tokencli_variables
        _tokencli_set $name
    end
    for name in _tokencli_next _tokencli_seen _tokencli_profiles _tokencli_variables
        set --erase --global $name
    end
    builtin functions --erase tokencli _tokencli_warm _tokencli_read _tokencli_prompt _tokencli_renew \
        _tokencli_set tokencli_unhook
end

set -q _tokencli_next; or set --global _tokencli_next 0
set -q _tokencli_seen; or set --global _tokencli_seen 0
begin
    set -l name
    for name in @PROFILES@
        builtin contains -- $name $_tokencli_profiles; or set --global --append _tokencli_profiles $name
        set --global _tokencli_next 0
    end
end
if set -q _tokencli_profiles[1]
    function _tokencli_prompt --on-event fish_prompt
        set -l before $status
        set -q fish_trace; and set -l fish_trace # a trace would show the token
        set -l now (builtin math (builtin path mtime -- /) + (builtin path mtime --relative -- /))
        # A time before that of the last prompt means that the clock was set back.
        if set -q _tokencli_profiles[1]; and test $now -ge $_tokencli_next -o $now -lt $_tokencli_seen
            set --global _tokencli_next (builtin math $now + 60) # after a failure
            _tokencli_renew
        end
        set --global _tokencli_seen $now
        return $before
    end
end
