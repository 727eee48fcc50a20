-- wrk's requests: GET by random host of version-0 to version-<count - 1>, or uploads of a size.
-- wrk -s load.lua URL -- [hosts] [path] [upload bytes]
local requests, count = {}, 100

function init(arguments)
  count = tonumber(arguments[1] or "100")
  local path, upload = arguments[2] or "/", tonumber(arguments[3] or "0")
  local body = upload > 0 and string.rep("x", upload) or nil
  local prepared = upload > 0 and 1 or count
  for number = 0, prepared - 1 do
    local host = "version-" .. number .. ".shop.example.com"
    requests[number] = wrk.format(body and "POST" or "GET", path, { ["Host"] = host }, body)
  end
  count = prepared
  math.randomseed(1)
end

function request()
  return requests[math.random(0, count - 1)]
end
