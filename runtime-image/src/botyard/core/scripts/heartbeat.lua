-- Say that a replica lives and list all that do.
-- KEYS: replicas    ARGV: replica, time to live in ms
-- Answers the names of the live replicas; the caller is among them.
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call("ZREMRANGEBYSCORE", KEYS[1], "-inf", now - tonumber(ARGV[2]))
redis.call("ZADD", KEYS[1], now, ARGV[1])
redis.call("PEXPIRE", KEYS[1], tonumber(ARGV[2]) * 10)
return redis.call("ZRANGE", KEYS[1], 0, -1)
