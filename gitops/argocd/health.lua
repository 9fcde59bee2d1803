-- How Argo CD sees a CloudHarnessOperation: Progressing until it has ended, then Healthy or
-- Degraded. `obj` is the object; Argo CD runs this as Lua 5.1 and shows status and message.

local status = obj.status or {}

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end

local function holds(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

local function first(...)
  for i = 1, select("#", ...) do
    local text = select(i, ...)
    if text ~= nil and text ~= "" then
      return text
    end
  end
end

-- What a condition says; its reason where nobody has written a sentence.
local function words(type)
  local condition = conditions[type] or {}
  return first(condition.message, condition.reason, type)
end

-- The end is the end, whether or not Kafka has its event yet: that only adds to the message.
local function ended(text)
  local notified = conditions["Notified"]
  if notified ~= nil and notified.status == "False" then
    text = text .. " (exit event: " .. words("Notified") .. ")"
  end
  return text
end

local function under_way()
  local text = first(status.message, status.reason, "waiting for the operator")
  if status.progress ~= nil then
    text = text .. ", " .. status.progress .. " tasks done"
  end
  return text
end

local observed = status.observedGeneration
if observed ~= nil and observed ~= obj.metadata.generation then
  return { status = "Progressing", message = "the operator has not seen the last change yet" }
end
if holds("Finished") and holds("Complete") then
  return { status = "Healthy", message = ended(words("Complete")) }
end
if holds("Finished") then
  return { status = "Degraded", message = ended(words("Finished")) }
end
if holds("Suspended") then
  return { status = "Suspended", message = words("Suspended") }
end
return { status = "Progressing", message = under_way() }
