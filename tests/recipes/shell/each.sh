#!/bin/sh
# each.sh MODEL DIR [OPTION…] < HOSTS: a run per line, side by side. Prints `CODE SSH` for each box; what a box says is on standard error.
# A line is an SSH command and nothing else; `#` begins a comment. Without one there is nothing to do, which ends with 2.
if [ "$#" -lt 2 ]; then
    echo "usage: each.sh MODEL DIR [OPTION...] < HOSTS" >&2
    exit 2
fi
export MODEL="$1" DIR="$2"
shift 2
# A line is one word whatever is in it, and the last one of its run. Each run's code is printed: xargs itself says 123 for all that is not 0.
boxes=$(grep -v -e '^[[:space:]]*#' -e '^[[:space:]]*$')
[ -n "$boxes" ] || exit 2
printf '%s\n' "$boxes" | tr '\n' '\0' | xargs -0 -n 1 -P "${JOBS:-8}" sh -c '
    for ssh; do :; done
    given=$#
    for word; do
        shift
        given=$((given - 1))
        [ "$given" -eq 0 ] || set -- "$@" "$word"
    done
    hfdown rsync-to-vast --quiet "$MODEL" "$ssh" "$DIR" "$@" </dev/null
    code=$?
    echo "$code $ssh"
    exit "$code"
' box "$@" || exit 3
