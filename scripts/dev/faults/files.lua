-- SPDX-License-Identifier: MIT
-- Faults in files, processes and signals (for scripts/dev/faults.lua).
return {
  { file = "runtime/loop/pool.c",
    { "jobs that hang keep all others waiting", "fs",
      "  pool.hung = pool.active;\n", "" },
  },

  { file = "runtime/io/file.c",
    { "a read that was given up takes from a pipe", "file",
      "  if (!awaited && f->seekable) return false;\n", "  if (!awaited) return false;\n" },
    { "a file is closed under the call that is being made", "file",
      "  if (in_use) return false;  // come_back closes it\n", "" },
    { "only the first piece of a write goes out", "file",
      "return awaited && c->left > 0 && take_piece(c);", "return false;" },
    { "lines end with their blocks", "file",
      "  if (!c->end && !is_in_block(c)) return true;\n", "" },
  },

  { file = "runtime/io/content.c",
    { "an atomic write leaves its file behind when it fails", "fs",
      "  (void)unlink(c->temp);\n  wf_call_drop(call, c->temp);",
      "  wf_call_drop(call, c->temp);" },
    { "a file that takes a call is read from its end", "fs",
      "c->fd < 0 || lseek(c->fd, 0, SEEK_SET) != 0", "c->fd < 0" },
    { "an atomic write forgets permissions", "fs",
      "if (c->options.mode < 0) c->options.mode = st.st_mode & 07777;", "" },
    { "an atomic write replaces a link", "fs",
      "const char *target = realpath(c->path, resolved);", "const char *target = NULL;" },
  },

  { file = "runtime/lib/fs.c",
    { "a small file is read though its context has ended", "fs",
      "if (wf_ctx_is_over(L, ctx)) return 2;\n  wf_check_can_park(vm, L, \"read_file\");", "" },
  },

  { file = "runtime/io/tree.c",
    { "removing follows links", "fs",
      "int fd = openat(r->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);\n"
        .. "  if (fd < 0) return false;",
      "int fd = -1;\n  if (fd < 0) return false;" },
    { "a list comes as it lies on the disk", "fs fs_walk",
      "  qsort(names, count, sizeof *names, by_name);\n", "  (void)by_name;\n" },
  },

  { file = "lua/weft/internal/feed.lua",
    { "a walk whose channel nobody has goes on for ever", "fs_walk fs_watch",
      '    if collected and not raw.ctx_ended(ctx) then collected() end\n    stop()\n', "" },
    { "a walk without memory to tell of that leaves its reader", "embed/io_oom",
      "      if pcall(inner.close, inner, err) then break end\n" ..
      "      pcall(raw.yield)  -- memory is out; without the error nobody would know that\n" ..
      "    end\n    if not raw.is_closed(inner) then pcall(inner.close, inner) end\n",
      "      pcall(inner.close, inner, err)\n      break\n    end\n" },
  },

  { file = "lua/weft/internal/chan.lua",
    { "who waits in a view does not have it", "fs_walk",
      "return held(self, ch[name](ch, ...))", "return ch[name](ch, ...)" },
    { "who waits in a view's iterator does not have it", "fs_walk",
      "return held(self, step())", "return step()" },
    { "who calls a view does not have it", "fs_walk",
      "return held(self, rawget(self, 0)())", "return rawget(self, 0)()" },
  },

  { file = "lua/weft/internal/walk.lua",
    { "a walk goes round with links", "fs_walk",
      "  entry.again = entry.id and self.above[entry.id]\n", "" },
  },

  { file = "runtime/io/signal.c",
    { "a signal keeps libuv's default when the last subscription ends", "signal",
      "  (void)sigaction(number, &signals[number].before, NULL);\n}\n\nstatic int start",
      "}\n\nstatic int start" },
  },

  { file = "runtime/io/process.c",
    { "nobody hears of the end of a child", "process",
      "  wf_event_wake(&p->event);\n", "" },
  },

  { file = "runtime/io/child.c",
    { "descriptors that swap places overwrite each other", "process",
      "bool in_the_way = fds[i] <= STDERR_FILENO && fds[i] != i;", "bool in_the_way = false;" },
    { "a child has weft's group", "process",
      "POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK", "POSIX_SPAWN_SETSIGMASK" },
  },

  { file = "runtime/io/outlet.c",
    { "a write that libuv makes at once ends the program by SIGPIPE", "process",
      "bool before = wf_sigpipe_enter();  // it writes at once what it can",
      "bool before = wf_loop_here;" },
  },

  { file = "lua/weft/process.lua",
    { "what is cut off in process.run leaves its pipes open", "unclosed",
      "if p[name] then p[name]:close() end", "" },
  },
}
