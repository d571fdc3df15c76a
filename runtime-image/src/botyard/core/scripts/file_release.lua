-- Give the room of a file back.
-- KEYS: files, total
-- ARGV: file and size as one member
if redis.call("ZREM", KEYS[1], ARGV[1]) == 1 then
  redis.call("DECRBY", KEYS[2], string.match(ARGV[1], " (%d+)$"))
end
return 1
