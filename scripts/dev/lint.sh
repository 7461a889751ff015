#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# scripts/dev/lint.sh format|clang-tidy|luacheck|shell|go|tidy|faults
# (faults: whether those of --mutate fit.) clang-tidy needs build/debug to be configured.
set -euo pipefail
dev=$(dirname "$(readlink -f "$0")")
source "$dev/common.sh"
cd "$root"

c_files() { find runtime host spec scripts -name '*.c' -o -name '*.h' | sort; }
is_bash() { head -n 1 "$1" | grep -q '^#!.*bash' || [[ $1 == *.sh ]]; }

check_format() { c_files | xargs -r clang-format --dry-run -Werror; }

# Nearly all of the time is the static analyser's: without WEFT_LONG it goes less deep into
# functions of many paths.
analyser=()
[[ ${WEFT_LONG:-} ]] ||
    analyser=(--extra-arg={-Xclang,-analyzer-config,-Xclang,max-nodes=75000})

# A file is looked at again only when something that it is made from has changed: what the
# preprocessor makes of it (with comments, for NOLINT), the settings, or clang-tidy itself.
check_clang_tidy() {
    local stamps=$build_root/clang-tidy settings
    mkdir -p "$stamps"
    settings=$({ clang-tidy --version && cat .clang-tidy "$dev/clang_tidy.h" &&
        echo "${analyser[@]}"; } | sha256sum)
    c_files | { grep '\.c$' || true; } |
        xargs -r -P "$(nproc)" -n 1 "$0" clang-tidy-one "$stamps" "$settings"
}

check_clang_tidy_one() {
    local stamps=$1 settings=$2 file=$3 key output
    local include=(--extra-arg={-include,"$dev/clang_tidy.h"})
    key=$(preprocess "$file" | cat - <(echo "$settings") | sha256sum)
    key=$stamps/${key%% *}
    [[ ! -e $key ]] || return 0
    output=$(clang-tidy --quiet -p build/debug "${include[@]}" "${analyser[@]}" "$file" 2>&1) ||
        { echo "$output" && return 1; }
    touch "$key"
}

# gcc's own analyser, which follows paths that clang's does not. As the release is compiled, so
# that assertions hide nothing; its findings are warnings, and any text is a failure.
check_fanalyzer() {
    local output
    local flags=(-fanalyzer -O1 -std=c11 -D_GNU_SOURCE '-DWEFT_VERSION=""' -Iruntime
        -Iruntime/include -isystem "$(pkg-config --variable=includedir luajit)")
    output=$(find host runtime -name '*.c' | sort |
        xargs -P "$(nproc)" -I '{}' gcc "${flags[@]}" -c '{}' -o /dev/null 2>&1) || true
    [[ -z $output ]] || { echo "$output" && return 1; }
}

preprocess() {
    local flags
    read -r -a flags <<<"$(pkg-config --cflags luajit libuv libcares)"
    clang -E -C -std=c11 -D_GNU_SOURCE -DWEFT_DEBUG=1 -Iruntime -Iruntime/include -Ispec/c \
        "${flags[@]}" "$1"
}

check_luacheck() {
    local folder folders=()
    for folder in lua spec scripts; do [[ ! -d $folder ]] || folders+=("$folder"); done
    luacheck --quiet --no-color .luacheckrc "${folders[@]}"
}

check_shell() {
    local file status=0
    while read -r file; do
        is_bash "$file" || continue
        bash -n "$file" || status=1
    done < <(find scripts spec .ci -type f)
    return $status
}

# The twins of scripts/bench are looked at where there is Go: nothing else needs it.
check_go() {
    command -v go >/dev/null || return 0
    local unformatted
    unformatted=$(gofmt -l scripts/benches/go)
    [[ -z $unformatted ]] || { echo "not as gofmt has it: $unformatted" && return 1; }
    (cd scripts/benches/go && go_clean vet .)
}

case $1 in
format) check_format ;;
clang-tidy) check_clang_tidy ;;
fanalyzer) check_fanalyzer ;;
clang-tidy-one) check_clang_tidy_one "$2" "$3" "$4" ;;
luacheck) check_luacheck ;;
shell) check_shell ;;
go) check_go ;;
faults) "$dev/mutate" --check ;;
tidy) luajit scripts/dev/tidy.lua ;;
*) die "no such check: $1" ;;
esac
