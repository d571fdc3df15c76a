-- Accept changes of a source into a partition's inbox, one event for each key, each change once.
-- KEYS: inbox, positions, then conversation and open turns of each event's key
-- ARGV: source, place that the source has reached with these, max pending, events, changes,
--       then for each change: place, JSON
--       then for each event: key, event, turn, seconds that the key lives, numbers of its changes (msgpack)
-- Answers {"accepted", events, changes stored, changes known before} | {"overloaded", pending}
-- A change at a place that the source had reached in this partition was accepted before: a sender that begins again
-- needs no memory of what it had sent.
local inbox, positions = KEYS[1], KEYS[2]
local source, reached, max_pending = ARGV[1], ARGV[2], tonumber(ARGV[3])
local events, changes = tonumber(ARGV[4]), tonumber(ARGV[5])
local before = redis.call("HGET", positions, source) or ""
if reached <= before then
  -- A write of this connection, for WAITAOF: the first acceptance may not be on disk yet.
  redis.call("HSET", positions, source, before)
  return {"accepted", 0, 0, changes}
end
local pending = redis.call("XLEN", inbox)
if pending >= max_pending then return {"overloaded", pending} end

local time = redis.call("TIME")
local now = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
local stored, known, made = 0, 0, 0
local at = 5 + 2 * changes
for number = 1, events do
  local key, event, turn, keep = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local found = {}
  for _, index in ipairs(cmsgpack.unpack(ARGV[at + 5])) do
    if ARGV[4 + 2 * index] > before then
      found[#found + 1] = ARGV[5 + 2 * index]
    else
      known = known + 1
    end
  end
  at = at + 5
  if #found > 0 then
    local conversation, open = KEYS[1 + 2 * number], KEYS[2 + 2 * number]
    if redis.call("HSETNX", conversation, "user", "") == 1 then redis.call("HSET", conversation, "created", now) end
    redis.call("HDEL", conversation, "ended")
    local place = redis.call("XADD", inbox, "*", "event", event, "key", key, "kind", "action", "payload",
      '{"action":"erp.changed","changes":[' .. table.concat(found, ",") .. "]}", "turn", turn,
      "user", redis.call("HGET", conversation, "user"), "at", now)
    redis.call("HSET", open, turn, cjson.encode({event = event, kind = "action", accepted = tonumber(now), place = place}))
    redis.call("EXPIRE", conversation, keep)
    redis.call("EXPIRE", open, keep)
    stored, made = stored + #found, made + 1
  end
end
redis.call("HSET", positions, source, reached)
return {"accepted", made, stored, known}
