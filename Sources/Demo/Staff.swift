/// The operators and sources of a demonstration as an instance knows them, made where they are missing.
struct Staff: Sendable {
    /// In the order of the scenario.
    let workers: [Wire.Worker]
    /// By the source's name.
    let channelIDs: [String: Int]
    /// By source, then operator.
    let weights: [Int: [Int: Int]]

    /// How many contacts all of them can hold.
    var places: Int { workers.reduce(0) { $0 + $1.maxLoad } }

    /// What each operator with a weight on a source got of its contacts.
    func shares(
        ofSource name: String, _ placements: [Int: [Int: Int]], highestLoads: [Int: Int]
    ) -> [Summary.Share] {
        guard let id = channelIDs[name], let weights = weights[id] else { return [] }
        return workers.compactMap { worker in
            weights[worker.id].map { weight in
                Summary.Share(
                    name: worker.name, weight: weight, contacts: placements[id]?[worker.id] ?? 0,
                    highestLoad: highestLoads[worker.id] ?? 0, maxLoad: worker.maxLoad)
            }
        }
    }

    /// Finds what an earlier run made, as it was left; adds what is missing; ends breaks.
    static func assemble(_ crm: CRM) async throws(Client.Failure) -> Staff {
        let workers = try await workers(crm)
        let ids = Dictionary(workers.map { ($0.name, $0.id) }, uniquingKeysWith: { first, _ in first })
        let known = Dictionary(
            try await crm.channels().map { ($0.name, $0.id) }, uniquingKeysWith: { first, _ in first })
        var channelIDs: [String: Int] = [:]
        var weights: [Int: [Int: Int]] = [:]
        for channel in Scenario.channels {
            let id = if let id = known[channel.name] { id } else { try await open(channel, crm) }
            channelIDs[channel.name] = id
            let rows = try await crm.weights(ofSource: id)
            var present = Dictionary(rows.map { ($0.operatorId, $0.weight) }, uniquingKeysWith: { $1 })
            if present.isEmpty {
                for (name, weight) in channel.weights { if let id = ids[name] { present[id] = weight } }
                try await crm.add(
                    present.sorted { $0.key < $1.key }
                        .map { Wire.Weight(operatorId: $0.key, sourceId: id, weight: $0.value) },
                    toSource: id)
            }
            weights[id] = present
        }
        return Staff(workers: workers, channelIDs: channelIDs, weights: weights)
    }

    private static func workers(_ crm: CRM) async throws(Client.Failure) -> [Wire.Worker] {
        let known = Dictionary(try await crm.workers().map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var workers: [Wire.Worker] = []
        for wanted in Scenario.workers {
            guard let worker = known[wanted.name] else {
                workers.append(try await crm.hire(Wire.NewWorker(name: wanted.name, maxLoad: wanted.maxLoad)))
                continue
            }
            if !worker.isActive { try await crm.change(worker.id, Wire.WorkerChange(isActive: true)) }
            workers.append(worker)
        }
        return workers
    }

    /// Another demonstration may open the same source at the same moment.
    private static func open(_ channel: Scenario.Channel, _ crm: CRM) async throws(Client.Failure) -> Int {
        let new = Wire.NewChannel(name: channel.name, description: channel.description, strategy: channel.strategy)
        do {
            return try await crm.open(new).id
        } catch {
            guard case .refused(400, _, "source_name_taken") = error,
                let made = try await crm.channels().first(where: { $0.name == channel.name })
            else { throw error }
            return made.id
        }
    }
}
