-- Accept changes of a source into a partition's inbox, one event for each key, each change once.
-- KEYS: inbox, positions, what the names of conversations and of open turns begin with
-- ARGV: source, place that the source has reached with these, max pending, seconds that the keys live,
--       what the names of the turns begin with, msgpack of the events [[key, [number of a change, …]], …],
--       then for each change: place, JSON
-- Answers {"accepted", events, changes stored, changes known before} | {"overloaded", pending}
-- A change at a place that the source had reached in this partition was accepted before: a sender that begins again
-- needs no memory of what it had sent. A thousand keys may get a change, so their names are made here; all have the
-- partition's hash tag.
local inbox, positions = KEYS[1], KEYS[2]
local source, reached, max_pending, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local before = redis.call("HGET", positions, source) or ""
if reached <= before then
  -- A write of this connection, for WAITAOF: the first acceptance may not be on disk yet.
  redis.call("HSET", positions, source, before)
  return {"accepted", 0, 0, (#ARGV - 6) / 2}
end
local pending = redis.call("XLEN", inbox)
if pending >= max_pending then return {"overloaded", pending} end

local time = redis.call("TIME")
local now = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000))
local stored, known, made = 0, 0, 0
for number, wanted in ipairs(cmsgpack.unpack(ARGV[6])) do
  local key, found, first = wanted[1], {}, nil
  for _, index in ipairs(wanted[2]) do
    local place = ARGV[7 + 2 * index]
    if place > before then
      first = first or place
      found[#found + 1] = ARGV[8 + 2 * index]
    else
      known = known + 1
    end
  end
  if first then
    local conversation, open = KEYS[3] .. key, KEYS[4] .. key
    local about = redis.call("HMGET", conversation, "user", "ended")
    if not about[1] then
      redis.call("HSET", conversation, "user", "", "created", now)
      redis.call("EXPIRE", conversation, keep)
    end
    if about[2] then redis.call("HDEL", conversation, "ended") end
    -- Of the key's own: partitions are shared, and what a turn journals is kept by its event.
    local event, turn = "erp:" .. source .. ":" .. first .. ":" .. key, ARGV[5] .. number
    local place = redis.call("XADD", inbox, "*", "event", event, "key", key, "kind", "action", "payload",
      '{"action":"erp.changed","changes":[' .. table.concat(found, ",") .. "]}", "turn", turn,
      "user", about[1] or "", "at", now)
    redis.call("HSET", open, turn, cjson.encode({event = event, kind = "action", accepted = tonumber(now), place = place}))
    -- Each commit prolongs both; a Persona's own key lives for years without one.
    if redis.call("HLEN", open) == 1 then redis.call("EXPIRE", open, keep) end
    stored, made = stored + #found, made + 1
  end
end
redis.call("HSET", positions, source, reached)
return {"accepted", made, stored, known}
