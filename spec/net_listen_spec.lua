-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/net.lua
-- Clock: real
-- Dialling, listening, serving: addresses, options, failures, and the end.

local weft = require 'weft'
local context, time = require 'weft.context', require 'weft.time'
local net = require 'weft.net'
local s = require 'support.net'
local util = require 'support.util'
local proc = require 'support.proc'

local raises = util.raises

local function path_of()
  local path = os.tmpname()
  os.remove(path)
  return path
end

describe('dial', function()
  it('connects over tcp, tcp4, tcp6 and unix, and both ends know their addresses', function()
    for _, case in ipairs { { 'tcp', '127.0.0.1:0' }, { 'tcp4', 'localhost:0' },
      { 'tcp6', '[::1]:0' }, { 'unix', path_of() } } do
      local l = assert(net.listen(case[1], case[2]))
      local accepted = weft.async(function() return assert(l:accept()) end)
      local c = assert(net.dial(case[1], l:addr()))
      local peer = accepted:await()
      assert.are.equal(l:addr(), c:remote_addr())
      assert.are.equal(l:addr(), peer:local_addr())
      assert.are.equal(c:local_addr(), peer:remote_addr())
      c:write 'ping'
      assert.are.equal('ping', peer:read())
      c:close()
      peer:close()
      l:close()
    end
  end)

  it('says why there is no connection', function()
    local l = s.listen()
    local addr = l:addr()
    l:close()
    assert.are.same({ nil, ('dial tcp %s: connection refused (ECONNREFUSED)'):format(addr),
      'ECONNREFUSED' }, { net.dial('tcp', addr) })
    assert.are.same({ nil, 'dial unix /no/such: no such file or directory (ENOENT)', 'ENOENT' },
      { net.dial('unix', '/no/such') })
    assert.are.equal('ENAMETOOLONG', (select(3, net.dial('unix', ('x'):rep(200)))))
    assert.are.equal('ENAMETOOLONG', (select(3, net.listen('unix', ('x'):rep(200)))))
  end)

  it('refuses addresses that do not parse', function()
    for _, bad in ipairs { '', 'x', 'localhost', ':', '1.2.3.4:', '1.2.3.4:x', '1.2.3.4:65536',
      '1.2.3.4:-1', '1.2.3.4:0', '::1:80', '[::1]', '[::1]:', '[x]:80', 'a b:80',
      'a:1:2', '[::1:80' } do
      local c, err, code = net.dial('tcp', bad)
      assert.is_nil(c)
      assert.are.equal(('dial tcp %s: invalid argument (EINVAL)'):format(bad), err)
      assert.are.equal('EINVAL', code)
    end
    for _, bad in ipairs { 'x', '1.2.3.4:65536', '[x]:1' } do
      assert.are.equal('EINVAL', (select(3, net.listen('tcp', bad))))
    end
    assert.are.equal('EINVAL', (select(3, net.dial('tcp4', '[::1]:80'))))
    assert.are.equal('EINVAL', (select(3, net.dial('tcp6', '127.0.0.1:80'))))
    assert.are.equal('EINVAL', (select(3, net.dial('unix', ''))))
  end)

  it('gives up when its time is over or its context ends', function()
    local l = s.listen { backlog = 1 }
    local ctx, cancel = context.with_cancel(context.background())
    local held = {}
    local function stuck()  -- until the queue of connections that nobody accepts is full
      for i = 1, 10 do
        local c, err = net.dial('tcp', l:addr(), { timeout = 0.05 })
        if not c then return err end
        held[i] = c
      end
    end
    assert.are.equal('timeout', stuck())
    local dial = s.waiting(function() return net.dial('tcp', l:addr(), nil, ctx) end)
    cancel()
    assert.are.same({ true, nil, context.Canceled }, { dial:try() })
    assert.are.same({ nil, context.Canceled }, { net.dial('tcp', l:addr(), ctx) })
    for _, c in ipairs(held) do c:close() end
    l:close()
  end)

  it('comes from a local address', function()
    local l = s.listen()
    local c = assert(net.dial('tcp', l:addr(), { local_addr = '127.0.0.2:0' }))
    util.has(c:local_addr(), '127.0.0.2:')
    c:close()
    assert.are.equal('EINVAL', (select(3, net.dial('tcp', l:addr(), { local_addr = 'x' }))))
    assert.are.equal('EADDRNOTAVAIL',
      (select(3, net.dial('tcp', l:addr(), { local_addr = '192.0.2.1:0' }))))
    l:close()
  end)

  it('sets options, and takes them back', function()
    local l = s.listen()
    local c = assert(net.dial('tcp', l:addr(), { nodelay = false, keepalive = 30 }))
    assert.is_true(c:nodelay(true))
    assert.is_true(c:keepalive())
    assert.is_true(c:keepalive(10))
    c:close()
    assert.are.same({ nil, 'closed' }, { c:nodelay(true) })
    l:close()
  end)

  it('raises for misuse', function()
    raises(function() net.dial('udp', 'x:1') end, "#1 to 'dial'", 'tcp4')
    raises(function() net.dial('tcp') end, "#2 to 'dial'", 'address')
    raises(function() net.dial('tcp', 'x:1', 5) end, "#3 to 'dial'", 'options')
    raises(function() net.dial('tcp', 'x:1', { timeout = 'x' }) end, 'timeout as number')
    raises(function() net.dial('tcp', 'x:1', { nodelay = 1 }) end, 'nodelay as boolean')
    raises(function() net.listen('tcp', 'x:1', { backlog = 0 }) end, 'backlog')
    raises(function() net.listen('x', 'x:1') end, "#1 to 'listen'")
    raises(function() net.serve(1, print) end, "#1 to 'serve'", 'listener')
    raises(function() net.serve(s.listen(), 1) end, "#2 to 'serve'", 'function')
    raises(function() s.listen().accept() end, "'accept'", 'listener')
  end)
end)

describe('a listener', function()
  it('has its port, and refuses one that is taken', function()
    local l = s.listen()
    local _, err, code = net.listen('tcp', l:addr())
    assert.are.equal('EADDRINUSE', code)
    assert.are.equal(('listen tcp %s: address already in use (EADDRINUSE)'):format(l:addr()), err)
    l:close()
    l = assert(net.listen('tcp', l:addr()))
    l:close()
  end)

  it('shares an address by reuse_port', function()
    local one = s.listen { reuse_port = true }
    local two = assert(net.listen('tcp', one:addr(), { reuse_port = true }))
    one:close()
    local c = weft.async(function() return two:accept() end)
    net.dial('tcp', two:addr()):close()
    c:await():close()
    two:close()
  end)

  it('wakes who accepts when it is closed, and ends the loop', function()
    local l = s.listen()
    local a = s.waiting(function() return l:accept() end)
    net.dial('tcp', l:addr()):close()
    a:await():close()
    local n, first = 0, weft.chan(1)
    local loop = s.waiting(function()
      for c in l do
        n = n + 1
        c:close()
        first:send(true)
      end
      return n
    end)
    net.dial('tcp', l:addr()):close()
    first:recv()
    assert.is_true(l:close())
    assert.are.equal(1, loop:await())
    assert.are.same({ nil, 'closed' }, { l:accept() })
    assert.are.same({ nil, 'closed' }, { l:close() })
  end)

  it('accepts until its context ends', function()
    local l = s.listen()
    local ctx, cancel = context.with_cancel(context.background())
    local a = s.waiting(function() return l:accept(ctx) end)
    cancel()
    assert.are.same({ true, nil, context.Canceled }, { a:try() })
    weft.go(function() net.dial('tcp', l:addr()):close() end)
    l:accept():close()
    l:close()
  end)

  it('removes the file of a unix socket', function()
    local path = path_of()
    local l = assert(net.listen('unix', path))
    assert.are.equal('EADDRINUSE', (select(3, net.listen('unix', path))))
    assert.are.equal('ECONNREFUSED', nil or (function()
      l:close()
      assert.are.equal('ENOENT', (select(3, net.dial('unix', path))))
      return 'ECONNREFUSED'
    end)())
  end)

  it('lets only so many in at a time', function()
    local l = s.listen { max_conns = 2 }
    local dialled, accepted = {}, {}
    for i = 1, 4 do dialled[i] = assert(net.dial('tcp', l:addr())) end
    for i = 1, 2 do accepted[i] = assert(l:accept()) end
    local ctx, cancel = context.with_timeout(context.background(), 0.05)
    assert.are.same({ nil, context.DeadlineExceeded }, { l:accept(ctx) })
    cancel()
    local third = s.waiting(function() return l:accept() end)
    accepted[1]:close()
    accepted[3] = third:await()
    accepted[4] = s.waiting(function() return l:accept() end)
    accepted[2]:close()
    accepted[4] = accepted[4]:await()
    l:close()
    for i = 1, 4 do
      dialled[i]:close()
      accepted[i]:close()
    end
  end)

  it('waits for descriptors when there are none, and loses nobody', function()
    local r = proc.run([[
      local weft = require 'weft'
      local net = weft.net
      local l = assert(net.listen('tcp', '127.0.0.1:0'))
      local clients, held = {}, {}
      local accepted = 0
      for i = 1, 5 do clients[i] = assert(net.dial('tcp', l:addr())) end
      repeat
        local f = io.open '/dev/null'
        held[#held + 1] = f
      until not f
      weft.go(function()
        for c in l do
          accepted = accepted + 1
          c:write('hello ', accepted)
          c:close()
        end
      end)
      weft.sleep(0.1)
      print(accepted, select(3, net.dial('tcp', l:addr())))
      for i = 1, #held do held[i]:close() end
      for i = 1, 5 do io.write(clients[i]:read_all(), '; ') end
      print(accepted)
    ]], { before = 'ulimit -n 40;' })
    assert.are.equal('0\tEMFILE\nhello 1; hello 2; hello 3; hello 4; hello 5; 5\n',
      r.out ~= '' and r.out or r.err)
  end)
end)

describe('serve', function()
  local function start(fn, opts)
    local l = s.listen()
    local future = s.waiting(net.serve, l, fn, opts)
    return future, l
  end

  local function ask(addr, text)
    local c = assert(net.dial('tcp', addr))
    c:write(text)
    c:close_write()
    local answer = c:read_all()
    c:close()
    return answer
  end

  it('runs a task for each connection, until the listener is closed', function()
    local served, l = start(function(c) c:write('got ', c:read_all()) end)
    assert.are.equal('got a', ask(l:addr(), 'a'))
    assert.are.equal('got b', ask(l:addr(), 'b'))
    l:close()
    assert.is_true(served:await())
  end)

  it('logs an error, closes that connection and goes on', function()
    local r = proc.run([[
      local weft = require 'weft'
      local net = weft.net
      local l = assert(net.listen('tcp', '127.0.0.1:0'))
      weft.go(net.serve, l, function(c)
        if c:read_line() == 'bad' then error 'oh no' end
        c:write 'fine'
      end)
      for _, word in ipairs { 'bad', 'good' } do
        local c = assert(net.dial('tcp', l:addr()))
        c:write(word, '\n')
        print(c:read_all())
      end
    ]])
    assert.are.equal('\nfine\n', r.out)
    util.has(r.err, 'weft: serving tcp 127.0.0.1:', 'oh no', r.where(5))
  end)

  it('lets what is under way end when its context does', function()
    local ctx, cancel = context.with_cancel(context.background())
    local go_on = weft.chan()
    local served, l = start(function(c, mine)
      c:write 'begun\n'
      go_on:recv()
      c:write(tostring(mine:err()))
    end, { ctx = ctx, grace = 30 })
    local c = assert(net.dial('tcp', l:addr()))
    assert.are.equal('begun', c:read_line())
    cancel()
    repeat
      local more = net.dial('tcp', l:addr())
      if more then more:close() end
    until not more
    go_on:send(true)
    assert.are.equal('nil', c:read_all())
    assert.is_true(served:await())
    c:close()
  end)

  it('cuts off those that take longer than the grace', function()
    local ctx, cancel = context.with_cancel(context.background())
    local ended = weft.chan(2)
    local served, l = start(function(c, mine)
      c:write 'begun\n'
      local _, why = mine:done():recv()
      ended:send(why)
    end, { ctx = ctx, grace = 0.02 })
    local a, b = assert(net.dial('tcp', l:addr())), assert(net.dial('tcp', l:addr()))
    a:read_line()
    b:read_line()
    local before = time.monotonic()
    cancel()
    assert.are.same({ nil, '2 connections cut off' }, { served:await() })
    assert.is_true(time.monotonic() - before >= 0.019)
    assert.are.same({ nil, 'eof' }, { a:read() })
    ended:recv()
    ended:recv()
    a:close()
    b:close()
  end)

  it('counts a connection off after the deferred calls of its handler', function()
    local go_on = weft.chan()
    local served, l = start(function(c)
      weft.defer(function()
        c:write 'last'
        go_on:recv()
      end)
      c:write 'first '
    end)
    local c = assert(net.dial('tcp', l:addr()))
    assert.are.equal('first last', c:read_exactly(10))
    l:close()
    weft.yield()
    assert.is_nil((served:done():try_recv()))
    assert.are.equal('empty', select(2, served:done():try_recv()))
    go_on:send(true)
    assert.is_true(served:await())
    assert.are.same({ nil, 'eof' }, { c:read() })
    c:close()
  end)

  it('counts a handler off that is reclaimed', function()
    local r = proc.run([[
      local weft = require 'weft'
      local net = weft.net
      local l = assert(net.listen('tcp', '127.0.0.1:0'))
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      local served = weft.async(net.serve, l, function(c)
        weft.defer(function() c:write('last') end)
        c:write('first ')
        weft.chan():recv()
      end, { ctx = ctx })
      local c = assert(net.dial('tcp', l:addr()))
      print(c:read_exactly(6))
      local reclaimed
      repeat
        weft.yield()
        reclaimed = weft.leaks { reclaim = true }
      until #reclaimed > 0
      print(#reclaimed, c:read_all())
      cancel()
      print(served:await())
    ]], { seconds = 20 })
    assert.are.equal('first \n1\tlast\ntrue\n', r.out)
    util.has(r.err, 'weft: serving tcp 127.0.0.1:', 'was reclaimed: nothing could wake it')
    assert.are.equal(0, r.status)
  end)
end)

describe('the program', function()
  it('ends with main, whatever waits', function()
    local r = proc.run([[
      local weft = require 'weft'
      local l = weft.net.listen('tcp', '127.0.0.1:0')
      weft.go(function() l:accept() end)
      local c = weft.net.dial('tcp', l:addr())
      weft.go(function() c:read() end)
      weft.yield()
      print 'end'
    ]])
    assert.are.same({ 0, 'end\n', '' }, { r.status, r.out, r.err })
  end)

  it('is dead when nobody waits for its sockets', function()
    local r = proc.run([[
      local weft = require 'weft'
      local l = weft.net.listen('tcp', '127.0.0.1:0')
      local c = weft.net.dial('tcp', l:addr())
      local d = l:accept()
      c:write 'x'
      d:read()
      weft.chan():recv()
    ]])
    assert.are.equal(2, r.status)
    util.has(r.err, 'all tasks are asleep')
  end)

  it('serves on all cores', function()
    local r = proc.run([[
      local weft = require 'weft'
      local net = require 'weft.net'
      local l = assert(net.listen('tcp', '127.0.0.1:0', { reuse_port = true }))
      local addr, ready, stop = l:addr(), weft.chan(), weft.chan()
      for i = 1, 2 do
        weft.spawn(function()
          local weft, net = require 'weft', require 'weft.net'
          local mine = assert(net.listen('tcp', addr, { reuse_port = true }))
          ready:send(true)
          weft.go(function()
            for c in mine do
              weft.go(function() c:write(i, '\n') c:close() end)
            end
          end)
          stop:recv()
        end)
      end
      ready:recv() ready:recv()
      l:close()
      local seen = {}
      repeat
        local c = net.dial('tcp', addr)
        if c then seen[c:read_line() or 0] = true c:close() end
      until seen['1'] and seen['2']
      print 'both'
    ]], { options = { '--workers', '3' } })
    assert.are.same({ 'both\n', '' }, { r.out, r.err })
  end)
end)
