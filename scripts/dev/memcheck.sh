#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/dev/memcheck.sh PROGRAM [ARG…]    PROGRAM under valgrind's memcheck
# scripts/dev/memcheck.sh --verdict FOLDER  status 1, with what was said, if FOLDER tells of errors
#
# Made for build/torture, where Lua's memory is malloc's. A leak counts when nothing points to the
# block any more ("definitely lost"). With WEFT_MEMCHECK_LOGS=FOLDER each process writes to a file
# of its own there, without it to standard error.
set -euo pipefail
dev=$(dirname "$(readlink -f "$0")")

# What begins an error's text; valgrind also writes about other things.
mark=MEMCHECK-ERROR

if [[ $1 == --verdict ]]; then
    # No file at all: valgrind has not run.
    compgen -G "$2/*.log" >/dev/null || { echo "no log of valgrind's" && exit 1; }
    grep -lq "$mark" "$2"/*.log || exit 0
    for log in "$2"/*.log; do
        [[ ! -s $log ]] || { echo "--- process ${log##*/}" && head -n 300 "$log"; }
    done
    exit 1
fi

options=()
[[ -z ${WEFT_MEMCHECK_LOGS:-} ]] || options+=(--log-file="$WEFT_MEMCHECK_LOGS/%p.log")
# Scripts may end with their state open. The C specs close theirs, and nothing is suppressed there.
[[ ! ${1##*/} =~ ^(weft|luajit)$ ]] || options+=(--suppressions="$dev/valgrind.supp")
exec valgrind --quiet "${options[@]}" --error-markers="$mark,." --num-callers=30 \
    --fair-sched=try --leak-check=full --show-leak-kinds=definite \
    --errors-for-leak-kinds=definite "$@"
