-- End a conversation: its next message starts afresh.
-- KEYS: conversation, state, versions, records, names of the records
-- Answers 1, or 0 where there is no such conversation
if redis.call("EXISTS", KEYS[1]) == 0 then return 0 end
local time = redis.call("TIME")
redis.call("HSET", KEYS[1], "ended", time[1] * 1000 + math.floor(time[2] / 1000))
redis.call("HINCRBY", KEYS[1], "ends", 1)
redis.call("DEL", KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 1
