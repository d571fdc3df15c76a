-- Prolong the holds of calls that are under way, and settle those whose lease is over.
-- KEYS: holds, periods    plan: lease (ms), calls, limit, history (ms)
-- Answers {{calls that are not held any more}, {calls that lapsed now}}
local gone = {}
for _, call in ipairs(plan.calls) do
  if redis.call("ZSCORE", holds, call) then
    redis.call("ZADD", holds, "XX", whole(now + plan.lease), call)
  else
    gone[#gone + 1] = call
  end
end
redis.call("ZREMRANGEBYSCORE", KEYS[2], "-inf", whole(now - plan.history))
return {gone, lapse(plan.limit)}
