-- wrk script: GET of a path with one of the ids from 1 to a number, each as good as any other.
-- Arguments: what stands before the id, and the number.
local requests = {}
local number

function init(arguments)
    number = tonumber(arguments[2])
    math.randomseed(os.time())
    -- Made beforehand, so that asking costs no more than asking the same again and again does.
    for id = 1, number do requests[id] = wrk.format("GET", arguments[1] .. id) end
end

function request()
    return requests[math.random(number)]
end
