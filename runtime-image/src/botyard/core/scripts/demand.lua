-- Mark that a bot is needed now.
-- KEYS: marks; also the channel on which they are told
-- ARGV: bot, seconds after which marks are forgotten
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - ARGV[2] * 1000)
redis.call("PUBLISH", KEYS[1], ARGV[1])
return now
