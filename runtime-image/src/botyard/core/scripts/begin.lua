-- Begin a run of an event.
-- KEYS: lease, inbox, attempts, state, conversation, journal
-- ARGV: owner, epoch, entry, turn
-- Answers {"ok", attempt, crashes, state, ends of the conversation, journal (flat ordinal, record, …),
-- to be cancelled (1/0)} | {"stale"} | {"gone"}
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
local about = redis.call("HMGET", KEYS[5], "ends", "cancel:" .. ARGV[4])
return {"ok", attempt, crashes, redis.call("GET", KEYS[4]) or "", about[1] or "0", journal, about[2] and 1 or 0}
