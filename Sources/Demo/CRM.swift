import Foundation
import NIOHTTP1

/// The calls a demonstration makes, in the words of the product.
struct CRM: Sendable {
    let client: Client

    typealias Failure = Client.Failure

    func register(_ contact: Wire.NewContact) async throws(Failure) -> (contact: Wire.Contact, seconds: Double) {
        let answer = try await client.call(.POST, "/api/v1/contacts", body: Self.encoded(contact))
        return (try Self.decoded(answer), answer.seconds)
    }

    func contact(_ id: Int) async throws(Failure) -> Wire.Contact {
        try await ask(.GET, "/api/v1/contacts/\(id)")
    }

    func close(_ id: Int) async throws(Failure) -> Wire.Contact {
        try await ask(.POST, "/api/v1/contacts/\(id)/close")
    }

    func reopen(_ id: Int) async throws(Failure) -> Wire.Contact {
        try await ask(.POST, "/api/v1/contacts/\(id)/reopen")
    }

    /// What an operator works on, of the demonstration's sources: a real one's contacts are nobody's to close.
    func desk(of operatorID: Int, _ staff: Staff) async throws(Failure) -> [Wire.Contact] {
        let sources = Set(staff.channelIDs.values)
        return try await all("/api/v1/contacts?status=active&operator_id=\(operatorID)")
            .filter { (contact: Wire.Contact) in sources.contains(contact.sourceId) }
    }

    func waiting(inSource id: Int) async throws(Failure) -> [Wire.Contact] {
        try await all("/api/v1/contacts?status=new&source_id=\(id)")
    }

    func workers() async throws(Failure) -> [Wire.Worker] {
        try await all("/api/v1/operators?")
    }

    func channels() async throws(Failure) -> [Wire.Channel] {
        try await all("/api/v1/sources?")
    }

    func hire(_ worker: Wire.NewWorker) async throws(Failure) -> Wire.Worker {
        try await ask(.POST, "/api/v1/operators", worker)
    }

    @discardableResult
    func change(_ operatorID: Int, _ change: Wire.WorkerChange, insists: Bool = true) async throws(Failure)
        -> Wire.Worker
    {
        let body = Self.encoded(change)
        return try Self.decoded(
            try await client.call(.PATCH, "/api/v1/operators/\(operatorID)", body: body, insists: insists))
    }

    func open(_ channel: Wire.NewChannel) async throws(Failure) -> Wire.Channel {
        try await ask(.POST, "/api/v1/sources", channel)
    }

    func weights(ofSource id: Int) async throws(Failure) -> [Wire.Weight] {
        try await ask(.GET, "/api/v1/sources/\(id)/distribution")
    }

    func add(_ weights: [Wire.Weight], toSource id: Int) async throws(Failure) {
        _ = try await client.call(
            .POST, "/api/v1/sources/\(id)/distribution", body: Self.encoded(Wire.Weights(operatorWeights: weights)))
    }

    private func ask<Value: Decodable>(_ method: HTTPMethod, _ path: String) async throws(Failure) -> Value {
        try Self.decoded(try await client.call(method, path))
    }

    private func ask<Value: Decodable>(
        _ method: HTTPMethod, _ path: String, _ body: some Encodable
    ) async throws(Failure) -> Value {
        try Self.decoded(try await client.call(method, path, body: Self.encoded(body)))
    }

    /// Every page of a list.
    private func all<Value: Decodable & Identifiable<Int>>(_ path: String) async throws(Failure) -> [Value] {
        let limit = 1000
        var found: [Value] = []
        while true {
            let cursor = found.last.map { "&cursor=\($0.id)" } ?? ""
            let page: [Value] = try await ask(.GET, "\(path)&limit=\(limit)\(cursor)")
            found += page
            if page.count < limit { return found }
        }
    }

    private static func encoded(_ body: some Encodable) -> Data {
        // Structs of strings and finite numbers can always be encoded.
        (try? Wire.encode(body)) ?? Data()
    }

    private static func decoded<Value: Decodable>(_ answer: Client.Answer) throws(Failure) -> Value {
        do {
            return try Wire.decode(Value.self, from: answer.body)
        } catch {
            throw .refused(status: answer.status, detail: "the answer has an unexpected shape", code: nil)
        }
    }
}
