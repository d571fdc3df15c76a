-- Read records of one key, by name or by range.
-- KEYS: records, names
-- ARGV: backwards (1/0), least name, greatest name, most records, bytes after which to end, name…
-- Answers name, stored value, … in order. A stored value is preceded by the number of the commit that made it.
local names = {}
if #ARGV > 5 then
  for index = 6, #ARGV do names[#names + 1] = ARGV[index] end
elseif ARGV[1] == "1" then
  names = redis.call("ZREVRANGEBYLEX", KEYS[2], ARGV[3], ARGV[2], "LIMIT", 0, ARGV[4])
else
  names = redis.call("ZRANGEBYLEX", KEYS[2], ARGV[2], ARGV[3], "LIMIT", 0, ARGV[4])
end
local answer, size = {}, 0
for _, name in ipairs(names) do
  local stored = redis.call("HGET", KEYS[1], name)
  if stored then
    size = size + #stored
    if size > tonumber(ARGV[5]) and #answer > 0 then break end
    answer[#answer + 1] = name
    answer[#answer + 1] = string.sub(stored, string.find(stored, " ", 1, true) + 1)
  end
end
return answer
