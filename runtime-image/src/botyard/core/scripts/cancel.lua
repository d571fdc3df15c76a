-- Note that open turns are to be cancelled; one that is parked goes on, to its end.
-- KEYS: open turns, conversation, parked    ARGV: key, turn (empty: all of them)
-- Answers the turns that were open.
local turns = {}
if ARGV[2] == "" then
  turns = redis.call("HKEYS", KEYS[1])
elseif redis.call("HEXISTS", KEYS[1], ARGV[2]) == 1 then
  turns = {ARGV[2]}
end
local parked = redis.call("HGET", KEYS[3], ARGV[1])
if parked then parked = cjson.decode(parked).turn end
for _, turn in ipairs(turns) do
  redis.call("HSET", KEYS[2], "cancel:" .. turn, 1)
  if turn == parked then redis.call("HDEL", KEYS[3], ARGV[1]) end
end
return turns
