-- Remove a document of a workspace; its versions stay for a while.
-- KEYS: paths, document, versions
-- ARGV: path, expected digest (may be empty), seconds to keep the versions
-- Answers {"ok"} | {"changed", version} | {"missing"}
local held = redis.call("HMGET", KEYS[2], "version", "digest")
if not held[1] then return {"missing"} end
if ARGV[2] ~= "" and held[2] ~= ARGV[2] then return {"changed", tonumber(held[1])} end
redis.call("DEL", KEYS[2])
redis.call("ZREM", KEYS[1], ARGV[1])
redis.call("EXPIRE", KEYS[3], ARGV[3])
return {"ok"}
