-- Accept one event into a partition's inbox, once.
-- KEYS: inbox, conversation, open turns, seen
-- ARGV: key, kind, payload, event, turn, user, may act for others (1/0), max pending, de-duplication seconds,
--       conversation seconds, trace context (may be empty)
-- Answers {"accepted", turn} | {"duplicate", turn} | {"overloaded", pending} | {"not-owner"}
local inbox, conversation, open, seen = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local key, kind, payload, event, turn, user = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local max_pending, seen_seconds, keep = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

local owner = redis.call("HGET", conversation, "user")
-- A bot began it: it stays nobody's, whoever speaks first.
if not owner and redis.call("HEXISTS", conversation, "commits") == 1 then owner = "" end
if owner and owner ~= user and ARGV[7] ~= "1" then
  return {"not-owner"}
end
local before = redis.call("GET", seen)
if before then
  -- A write of this connection, for WAITAOF: the first acceptance may not be on disk yet.
  redis.call("SET", seen, before, "KEEPTTL")
  return {"duplicate", before}
end
local pending = redis.call("XLEN", inbox)
if pending >= max_pending then return {"overloaded", pending} end

local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not owner then
  redis.call("HSET", conversation, "user", user, "created", now)
end
redis.call("HDEL", conversation, "ended")
local fields = {"event", event, "key", key, "kind", kind, "payload", payload, "turn", turn, "user", owner or user,
  "at", now}
if ARGV[11] ~= "" then
  table.insert(fields, "trace")
  table.insert(fields, ARGV[11])
end
local place = redis.call("XADD", inbox, "*", unpack(fields))
redis.call("HSET", open, turn, cjson.encode({event = event, kind = kind, accepted = now, place = place}))
redis.call("SET", seen, turn, "EX", seen_seconds)
redis.call("EXPIRE", conversation, keep)
redis.call("EXPIRE", open, keep)
return {"accepted", turn}
