-- Have the room of a file set aside for its whole time anew.
-- KEYS: files
-- ARGV: file and size as one member, milliseconds to keep
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call("ZADD", KEYS[1], "XX", now + ARGV[2], ARGV[1])
