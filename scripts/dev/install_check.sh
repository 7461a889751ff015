#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs build/release under a temporary prefix and uses what is there as a stranger would:
# every program of spec/embed is built against it with pkg-config and with find_package(weft) and
# is run; the command runs; plain LuaJITs load the module.
set -euo pipefail
dev=$(dirname "$(readlink -f "$0")")
source "$dev/common.sh"
source "$dev/setup.sh"
source "$dev/other_luajit.sh"
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
tree=$prefix/tree

cmake --install "$build_root/release" --prefix "$prefix/first" >/dev/null
# Nothing in it may depend on where it was installed.
mv "$prefix/first" "$tree"
module_dir=$(dirname "$(find "$tree" -path '*/lua/5.1/weft.so')")
library_dir=$(dirname "$(dirname "$module_dir")")
[[ -n $(find "$tree/share/weft/lua/weft" -name '*.lua') ]] || die "no annotations were installed"

export PKG_CONFIG_PATH=$library_dir/pkgconfig
version=$(pkg-config --modversion weft)
[[ $("$tree/bin/weft" --version) == *"$version"* ]] || die "weft --version does not say $version"
load='assert(require("weft").go); print(require("weft.time") and "loaded")'
[[ $("$tree/bin/weft" -e "$load") == loaded ]] || die "the installed command does not load weft"

mapfile -t programs < <(find "$root/spec/embed" -name '*.c' 2>/dev/null | sort)
cp "$dev/consumer.cmake" "$prefix/CMakeLists.txt"
if ! {
    cmake -S "$prefix" -B "$prefix/build" -G Ninja -DCMAKE_PREFIX_PATH="$tree" \
        -DPROGRAMS="$(IFS=';' && echo "${programs[*]}")" \
        -DSTATIC_PROGRAM="$root/spec/embed/minimal.c" && ninja -C "$prefix/build"
} >"$prefix/log" 2>&1; then
    cat "$prefix/log"
    exit 1
fi
read -r -a flags <<<"$(pkg-config --cflags --libs weft)"
binaries=("$prefix/build/static")
for program in "${programs[@]}"; do
    name=$(basename "$program" .c)
    cc -std=c11 -D_GNU_SOURCE -o "$prefix/$name" "$program" "${flags[@]}" -pthread
    binaries+=("$prefix/$name" "$prefix/build/$name")
done
for binary in "${binaries[@]}"; do
    (cd "$root" && LD_LIBRARY_PATH=$library_dir timeout 60 "$binary" >"$prefix/log" 2>&1) ||
        { cat "$prefix/log" && die "fails: $binary"; }
done

export LUA_CPATH="$module_dir/?.so;;"
[[ $(luajit -e "$load") == loaded ]] || die "the installed luajit does not load weft.so"
[[ $("$(other_luajit_dir)/bin/luajit" -e "$load") == loaded ]] ||
    die "the other luajit does not load weft.so"
