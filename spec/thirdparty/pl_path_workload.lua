-- SPDX-License-Identifier: MIT
-- Penlight: path, dir, file, and the parts of utils that read and write files.

local path = require 'pl.path'
local dir = require 'pl.dir'
local file = require 'pl.file'
local utils = require 'pl.utils'

local function sorted(list)
  table.sort(list)
  return list
end

local function names(t)
  local P = t.wrap('path', path)
  for _, p in ipairs { '', '/', 'a', 'a/b', '/a/b.c', 'a/b/', 'a.b/c', '.hidden', 'x.tar.gz',
    '..' } do
    P.splitpath(p)
    P.splitext(p)
    P.dirname(p)
    P.basename(p)
    P.extension(p)
    P.isabs(p)
    P.normcase(p)
  end
  for _, p in ipairs { 'a/./b', 'a/../b', '../x', 'a//b', '/../a', './', 'a/b/../../c', '' } do
    P.normpath(p)
  end
  P.join('a', 'b', 'c')
  P.join('a/', 'b')
  P.join('a', '/b')
  P.join('', 'b')
  P.join 'a'
  P.abspath('x/../y', '/base')
  P.abspath '/x/./y'
  P.relpath('/a/b/c', '/a/d')
  P.relpath('/a/b', '/a/b')
  P.relpath('/a/b/c', '/a/b')
  P.common_prefix('/a/b/c', '/a/b/d')
  P.common_prefix('x/y', 'z')
  P.expanduser 'no tilde'
  P.package_path 'pl.path'
  t('no such package', (path.package_path 'no.such.module'))
  P.splitpath(12)
  t('separators', path.sep, path.dirsep, path.is_windows)
  local D = t.wrap('dir', dir)
  D.fnmatch('file.lua', '*.lua')
  D.fnmatch('file.lua', 'f?le.*')
  D.fnmatch('a.b', '*.c')
  D.fnmatch('[x]', '[x]')
  D.filter({ 'a.lua', 'b.c', 'c.lua' }, '*.lua')
end

local function files(t, tmp)
  local P, F, U = t.wrap('path', path), t.wrap('file', file), t.wrap('utils', utils)
  local one, two = tmp .. '/one.txt', tmp .. '/two.txt'
  F.write(one, 'first line\nsecond\n')
  F.read(one)
  F.read(tmp .. '/missing')
  F.copy(one, two)
  F.copy(tmp .. '/missing', two)
  F.move(two, tmp .. '/three.txt')
  F.delete(tmp .. '/three.txt')
  F.delete(tmp .. '/three.txt')
  U.readlines(one)
  U.writefile(one, '\0\255', true)
  U.readfile(one, true)
  P.exists(one)
  P.exists(two)
  P.isfile(one)
  P.isfile(tmp)
  P.isdir(tmp)
  P.isdir(one)
  P.getsize(one)
  P.getsize(two)
  P.islink(one)
  t('times', type(path.getmtime(one)), type(path.getatime(one)), type(file.creation_time(one)),
    type(file.modified_time(one)), path.getmtime(two))
  t('attrib', path.attrib(one, 'mode'), path.attrib(one).size, path.link_attrib(one, 'mode'))
  P.mkdir(tmp .. '/sub')
  P.mkdir(tmp .. '/sub')
  P.rmdir(tmp .. '/sub')
  P.rmdir(tmp .. '/sub')
  local name = path.tmpname()
  t('tmpname', type(name), path.exists(name) == name)
  os.remove(name)
  P.chdir '/nowhere/at/all'
  t('currentdir', path.isdir(path.currentdir()))
end

local function trees(t, tmp)
  local D = t.wrap('dir', dir)
  D.makepath(tmp .. '/tree/a/b')
  D.makepath(tmp .. '/tree/c')
  D.makepath(tmp .. '/tree/a/b')
  for i, name in ipairs { 'x.lua', 'y.txt', 'a/z.lua', 'a/b/deep.lua', 'c/.hidden' } do
    utils.writefile(tmp .. '/tree/' .. name, ('%d\n'):rep(i))
  end
  local tree = tmp .. '/tree'
  t('getfiles', sorted(dir.getfiles(tree)), sorted(dir.getfiles(tree, '*.lua')))
  t('getdirectories', sorted(dir.getdirectories(tree)))
  t('getallfiles', sorted(dir.getallfiles(tree)), sorted(dir.getallfiles(tree, '*.lua')))
  D.getfiles(tmp .. '/missing')
  D.getdirectories(tmp .. '/tree/x.lua')
  local seen = {}
  for root, dirs, list in dir.walk(tree) do
    t 'walking'
    seen[#seen + 1] = { root, sorted(dirs), sorted(list) }
  end
  table.sort(seen, function(a, b) return a[1] < b[1] end)
  t('walk', seen)
  local bottom = {}
  for root in dir.walk(tree, true) do bottom[#bottom + 1] = root end
  t('bottom up', bottom[#bottom], #bottom)
  local entries = {}
  for name, is_dir in dir.dirtree(tree) do
    t 'in the tree'
    entries[#entries + 1] = name .. (is_dir and '/' or '')
  end
  t('dirtree', sorted(entries))
  t.try('walk nowhere', function() return dir.walk(tmp .. '/missing')() end)
  local made = {}
  t('clonetree', dir.clonetree(tree, tmp .. '/copy', function(from, to)
    made[#made + 1] = from:match '[^/]*$'
    return file.copy(from, to)
  end))
  t('cloned', sorted(made), sorted(dir.getallfiles(tmp .. '/copy')))
  t('copyfile', dir.copyfile(tree .. '/x.lua', tmp .. '/copy/new.lua'))
  t('movefile', dir.movefile(tmp .. '/copy/new.lua', tmp .. '/copy/tree/c/moved.lua'))
  t('moved', sorted(dir.getfiles(tmp .. '/copy/tree/c')))
  D.rmtree(tmp .. '/copy')
  D.rmtree(tmp .. '/copy')
  D.rmtree(tmp .. '/one.txt')
end

return function(t)
  local tmp = os.tmpname()
  os.remove(tmp)
  assert(path.mkdir(tmp))
  t.hide(tmp, '<tmp>')
  names(t)
  files(t, tmp)
  trees(t, tmp)
  t('remove', dir.rmtree(tmp), path.exists(tmp))
end
