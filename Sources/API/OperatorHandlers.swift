import HTTPTypes
import LeadStore
import Leads

/// `/operators`
struct OperatorHandlers: Sendable {
    let store: LeadStore

    @Sendable func create(_ call: Call) async throws(Problem) -> Reply {
        let new = try call.body { NewOperator(&$0) }
        let made = try await asking { () throws(StoreError) in
            try await store.createOperator(new, for: call.viewer, by: call.actor)
        }
        return Reply(.created) { $0.operator(made) }
    }

    @Sendable func list(_ call: Call) async throws(Problem) -> Reply {
        let (filter, page) = try call.query { (OperatorFilter(&$0), Page(&$0)) }
        if case .ownContacts(let id) = call.viewer.reach {
            // Who of them is active is nothing that an operator is told.
            guard filter.isActive == nil else { throw .forbidden }
            let colleagues = try await asking { () throws(StoreError) in
                try await store.colleagues(ofOperator: id, page)
            }
            return .listing(colleagues, call) { $0.colleague($1) }
        }
        let operators = try await asking { () throws(StoreError) in
            try await store.operators(isActive: filter.isActive, page, for: call.viewer)
        }
        return .listing(operators, call) { $0.operator($1) }
    }

    @Sendable func show(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("operator_id")
        let found = try await asking { () throws(StoreError) in try await store.operator(id: id, for: call.viewer) }
        return Reply { $0.operator(found) }
    }

    @Sendable func change(_ call: Call) async throws(Problem) -> Reply {
        let changed = try await change(call) { OperatorChange(&$0) }
        return Reply { $0.operator(changed) }
    }

    @Sendable func activate(_ call: Call) async throws(Problem) -> Reply {
        let changed = try await change(call) { OperatorChange(activation: &$0) }
        return .message("Operator \(changed.isActive ? "activated" : "deactivated")")
    }

    @Sendable func limitLoad(_ call: Call) async throws(Problem) -> Reply {
        let changed = try await change(call) { OperatorChange(loadLimit: &$0) }
        return .message("Load limit set to \(changed.maxLoad)")
    }

    @Sendable func statistics(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("operator_id")
        let statistics = try await asking { () throws(StoreError) in
            try await store.operatorStatistics(id: id, for: call.viewer)
        }
        return Reply { $0.statistics(statistics) }
    }

    @Sendable func archive(_ call: Call) async throws(Problem) -> Reply {
        let id = try call.id("operator_id")
        try await asking { () throws(StoreError) in
            try await store.archiveOperator(id: id, for: call.viewer, by: call.actor)
        }
        return .message("Operator deleted successfully")
    }

    private func change(_ call: Call, _ read: (inout Fields) -> OperatorChange) async throws(Problem) -> Operator {
        let (id, change) = try call.idAndBody("operator_id", read)
        return try await asking { () throws(StoreError) in
            try await store.changeOperator(id: id, change, for: call.viewer, by: call.actor)
        }
    }
}
