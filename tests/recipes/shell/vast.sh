#!/bin/sh
# vast.sh MODEL DIR [OPTION…]: puts a model on every running instance of the account that `vastai` knows.
model=$1 dir=$2
shift 2
# Into a variable first: without instances to show, `vastai` fails, and that is no list.
instances=$(vastai show instances --raw) || exit 6
printf '%s\n' "$instances" | hfdown rsync-to-vast "$model" --vast-json - "$dir" "$@"
