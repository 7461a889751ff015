// SPDX-License-Identifier: MIT
// What lint.sh has clang-tidy include before each file: LuaJIT's headers do not say that these
// never return, and clang's analyzer would go on behind them. (The attribute is the analyzer's
// own: the compiler keeps asking for a `return`.)
#if __has_include(<lauxlib.h>)  // the bench's programs in C do without
#include <lauxlib.h>
#include <lua.h>

__attribute__((analyzer_noreturn)) int lua_error(lua_State *L);
__attribute__((analyzer_noreturn)) int luaL_error(lua_State *L, const char *format, ...);
__attribute__((analyzer_noreturn)) int luaL_argerror(lua_State *L, int arg, const char *message);
__attribute__((analyzer_noreturn)) int luaL_typerror(lua_State *L, int arg, const char *name);
#endif
