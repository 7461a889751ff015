# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Debian's two LuaJITs (stock, and OpenResty's luajit2) cannot be installed together; weft.so must
# run in both. The one that is not installed is fetched and unpacked under build/. Sourced after
# setup.sh.

# The folder of the other LuaJIT: its files lie in root/, and bin/luajit starts it.
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
    [[ -x $dir/bin/luajit ]] && return
    has_command apt-get || die "Debian's other LuaJIT is needed, and there is no apt-get"
    say "fetching the other LuaJIT to build/${dir##*/}"
    rm -rf "$dir" "$new"
    mkdir -p "$new"
    # A new machine has no package lists; on others they may be out of date.
    if ! download_other_luajit "$new" >"$log" 2>&1 && ! {
        as_root apt-get update && download_other_luajit "$new"
    } >>"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "could not fetch: $(other_luajit_packages)"
    fi
    for deb in "$new"/*.deb; do dpkg-deb -x "$deb" "$new/root"; done
    write_other_luajit_starter "$new"
    mv "$new" "$dir"
}

# Into the folder $1. (As root, apt would complain that its own user cannot write there.)
download_other_luajit() {
    local packages
    read -r -a packages <<<"$(other_luajit_packages)"
    (cd "$1" && apt-get download -o APT::Sandbox::User=root "${packages[@]}")
}

# A luajit that can stand in PATH and uses the library that belongs to it.
write_other_luajit_starter() {
    mkdir "$1/bin"
    cat >"$1/bin/luajit" <<'END'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../root
LD_LIBRARY_PATH=$(dirname "$root"/usr/lib/*/libluajit-5.1.so.2) exec "$root/usr/bin/luajit" "$@"
END
    chmod +x "$1/bin/luajit"
}

other_luajit_library() {
    compgen -G "$(other_luajit_dir)/root/usr/lib/*/libluajit-5.1.so.2"
}
