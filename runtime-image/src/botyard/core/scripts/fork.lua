-- Begin a conversation with the state and the outputs of another one.
-- KEYS: conversation, state, outputs    ARGV: user, forked from, state, seconds to keep, revision, schema,
-- (number, envelope)…
-- Answers 1, or 0 when the conversation exists.
if redis.call("EXISTS", KEYS[1]) == 1 then return 0 end
local time = redis.call("TIME")
redis.call("HSET", KEYS[1], "user", ARGV[1], "created", time[1] * 1000 + math.floor(time[2] / 1000),
  "forked_from", ARGV[2])
if ARGV[5] ~= "" then redis.call("HSET", KEYS[1], "revision", ARGV[5], "schema", ARGV[6]) end
redis.call("SET", KEYS[2], ARGV[3], "EX", ARGV[4])
for index = 7, #ARGV, 2 do
  redis.call("XADD", KEYS[3], ARGV[index] .. "-0", "e", ARGV[index + 1])
  redis.call("HSET", KEYS[1], "outputs", ARGV[index])
end
redis.call("EXPIRE", KEYS[1], ARGV[4])
redis.call("EXPIRE", KEYS[3], ARGV[4])
return 1
