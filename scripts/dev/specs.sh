#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/dev/specs.sh KIND TREE [PATTERN]
#   lua     spec/**/*_spec.lua, run by busted under build/TREE/weft
#   c       the programs of spec/c and spec/embed; of spec/model in the release tree, as they are
#           the same in every tree
#   fuzz    the targets of spec/fuzz, for WEFT_FUZZ_SECONDS each (default 5), in the tree `clang`
#   module  with build/TREE/weft.so, spec/module/*.lua in both of Debian's LuaJITs, and what
#           spec/module_spec.lua starts in the one that is not installed; and what crosses
#           between VMs, with that one's library
# PATTERN: only what has it in its file's name or, for lua, in a test's name; there it may also be
# a Lua pattern. WEFT_TEST_SEED=n: what is random in the specs follows from n.
set -euo pipefail
dev=$(dirname "$(readlink -f "$0")")
source "$dev/common.sh"
source "$dev/setup.sh"
source "$dev/other_luajit.sh"
source "$dev/counts.sh"
cd "$root"
kind=$1 tree=build/$2 pattern=${3:-}

# Without this UBSan says where, but not how the program got there.
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
ulimit -c 0

seed=${WEFT_TEST_SEED:-$((RANDOM * 32768 + RANDOM + 1))}
[[ $2 != torture ]] || export WEFT_TORTURE_SEED=$seed

# Files of spec/, sorted: spec_files FIND-TEST…
spec_files() { find spec "$@" 2>/dev/null | sort; }

# run_busted NAME FILE…
run_busted() {
    local name=$1 arguments=()
    shift
    # Elsewhere than here the pattern may find something.
    [[ -z $pattern ]] || arguments=(--pattern "$pattern") may_be_empty=yes
    must_count=yes counted "$name" "$root/$tree/weft" --seed "$seed" --clock=virtual \
        spec/support/run.lua "${arguments[@]}" "$@"
}

run_lua_specs() {
    local files file
    mapfile -t files < <(spec_files -name '*_spec.lua' -not -path 'spec/module/*')
    [[ ${#files[@]} -gt 0 ]] || return 0
    # Each file by itself where the order is random: a seed soon repeats what a file does, and what
    # hangs in one does not keep the others from running.
    if [[ $tree == build/torture ]]; then
        for file in "${files[@]}"; do run_busted "${file#spec/}, seed $seed" "$file"; done
    else
        run_busted "specs, seed $seed" "${files[@]}"
    fi
}

run_c_specs() {
    local file name folders=(-path 'spec/c/*_test.c' -o -path 'spec/embed/*.c')
    [[ $tree != build/release ]] || folders+=(-o -path 'spec/model/*_model.c')
    while read -r file; do
        name=${file#spec/}
        name=${name%.c}
        [[ $name == *"$pattern"* ]] || continue
        counted "$name" "$root/$tree/spec/$name"
    done < <(spec_files "${folders[@]}")
}

# The installed LuaJIT has run module_spec.lua with the other specs.
run_module_specs() {
    export LUA_CPATH="$root/$tree/?.so;;"
    local file other
    other=$(other_luajit_dir)
    while read -r file; do
        [[ $file == *"$pattern"* ]] || continue
        counted "$file, installed LuaJIT" luajit "$file"
        counted "$file, ${other##*/}" "$other/bin/luajit" "$file"
    done < <(spec_files -path 'spec/module/*.lua' -not -path 'spec/module/*/*')
    [[ ! -e spec/module_spec.lua ]] ||
        PATH=$other/bin:$PATH run_busted "module_spec.lua, ${other##*/}" spec/module_spec.lua
    [[ crossing_test != *"$pattern"* ]] ||
        LD_LIBRARY_PATH=$(dirname "$(other_luajit_library)") \
            counted "crossing_test, ${other##*/}" "$root/$tree/spec/c/crossing_test"
}

# What libFuzzer finds lies in build/fuzz; what it has learnt, too, for the next time.
run_fuzz_targets() {
    local file name
    while read -r file; do
        name=$(basename "$file" .c)
        [[ $name == *"$pattern"* ]] || continue
        mkdir -p "build/fuzz/$name"
        counted "fuzz/$name" nice "$root/$tree/spec/fuzz/$name" -max_len=4096 -timeout=20 \
            -max_total_time="${WEFT_FUZZ_SECONDS:-5}" -artifact_prefix="build/fuzz/$name-" \
            "build/fuzz/$name"
    done < <(spec_files -path 'spec/fuzz/*.c')
}

case $kind in
lua)
    export LSAN_OPTIONS=suppressions=$dev/lsan.supp:print_suppressions=0
    run_lua_specs
    ;;
c) run_c_specs ;;
fuzz) run_fuzz_targets ;;
module) run_module_specs ;;
*) die "no such kind of spec: $kind" ;;
esac
