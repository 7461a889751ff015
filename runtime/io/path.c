// SPDX-License-Identifier: MIT
#include "io/path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "task/site.h"

static wf_path_call *of(wf_call *call) { return (wf_path_call *)call; }

void wf_path_free(wf_call *call) {
  wf_call_drop(call, of(call)->path);
  wf_call_drop(call, of(call)->other);
  wf_vec_free(&call->mem, &of(call)->out);
}

int wf_path_push_true(lua_State *L, wf_call *call) {
  (void)call;
  lua_pushboolean(L, 1);
  return 1;
}

void wf_path_set_code(wf_call *call, int rc) {
  call->code = rc == -1 ? uv_translate_sys_error(errno) : 0;
}

// What failures name: both paths, where there are two.
static const char *push_where(lua_State *L, const char *path, const char *other) {
  return other == NULL ? path : lua_pushfstring(L, "%s to %s", path, other);
}

wf_path_call *wf_path_new(wf_vm *vm, lua_State *L, const wf_call_kind *kind, const char *path,
                          const char *other) {
  const char *where = push_where(L, path, other);
  wf_call *call = wf_call_new(vm, L, kind, where, NULL, NULL);
  wf_path_call *p = of(call);
  p->path = wf_call_keep(call, path, strlen(path));
  if (other != NULL) p->other = wf_call_keep(call, other, strlen(other));
  if (p->path == NULL || (other != NULL && p->other == NULL)) {
    wf_site_raise(L, "not enough memory");
  }
  return p;
}

const char *wf_path_type(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFDIR: return "directory";
    case S_IFLNK: return "link";
    case S_IFIFO: return "fifo";
    case S_IFSOCK: return "socket";
    case S_IFCHR: return "char";
    case S_IFBLK: return "block";
    default: return "unknown";
  }
}

static void set_number(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

#ifdef __APPLE__
#define st_atim st_atimespec
#define st_mtim st_mtimespec
#define st_ctim st_ctimespec
#endif

static double seconds(struct timespec t) { return (double)t.tv_sec + (double)t.tv_nsec / 1e9; }

void wf_path_push_stat(lua_State *L, const struct stat *st) {
  lua_createtable(L, 0, 12);
  lua_pushstring(L, wf_path_type(st->st_mode));
  lua_setfield(L, -2, "type");
  set_number(L, "size", (double)st->st_size);
  set_number(L, "mode", (double)(st->st_mode & 07777));
  set_number(L, "mtime", seconds(st->st_mtim));
  set_number(L, "atime", seconds(st->st_atim));
  set_number(L, "ctime", seconds(st->st_ctim));
  set_number(L, "uid", (double)st->st_uid);
  set_number(L, "gid", (double)st->st_gid);
  set_number(L, "ino", (double)st->st_ino);
  set_number(L, "dev", (double)st->st_dev);
  set_number(L, "nlink", (double)st->st_nlink);
}

static void run_stat(wf_call *call) {
  wf_path_set_code(call, stat(of(call)->path, &of(call)->st));
}

static int push_stat(lua_State *L, wf_call *call) {
  wf_path_push_stat(L, &of(call)->st);
  return 1;
}

static void run_rename(wf_call *call) {
  wf_path_set_code(call, rename(of(call)->path, of(call)->other));
}

static void run_link(wf_call *call) {
  wf_path_set_code(call, link(of(call)->path, of(call)->other));
}

static void run_symlink(wf_call *call) {
  wf_path_set_code(call, symlink(of(call)->path, of(call)->other));
}

static void run_chmod(wf_call *call) {
  wf_path_set_code(call, chmod(of(call)->path, (mode_t)of(call)->number));
}

static void run_readlink(wf_call *call) {
  wf_path_call *p = of(call);
  char *buffer = wf_vec_add(&call->mem, &p->out, PATH_MAX);
  if (buffer == NULL) {
    call->code = UV_ENOMEM;
    return;
  }
  ssize_t n = readlink(p->path, buffer, PATH_MAX);
  wf_path_set_code(call, n < 0 ? -1 : 0);
  p->out.size = n < 0 ? 0 : (size_t)n;
}

static int push_out(lua_State *L, wf_call *call) {
  const wf_vec *out = &of(call)->out;
  lua_pushlstring(L, (const char *)out->data, out->size);
  return 1;
}

// The path is a template, which is filled in.
static void run_temp_dir(wf_call *call) {
  wf_path_set_code(call, mkdtemp(of(call)->path) == NULL ? -1 : 0);
}

static int push_path(lua_State *L, wf_call *call) {
  lua_pushstring(L, of(call)->path);
  return 1;
}

#define PATH_KIND(WHAT, RUN, PUSH)                                              \
  {                                                                             \
    .what = (WHAT), .size = sizeof(wf_path_call), .run = (RUN), .push = (PUSH), \
    .free = wf_path_free                                                        \
  }

const wf_call_kind wf_path_stat = PATH_KIND("stat", run_stat, push_stat);
const wf_call_kind wf_path_rename = PATH_KIND("rename", run_rename, wf_path_push_true);
const wf_call_kind wf_path_link = PATH_KIND("link", run_link, wf_path_push_true);
const wf_call_kind wf_path_symlink = PATH_KIND("symlink", run_symlink, wf_path_push_true);
const wf_call_kind wf_path_readlink = PATH_KIND("readlink", run_readlink, push_out);
const wf_call_kind wf_path_chmod = PATH_KIND("chmod", run_chmod, wf_path_push_true);
const wf_call_kind wf_path_temp_dir = PATH_KIND("temp_dir", run_temp_dir, push_path);
