-- Charge what a call used, once; or give its hold back.
-- KEYS: holds    plan: id, state ("settled" or "released"), coins, tokens, keep (ms), charges {account, unit, amount},
--   counts: field -> number, counted: account -> true, forget (ms): life of an account that Redis had lost;
--   counts are kept beside the coins of accounts that have a period
-- Answers {state, coins, {account, spent, reserved, limit, crossed}…}; state "unknown": Redis had lost the hold.
local key = prefix .. "h:" .. plan.id
local held = redis.call("HMGET", key, "state", "c", "charges")
if held[1] and held[1] ~= "open" then return {held[1], tonumber(held[2])} end
local charges, state, coins = plan.charges, plan.state, plan.coins
if held[1] then
  charges = cmsgpack.unpack(held[3])
  coins = math.min(coins, tonumber(held[2]))
end
local released = state == "released"
local answer = {held[1] and state or "unknown", released and 0 or coins}
local counting, counts = {"spent", "reserved", "cap", "warned"}, {}
for field, count in pairs(plan.counts) do
  counting[#counting + 1], counts[#counts + 1] = field, count
end
for _, charge in ipairs(charges) do
  local name, unit, amount = charge[1], charge[2], charge[3]
  local used = released and 0 or settled_amount(unit, amount, plan.coins, plan.tokens)
  local account = account_key(name)
  local found = redis.call("HMGET", account, unpack(counting))
  local spent, limit, crossed = tonumber(found[1] or 0), tonumber(found[3] or -1), 0
  -- A hold that Redis lost with an older state set nothing aside in the state that it has now.
  local reserved = math.max(0, tonumber(found[2] or 0) - (held[1] and amount or 0))
  local changed = {"reserved", whole(reserved)}
  if unit == "c" and plan.counted[name] and not released then
    for number, count in ipairs(counts) do
      changed[#changed + 1], changed[#changed + 2] = counting[4 + number], whole(tonumber(found[4 + number] or 0) + count)
    end
  end
  if used > 0 then spent = redis.call("HINCRBY", account, "spent", whole(used)) end
  if limit > 0 and spent * 5 >= limit * 4 then
    if not found[4] then changed[#changed + 1], changed[#changed + 2], crossed = "warned", 1, 1 end
  elseif found[4] then
    redis.call("HDEL", account, "warned")
  end
  redis.call("HSET", account, unpack(changed))
  if not held[1] and redis.call("PTTL", account) < 0 then redis.call("PEXPIRE", account, plan.forget) end
  answer[#answer + 1] = {name, spent, reserved, limit, crossed}
end
redis.call("HSET", key, "state", state, "c", whole(answer[2]))
redis.call("PEXPIRE", key, plan.keep)
redis.call("ZREM", holds, plan.id)
return answer
