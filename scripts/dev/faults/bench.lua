-- SPDX-License-Identifier: MIT
-- Faults in scripts/bench (for scripts/dev/faults.lua).
return {
  { file = "scripts/benches/measure.lua",
    { "rows whose checksums differ are measured", "bench",
      "if figure.checksum ~= group.checksum then", "if figure.checksum == nil then" },
    { "a program's failure is overlooked", "bench",
      'if status == "0" then return output end', "if status then return output end" },
    { "a missed target is called reached", "bench",
      'if sign * reached > sign * row.must then return "missed" end', "" },
    { "the rows without the compiler have it", "bench",
      [[append({ unpack(words) }, "nojit")]], [[{ unpack(words) }]] },
  },

  { file = "scripts/benches/stats.lua",
    { "ratios are upside down", "bench",
      "list[i] = above[i] / below[i]", "list[i] = below[i] / above[i]" },
    { "percentiles are not between neighbours", "bench",
      "return low + (at - below) * (high - low)", "return low" },
    { "the median of a list that is not sorted", "bench", "  table.sort(sorted)\n", "" },
  },

  { file = "scripts/benches/harness.lua",
    { "the compiler stays on", "bench",
      'if variant == "nojit" then jit.off() end', "" },
    { "the first pass counts", "bench",
      "local passes, counted, start = 0, 0, bench.now_ns()",
      "local passes, counted, start = 1, select(2, pass(n, arg)) or 0, bench.now_ns()" },
    { "passes may have other checksums", "bench",
      "if checksum ~= expected then", "if false then" },
  },

  { file = "scripts/benches/options.lua",
    { "a name means all rows that begin so", "bench",
      "for _, exact in ipairs { true, false } do", "for _, exact in ipairs { false } do" },
    { "names decide the order of the rows", "bench",
      "  for _, row in ipairs(rows) do\n    if wanted[row]",
      "  for row in pairs(wanted) do\n    if row" },
  },

  { file = "scripts/benches/main.lua",
    { "a refused row is no failure", "bench",
      "if count.refused > 0 or opts.check", "if opts.check" },
    { "--check checks nothing", "bench",
      "opts.check and count.missed > 0", "opts.check and count.missed > 1e9" },
  },

  { file = "scripts/benches/json.lua",
    { "JSON's strings are not escaped", "bench", [[ESCAPES[c] or]], [[c or]] },
  },

  { file = "scripts/benches/plot.lua",
    { "the drawing's text is not escaped", "bench",
      [[text and ">" .. escape(text) ..]], [[text and ">" .. text ..]] },
  },

  { file = "scripts/benches/go/stream.go",
    { "a twin moves other values", "bench", "ch <- i\n", "ch <- i + 1\n" },
  },

  { file = "scripts/benches/luajit/yield.lua",
    { "a twin does half of the work", "bench", "for _ = 1, n / 2 do", "for _ = 1, n / 4 do" },
  },

  { file = "scripts/bench",
    { "wrong arguments are found only after the build", "bench",
      [["$benches/main.lua" --plan "$@") || exit]], [["$benches/main.lua" --plan "$@") || true]] },
  },
}
