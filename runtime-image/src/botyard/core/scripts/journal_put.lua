-- Keep the result of one step of an open turn, before anybody uses it.
-- KEYS: lease, inbox, journal
-- ARGV: owner, epoch, entry, ordinal, record, seconds to keep
-- Answers the record that stands (the first one written wins), or false when the lease or the event is gone.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return false end
if #redis.call("XRANGE", KEYS[2], ARGV[3], ARGV[3]) == 0 then return false end
redis.call("HSETNX", KEYS[3], ARGV[4], ARGV[5])
redis.call("EXPIRE", KEYS[3], ARGV[6])
return redis.call("HGET", KEYS[3], ARGV[4])
