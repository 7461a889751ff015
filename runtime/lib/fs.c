// SPDX-License-Identifier: MIT
// Files and folders. Each door makes a call that call_wait then has made (lib/call.c); arguments
// have been checked in lua/weft/fs.lua.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "io/content.h"
#include "io/copy.h"
#include "io/file.h"
#include "io/path.h"
#include "io/tree.h"
#include "lib/arg.h"
#include "lib/lib.h"

static const struct {
  const char *name;
  const wf_call_kind *kind;
} calls[] = {
    {"stat", &wf_path_stat},         {"list", &wf_tree_list},         {"mkdir", &wf_tree_mkdir},
    {"remove", &wf_tree_remove},     {"rename", &wf_path_rename},     {"copy", &wf_copy_kind},
    {"link", &wf_path_link},         {"symlink", &wf_path_symlink},   {"chmod", &wf_path_chmod},
    {"readlink", &wf_path_readlink}, {"temp_dir", &wf_path_temp_dir},
};

static int64_t integer_at(lua_State *L, int idx, int64_t otherwise) {
  return lua_isnoneornil(L, idx) ? otherwise : (int64_t)lua_tonumber(L, idx);
}

// fs_call(name, path[, other path][, number][, flag]) -> caller
static int l_fs_call(lua_State *L) {
  const char *name = lua_tostring(L, 1);
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    if (strcmp(calls[i].name, name) != 0) continue;
    lua_settop(L, 5);
    wf_path_call *call =
        wf_path_new(wf_door_vm(L), L, calls[i].kind, lua_tostring(L, 2), lua_tostring(L, 3));
    call->number = integer_at(L, 4, strcmp(name, "list") == 0 ? 0 : -1);
    call->flag = lua_toboolean(L, 5) != 0;
    return 1;
  }
  wf_raise(L, "no such call: %s", name);
}

// fs_read_now(path, ctx) -> the string; nil, err; false, fd: it takes a call
static int l_fs_read_now(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 2);
  wf_ctx *ctx = wf_arg_context(L, 2, 2, "read_file");
  if (wf_ctx_is_over(L, ctx)) return 2;
  wf_check_can_park(vm, L, "read_file");
  int fd;
  if (wf_content_read_now(L, lua_tostring(L, 1), &fd)) return wf_event_at_once(vm, L, 1);
  lua_pushboolean(L, 0);
  lua_pushinteger(L, fd);
  return 2;
}

// fs_read_file(path, fd) -> caller
static int l_fs_read_file(lua_State *L) {
  wf_content_new_read(wf_door_vm(L), L, lua_tostring(L, 1), (int)lua_tointeger(L, 2));
  return 1;
}

// fs_close(fd)
static int l_fs_close(lua_State *L) {
  if (lua_tointeger(L, 1) >= 0) (void)close((int)lua_tointeger(L, 1));
  return 0;
}

// fs_write_file(path, data, append, atomic[, mode]) -> caller
static int l_fs_write_file(lua_State *L) {
  size_t size;
  const char *data = lua_tolstring(L, 2, &size);
  wf_content_options options = {.append = lua_toboolean(L, 3) != 0,
                                .atomic = lua_toboolean(L, 4) != 0,
                                .mode = integer_at(L, 5, -1)};
  wf_content_new_write(wf_door_vm(L), L, lua_tostring(L, 1), data, size, &options);
  return 1;
}

static int flags_of(const char *mode) {
  bool both = strchr(mode, '+') != NULL;
  int access = both ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
  switch (mode[0]) {
    case 'w': return access | O_CREAT | O_TRUNC;
    case 'a': return access | O_CREAT | O_APPEND;
    default: return access;
  }
}

// fs_open(path, mode[, template]) -> caller: of file, path
static int l_fs_open(lua_State *L) {
  wf_file_new_open(wf_door_vm(L), L, lua_tostring(L, 1), flags_of(lua_tostring(L, 2)),
                   lua_toboolean(L, 3) != 0);
  return 1;
}

static wf_file *file_at(lua_State *L) {
  wf_file *file = wf_file_at(L, 1);
  if (file == NULL) wf_raise(L, "the insides of a file were overwritten");
  return file;
}

// file_call(file, op[, size][, offset][, data]) -> caller; nothing when it is closed
static int l_file_call(lua_State *L) {
  static const char *const ops[] = {"read", "line", "read_at", "write",
                                    "seek", "stat", "sync",    "truncate"};
  wf_file *file = file_at(L);
  if (file->closed) return 0;
  const char *name = lua_tostring(L, 2);
  size_t length = 0;
  wf_file_args args = {.data = lua_tolstring(L, 5, &length)};
  args.size = integer_at(L, 3, (int64_t)length);
  args.offset = integer_at(L, 4, 0);
  for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
    if (strcmp(ops[i], name) == 0) args.op = (wf_file_op)i;
  }
  wf_file_new_call(L, file, &args);
  return 1;
}

// file_line(file) -> a line that is there already, or nothing
static int l_file_line(lua_State *L) { return wf_file_push_line(L, file_at(L)) ? 1 : 0; }

// file_close(file) -> true; nil, err, code; nil, "closed"; a caller
static int l_file_close(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_file *file = file_at(L);
  int code;
  if (file->closed) {
    lua_pushnil(L);
    wf_vm_push_ref(vm, L, WF_REF_CLOSED);
    return 2;
  }
  if (wf_file_close(L, file, !wf_can_park(vm, L), &code)) return 1;
  if (code < 0) return wf_event_push_failure(L, "close", file->path, code);
  lua_pushboolean(L, 1);
  return 1;
}

// file_path(file) -> its path, whether it is closed
static int l_file_path(lua_State *L) {
  const wf_file *file = file_at(L);
  lua_pushstring(L, file->path);
  lua_pushboolean(L, file->closed);
  return 2;
}

void wf_lib_open_fs(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"fs_call", l_fs_call},
                                       {"fs_read_now", l_fs_read_now},
                                       {"fs_read_file", l_fs_read_file},
                                       {"fs_close", l_fs_close},
                                       {"fs_write_file", l_fs_write_file},
                                       {"fs_open", l_fs_open},
                                       {"file_call", l_file_call},
                                       {"file_line", l_file_line},
                                       {"file_close", l_file_close},
                                       {"file_path", l_file_path},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
