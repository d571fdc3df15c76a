-- Begin a run of an event.
-- KEYS: lease, inbox, attempts, state, conversation, journal, parked
-- ARGV: owner, epoch, entry, turn, key, run (the same one is counted once; empty: always another one),
-- commits that its owner knows of
-- Answers {"ok", attempt, crashes, state, ends of the conversation, journal (flat ordinal, record, …),
-- to be cancelled (1/0), runs that were put aside, revision and schema of the state, now (ms)} | {"parked", ms left or -1} | {"stale"} | {"gone", commits}
local held = redis.call("HMGET", KEYS[1], "owner", "epoch", "commits")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {"stale"} end
-- Redis has an older state: an event that was committed may be in the inbox again, before this one.
if tonumber(held[3] or 0) < tonumber(ARGV[7]) then return {"stale"} end
local entry = ARGV[3]
if #redis.call("XRANGE", KEYS[2], entry, entry) == 0 then
  return {"gone", tonumber(held[3] or 0)}
end
local about = redis.call("HMGET", KEYS[5], "ends", "cancel:" .. ARGV[4], "revision", "schema")
local parked = redis.call("HGET", KEYS[7], ARGV[5])
if parked then
  local aside = cjson.decode(parked)
  if aside.entry == entry and not about[2] then
    local time = redis.call("TIME")
    local left = aside["until"] - (time[1] * 1000 + math.floor(time[2] / 1000))
    if aside["until"] == 0 then return {"parked", -1} end
    if left > 0 then return {"parked", left} end
  end
  redis.call("HDEL", KEYS[7], ARGV[5])
end
local before = redis.call("HMGET", KEYS[3], entry, entry .. ":run")
local attempt = tonumber(before[1] or 0)
-- Whoever did not get the answer asks again: that is no other run.
if attempt == 0 or ARGV[6] == "" or before[2] ~= ARGV[6] then
  attempt = attempt + 1
  redis.call("HSET", KEYS[3], entry, attempt, entry .. ":run", ARGV[6])
end
local crashes, parks = 0, 0
local journal = {}
if attempt > 1 then
  local counts = redis.call("HMGET", KEYS[3], entry .. ":crashes", entry .. ":parks")
  crashes, parks = tonumber(counts[1] or 0), tonumber(counts[2] or 0)
  journal = redis.call("HGETALL", KEYS[6])
end
local time = redis.call("TIME")
return {"ok", attempt, crashes, redis.call("GET", KEYS[4]) or "", about[1] or "0", journal, about[2] and 1 or 0, parks,
  about[3] or "", about[4] or "", time[1] * 1000 + math.floor(time[2] / 1000)}
