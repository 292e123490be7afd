import Foundation

/// What goes over the wire, as far as a demonstration looks at it.
enum Wire {
    struct Welcome: Decodable {
        let message: String
    }

    struct Worker: Decodable, Identifiable, Sendable {
        let id: Int
        let name: String
        let isActive: Bool
        let maxLoad: Int
        let currentLoad: Int
    }

    struct NewWorker: Encodable {
        let name: String
        let maxLoad: Int
    }

    struct WorkerChange: Encodable {
        let isActive: Bool
        var requeue = false
    }

    struct Channel: Decodable, Identifiable {
        let id: Int
        let name: String
    }

    struct NewChannel: Encodable {
        let name: String
        let description: String
        let strategy: String
    }

    struct Weight: Codable {
        let operatorId: Int
        let sourceId: Int
        let weight: Int
    }

    struct Weights: Encodable {
        let operatorWeights: [Weight]
    }

    struct NewContact: Encodable {
        let sourceId: Int
        let sourceEventId: String
        let leadName: String
        let leadExternalId: String?
        let leadPhone: String?
        let leadEmail: String?
        let message: String?
        let priority: Int
    }

    struct Contact: Decodable, Identifiable, Sendable {
        enum Status: String, Decodable {
            case new, active, closed
        }

        let id: Int
        let sourceId: Int
        let status: Status
        let version: Int
        let `operator`: Worker?
    }

    /// What refusals have in common; `detail` is text, or a list of faults.
    struct Refusal: Decodable {
        let detail: String
        let code: String?

        private enum CodingKeys: CodingKey {
            case detail, code
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            detail = (try? container.decode(String.self, forKey: .detail)) ?? "the request is invalid"
            code = try container.decodeIfPresent(String.self, forKey: .code)
        }
    }

    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(value)
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: data)
    }
}

extension Wire.NewContact {
    /// Nil when the source is not known.
    init?(_ arrival: Arrival, _ staff: Staff, eventID: String) {
        guard let sourceID = staff.channelIDs[arrival.channel.name] else { return nil }
        self.init(
            sourceId: sourceID, sourceEventId: eventID, leadName: arrival.person.name,
            leadExternalId: arrival.externalID, leadPhone: arrival.phone, leadEmail: arrival.email,
            message: arrival.message, priority: arrival.priority)
    }
}
