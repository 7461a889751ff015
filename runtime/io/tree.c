// SPDX-License-Identifier: MIT
#include "io/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static wf_path_call *of(wf_call *call) { return (wf_path_call *)call; }

static bool is_dots(const char *name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// Listing -------------------------------------------------------------------------------------

// A list is, for each entry, a letter for its type, its name and a zero.

static char letter_of(const struct dirent *entry, int dir) {
  struct stat st;
  switch (entry->d_type) {
    case DT_REG: return 'f';
    case DT_DIR: return 'd';
    case DT_LNK: return 'l';
    case DT_FIFO: return 'p';
    case DT_SOCK: return 's';
    case DT_CHR: return 'c';
    case DT_BLK: return 'b';
    default: break;
  }
  // Some file systems do not say.
  if (fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) return 'u';
  const char *type = wf_path_type(st.st_mode);
  return strcmp(type, "fifo") == 0 ? 'p' : type[0];
}

static const char *type_of(char letter) {
  switch (letter) {
    case 'f': return "file";
    case 'd': return "directory";
    case 'l': return "link";
    case 'p': return "fifo";
    case 's': return "socket";
    case 'c': return "char";
    case 'b': return "block";
    default: return "unknown";
  }
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool sort_names(wf_path_call *p) {
  size_t count = (size_t)p->number, size = p->out.size;
  if (count == 0) return true;
  const char **names = wf_mem_new(&p->call.mem, count * sizeof *names);
  if (names == NULL) return false;
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    names[i] = (const char *)p->out.data + at + 1;
    at += strlen(names[i]) + 2;
  }
  qsort(names, count, sizeof *names, by_name);
  wf_vec sorted = {0};
  char *place = wf_vec_add(&p->call.mem, &sorted, size);
  for (size_t i = 0; place != NULL && i < count; i++) {
    size_t length = strlen(names[i]) + 2;
    memcpy(place, names[i] - 1, length);
    place += length;
  }
  wf_mem_free(&p->call.mem, names, count * sizeof *names);
  if (place == NULL) return false;
  wf_vec_free(&p->call.mem, &p->out);
  p->out = sorted;
  return true;
}

static void run_list(wf_call *call) {
  wf_path_call *p = of(call);
  DIR *dir = opendir(p->path);
  if (dir == NULL) {
    wf_path_set_code(call, -1);
    return;
  }
  call->code = 0;
  const struct dirent *entry;
  errno = 0;
  while (call->code == 0 && (entry = readdir(dir)) != NULL) {
    if (is_dots(entry->d_name)) continue;
    size_t length = strlen(entry->d_name) + 1;
    char *place = wf_vec_add(&call->mem, &p->out, length + 1);
    if (place == NULL) {
      call->code = UV_ENOMEM;
    } else {
      place[0] = letter_of(entry, dirfd(dir));
      memcpy(place + 1, entry->d_name, length);
      p->number++;
    }
    errno = 0;
  }
  if (call->code == 0 && errno != 0) wf_path_set_code(call, -1);
  (void)closedir(dir);
  if (call->code == 0 && !sort_names(p)) call->code = UV_ENOMEM;
}

static int push_list(lua_State *L, wf_call *call) {
  const wf_path_call *p = of(call);
  const char *at = (const char *)p->out.data;
  lua_createtable(L, (int)p->number, 0);
  for (int i = 1; i <= (int)p->number; i++) {
    lua_createtable(L, 0, 2);
    lua_pushstring(L, at + 1);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, type_of(at[0]));
    lua_setfield(L, -2, "type");
    lua_rawseti(L, -2, i);
    at += strlen(at) + 1;
  }
  return 1;
}

// Making --------------------------------------------------------------------------------------

static bool is_folder(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

// Makes the folder; one that is there already will do.
static bool make_one(const char *path, mode_t mode) {
  if (mkdir(path, mode) == 0) return true;
  int error = errno;
  if (error != ENOENT && is_folder(path)) return true;
  errno = error;
  return false;
}

// From the top down, as soon as it is clear that something above is missing.
static bool make_all(char *path, mode_t mode) {
  if (make_one(path, mode)) return true;
  if (errno != ENOENT) return false;
  for (char *slash = path + 1; *slash != '\0'; slash++) {
    if (*slash != '/' || slash[-1] == '/') continue;
    *slash = '\0';
    bool fine = make_one(path, 0777);
    *slash = '/';
    if (!fine) return false;
  }
  return make_one(path, mode);
}

static void run_mkdir(wf_call *call) {
  wf_path_call *p = of(call);
  mode_t mode = p->number >= 0 ? (mode_t)p->number : 0777;
  bool fine = p->flag ? p->path[0] != '\0' && make_all(p->path, mode) : mkdir(p->path, mode) == 0;
  if (p->path[0] == '\0') errno = ENOENT;
  wf_path_set_code(call, fine ? 0 : -1);
}

// Removing ------------------------------------------------------------------------------------

// Where the walk down is: two descriptors at most, however deep it gets. The way back up is "..",
// which has to be the folder that it came from: somebody may move folders meanwhile.
typedef struct level {
  dev_t dev;
  ino_t ino;
  size_t name;  // of the folder below, in names
} level;

typedef struct removal {
  wf_mem *mem;
  wf_vec levels, names;
  int dir;
} removal;

static bool go_down(removal *r, const char *name) {
  struct stat st;
  int fd = openat(r->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  size_t length = strlen(name) + 1;
  level *l = fstat(r->dir, &st) == 0 ? wf_vec_add(r->mem, &r->levels, sizeof *l) : NULL;
  char *place = l != NULL ? wf_vec_add(r->mem, &r->names, length) : NULL;
  if (place == NULL) {
    if (l != NULL) r->levels.size -= sizeof *l;
    (void)close(fd);
    errno = ENOMEM;
    return false;
  }
  memcpy(place, name, length);
  *l = (level){.dev = st.st_dev, .ino = st.st_ino, .name = r->names.size - length};
  (void)close(r->dir);
  r->dir = fd;
  return true;
}

// Back to the folder above, and removes the one that it comes from.
static bool go_up(removal *r) {
  struct stat st;
  r->levels.size -= sizeof(level);
  const level *l = (const level *)(const void *)(r->levels.data + r->levels.size);
  int fd = openat(r->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  (void)close(r->dir);
  r->dir = fd;
  if (fstat(fd, &st) != 0) return false;
  if (st.st_dev != l->dev || st.st_ino != l->ino) {
    errno = EBUSY;
    return false;
  }
  r->names.size = l->name;
  const char *name = (const char *)r->names.data + l->name;
  return unlinkat(fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT;
}

// Removes what it can of the folder it is in. 1: it is empty; 0: it has gone down into another
// one; -1: it cannot.
static int empty_folder(removal *r) {
  int copy = openat(r->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
  if (dir == NULL) {
    int error = errno;
    if (copy >= 0) (void)close(copy);
    errno = error;
    return -1;
  }
  int result = 1;
  const struct dirent *entry;
  while (result == 1 && (entry = readdir(dir)) != NULL) {
    if (is_dots(entry->d_name)) continue;
    if (unlinkat(r->dir, entry->d_name, 0) == 0 || errno == ENOENT) continue;
    // EPERM: what some systems say of a folder.
    bool folder = errno == EISDIR || errno == EPERM;
    int why = errno;
    result = folder && go_down(r, entry->d_name) ? 0 : -1;
    if (result < 0 && errno == ENOTDIR) errno = why;
  }
  int error = errno;
  (void)closedir(dir);
  errno = error;
  return result;
}

static bool remove_below(wf_call *call, const char *path) {
  removal r = {.mem = &call->mem};
  r.dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (r.dir < 0) return false;
  bool fine = true, done = false;
  while (fine && !done) {
    if (wf_u64_load(&call->job.stop, WF_RELAXED) != 0) {
      errno = ECANCELED;
      fine = false;
      break;
    }
    int result = empty_folder(&r);
    if (result == 1 && r.levels.size == 0) {
      done = true;
    } else {
      fine = result == 0 || (result == 1 && go_up(&r));
    }
  }
  int error = errno;
  (void)close(r.dir);
  wf_vec_free(r.mem, &r.levels);
  wf_vec_free(r.mem, &r.names);
  errno = error;
  return fine;
}

static bool remove_one(const char *path) {
  if (unlink(path) == 0) return true;
  if (errno != EISDIR && errno != EPERM) return false;
  int error = errno;
  if (rmdir(path) == 0) return true;
  if (errno == ENOTDIR) errno = error;
  return false;
}

static bool remove_all(wf_call *call, const char *path) {
  if (remove_one(path) || errno == ENOENT) return true;
  if (errno != ENOTEMPTY && errno != EEXIST) return false;
  return remove_below(call, path) && (rmdir(path) == 0 || errno == ENOENT);
}

static void run_remove(wf_call *call) {
  wf_path_call *p = of(call);
  if (p->flag && p->path[0] == '\0') errno = ENOENT;
  bool fine = p->flag ? p->path[0] != '\0' && remove_all(call, p->path) : remove_one(p->path);
  wf_path_set_code(call, fine ? 0 : -1);
}

#define TREE_KIND(WHAT, RUN, PUSH)                                              \
  {                                                                             \
    .what = (WHAT), .size = sizeof(wf_path_call), .run = (RUN), .push = (PUSH), \
    .free = wf_path_free                                                        \
  }

const wf_call_kind wf_tree_list = TREE_KIND("list", run_list, push_list);
const wf_call_kind wf_tree_mkdir = TREE_KIND("mkdir", run_mkdir, wf_path_push_true);
const wf_call_kind wf_tree_remove = TREE_KIND("remove", run_remove, wf_path_push_true);
