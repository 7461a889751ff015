# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's two LuaJITs (stock, and OpenResty's luajit2) cannot be installed together; weft.so must
# run in both. The one that is not installed is fetched and unpacked under build/. Sourced after
# setup.sh.

# The folder of the other LuaJIT: usr/bin/luajit and usr/lib/… lie in its root/.
other_luajit_dir() {
    if luajit_is_stock; then
        echo "$build_root/openresty-luajit"
    else
        echo "$build_root/stock-luajit"
    fi
}

other_luajit_packages() {
    if luajit_is_stock; then
        echo luajit2 libluajit2-5.1-2 libluajit2-5.1-common
    else
        echo luajit libluajit-5.1-2 libluajit-5.1-common
    fi
}

# Fetches it unless it is there. The folder gets its name last, so it is there whole or not at all.
fetch_other_luajit() {
    local dir new deb log=$build_root/setup.log
    dir=$(other_luajit_dir)
    new=$dir.new
    [[ -d $dir/root ]] && return
    has_command apt-get || die "Debian's other LuaJIT is needed, and there is no apt-get"
    say "fetching the other LuaJIT to build/${dir##*/}"
    rm -rf "$dir" "$new"
    mkdir -p "$new"
    if ! download_other_luajit "$new" >"$log" 2>&1; then
        # A new machine has no package lists; on others they may be out of date.
        as_root apt-get update >>"$log" 2>&1 && download_other_luajit "$new" >>"$log" 2>&1 ||
            { tail -n 20 "$log" >&2 && die "could not fetch: $(other_luajit_packages)"; }
    fi
    for deb in "$new"/*.deb; do dpkg-deb -x "$deb" "$new/root"; done
    mv "$new" "$dir"
}

# Into the folder $1. (As root, apt would complain that its own user cannot write there.)
download_other_luajit() {
    local packages
    read -r -a packages <<<"$(other_luajit_packages)"
    (cd "$1" && apt-get download -o APT::Sandbox::User=root "${packages[@]}")
}

other_luajit_library() {
    compgen -G "$(other_luajit_dir)/root/usr/lib/*/libluajit-5.1.so.2"
}

# other_luajit_command: the words of a command that runs it, one a line; `timeout` and others
# cannot start functions.
other_luajit_command() {
    printf '%s\n' env "LD_LIBRARY_PATH=$(dirname "$(other_luajit_library)")" \
        "$(other_luajit_dir)/root/usr/bin/luajit"
}
