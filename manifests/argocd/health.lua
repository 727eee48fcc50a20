-- Health of a DeploymentVersion or a Router, for Argo CD; both carry the same kinds of condition.
-- Progressing: not looked at yet, or waiting may help. Degraded: `Stalled`, somebody has to change something; Argo CD
-- ends a sync as failed at the first such word, so that nothing that passes by itself may say it.
local health = { status = "Progressing", message = "Synkronic has not looked at it yet" }

local generation = obj.metadata.generation
local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if generation ~= nil and status.observedGeneration ~= nil and status.observedGeneration < generation then
  health.message = "Synkronic has not looked at the newest change yet"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function says(type)
  local condition = conditions[type]
  return condition ~= nil and condition.status == "True"
end

local ready = conditions["Ready"]
if ready == nil then
  return health
end
health.message = ready.message
if ready.status == "True" then
  health.status = "Healthy"
elseif obj.spec ~= nil and obj.spec.suspend then
  health.status = "Suspended"
elseif says("Stalled") then
  health.status = "Degraded"
end
return health
