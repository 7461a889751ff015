-- SPDX-License-Identifier: MIT
-- Penlight: xml, Date.

local xml = require 'pl.xml'
local Date = require 'pl.Date'

local TEXT = [[
<?xml version="1.0"?>
<!-- a comment -->
<library name="main">
  <book id="1"><title>Lua &amp; C</title><price>10</price></book>
  <book id="2"><title>&lt;Tags&gt;</title><price>25</price></book>
  <empty/>
</library>
]]

local function documents(t)
  local d = xml.new('main', { version = '1' })
  d:addtag 'child':text 'words & <more>':up():addtag('other', { k = 'v' }):reset()
  t('built', xml.tostring(d), tostring(d))
  d:add_child(xml.new 'added'):add_direct_child 'text'
  d:set_attrib('version', '2')
  d:set_attribs { version = '3' }
  t('attributes', d:get_attribs(), xml.tostring(d, '', '  '))
  local two = xml.elem('li', { class = 'x', 'two' })
  t('elem', tostring(xml.elem('ul', { xml.elem('li', 'one'), two })))
  local a, b = xml.tags 'a,b'
  t('tags', tostring(a { b 'x', b { k = '1', 'y' } }))
  t('preface', xml.tostring(xml.new 'x', '', '', '', true))
  local e = t.wrap('xml', xml)
  e.xml_escape [[<a href="x">'&'</a>]]
  e.xml_unescape '&lt;a&gt; &amp;amp; &quot;&apos; &#65;'
  e.is_tag(d)
  e.is_tag 'text'
  e.is_tag {}
end

local function parsing(t)
  local d = xml.parse(TEXT, false, true)
  t('parsed', d)
  t('text', tostring(d))
  t('child', d:child_with_name 'book':get_attribs(), d:child_with_name 'nothing')
  t('elements', #d:get_elements_with_name 'price', #d:get_elements_with_name('price', true))
  t('first', d:first_childtag().tag, d:get_elements_with_name('title')[1]:get_text())
  for child in d:childtags() do t('childtag', child.tag) end
  for child in d:children() do t('child', type(child)) end
  for book in d:matching_tags 'book' do t('matching', book.attr.id) end
  d:maptags(function(node)
    t('maptags', node.tag)
    if node.tag == 'empty' then return nil end
    return node
  end)
  t('mapped', tostring(d))
  xml.walk(d, false, function(tag) t('walk', tag) end)
  xml.walk(d, true, function(tag) t('depth first', tag) end)
  local copy = xml.clone(d)
  t('clone', xml.compare(d, copy), copy ~= d)
  t('filter', tostring(d:filter(function(s) return s:upper() end)))
  copy:set_attrib('name', 'other')
  t('compare', xml.compare(d, copy))
  local function parse(text) return xml.parse(text, false, true) end
  t('compare text', xml.compare(parse '<a>x</a>', parse '<a>y</a>'))
  t('match', parse '<w><b n="1">t</b></w>':match '<w><b n="$n">$text</b></w>')
  t('match many', parse '<w><i k="a"/><i k="b"/></w>':match '<w>{{<i k="$k"/>}}</w>')
  t('no match', parse '<w/>':match '<v/>')
  t('subst', tostring(xml.new 'x'.subst('<li>$name: $n</li>', { name = 'a', n = '1' })))
  t('subst many', tostring(xml.new 'x'.subst('<li>$1: $n</li>', { tag = 'ul', { 'a', n = '1' },
    { 'b', n = '2' } })))
  t.try('subst wrong', xml.new 'x'.subst, '<li>', { 1 })
  local html = xml.parsehtml [[<html><body><br><p class=x>Hello <b>you</b></p></body></html>]]
  t('html', tostring(html))
  for i, bad in ipairs { '', 'text', '<a>', '<a></b>', '<a b=></a>', '</a>' } do
    t.try('bad ' .. i, function() return tostring(parse(bad)) end)
  end
  -- With lua-expat, where it is installed: it calls back from C.
  t.try('expat', function()
    return tostring(xml.parse '<a x="1"><b>t</b><![CDATA[<raw>]]></a>')
  end)
  t.try('expat error', xml.parse, '<a><b></a>')
  t.try('file', xml.parse, '/nowhere/file.xml', true, true)
end

local function day(year, month, n)
  return Date { year = year, month = month, day = n }
end

local function dates(t)
  local d = Date { year = 2024, month = 2, day = 28, hour = 13, min = 5, sec = 9 }
  t('parts', d:year(), d:month(), d:day(), d:hour(), d:min(), d:sec(), d:yday())
  t('names', d:weekday_name(), d:weekday_name(true), d:month_name(), d:month_name(true))
  t('weekend', d:is_weekend(), Date { year = 2024, month = 3, day = 2 }:is_weekend())
  t('last day', d:last_day():day(), day(2023, 2, 1):last_day():day())
  t('string', tostring(d), tostring(d:toUTC()))
  d:add { day = 2 }
  t('after adding', d:month(), d:day())
  d:add { month = 1 }
  d:add { sec = 3600 }
  t('and more', d:month(), d:day(), d:hour())
  d:day(15)
  d:month(12)
  t('set', d:day(), d:month())
  local e = day(2025, 1, 1)
  t('compare', d < e, d == e, e == day(2025, 1, 1), d > e)
  t.try('interval', function()
    local gap = e - d
    return tostring(gap), gap:year(), gap:month(), gap:day(), d:diff(e):day()
  end)
  t.try('plus', function() return tostring(day(2024, 1, 1) + Date.Interval(86400)) end)
  t.try('interval string', function() return tostring(Date.Interval(3725)) end)
  local format = Date.Format 'yyyy-mm-dd HH:MM:SS'
  t('format', format:tostring(e), tostring(format:parse '2023-11-05 06:07:08'))
  t.try('bad format', format.parse, format, 'no date')
  t('short format', Date.Format 'dd/mm/yy':tostring(e))
  local free = Date.Format()
  for _, s in ipairs { '2023-07-14', '14/07/2023', '10 Sep 2012', '2012-09-10 08:30', '8:30 pm',
    '2024-02-30', '5 Octember 2020', 'Jan 5 2011', '2010-05-10T12:35:23Z' } do
    local parsed, err = free:parse(s)
    -- A time of day without a date is today's.
    t('parse ' .. s, parsed and (s:find 'pm' and parsed:hour() or format:tostring(parsed)) or err)
  end
  free:US_order(true)
  t('US order', format:tostring(free:parse '03/04/2021'))
  t.try('wrong', Date, 'text')
end

return function(t)
  documents(t)
  parsing(t)
  dates(t)
end
