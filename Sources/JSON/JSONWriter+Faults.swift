public import Leads

extension JSONWriter {
    /// Writes FastAPI's body of a 422: `{"detail":[{"type","loc","msg","input","ctx"?}]}`.
    public mutating func detail(_ faults: [Fault]) {
        object { $0.detailField(faults) }
    }

    /// Writes the field `detail` of such a body.
    public mutating func detailField(_ faults: [Fault]) {
        array("detail", faults) { json, fault in
            json.object {
                $0.field("type", fault.type)
                $0.array("loc", fault.location) { json, step in
                    switch step {
                    case .field(let name): json.value(name)
                    case .index(let index): json.value(index)
                    }
                }
                $0.field("msg", fault.message)
                $0.field("input", fault.input)
                if !fault.context.isEmpty { $0.field("ctx", JSONValue.object(fault.context)) }
            }
        }
    }
}
