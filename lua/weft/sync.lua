-- SPDX-License-Identifier: MIT
-- weft.sync: waiting for each other. All but pools are shareable; whatever waits is served first
-- in, first out. The objects are in internal/sync, a file each.
local _, raw = ...

local once = raw.import "sync.once"
local atomic = raw.import "sync.atomic"

---@class weft.sync
return {
  mutex = raw.import("sync.mutex").new,
  rwmutex = raw.import "sync.rwmutex",
  waitgroup = raw.import "sync.waitgroup",
  once = once.new,
  once_func = once.once_func,
  once_value = once.once_value,
  cond = raw.import "sync.cond",
  semaphore = raw.import "sync.semaphore",
  map = raw.import "sync.map",
  int = atomic.int,
  bool = atomic.bool,
  value = raw.import "sync.value",
  pool = raw.import "sync.pool",
}
