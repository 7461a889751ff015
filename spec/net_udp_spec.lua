-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/udp.c
-- Clock: real
-- Datagrams, and names that are looked up.

local weft = require 'weft'
local context = require 'weft.context'
local net = require 'weft.net'
local process = require 'weft.process'
local proc = require 'support.proc'
local s = require 'support.net'
local util = require 'support.util'

local raises = util.raises

describe('udp', function()
  local a, b

  before_each(function()
    a, b = assert(net.udp('127.0.0.1:0')), assert(net.udp('127.0.0.1:0'))
  end)

  after_each(function()
    a:close()
    b:close()
  end)

  it('sends to an address and says where it came from', function()
    assert.is_true(a:send_to('hello', b:addr()))
    assert.are.same({ 'hello', a:addr() }, { b:recv_from() })
    assert.is_true(b:send_to(12, a:addr()))
    assert.are.equal('12', a:recv())
    a:send_to('', b:addr())
    assert.are.same({ '', a:addr() }, { b:recv_from() })
  end)

  it('keeps datagrams apart, and cuts off what is too long', function()
    for i = 1, 3 do a:send_to(('%d'):format(i):rep(i), b:addr()) end
    assert.are.equal('1', b:recv())
    assert.are.equal('2', b:recv(1))
    assert.are.equal('333', b:recv())
  end)

  it('takes the largest datagram whole', function()
    local data = ('0123456789abcdef'):rep(4094) .. '!'
    assert.is_true(a:send_to(data, b:addr()))
    assert.are.equal(data, b:recv())
  end)

  it('waits for a datagram, in order', function()
    local one = s.waiting(function() return b:recv() end)
    local two = s.waiting(function() return b:recv() end)
    util.has(weft.stacks(), ('IO wait on udp %s receive'):format(b:addr()))
    a:send_to('x', b:addr())
    a:send_to('y', b:addr())
    assert.are.equal('x', one:await())
    assert.are.equal('y', two:await())
  end)

  it('is cancelled, and closed under a wait', function()
    local ctx, cancel = context.with_cancel(context.background())
    local one = s.waiting(function() return b:recv_from(nil, ctx) end)
    local two = s.waiting(function() return b:recv_from() end)
    cancel()
    assert.are.same({ true, nil, context.Canceled }, { one:try() })
    assert.are.same({ nil, context.Canceled }, { b:recv(ctx) })
    assert.are.same({ nil, context.Canceled }, { b:send_to('x', a:addr(), ctx) })
    a:send_to('still', b:addr())
    assert.are.equal('still', two:await())
    local three = s.waiting(function() return b:recv_from() end)
    b:close()
    assert.are.same({ true, nil, 'closed' }, { three:try() })
    assert.are.same({ nil, 'closed' }, { b:recv() })
    assert.are.same({ nil, 'closed' }, { b:send_to('x', a:addr()) })
    assert.are.same({ nil, 'closed' }, { b:close() })
  end)

  it('is connected, and hears that nobody is there', function()
    assert.is_true(a:connect(b:addr()))
    assert.is_true(b:connect(a:addr()))
    a:send('1')
    assert.are.equal('1', b:recv())
    local addr = b:addr()
    b:close()
    a:send('2')
    local _, err, code = a:recv()
    assert.are.equal('ECONNREFUSED', code)
    util.has(err, 'recv udp 127.0.0.1:', 'connection refused (ECONNREFUSED)')
    assert.is_string(addr)
  end)

  it('says what fails', function()
    assert.are.equal('EADDRINUSE', (select(3, net.udp(a:addr()))))
    assert.are.equal('EINVAL', (select(3, net.udp('x'))))
    assert.are.equal('EINVAL', (select(3, a:send_to('x', 'nonsense'))))
    assert.are.equal('EINVAL', (select(3, a:send_to('x', '127.0.0.1:0'))))
    assert.are.equal('EDESTADDRREQ', (select(3, a:send('x'))))
    local _, err, code = a:send_to(('x'):rep(70000), b:addr())
    assert.are.equal('EMSGSIZE', code)
    util.has(err, 'send_to udp', 'message too long (EMSGSIZE)')
    raises(function() a:send_to({}, b:addr()) end, "#1 to 'send_to'")
    raises(function() a:send_to('x') end, "#2 to 'send_to'", 'address')
    raises(function() a:recv(0) end, "#1 to 'recv'")
    raises(function() a.recv() end, "'recv'", 'udp socket')
    raises(function() net.udp(5) end, "#1 to 'udp'")
  end)

  it('works over IPv6', function()
    local c = assert(net.udp('[::1]:0'))
    assert.is_true(c:send_to('me', c:addr()))
    assert.are.same({ 'me', c:addr() }, { c:recv_from() })
    c:close()
  end)
end)

describe('lookup', function()
  it('reads /etc/hosts', function()
    assert.are.same({ '127.0.0.1' }, net.lookup('localhost', { family = 4 }))
    assert.are.same({ '127.0.0.1' }, net.lookup('localhost', { family = 4, resolver = 'system' }))
  end)

  it('leaves addresses as they are', function()
    assert.are.same({ '1.2.3.4' }, net.lookup('1.2.3.4'))
    assert.are.same({ '::1' }, net.lookup('::1', { family = 6 }))
    assert.are.equal('EINVAL', (select(3, net.lookup('::1', { family = 4 }))))
  end)

  it('says that there is no such name', function()
    for _, bad in ipairs { '', 'a b', ('x'):rep(300) } do
      assert.are.equal('EINVAL', (select(3, net.lookup(bad))))
    end
    for _, resolver in ipairs { 'dns', 'system' } do
      local list, err, code = net.lookup('no.such.name.invalid', { resolver = resolver })
      assert.is_nil(list)
      util.has(err, 'lookup no.such.name.invalid: ', '(' .. code .. ')')
    end
  end)

  it('is cancelled before and meanwhile', function()
    local ctx, cancel = context.with_cancel(context.background())
    weft.go(cancel)
    local _, err = net.lookup('name.invalid', { resolver = 'system' }, ctx)
    assert.are.equal(context.Canceled, err)
    assert.are.same({ nil, context.Canceled }, { net.lookup('localhost', nil, ctx) })
    assert.are.same({ nil, context.Canceled }, { net.lookup('localhost', ctx) })
  end)

  it('raises for misuse', function()
    raises(function() net.lookup() end, "#1 to 'lookup'")
    raises(function() net.lookup('x', { family = 5 }) end, 'family as 4 or 6')
    raises(function() net.lookup('x', { resolver = 'x' }) end, 'resolver as')
  end)

  -- A name server that knows one name: the question is sent back with an answer behind it.
  local function serve_names(socket)
    while true do
      local query, from = socket:recv_from()
      if not query then return end
      local _, label = query:find('\3two\4test\0', 13, true)
      local kind = label and query:sub(label + 1, label + 2)
      local found = kind == '\0\1'
      local answer = query:sub(1, 2) .. '\129\128' .. '\0\1' .. (found and '\0\2' or '\0\0')
        .. '\0\0\0\0' .. query:sub(13, (label or #query - 4) + 4)
      for last = 1, found and 2 or 0 do
        answer = answer .. '\192\12\0\1\0\1\0\0\0\60\0\4\10\0\0' .. string.char(last)
      end
      socket:send_to(answer, from)
    end
  end

  it('asks the name servers that the environment names', function()
    local socket = assert(net.udp('127.0.0.1:0'))
    weft.go(serve_names, socket)
    local function ask(servers)
      return assert(process.run { proc.bin, '-e', [[
        local list, err = require 'weft.net'.lookup('two.test', { family = 4 })
        if list then table.sort(list) end
        print(list and table.concat(list, ' ') or err)
      ]], env = { WEFT_NAMESERVERS = servers } }).stdout
    end
    assert.are.equal('10.0.0.1 10.0.0.2\n', ask(socket:addr()))
    util.has(ask('nonsense:x:y'), 'lookup two.test: ')
    socket:close()
  end)
end)
