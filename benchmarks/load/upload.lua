-- Uploads that all differ: a number stands in each body. The answers' Locations go to a file.
-- BODY: template file; OFFSET, DIGITS: where in it the number stands; FIRST: the first number;
-- OUT: where the Locations go; TARGET: path; TUS: set if the tus protocol is spoken; METHOD: POST if not
-- set; REFS: set if the number is to stand in the path as well.
dofile("report.lua")

local threads = 0
function setup(thread)
  thread:set("first", tonumber(os.getenv("FIRST")) + threads * 1e9)
  thread:set("name", os.getenv("OUT") .. threads)
  threads = threads + 1
end

function init(args)
  local file = io.open(os.getenv("BODY"), "rb")
  local body = file:read("*a")
  file:close()
  local offset, digits = tonumber(os.getenv("OFFSET")), tonumber(os.getenv("DIGITS"))
  before, after = body:sub(1, offset), body:sub(offset + digits + 1)
  pattern = "%0" .. digits .. ".0f"
  number = first
  target = os.getenv("TARGET")
  method = os.getenv("METHOD") or "POST"
  refs = os.getenv("REFS")
  headers = { ["Content-Type"] = "image/jpeg" }
  if os.getenv("TUS") then
    headers = {
      ["Content-Type"] = "application/offset+octet-stream",
      ["Tus-Resumable"] = "1.0.0",
      ["Upload-Length"] = #body,
    }
  end
  answered = io.open(name, "w")
end

function request()
  number = number + 1
  local digits = string.format(pattern, number)
  local path = refs and target .. digits or target
  return wrk.format(method, path, headers, before .. digits .. after)
end

function response(status, answer)
  answered:write(status, " ", answer.location or answer.Location or "", "\n")
end
