"""Lua fragments that read strings and times out of JSON without parsing it."""

from __future__ import annotations

STRINGS = """
-- The string that ends with the quote at a place: its text as it is written, escapes and all, and where it begins.
local function string_before(text, stop)
  for at = stop - 1, 1, -1 do
    if string.byte(text, at) == 34 then
      local slash = at - 1
      while string.byte(text, slash) == 92 do slash = slash - 1 end
      if (at - 1 - slash) % 2 == 0 then return string.sub(text, at + 1, stop - 1), at end
    end
  end
end
-- The first string that is the value of a name, from a place on, as it is written.
local function string_of(message, name, from)
  local _, first = string.find(message, '"' .. name .. '"%s*:%s*"', from)
  local stop = first
  while stop do
    stop = string.find(message, '"', stop + 1, true)
    local slash = stop and stop - 1
    while slash and string.byte(message, slash) == 92 do slash = slash - 1 end
    if stop and (stop - 1 - slash) % 2 == 0 then return string.sub(message, first + 1, stop - 1) end
  end
end
"""

SECONDS = """
-- An ISO 8601 time in seconds since the epoch, UTC where it names no zone; nil for what is none.
local function seconds_of(text)
  local year, month, day, rest = string.match(text or '', '^(%d%d%d%d)%-?(%d%d)%-?(%d%d)(.*)$')
  if not year then return nil end
  local hour, minute, more = string.match(rest, '^.(%d%d):?(%d%d)(.*)$')
  local second, fraction, zone = string.match(more or '', '^:?(%d%d)([%.,]?%d*)(.*)$')
  local sign, hours, minutes = string.match(zone or more or '', '^([+-])(%d%d):?(%d*)')
  local y = tonumber(year) - (tonumber(month) <= 2 and 1 or 0)
  local era = math.floor(y / 400)
  local of_era = y - era * 400
  local of_year = math.floor((153 * ((tonumber(month) + 9) % 12) + 2) / 5) + tonumber(day) - 1
  local days = era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year - 719468
  local offset = sign and (tonumber(hours) * 3600 + (tonumber(minutes) or 0) * 60) * (sign == '-' and -1 or 1) or 0
  local part = tonumber('0' .. string.gsub(fraction or '', ',', '.')) or 0
  return days * 86400 + (hour or 0) * 3600 + (minute or 0) * 60 + (second or 0) + part - offset
end
"""
