-- Write a document of a workspace, once for each write id, and keep the version.
-- KEYS: paths, document, versions
-- ARGV: path, content, digest, by, write id (may be empty), mode (create | write), expected digest (may be empty),
--       most documents, versions to keep
-- Answers {"ok", version} | {"exists", version} | {"changed", version} | {"missing"} | {"full", documents}
local paths, document, versions = KEYS[1], KEYS[2], KEYS[3]
local path, content, digest, by, write = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local held = redis.call("HMGET", document, "version", "digest")
if write ~= "" then
  for _, entry in ipairs(redis.call("XREVRANGE", versions, "+", "-", "COUNT", 20)) do
    for index = 1, #entry[2], 2 do
      if entry[2][index] == "write" and entry[2][index + 1] == write then
        return {"ok", tonumber(string.match(entry[1], "^%d+"))}
      end
    end
  end
end
if ARGV[6] == "create" and held[1] then return {"exists", tonumber(held[1])} end
if ARGV[7] ~= "" then
  if not held[1] then return {"missing"} end
  if held[2] ~= ARGV[7] then return {"changed", tonumber(held[1])} end
end
if held[2] == digest then return {"ok", tonumber(held[1])} end
if not held[1] and redis.call("ZCARD", paths) >= tonumber(ARGV[8]) then
  return {"full", redis.call("ZCARD", paths)}
end
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local last = redis.call("XREVRANGE", versions, "+", "-", "COUNT", 1)
local version = 1
if #last > 0 then version = tonumber(string.match(last[1][1], "^%d+")) + 1 end
redis.call("XADD", versions, "MAXLEN", ARGV[9], version .. "-0",
  "content", content, "digest", digest, "by", by, "at", now, "write", write)
redis.call("PERSIST", versions)
redis.call("HSET", document, "version", version, "digest", digest, "content", content, "by", by, "at", now)
redis.call("ZADD", paths, 0, path)
return {"ok", version}
