#!/bin/sh
# each.sh MODEL DIR [OPTION…] < HOSTS: a run per line, side by side. Prints `CODE SSH` for each box; what a box says is on standard error.
export MODEL="$1" DIR="$2"
shift 2
# A line is one word whatever is in it. Each run's code is printed: xargs itself says 123 for all that is not 0.
grep -v -e '^[[:space:]]*#' -e '^[[:space:]]*$' | tr '\n' '\0' | xargs -0 -P "${JOBS:-8}" -I '{}' sh -c '
    ssh=$1
    shift
    hfdown rsync-to-vast --quiet "$MODEL" "$ssh" "$DIR" "$@" </dev/null
    code=$?
    echo "$code $ssh"
    exit "$code"
' box '{}' "$@" || exit 3
