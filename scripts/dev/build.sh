# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Configures and builds the trees under build/. Sourced after common.sh. The functions return a
# status instead of relying on `set -e`, which bash turns off under `if` and `||`.

# The tree `clang` is a release made by the other compiler.
preset_of() { if [[ $1 == clang ]]; then echo release; else echo "$1"; fi; }

# is_configured TREE SETTING…: CMake itself runs again when a CMakeLists.txt changes; this is
# about what it cannot see.
is_configured() {
    local dir=$build_root/$1 setting
    shift
    [[ -e $dir/build.ninja && ! $root/CMakePresets.json -nt $dir/configure.log ]] || return 1
    for setting in "$@"; do
        grep -qE "^${setting%%=*}:[A-Z]+=${setting#*=}\$" "$dir/CMakeCache.txt" || return 1
    done
}

# configure TREE [NAME=VALUE…]
configure() {
    local tree=$1 dir=$build_root/$1 setting
    shift
    local arguments=(--preset "$(preset_of "$tree")" -B "$dir")
    # A tree that was copied or moved together with the sources is of no use.
    if [[ -e $dir/CMakeCache.txt ]] &&
        ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$dir/CMakeCache.txt"; then
        rm -rf "$dir"
    fi
    is_configured "$tree" "$@" && return
    say "configuring build/$tree"
    for setting in "$@"; do arguments+=("-D$setting"); done
    [[ $tree != clang ]] || arguments+=(-DCMAKE_C_COMPILER=clang)
    mkdir -p "$dir"
    if ! (cd "$root" && cmake "${arguments[@]}") >"$dir/configure.log" 2>&1; then
        # So that the next try does not take a half-made tree for a good one.
        rm -f "$dir/build.ninja"
        cat "$dir/configure.log" >&2
        return 1
    fi
}

# build TREE [TARGET…]: quiet when there is nothing to do.
build() {
    local tree=$1 log=$build_root/$1/build.log status=0
    shift
    ninja -C "$build_root/$tree" "$@" 2>&1 | tee "$log" | announce "building build/$tree" ||
        status=${PIPESTATUS[0]}
    # Of a good build, only the compilers' own words.
    if [[ $status -eq 0 ]]; then
        grep -vE '^(\[|ninja: )' "$log" >&2 || true
    else
        cat "$log" >&2
    fi
    return "$status"
}

# announce TEXT: reads what ninja says and says TEXT as soon as there is something to build.
announce() {
    local line said=''
    while read -r line; do
        [[ $said || $line != '['* || $line == *'Re-checking globbed'* ]] || { say "$1" && said=1; }
    done
}
