-- wrk script: POST /api/v1/contacts, each with a lead of its own.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local number = os.time() % 100000 * 1000000

function request()
    number = number + 1
    local body = string.format(
        '{"source_id": 1, "lead_external_id": "bench-%d", "lead_name": "Lead %d", "message": "hello"}', number, number)
    return wrk.format(nil, "/api/v1/contacts", nil, body)
end
