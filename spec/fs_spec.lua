-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/fs.lua
-- Clock: real
-- Whole files and paths: plain use, options, failures, contexts.

local weft = require 'weft'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local raises, has = util.raises, util.has
local dir, clean

-- Fails as a call of the system does: words that name the call, the path and the code.
local function fails(code, what, where, v, err, err_code)
  assert.is_nil(v)
  assert.are.equal(code, err_code)
  assert.are.equal(what .. ' ' .. where .. ': ', err:sub(1, #what + #where + 3))
  has(err, '(' .. code .. ')')
end

describe('weft.fs', function()
  before_each(function() dir, clean = proc.temp_dir() end)
  after_each(function() clean() end)

  it('reads and writes whole files of any size', function()
    local path = dir .. '/f'
    -- In the torture build seven bytes are a piece, and each piece wakes a thread.
    local much = proc.torture() and 2 ^ 17 or 3 * 2 ^ 20
    for _, size in ipairs { 0, 1, 65535, 65536, 65537, much + 7 } do
      local data = ('x'):rep(size - 1) .. (size > 0 and '\n' or '')
      assert.is_true(fs.write_file(path, data))
      local back = fs.read_file(path)
      assert.is_true(back == data)
      assert.are.equal(size, fs.stat(path).size)
    end
    assert.is_true(fs.write_file(path, 'a\0b'))
    assert.are.equal('a\0b', fs.read_file(path))
    assert.is_true(fs.write_file(path, 12, { append = true }))
    assert.are.equal('a\0b12', fs.read_file(path))
  end)

  it('reads files that say they are empty and are not', function()
    has(fs.read_file '/proc/self/status', 'Name:', 'Pid:')
  end)

  it('replaces a file as a whole, keeps its permissions and follows a link', function()
    local path = dir .. '/f'
    fs.write_file(path, 'old', { mode = tonumber('640', 8) })
    fs.symlink('f', dir .. '/l')
    assert.is_true(fs.write_file(dir .. '/l', ('new'):rep(1e6), { atomic = true }))
    assert.are.equal(3e6, #fs.read_file(path))
    assert.are.equal('f', fs.readlink(dir .. '/l'))
    assert.are.equal(tonumber('640', 8), fs.stat(path).mode)
    assert.is_true(fs.write_file(path, 'x', { atomic = true, mode = tonumber('600', 8) }))
    assert.are.equal(tonumber('600', 8), fs.stat(path).mode)
    assert.are.equal(2, #fs.list(dir))
  end)

  it('leaves nothing behind when it cannot replace a file', function()
    fs.mkdir(dir .. '/d')
    fails('EISDIR', 'write', dir .. '/d', fs.write_file(dir .. '/d', 'x', { atomic = true }))
    assert.are.same({ { name = 'd', type = 'directory' } }, fs.list(dir))
    fails('ENOENT', 'write', dir .. '/no/f', fs.write_file(dir .. '/no/f', 'x', { atomic = true }))
  end)

  it('tells what the system says of failures', function()
    local no = dir .. '/no'
    fails('ENOENT', 'read', no, fs.read_file(no))
    fails('EISDIR', 'read', dir, fs.read_file(dir))
    fails('ENOENT', 'stat', no, fs.stat(no))
    fails('ENOENT', 'list', no, fs.list(no))
    fails('ENOENT', 'remove', no, fs.remove(no))
    fails('ENOENT', 'readlink', no, fs.readlink(no))
    fails('ENOENT', 'chmod', no, fs.chmod(no, 0))
    fails('ENOENT', 'rename', no .. ' to ' .. dir .. '/x', fs.rename(no, dir .. '/x'))
    fails('ENOENT', 'copy', no .. ' to ' .. dir .. '/x', fs.copy(no, dir .. '/x'))
    fails('EEXIST', 'mkdir', dir, fs.mkdir(dir))
    fails('ENOENT', 'mkdir', no .. '/a', fs.mkdir(no .. '/a'))
    fs.write_file(dir .. '/f', 'x')
    fails('ENOTDIR', 'list', dir .. '/f', fs.list(dir .. '/f'))
    fails('ENOTDIR', 'mkdir', dir .. '/f/a/b', fs.mkdir(dir .. '/f/a/b', { parents = true }))
    fails('EEXIST', 'link', dir .. '/f to ' .. dir .. '/f', fs.link(dir .. '/f', dir .. '/f'))
    fails('EISDIR', 'copy', dir .. ' to ' .. dir .. '/f', fs.copy(dir, dir .. '/f'))
    assert.are.equal('x', fs.read_file(dir .. '/f'))
  end)

  it('says so when the disk is full, and replaces nothing', function()
    local full = dir .. '/full'
    fs.mkdir(full)
    if os.execute(('mount -t tmpfs -o size=64k weft %s 2>/dev/null'):format(full)) ~= 0 then
      pending 'needs to be root'
      return
    end
    fs.write_file(full .. '/f', 'old')
    local r = util.pack(fs.write_file(full .. '/f', ('x'):rep(2e6), { atomic = true }))
    local names, old = fs.list(full), fs.read_file(full .. '/f')
    local plain = util.pack(fs.write_file(full .. '/g', ('x'):rep(2e6)))
    os.execute('umount ' .. full)
    fails('ENOSPC', 'write', full .. '/f', unpack(r, 1, 3))
    assert.are.same({ 1, 'old' }, { #names, old })
    fails('ENOSPC', 'write', full .. '/g', unpack(plain, 1, 3))
  end)

  it('lists by name, with types', function()
    for _, name in ipairs { 'c', 'a', 'b' } do fs.write_file(dir .. '/' .. name, '') end
    fs.mkdir(dir .. '/d')
    fs.symlink('d', dir .. '/l')
    assert.are.same({ { name = 'a', type = 'file' }, { name = 'b', type = 'file' },
      { name = 'c', type = 'file' }, { name = 'd', type = 'directory' },
      { name = 'l', type = 'link' } }, fs.list(dir))
    assert.are.same({}, fs.list(dir .. '/d'))
    assert.are.equal('directory', fs.stat(dir .. '/l').type)
  end)

  it('makes folders with those above, and removes them with what is below', function()
    local deep = dir .. '/t' .. ('/d'):rep(300)
    assert.is_true(fs.mkdir(deep, { parents = true }))
    assert.is_true(fs.mkdir(deep, { parents = true }))
    fs.write_file(dir .. '/kept', 'x')
    fs.write_file(deep .. '/f', 'x')
    fs.symlink(dir .. '/kept', dir .. '/t/l')
    fs.symlink(dir, dir .. '/t/d/up')
    fails('ENOTEMPTY', 'remove', dir .. '/t', fs.remove(dir .. '/t'))
    assert.is_true(fs.remove(dir .. '/t', { recursive = true }))
    assert.are.same({ { name = 'kept', type = 'file' } }, fs.list(dir))
    assert.is_true(fs.remove(dir .. '/t', { recursive = true }))
    assert.is_true(fs.remove(dir .. '/kept', { recursive = true }))
  end)

  it('renames, copies, links and changes permissions', function()
    fs.write_file(dir .. '/a', 'text', { mode = tonumber('640', 8) })
    assert.is_true(fs.copy(dir .. '/a', dir .. '/b'))
    assert.are.equal(tonumber('640', 8), fs.stat(dir .. '/b').mode)
    assert.is_true(fs.rename(dir .. '/b', dir .. '/c'))
    assert.is_true(fs.link(dir .. '/c', dir .. '/d'))
    assert.are.equal(2, fs.stat(dir .. '/c').nlink)
    assert.is_true(fs.chmod(dir .. '/d', tonumber('600', 8)))
    assert.are.equal(tonumber('600', 8), fs.stat(dir .. '/c').mode)
    assert.are.equal('text', fs.read_file(dir .. '/d'))
  end)

  it('makes folders and files of its own', function()
    local d, f, path = fs.temp_dir(), fs.temp_file()
    assert.are.equal('directory', fs.stat(d).type)
    assert.is_true(f:write 'x')
    assert.are.equal('x', fs.read_file(path))
    assert.is_true(f:close())
    fs.remove(d)
    fs.remove(path)
  end)

  it('gives a context that has ended, and has done nothing then', function()
    local over = util.cancelled()
    local path = dir .. '/f'
    assert.are.same({ nil, 'context canceled' }, { fs.write_file(path, 'x', over) })
    assert.are.same({ nil, 'context canceled' }, { fs.write_file(path, 'x', {}, over) })
    assert.are.same({ nil, 'context canceled' }, { fs.mkdir(path, over) })
    assert.are.same({ nil, 'context canceled' }, { fs.read_file('/etc/passwd', over) })
    assert.are.same({}, fs.list(dir))
  end)

  it('lets others run while a call waits, and says what for', function()
    local fifo = dir .. '/fifo'
    os.execute('mkfifo ' .. fifo)
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local reader = weft.async(fs.read_file, fifo, ctx)
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    has(weft.stacks(), 'IO wait on read ' .. fifo)
    cancel()
    assert.are.same({ nil, 'context canceled' }, { reader:await() })
    os.execute(': <>' .. fifo)  -- the thread comes back, if it has begun
  end)

  it("stops with its task's own context, by raising", function()
    os.execute('mkfifo ' .. dir .. '/own')
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local task = weft.async(weft.context.run, ctx, fs.read_file, dir .. '/own')
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    cancel()
    local ok, err = task:try()
    assert.is_false(ok)
    has(err, 'context canceled')
    os.execute((': <>%s/own'):format(dir))
    assert.is_false((pcall(weft.context.run, util.cancelled(), fs.stat, dir)))
  end)

  it('goes on with other calls while some hang', function()
    local readers = {}
    for i = 1, 12 do
      os.execute(('mkfifo %s/%d'):format(dir, i))
      readers[i] = weft.async(fs.read_file, ('%s/%d'):format(dir, i))
    end
    weft.yield()
    assert.are.equal('directory', fs.stat(dir).type)
    for i = 12, 1, -1 do
      assert.is_true(fs.write_file(('%s/%d'):format(dir, i), 'text ' .. i))
      assert.are.equal('text ' .. i, readers[i]:await())
    end
  end)

  it('refuses what is no path, at the line of the call', function()
    raises(function() fs.read_file(3) end, "bad argument #1 to 'read_file' (path as string")
    raises(function() fs.read_file 'a\0b' end, 'without zero bytes')
    raises(function() fs.rename('a', 'b\0') end, "bad argument #2 to 'rename'", 'zero bytes')
    raises(function() fs.write_file('a', {}) end, "bad argument #2 to 'write_file' (string")
    raises(function() fs.write_file('a', '', { append = true, atomic = true }) end, 'exclude')
    raises(function() fs.write_file('a', '', { mode = -1 }) end, 'mode as integer')
    raises(function() fs.mkdir('a', 3) end, 'table of options')
    raises(function() fs.remove('a', { recursive = 1 }) end, 'recursive as boolean')
    raises(function() fs.chmod('a', 4096) end, 'mode as integer')
    raises(function() fs.open('a', 'x') end, 'mode as of io.open')
    raises(function() table.sort({ 1, 2 }, function() fs.stat '/' end) end, 'C-call boundary')
  end)

  it('reads many files in many tasks on all cores', function()
    for i = 1, 50 do fs.write_file(('%s/%d'):format(dir, i), ('%d'):format(i):rep(1000)) end
    local function size(i, where)
      local f = require 'weft.fs'
      local text = assert(f.read_file(('%s/%d'):format(where, i)))
      assert(f.stat(where).type == 'directory')
      return #text
    end
    local sizes = {}
    for i = 1, 50 do sizes[i] = weft.parallel(size, i, dir) end
    for i = 1, 50 do
      local n = sizes[i]:await()
      assert.are.equal(#tostring(i) * 1000, n)
    end
  end)
end)
