-- Send outputs of a turn that is not committed yet (deltas, progress, a restart's notice).
-- KEYS: lease, conversation, outputs, attempts
-- ARGV: owner, epoch, live channel, cap, seconds to keep, entry, number of the emission in its turn, envelope…
-- Answers 1, or 0 when the lease was lost. An emission that is sent again because its answer was lost says nothing.
local held = redis.call("HMGET", KEYS[1], "owner", "epoch")
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local sent = ARGV[6] .. ":sent"
if tonumber(redis.call("HGET", KEYS[4], sent) or 0) >= tonumber(ARGV[7]) then return 1 end
redis.call("HSET", KEYS[4], sent, ARGV[7])
for index = 8, #ARGV do
  local last = redis.call("HINCRBY", KEYS[2], "outputs", 1)
  redis.call("XADD", KEYS[3], "MAXLEN", "~", ARGV[4], last .. "-0", "e", ARGV[index])
  redis.call("PUBLISH", ARGV[3], last .. " " .. ARGV[index])
end
redis.call("EXPIRE", KEYS[3], ARGV[5])
return 1
