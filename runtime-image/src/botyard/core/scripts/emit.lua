-- Send outputs of a turn that is not committed yet (deltas, progress, a restart's notice).
-- KEYS: lease, conversation, outputs
-- ARGV: owner, epoch, live channel, cap, seconds to keep, envelope…
-- Answers the number of the last output, or 0 when the lease was lost.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local last = 0
for index = 6, #ARGV do
  last = redis.call("HINCRBY", KEYS[2], "outputs", 1)
  redis.call("XADD", KEYS[3], "MAXLEN", "~", ARGV[4], last .. "-0", "e", ARGV[index])
  redis.call("PUBLISH", ARGV[3], last .. " " .. ARGV[index])
end
redis.call("EXPIRE", KEYS[3], ARGV[5])
return last
