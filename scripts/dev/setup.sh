# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Installs the Debian packages that are missing. Sourced after common.sh.
#
# What is there is asked of the system itself (a command, a pkg-config module), not of dpkg, so
# that tools from elsewhere count and machines without dpkg can build.

# Debian has two LuaJITs that exclude each other. Either will do; one that is there is kept.
luajit_is_stock() {
    command -v dpkg-query >/dev/null &&
        [[ $(dpkg-query -W -f='${db:Status-Status}' libluajit-5.1-2 2>/dev/null) == installed ]]
}
luajit_dev_package() {
    if luajit_is_stock; then echo libluajit-5.1-dev; else echo libluajit2-5.1-dev; fi
}
luajit_package() { if luajit_is_stock; then echo luajit; else echo luajit2; fi; }

has_command() { command -v "$1" >/dev/null; }

# has_library MODULE HEADER: the header is only looked at where there is no pkg-config yet.
has_library() {
    if has_command pkg-config; then
        pkg-config --exists "$1"
    else
        compgen -G "/usr/include/$2" >/dev/null
    fi
}

has_c_headers() {
    [[ -e /usr/include/stdio.h ]] || cc -E -include stdio.h -x c /dev/null >/dev/null 2>&1
}

missing_for_build() {
    has_command cc || echo gcc
    has_c_headers || echo libc6-dev
    has_command cmake || echo cmake
    has_command ninja || echo ninja-build
    has_command pkg-config || echo pkg-config
    has_library luajit 'luajit-2*/lua.h' || luajit_dev_package
    has_library libuv uv.h || echo libuv1-dev
    has_library libcares ares.h || echo libc-ares-dev
}

missing_for_go() { has_command go || echo golang-go; }

missing_for_tests() {
    missing_for_build
    missing_for_go
    has_command gcc || echo gcc
    has_command clang || echo clang
    has_command clang-tidy || echo clang-tidy
    has_command clang-format || echo clang-format
    # Without the C library's symbols valgrind does not start.
    valgrind --quiet true >/dev/null 2>&1 || printf '%s\n' valgrind libc6-dbg
    has_command busted || echo lua-busted
    has_command luacheck || echo lua-check
    local package module
    for package in lua-cjson:cjson lua-lpeg:lpeg lua-penlight:pl.compat; do
        module=${package#*:}
        [[ -n $(find_lua_module "$module") ]] || echo "${package%%:*}"
    done
    has_command luajit || luajit_package
}

# Where a module for Lua 5.1 lies, in the folders that Debian's Lua looks at. (Asking luajit
# would load it, and luajit may be what is missing.)
find_lua_module() {
    local path=${1//.//}
    compgen -G "/usr/share/lua/5.1/$path.lua" ||
        compgen -G "/usr/lib/*/lua/5.1/$path.so" ||
        compgen -G "/usr/local/share/lua/5.1/$path.lua" ||
        compgen -G "/usr/local/lib/lua/5.1/$path.so" || true
}

# ensure_installed LIST-COMMAND: installs what the command names, and looks again.
ensure_installed() {
    local missing
    mapfile -t missing < <("$1")
    [[ ${#missing[@]} -eq 0 ]] && return
    apt_install "${missing[@]}"
    # Some things can be looked for only now: with pkg-config, say, the libraries.
    mapfile -t missing < <("$1")
    [[ ${#missing[@]} -eq 0 ]] && return
    apt_install "${missing[@]}"
    mapfile -t missing < <("$1")
    [[ ${#missing[@]} -eq 0 ]] || die "still missing after the installation: ${missing[*]}"
}

# as_root COMMAND…, for apt: no questions, no standard input, and not the build's lock.
as_root() {
    local environment=(env DEBIAN_FRONTEND=noninteractive)
    if [[ $(id -u) -eq 0 ]]; then
        "${environment[@]}" "$@" </dev/null 9>&-
    else
        sudo "${environment[@]}" "$@" </dev/null 9>&-
    fi
}

apt_install() {
    has_command apt-get || die "missing: $* (Debian's names; there is no apt-get to install them)"
    [[ $(id -u) -eq 0 ]] || has_command sudo ||
        die "missing: $* (to install them: become root and run apt-get install $*)"
    local log=$build_root/setup.log
    # Nothing of the machine's is removed to make room, and another apt is waited for.
    local install=(apt-get install --yes --no-remove --no-install-recommends
        -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@")
    say "installing $* (apt-get, log in build/setup.log)"
    as_root "${install[@]}" >"$log" 2>&1 && return
    # A new machine has no package lists; on others they may be out of date.
    say "fetching the package lists first"
    if as_root apt-get update >>"$log" 2>&1 && as_root "${install[@]}" >>"$log" 2>&1; then
        return
    fi
    tail -n 20 "$log" >&2
    die "could not install: $*"
}
