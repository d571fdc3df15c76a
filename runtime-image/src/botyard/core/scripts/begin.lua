-- Begin a run of an event.
-- KEYS: lease, inbox, attempts, state, conversation, journal
-- ARGV: owner, epoch, entry
-- Answers {"ok", attempt, crashes, state, ends of the conversation, journal (flat ordinal, record, …)} | {"stale"} | {"gone"}
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {"stale"} end
local entry = ARGV[3]
if #redis.call("XRANGE", KEYS[2], entry, entry) == 0 then return {"gone"} end
local attempt = redis.call("HINCRBY", KEYS[3], entry, 1)
local crashes = 0
local journal = {}
if attempt > 1 then
  crashes = tonumber(redis.call("HGET", KEYS[3], entry .. ":crashes") or 0)
  journal = redis.call("HGETALL", KEYS[6])
end
return {"ok", attempt, crashes, redis.call("GET", KEYS[4]) or "", redis.call("HGET", KEYS[5], "ends") or "0", journal}
