-- Put a dead letter back into the inbox, or drop it.
-- KEYS: dead letters, inbox    ARGV: entry, "requeue" | "drop"
-- Answers 1, or 0 when there is no such letter.
local found = redis.call("XRANGE", KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
if ARGV[2] == "requeue" then
  local record = cjson.decode(found[1][2][2])
  redis.call("XADD", KEYS[2], "*", "event", record.event, "key", record.key, "kind", record.kind,
    "payload", record.payload, "turn", record.turn, "user", record.user, "at", record.at)
end
redis.call("XDEL", KEYS[1], ARGV[1])
return 1
