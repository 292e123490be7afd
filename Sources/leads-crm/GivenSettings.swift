import Configuration
import Foundation
import SystemPackage

/// What a process is given for its settings: by its environment, and secrets also by files.
struct GivenSettings: Sendable {
    enum Origin: Hashable, Sendable {
        case environment
        case file(FilePath)
    }

    struct Value: Sendable {
        let text: String
        let origin: Origin
    }

    /// Variables of the environment that are named like settings of this program and are none, in alphabetical order.
    let unknownNames: [String]
    private let sources: [(origin: Origin, reader: ConfigReader)]

    /// Bytes in the file of a secret.
    static let longestSecret = 65_536

    /// Reads the files of secrets.
    /// - Throws: when a secret is given more than once, or in a file that cannot be read or holds none.
    init(environment: [String: String]) throws(SettingError) {
        // A composition gives what is not set as an empty text.
        let present = environment.filter { !$0.value.isEmpty }
        let secrets = Setting.all.filter(\.isSecret)
        let known = Set(Setting.all.map(\.name) + secrets.map(\.nameOfFile))
        unknownNames = present.keys.filter { $0.hasPrefix("LEADS_") && !known.contains($0) }.sorted()
        let variables = EnvironmentVariablesProvider(
            environmentVariables: present, secretsSpecifier: .specific(Set(secrets.map(\.name))))
        var sources = [(origin: Origin.environment, reader: ConfigReader(provider: variables))]
        let directory = FilePath(present[Setting.secretsDirectory.name] ?? Setting.secretsDirectory.fallback)
        for secret in secrets {
            var origins: [Origin] = present[secret.name] == nil ? [] : [.environment]
            for (path, text) in try Self.files(of: secret, named: present[secret.nameOfFile], in: directory) {
                let values = [AbsoluteConfigKey([secret.name]): ConfigValue(.string(text), isSecret: true)]
                let reader = ConfigReader(provider: InMemoryProvider(name: path.string, values: values))
                origins.append(.file(path))
                sources.append((.file(path), reader))
            }
            guard origins.count <= 1 else {
                throw SettingError(
                    "\(secret.name) is given more than once: \(origins.map(\.description).joined(separator: ", "))")
            }
        }
        self.sources = sources
    }

    /// Nil when the setting is not given.
    func value(of setting: Setting) -> Value? {
        for (origin, reader) in sources {
            if let text = reader.string(forKey: ConfigKey([setting.name]), isSecret: setting.isSecret) {
                return Value(text: text, origin: origin)
            }
        }
        return nil
    }

    private static func files(
        of secret: Setting, named name: String?, in directory: FilePath
    ) throws(SettingError) -> [(FilePath, String)] {
        let named = name.map { FilePath($0).lexicallyNormalized() }
        var found: [(FilePath, String)] = []
        if let named {
            // What the variable holds is not repeated: it may be the secret itself, by mistake.
            guard let text = try text(of: named, calledInErrors: "the file that \(secret.nameOfFile) names") else {
                throw SettingError("the file that \(secret.nameOfFile) names is not there")
            }
            found.append((named, text))
        }
        for name in [secret.name, secret.name.lowercased()] {
            let path = directory.appending(name).lexicallyNormalized()
            if path != named, let text = try text(of: path, calledInErrors: path.string) { found.append((path, text)) }
        }
        return found
    }

    /// What the file holds, without the end of its last line; nil when there is none.
    private static func text(of path: FilePath, calledInErrors name: String) throws(SettingError) -> String? {
        var bytes: [UInt8]
        do {
            let file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
            bytes = try file.closeAfter { try contents(of: file) }
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch {
            throw SettingError("\(name) cannot be read: \(error)")
        }
        guard bytes.count <= longestSecret else {
            throw SettingError("\(name) has more than \(longestSecret) bytes")
        }
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        }
        guard !bytes.isEmpty, !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingError("\(name) holds no text")
        }
        return text
    }

    /// One byte more than a secret may have, where there are so many.
    private static func contents(of file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count <= longestSecret {
            var part = [UInt8](repeating: 0, count: longestSecret + 1 - bytes.count)
            let count = try part.withUnsafeMutableBytes { try file.read(into: $0) }
            guard count > 0 else { break }
            bytes += part.prefix(count)
        }
        return bytes
    }
}

extension GivenSettings.Origin: CustomStringConvertible {
    var description: String {
        switch self {
        case .environment: "the environment"
        case .file(let path): "the file \(path)"
        }
    }
}
