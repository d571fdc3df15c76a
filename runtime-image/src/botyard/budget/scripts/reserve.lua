-- Set aside the worst case of a call in all its accounts, or in none.
-- KEYS: holds, periods    plan: id, lease, keep (ms), final, least {c, t}, want {c, t}, calendars, charges, seen
--   charges: {account, unit, limit or -1, enforced, calendar or 0, keep (ms)}
--   seen: full account name -> spent, as the asker saw it before
-- Answers {"held", coins, tokens, restored, {account, unit, amount, spent, reserved, limit}…}
--   | {"done", state} | {"clock", now} | {"wait" or "refused", unit, account, limit, spent, reserved, needed, renewed at}
local key = prefix .. "h:" .. plan.id
local held = redis.call("HMGET", key, "state", "c", "t", "charges")
if held[1] == "open" then
  local answer = {"held", tonumber(held[2]), tonumber(held[3]), 0}
  for _, charge in ipairs(cmsgpack.unpack(held[4])) do
    local found = redis.call("HMGET", account_key(charge[1]), "spent", "reserved", "cap")
    answer[#answer + 1] =
      {charge[1], charge[2], charge[3], tonumber(found[1] or 0), tonumber(found[2] or 0), tonumber(found[3] or -1)}
  end
  return answer
elseif held[1] then
  return {"done", held[1]}
end
local windows = periods_now(plan.calendars)
if not windows then return {"clock", now} end
lapse(50)

-- Look at every account before anything is written.
local free, hard, tightest = {c = math.huge, t = math.huge}, {c = math.huge, t = math.huge}, {}
local looked, restored, blocked = {}, 0, nil
for number, charge in ipairs(plan.charges) do
  local window = windows[charge[5]]
  local name = full_name(charge[1], window)
  local found = redis.call("HMGET", account_key(name), "spent", "reserved", "granted", "cap", "need", "own")
  local spent, reserved = tonumber(found[1] or 0), tonumber(found[2] or 0)
  -- Redis came back with an older state: what the asker saw being spent stays spent.
  local seen = plan.seen[name]
  if seen and seen > spent then
    restored = restored + seen - spent
    redis.call("HSET", account_key(name), "spent", whole(seen))
    redis.call("HINCRBY", account_key(name), "restored", whole(seen - spent))
    spent = seen
  end
  local limit = limit_of(charge[3], found[6], found[3])
  looked[number] = {name, spent, reserved, limit, window, fresh = not found[4], needed = found[5]}
  if limit >= 0 and charge[4] then
    local unit = charge[2]
    if unit == "c" or unit == "t" then
      free[unit] = math.min(free[unit], limit - spent - reserved)
      if limit - spent < hard[unit] then hard[unit], tightest[unit] = limit - spent, number end
    elseif limit - spent - reserved < 1 then
      -- A request is spent once it was let through: the end of another one makes no room for it.
      local verdict = (unit == "r" or limit - spent < 1) and "refused" or "wait"
      if not blocked or verdict == "refused" then blocked = {verdict, unit, number, 1} end
    end
  end
end

local amounts = {}
for _, unit in ipairs({"c", "t"}) do
  local want, least = plan.want[unit], plan.least[unit]
  if hard[unit] < least then
    blocked = {"refused", unit, tightest[unit], least}
  elseif free[unit] >= want then
    amounts[unit] = want
  elseif free[unit] >= math.min(want, hard[unit]) or (plan.final and free[unit] >= least) then
    -- No settlement can leave more than this, or there is no more time to wait for one.
    amounts[unit] = free[unit]
  elseif not blocked or blocked[1] ~= "refused" then
    local tight = tightest[unit]
    for number, charge in ipairs(plan.charges) do
      local at = looked[number]
      if charge[2] == unit and charge[4] and at[4] >= 0 and at[4] - at[2] - at[3] == free[unit] then tight = number end
    end
    blocked = {"wait", unit, tight, least}
  end
  if blocked and blocked[1] == "refused" then break end
end
if blocked then
  local at = looked[blocked[3]]
  if blocked[1] == "refused" or plan.final then
    local account = account_key(at[1])
    redis.call("HSET", account, "need", whole(blocked[4]))
    redis.call("HINCRBY", account, "refused", 1)
    redis.call("PEXPIRE", account, plan.charges[blocked[3]][6])
    if at[5] and plan.charges[blocked[3]][2] == "c" then redis.call("ZADD", KEYS[2], whole(at[5][2]), at[1]) end
  end
  return {blocked[1], blocked[2], at[1], at[4], at[2], at[3], blocked[4], at[5] and at[5][3] or 0}
end

local answer, charges = {"held", amounts.c, amounts.t, restored}, {}
for number, charge in ipairs(plan.charges) do
  local at, unit = looked[number], charge[2]
  local amount, account = amounts[unit] or 1, account_key(at[1])
  redis.call("HSET", account, "reserved", whole(at[3] + amount), "cap", whole(at[4]))
  if at.needed then redis.call("HDEL", account, "need") end
  -- The account of a period lives from its beginning; any other from its last use.
  if at.fresh or not at[5] then redis.call("PEXPIRE", account, charge[6]) end
  if at.fresh and at[5] and unit == "c" then redis.call("ZADD", KEYS[2], whole(at[5][2]), at[1]) end
  charges[number] = {at[1], unit, amount}
  answer[#answer + 1] = {at[1], unit, amount, at[2], at[3] + amount, at[4]}
end
redis.call("HSET", key, "state", "open", "c", whole(amounts.c), "t", whole(amounts.t), "keep", plan.keep,
  "charges", cmsgpack.pack(charges))
redis.call("ZADD", holds, whole(now + plan.lease), plan.id)
return answer
