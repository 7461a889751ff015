# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Counting, between scripts/test and the checks that it starts: a check that runs test programs
# appends a line `PASSED FAILED` for each to the file $WEFT_COUNTS, and what one that fails has
# said, in short, to $WEFT_FAILURES. Sourced.

# in_short NAME FILE: what a reader needs who sees only the end of a log, in few lines: of the
# output in FILE where it tells of failures, or else the end.
in_short() {
    local told='^(FAILED|ERROR|PANIC)|does not hold|MEMCHECK-ERROR|Sanitizer|runtime error'
    echo "--- $1:"
    { grep -aE -A 3 "$told" "$2" || grep -av '^[[:space:]]*$' "$2" | tail -n 12; } |
        head -n 12 | cut -c 1-160 || true
}

# counted NAME COMMAND…: runs a test program and counts what its last line `N passed, N failed`
# says; without such a line, its exit status, or, with must_count, a failure: the program has
# ended before its tests did. With may_be_empty, a run of no test at all is no failure. Never fails
# itself.
counted() {
    local name=$1 output status=0 passed=0 failed=0 last start=$SECONDS
    shift
    output=$(mktemp)
    # A program that hangs is asked for a dump of its tasks, then ended.
    timeout --foreground --signal=QUIT --kill-after=20 "${WEFT_TEST_SECONDS:-600}" "$@" \
        >"$output" 2>&1 || status=$?
    # Not only at the start of a line: what was written to standard error may lack its newline.
    last=$(grep -aoE '[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$output" | tail -n 1 ||
        true)
    [[ -z ${may_be_empty:-} || $last != "0 passed, 0 failed"* ]] || status=0
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=${BASH_REMATCH[1]}
        failed=${BASH_REMATCH[2]}
        [[ $status -eq 0 || $failed -gt 0 ]] || failed=1
    elif [[ $status -eq 0 && -z ${must_count:-} ]]; then
        passed=1
    else
        failed=1
    fi
    if [[ $failed -gt 0 ]]; then
        echo "--- $name (status $status):"
        cat "$output"
        in_short "$name (status $status)" "$output" >>"${WEFT_FAILURES:-/dev/null}"
    fi
    rm -f "$output"
    echo "$passed $failed" >>"${WEFT_COUNTS:-/dev/null}"
    echo "$name: $passed passed, $failed failed, $((SECONDS - start)) s"
}
