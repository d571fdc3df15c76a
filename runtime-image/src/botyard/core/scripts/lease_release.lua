-- Give a lease back; the epoch stays, so that an old owner's commit stays refused.
-- KEYS: lease    ARGV: owner, epoch
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
redis.call("HDEL", KEYS[1], "owner", "until")
return 1
