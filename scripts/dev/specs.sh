#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/dev/specs.sh KIND TREE [PATTERN]
#   lua     spec/**/*_spec.lua, run by busted under build/TREE/weft
#   cores   those of lua in which several cores have a hand in one object; with WEFT_LONG those
#           of isolated tasks too, and with 1, 2, 4 and 16 workers each
#   c       the programs of spec/c and spec/embed; of spec/model in the release tree, as they are
#           the same in every tree
#   memcheck  those of c and lua, at the same time, under valgrind (memcheck.sh): with WEFT_LONG
#           all, without it those that show most in a minute
#   fuzz    the targets of spec/fuzz, for WEFT_FUZZ_SECONDS each (default 5), in the tree `clang`
#   module  with build/TREE/weft.so, spec/module/*.lua in both of Debian's LuaJITs, and what
#           spec/module_spec.lua starts in the one that is not installed; and what crosses
#           between VMs, with that one's library
# PATTERN: only what has it in its file's name or, for lua, in a test's name; there it may also be
# a Lua pattern. WEFT_TEST_SEED=n: what is random in the specs follows from n, and so does the
# number of workers that those of several cores run with in each tree; WEFT_WORKERS=n sets that.
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

# Specs of several cores run with a number of workers that differs from tree to tree; so each run
# of scripts/test has all four.
worker_counts=(1 2 4 16)
worker_trees=(release asan torture tsan)
own_workers() {
    local i
    for i in "${!worker_trees[@]}"; do
        [[ build/${worker_trees[i]} != "$tree" ]] || break
    done
    echo "${WEFT_WORKERS:-${worker_counts[(seed + i) % 4]}}"
}
shared_files=(spec/{context_cores,context_random,shared_chan,shared_random,sync_cores}_spec.lua
    spec/cores_soak_spec.lua)
isolated_files=(spec/{spawn,blocking,on_vm,fair_cores}_spec.lua)
is_cores() { [[ " ${shared_files[*]} ${isolated_files[*]} " == *" $1 "* ]]; }

# Files of spec/, sorted: spec_files FIND-TEST…
spec_files() { find spec "$@" 2>/dev/null | sort; }

# Of memcheck, the short form: without the C specs that take more than ten seconds (with
# several threads, above all, which valgrind runs one at a time), and of the Lua specs those that
# go through most of the runtime by themselves, without starting other programs. timed_c: what
# says something of the time that it takes.
short=''
[[ $kind != memcheck || ${WEFT_LONG:-} ]] || short=yes
slow_c='c/crossing_test c/codec_memory_test c/hog_threads_test'
slow_c+=' embed/hog_threads embed/interrupt embed/threads'
timed_c='c/cores_test c/hog_threads_test c/wake_test'
timed_c+=' embed/hog_threads embed/interrupt embed/keep_free embed/preempt embed/threads'
memcheck_lua=(spec/{chan,chan_close,codec,context,coroutine,leaks,leaks_stack,lifetime}_spec.lua
    spec/{map,select,select_wait,sync_mutex,sync_rwmutex,task,tick}_spec.lua)

# What these check of real time does not hold at a thirtieth of the speed: of them only valgrind's
# verdict counts.
real_time=' embed/preempt hog_spec.lua hog_cores_spec.lua idle_spec.lua preempt_spec.lua '
real_time+='preempt_boundary_spec.lua '

# tested NAME COMMAND…: counted; for memcheck under valgrind, whose verdict counts as well.
tested() {
    [[ $kind == memcheck ]] || { counted "$@" && return; }
    local name=$1 logs
    shift
    logs=$(mktemp -d)
    if [[ $real_time == *" ${name%%,*} "* ]]; then
        WEFT_COUNTS=/dev/null WEFT_FAILURES=/dev/null WEFT_MEMCHECK_LOGS=$logs \
            counted "$name" "$dev/memcheck.sh" "$@" >/dev/null
    else
        WEFT_MEMCHECK_LOGS=$logs counted "$name" "$dev/memcheck.sh" "$@"
    fi
    must_count='' may_be_empty='' counted "$name, memory" "$dev/memcheck.sh" --verdict "$logs"
    rm -rf "$logs"
}

# in_lane COMMAND…: runs it beside at most `lanes` - 1 others; what it says is said by end_lanes,
# in the order of the starts.
lanes=2 outputs='' in_lanes=()
in_lane() {
    [[ $outputs ]] || outputs=$(mktemp -d)
    while [[ $(jobs -rp | wc -l) -ge $lanes ]]; do wait -n || true; done
    "$@" >"$outputs/$(printf %04d ${#in_lanes[@]})" 2>&1 &
    in_lanes+=($!)
}
end_lanes() {
    [[ $outputs ]] || return 0
    wait "${in_lanes[@]}" || true
    cat "$outputs"/*
    rm -rf "$outputs"
    outputs='' in_lanes=()
}

# run_busted NAME FILE…
run_busted() {
    local name=$1 arguments=()
    shift
    # Elsewhere than here the pattern may find something.
    [[ -z $pattern ]] || arguments=(--pattern "$pattern") may_be_empty=yes
    local clock=(--clock=virtual)
    if [[ ${real:-} ]]; then clock=() arguments+=(--real); fi
    must_count=yes tested "$name" "$root/$tree/weft" --seed "$seed" "${clock[@]}" \
        spec/support/run.lua "${arguments[@]}" "$@"
}

# run_with WORKERS NAME FILE…
run_with() {
    local workers=$1 name=$2
    shift 2
    WEFT_WORKERS=$workers run_busted "$name, $workers worker(s), seed $seed" "$@"
}

run_lua_specs() {
    local files=() cores=() file all reals=() workers
    workers=$(own_workers)
    # The benchmark builds and measures the release tree, from whichever tree it is started.
    local elsewhere=()
    [[ $tree == build/release ]] || elsewhere=(-not -name bench_spec.lua)
    mapfile -t all < <(spec_files -name '*_spec.lua' -not -path 'spec/module/*' "${elsewhere[@]}")
    for file in "${all[@]}"; do
        if grep -q '^-- Clock: real' "$file"; then
            reals+=("$file")
        elif is_cores "$file"; then
            cores+=("$file")
        else
            files+=("$file")
        fi
    done
    [[ ${#files[@]} -gt 0 ]] || return 0
    if [[ $short ]]; then
        run_busted "short form, seed $seed" "${memcheck_lua[@]}"
    # Each file by itself where the order is random: a seed soon repeats what a file does, and what
    # hangs in one does not keep the others from running.
    elif [[ $tree == build/torture ]]; then
        for file in "${files[@]}"; do in_lane run_busted "${file#spec/}, seed $seed" "$file"; done
        end_lanes
        for file in "${cores[@]}"; do run_with "$workers" "${file#spec/}" "$file"; done
    # Elsewhere many in one process, as they may disturb each other in scripts too; not all, or
    # what hangs would be found late, and a slow machine be taken for a hang.
    else
        local at step=16
        for ((at = 0; at < ${#files[@]}; at += step)); do
            in_lane run_busted "specs from ${files[at]#spec/} on, seed $seed" \
                "${files[@]:at:step}"
        done
        end_lanes
        run_with "$workers" "cores" "${cores[@]}"
    fi
    [[ ! $short && ${#reals[@]} -gt 0 ]] || return 0
    for file in "${reals[@]}"; do
        real=yes run_busted "${file#spec/} by the machine's clock" "$file"
    done
}

# Two at a time (memcheck: one, beside Lua's), then those that measure time, each by itself.
run_c_specs() {
    local file name alone=()
    local folders=(-path 'spec/c/*_test.c' -o -path 'spec/embed/*.c')
    [[ $tree != build/release ]] || folders+=(-o -path 'spec/model/*_model.c')
    [[ $kind != memcheck ]] || lanes=1
    while read -r file; do
        name=${file#spec/}
        name=${name%.c}
        [[ $name == *"$pattern"* && ! ($short && " $slow_c " == *" $name "*) ]] || continue
        if [[ " $timed_c " == *" $name "* ]]; then
            alone+=("$name")
            continue
        fi
        in_lane tested "$name" "$root/$tree/spec/$name"
    done < <(spec_files "${folders[@]}")
    end_lanes
    for name in "${alone[@]}"; do tested "$name" "$root/$tree/spec/$name"; done
}

# Lua interpreted: with the compiler on, valgrind takes three times as long. What the specs start
# is checked too (and may be compiled), by a `weft` that is a script, beside the real one.
run_memcheck() {
    local script=$root/$tree/memcheck-weft output
    printf '#!/bin/sh\nexec %q %q "$@"\n' "$dev/memcheck.sh" "$root/$tree/weft" >"$script"
    chmod +x "$script"
    output=$(mktemp)
    (
        # Of programs in which each allocation fails in turn: spec/embed/sparse.h.
        [[ ! $short ]] || export WEFT_EVERY=61
        WEFT_TEST_SEED=$seed run_c_specs
    ) >"$output" 2>&1 &
    # The C specs are a job too.
    lanes=3 WEFT_BIN=$script WEFT_BUILD=${tree#build/}-memcheck WEFT_JIT=off run_lua_specs
    wait
    cat "$output"
    rm -f "$output"
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

[[ $kind != lua && $kind != cores ]] ||
    export LSAN_OPTIONS=suppressions=$dev/lsan.supp:print_suppressions=0
case $kind in
lua) run_lua_specs ;;
cores)
    if [[ ! ${WEFT_LONG:-} || ${WEFT_WORKERS:-} ]]; then
        run_with "$(own_workers)" cores "${shared_files[@]}"
    else
        for workers in "${worker_counts[@]}"; do
            run_with "$workers" cores "${shared_files[@]}" "${isolated_files[@]}"
        done
    fi
    ;;
c) run_c_specs ;;
memcheck) run_memcheck ;;
fuzz) run_fuzz_targets ;;
module) run_module_specs ;;
*) die "no such kind of spec: $kind" ;;
esac
