-- wrk through changes of the table: every answer must name the version that its host asks for, and come
-- from that version's own upstream.
-- wrk -s changes.lua URL -- [versions with a host of their own]
--
-- The version: x-synkronic-version. Who was asked: x-asked, or the Host in `synkronic echo`'s JSON. Who
-- answered: x-echo-version. A request to the plain host may get any version, but the one that it names.
local requests, count = {}, 8
wrong, failed, answered, first = 0, 0, 0, ""
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  count = tonumber(arguments[1] or "8")
  for number = 1, count do
    requests[number] = wrk.format("GET", "/", { ["Host"] = "version-" .. number .. ".shop.example.com" })
  end
  requests[0] = wrk.format("GET", "/", { ["Host"] = "shop.example.com" })
end

function request()
  return requests[math.random(0, count)]
end

local function field(headers, name)
  for key, value in pairs(headers) do
    if key:lower() == name then return value end
  end
end

function response(status, headers, body)
  answered = answered + 1
  if status ~= 200 then
    failed = failed + 1
    if first == "" then first = "status " .. status .. ": " .. body:sub(1, 200):gsub("%s+", " ") end
    return
  end
  local asked = field(headers, "x-asked") or body:match('"host": "([^"]+)"') or "nobody"
  local told = field(headers, "x-synkronic-version") or "none"
  local by = field(headers, "x-echo-version") or "nobody"
  local named = asked:match("^(version%-%d+)%.")
  if told ~= by or (named and named ~= told) then
    wrong = wrong + 1
    if first == "" then first = "asked " .. asked .. ", told " .. told .. ", answered by " .. by end
  end
end

function done(summary)
  local sums = { answered = 0, failed = 0, wrong = 0 }
  local example = ""
  for _, thread in ipairs(threads) do
    for name in pairs(sums) do sums[name] = sums[name] + thread:get(name) end
    if example == "" then example = thread:get("first") end
  end
  local errors = summary.errors
  print(string.format("checked=%d failed=%d misrouted=%d broken=%d first=%s", sums.answered, sums.failed, sums.wrong,
    errors.connect + errors.read + errors.write + errors.timeout, example))
end
