-- Commit one event and begin the one that follows it in its conversation: one way to Redis for both.
-- include: commit begin
-- KEYS: those of commit, then journal of the following event, parked
-- ARGV: those of commit, then entry, turn, key, run of the following event
-- Answers what commit answers; where it is "ok", what begin answers comes as its fourth part.
local done = commit(KEYS, ARGV)
if done[1] == "ok" then
  done[4] = begin({KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[16], KEYS[17]},
    {ARGV[1], ARGV[2], ARGV[7], ARGV[8], ARGV[9], ARGV[10], 0})
end
return done
