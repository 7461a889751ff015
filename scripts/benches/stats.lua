-- SPDX-License-Identifier: MIT
-- Medians and percentiles of a few samples.
local M = {}

-- The p-quantile (0 to 1) of a sorted list, linear between neighbours.
local function quantile(sorted, p)
  local at = 1 + p * (#sorted - 1)
  local below = math.floor(at)
  local low, high = sorted[below], sorted[below + 1] or sorted[below]
  return low + (at - below) * (high - low)
end

-- {median=, p10=, p90=, samples=}, or nil of nothing.
function M.summary(samples)
  if not samples or #samples == 0 then return nil end
  local sorted = { unpack(samples) }
  table.sort(sorted)
  return {
    median = quantile(sorted, 0.5), p10 = quantile(sorted, 0.1), p90 = quantile(sorted, 0.9),
    samples = samples,
  }
end

-- The ratios round by round: what slows both of a round down does not count.
function M.ratios(above, below)
  local list = {}
  for i = 1, math.min(#above, #below) do list[i] = above[i] / below[i] end
  return list
end

return M
