import ArgumentParser
import Credentials
import Foundation
import LeadStore
import Leads
import Logging

/// What programs prove themselves by.
struct Keys: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes and ends keys, which programs prove themselves by.",
        subcommands: [Create.self, List.self, Rotate.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints what the program sends; that is shown once.")

        @OptionGroup var database: DatabaseOptions

        @Option(help: "What it is for.")
        var name: String

        @Option(help: "What whoever has it may do: intake, analyst, supervisor or admin.")
        var role = "intake"

        @Option(help: "Numbers of the sources it is for, separated by commas. (default: all)")
        var sources: String?

        @Option(help: "Requests a second that each instance answers. (default: no limit)")
        var rate: Int?

        func run() async throws {
            let new = NewAccessKey(
                name: name, role: try Self.role(role), sourceIDs: try Self.numbers(sources), rate: rate)
            guard AccessKey.nameLength.contains(name.unicodeScalars.count) else {
                throw ValidationError("--name has 1 to 200 characters")
            }
            guard new.role != .admin || new.sourceIDs == nil else {
                throw ValidationError("a key of an admin cannot be limited to sources")
            }
            guard rate.map({ AccessKey.rateRange.contains($0) }) ?? true else {
                throw ValidationError("--rate must be from 1 to 100000")
            }
            let credential = KeyCredential()
            let key = try await database.administering { (store) throws(StoreError) in
                try await store.createKey(
                    id: credential.id, secretHash: credential.secret.digest.bytes, new, by: .command)
            }
            print("Made the key \(key.id) (\(key.role.rawValue)). It is shown once:\n\n  \(credential.text)\n")
            print("Send it as  Authorization: Bearer \(credential.text)")
        }

        private static func role(_ text: String) throws -> Role {
            guard let role = Role(rawValue: text), Role.ofKeys.contains(role) else {
                throw ValidationError("--role must be one of \(Role.ofKeys.map(\.rawValue).joined(separator: ", "))")
            }
            return role
        }

        private static func numbers(_ text: String?) throws -> [Int]? {
            try text.map { text in
                try text.split(separator: ",").map { part in
                    guard let number = Int(part.trimmingCharacters(in: .whitespaces)), number > 0 else {
                        throw ValidationError("--sources must be numbers separated by commas")
                    }
                    return number
                }
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists the keys, without their secrets.")

        @OptionGroup var database: DatabaseOptions

        func run() async throws {
            let keys = try await database.administering { (store) throws(StoreError) in try await store.keys() }
            for key in keys {
                let sources = key.sourceIDs.map { " sources \($0.map(String.init).joined(separator: ","))" } ?? ""
                let rate = key.rate.map { " rate \($0)/s" } ?? ""
                print(
                    "\(key.id)  \(key.role.rawValue)\(sources)\(rate)  \(key.revokedAt == nil ? "" : "revoked  ")\(key.name)"
                )
            }
            if keys.isEmpty { print("There is no key.") }
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives a key another secret and prints it; that is shown once.")

        @OptionGroup var database: DatabaseOptions

        @Argument(help: "The key's 8 characters.")
        var id: String

        @Option(help: "For how many seconds the former secret goes on.")
        var grace = 0

        func run() async throws {
            guard AccessKey.graceRange.contains(grace) else {
                throw ValidationError("--grace must be from 0 to \(AccessKey.graceRange.upperBound)")
            }
            let credential = KeyCredential(id: id)
            _ = try await database.administering { (store) throws(StoreError) in
                try await store.rotateKey(
                    id: id, secretHash: credential.secret.digest.bytes, KeyRotation(graceSeconds: grace), by: .command)
            }
            print("The key \(id) is sent like this from now on. It is shown once:\n\n  \(credential.text)\n")
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ends a key for good: every instance refuses it within two seconds.")

        @OptionGroup var database: DatabaseOptions

        @Argument(help: "The key's 8 characters.")
        var id: String

        func run() async throws {
            _ = try await database.administering { (store) throws(StoreError) in
                try await store.revokeKey(id: id, by: .command)
            }
            print("The key \(id) has ended.")
        }
    }
}
