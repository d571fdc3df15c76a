-- Put a dead letter back into the inbox, or drop it.
-- KEYS: dead letters, inbox, open turns, conversation    ARGV: entry, "requeue" | "drop", seconds to keep
-- Answers 1, or 0 when there is no such letter.
local found = redis.call("XRANGE", KEYS[1], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
if ARGV[2] == "requeue" then
  local record = cjson.decode(found[1][2][2])
  redis.call("XADD", KEYS[2], "*", "event", record.event, "key", record.key, "kind", record.kind,
    "payload", record.payload, "turn", record.turn, "user", record.user, "at", record.at)
  redis.call("HSET", KEYS[3], record.turn,
    cjson.encode({event = record.event, kind = record.kind, accepted = tonumber(record.at)}))
  redis.call("EXPIRE", KEYS[3], ARGV[3])
  -- The conversation may have expired meanwhile.
  redis.call("HSETNX", KEYS[4], "user", record.user)
  redis.call("HSETNX", KEYS[4], "created", record.at)
  redis.call("EXPIRE", KEYS[4], ARGV[3])
end
redis.call("XDEL", KEYS[1], ARGV[1])
return 1
