-- Take one event from another partition's outbox, once.
-- KEYS: inbox, timers, seen    ARGV: JSON of the event, due in ms (0: at once), de-duplication seconds
-- Answers 1, or 0 when it was taken before.
if not redis.call("SET", KEYS[3], "1", "NX", "EX", ARGV[3]) then return 0 end
if tonumber(ARGV[2]) > 0 then
  redis.call("ZADD", KEYS[2], ARGV[2], ARGV[1])
  return 1
end
local event = cjson.decode(ARGV[1])
local time = redis.call("TIME")
redis.call("XADD", KEYS[1], "*", "event", event.event, "key", event.key, "kind", event.kind,
  "payload", event.payload, "turn", event.turn, "user", event.user,
  "at", time[1] * 1000 + math.floor(time[2] / 1000))
return 1
