-- SPDX-License-Identifier: MIT
-- weft: Go's concurrency for Lua. Tasks, channels, select, Futures, and the other modules as
-- fields: weft.time is require "weft.time".
local _, raw = ...

local rawset = rawset
local report = raw.import "report"
local future, map = raw.import "future", raw.import "map"
local choose = raw.import "select"

---@class weft
---@field time weft.time
---@field context weft.context
---@field sync weft.sync
---@field fs weft.fs
---@field signal weft.signal
---@field process weft.process
---@field errgroup weft.errgroup
---@field singleflight weft.singleflight
---@field rate weft.rate
---@field retry fun(fn: fun(attempt: integer): (...: any), opts?: weft.retry_options): ...
---@field pipeline weft.pipeline
---@field broadcast weft.broadcast
---@field supervisor weft.supervisor
---@field net weft.net
---@field stdin weft.Conn
---@field stdout weft.Conn
---@field stderr weft.Conn
local weft = { _VERSION = "weft " .. raw.version }

-- Starts fn(...) as a task of this VM.
---@type fun(fn: function, ...: any)
weft.go = raw.go

-- As go; the Future has the results.
---@type fun(fn: function, ...: any): weft.Future
weft.async = future.async

-- Starts fn(...) as an isolated task: any worker may run it, in parallel with everything else. fn,
-- its upvalues, the globals that it names and the arguments are copied.
---@type fun(fn: function, ...: any)
weft.spawn = raw.spawn

-- As spawn; the Future has the results.
---@type fun(fn: function, ...: any): weft.Future
weft.parallel = future.parallel

-- Runs fn(...) as an isolated task on a thread of its own, for code that blocks its thread; its
-- results, or raises its error. At most 64 at a time: further calls wait, in order.
---@type fun(fn: function, ...: any): ...
weft.blocking = future.blocking

-- fn runs first in every VM for isolated tasks that is made from now on.
---@type fun(fn: function)
weft.on_vm = raw.on_vm

-- Runs fn(list[i], i) in tasks, at most `limit` at a time (default 16); the results in order, with
-- field n. The first failure keeps further items from starting: nil, err, i.
---@alias weft.map_options {limit?: integer, ctx?: weft.Context}
---@type fun(list: any[], fn: function, opts?: weft.map_options): table?, any, integer?
weft.map = map.map

-- The same on all workers, in isolated tasks (default limit: twice the workers).
---@type fun(list: any[], fn: function, opts?: weft.map_options): table?, any, integer?
weft.pmap = map.pmap

-- Whether fn(...) could start as an isolated task: true and the bytes that would be sent, or nil
-- and why not. Starts nothing.
---@type fun(fn: function, ...: any): true?, integer|string
weft.check = raw.check

-- Lets tables with this metatable cross to other VMs, where `module` is required first if the name
-- is not known there.
---@type fun(name: string, metatable: table, module?: string)
weft.register = raw.register

-- Runs fn(...) when this task ends, however it ends; last one first.
---@type fun(fn: function, ...: any)
weft.defer = raw.defer

-- Lets other ready tasks run.
---@type fun(): true
weft.yield = raw.yield

-- Whether this task may be interrupted at any instruction of its Lua code when it has run for
-- 10 ms and others wait; off at first, unless the program was started with --preempt. What it was;
-- nil and why when it cannot be, as where a debug hook of yours is set.
---@type fun(on: boolean): boolean?, string?
weft.preempt = raw.preempt

-- Suspends this task for `s` seconds.
---@type fun(s: number, ctx?: weft.Context): true?, string?
weft.sleep = raw.sleep

-- A channel; without capacity every send waits for its receive.
---@type fun(capacity?: integer): weft.Chan
weft.chan = raw.import "chan"

-- Waits until one case can go ahead: its position, and what it gave.
---@type fun(...: any): any, any, any
weft.select = choose.select

-- The case, last, that makes a select not wait.
weft.default = choose.default

-- Module mode: runs fn(...) as the main task until it returns; its results.
---@type fun(fn: function, ...: any): ...
weft.run = raw.run

-- Module mode: runs what is ready, at most for the budget, without blocking; with dt_s the clock
-- goes by game time, which is this VM's alone: a context's deadline that is known on other cores
-- too counts there by real time, and whoever comes to it first ends it. Live tasks, ready tasks,
-- seconds to the next timer or nil.
---@type fun(budget_s?: number, dt_s?: number): integer, integer, number?
weft.step = raw.step

-- fn(err, traceback, task number) is called instead of ending anything; nil undoes that.
---@type fun(fn?: fun(err: any, traceback: string, task: integer))
weft.on_panic = raw.on_panic

-- Labels a channel, context or sync object in reports; returns it.
---@generic T
---@type fun(obj: T, text: string): T
weft.name = raw.name

-- Live tasks; workers; this task's number (main: 1).
---@type fun(): integer
weft.ntasks = raw.ntasks
---@type fun(): integer
weft.nworkers = raw.nworkers
---@type fun(): integer?
weft.id = raw.id

-- All tasks: {id=, state=, since=, where=, created_by=, vm=}; `since` on weft.time.monotonic's
-- clock.
---@type fun(): table[]
weft.tasks = report.tasks

-- The same as text, with every stack.
---@type fun(): string
weft.stacks = report.stacks

-- The tasks that can never wake again, because nothing that can still run refers to what they wait
-- on; in the order of their numbers. With `reclaim` they are ended (main excepted): their deferred
-- calls run, before this returns if they do not wait and the caller may be suspended, and whoever
-- awaits their Futures gets an error.
---@alias weft.leaks_options {reclaim?: boolean}
---@class weft.leaked
---@field id integer
---@field state string
---@field since number
---@field where string
---@field created_by string
---@field vm integer
---@field label? string what it waits on, by weft.name
---@field stack string
---@type fun(opts?: weft.leaks_options): weft.leaked[]
weft.leaks = report.leaks

-- Counters. `bytes`: of this VM's heap; `vm_bytes`: of each VM's, by the number that weft.tasks()
-- calls it by (of other VMs as of a moment ago, or of when they
-- came to rest).
---@type fun(): table<string, any>
weft.stats = raw.stats

-- Loaded when they are first asked for.
local modules = { time = true, context = true, sync = true, errgroup = true, singleflight = true,
  rate = true, retry = true, pipeline = true, broadcast = true, supervisor = true, net = true,
  fs = true, signal = true, process = true }

-- Standard input, output and error as connections.
local streams = { stdin = 0, stdout = 1, stderr = 2 }

return setmetatable(weft, {
  __index = function(self, name)
    local module
    if streams[name] then
      module = raw.import("conn").standard(streams[name], name)
    elseif modules[name] then
      module = raw.require("weft." .. name)
    else
      return nil
    end
    rawset(self, name, module)
    return module
  end,
})
