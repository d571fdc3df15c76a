-- Record one use of a service: count it once, and keep its event for the storage.
-- KEYS: seen, spool, day, turn
-- ARGV: event as JSON ("": not spooled), most events in the spool, seconds to remember the event, to keep the day, to
--       keep the turn, most fields of a roll-up, row, row for what is too much, then pairs of what and how much
-- Answers recorded, duplicate or full.
if not redis.call("SET", KEYS[1], "1", "NX", "EX", ARGV[3]) then return "duplicate" end
if ARGV[1] ~= "" then
  if redis.call("XLEN", KEYS[2]) >= tonumber(ARGV[2]) then
    redis.call("DEL", KEYS[1])
    return "full"
  end
  redis.call("XADD", KEYS[2], "*", "e", ARGV[1])
end
for index = 3, 4 do
  local row = ARGV[7]
  if redis.call("HLEN", KEYS[index]) >= tonumber(ARGV[6]) and redis.call("HEXISTS", KEYS[index], row .. "|calls") == 0 then
    row = ARGV[8]
  end
  for pair = 9, #ARGV, 2 do
    redis.call("HINCRBY", KEYS[index], row .. "|" .. ARGV[pair], ARGV[pair + 1])
  end
  redis.call("EXPIRE", KEYS[index], ARGV[index + 1])
end
return "recorded"
