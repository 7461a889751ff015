#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Looks at the symbols of what was built: those of the static library (build/debug, without LTO)
# carry a prefix of ours; the shared library and the module (build/release) show only what is
# public, and the module needs nothing that one of Debian's two LuaJITs does not have.
set -euo pipefail
dev=$(dirname "$(readlink -f "$0")")
source "$dev/common.sh"
source "$dev/setup.sh"
source "$dev/other_luajit.sh"
status=0

# complain_about TEXT: the symbols on standard input, if any, are wrong.
complain_about() {
    local symbols
    symbols=$(cat)
    [[ -n $symbols ]] || return 0
    printf '%s:\n%s\n' "$1" "$symbols"
    status=1
}
# symbols_of FILE NM-OPTION…: names alone, without versions
symbols_of() { nm --format=posix "${@:2}" "$1" | sed '/:$/d; s/[@ ].*//; /^$/d' | sort -u; }
exported_by() { symbols_of "$1" --dynamic --defined-only; }

complain_about "global symbols of libweft.a without a prefix of weft's" < <(
    symbols_of "$build_root/debug/libweft.a" --extern-only --defined-only |
        grep -vE '^(weft_|wf_|luaopen_weft)' || true)
complain_about "libweft.so shows what is not public" < <(
    exported_by "$build_root/release/libweft.so" | grep -vE '^(weft_|luaopen_weft)' || true)
complain_about "weft.so shows more than luaopen_weft" < <(
    exported_by "$build_root/release/weft.so" | grep -v '^luaopen_weft' || true)
exported_by "$build_root/release/weft.so" | grep -qx luaopen_weft ||
    complain_about "missing in weft.so" <<<luaopen_weft

module_needs=$(symbols_of "$build_root/release/weft.so" --dynamic --undefined-only |
    grep -iE '^lua' || true)
installed=$(pkg-config --variable=libdir luajit)/libluajit-5.1.so.2
for library in "$installed" "$(other_luajit_library)"; do
    complain_about "weft.so needs what $library does not have" < <(
        comm -23 <(echo "$module_needs") <(exported_by "$library"))
done
! readelf --dynamic "$build_root/release/weft.so" | grep -E 'NEEDED.*luajit' ||
    complain_about "weft.so brings a LuaJIT of its own" <<<"libluajit is NEEDED"
exit $status
