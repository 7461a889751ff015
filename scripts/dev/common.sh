# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What scripts/run, scripts/test and the checks share. Sourced, never run.

root=$(CDPATH='' cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../.." && pwd)
build_root=$root/build

# Messages go to standard error: standard output belongs to the script that is run.
say() { printf 'weft: %s\n' "$*" >&2; }
die() {
    say "$*"
    exit 1
}

# Go without the settings of whoever runs it: they change what is built.
go_clean() {
    env -u GOFLAGS -u GOAMD64 -u GOEXPERIMENT GOWORK=off GO111MODULE=on \
        GOCACHE="${GOCACHE:-$build_root/bench/go-cache}" go "$@"
}

# Two commands at once must neither install nor build at the same time. The lock is file
# descriptor 9; it goes with the process, however that ends.
lock() {
    mkdir -p "$build_root"
    exec 9>"$build_root/.lock"
    flock --nonblock 9 && return
    say "waiting for another scripts/run or scripts/test to build"
    flock 9
}
unlock() { exec 9>&-; }
