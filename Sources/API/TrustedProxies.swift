import Glibc
import HTTPTypes

/// The balancers whose word is taken for where a request comes from.
public struct TrustedProxies: Sendable {
    /// A network is an address with how many of its bits count: `10.0.0.0/8`, `fd00::/8`, `192.168.1.7`.
    public struct InvalidNetwork: Error {}

    private struct Network {
        let address: [UInt8]
        let bits: Int

        func contains(_ other: [UInt8]) -> Bool {
            guard other.count == address.count else { return false }
            for index in address.indices {
                let left = bits - index * 8
                guard left > 0 else { return true }
                let mask: UInt8 = left >= 8 ? 0xFF : ~(0xFF >> UInt8(left))
                guard address[index] & mask == other[index] & mask else { return false }
            }
            return true
        }
    }

    private let networks: [Network]

    /// - Throws: ``InvalidNetwork``.
    public init(_ texts: [String] = []) throws(InvalidNetwork) {
        var networks: [Network] = []
        for text in texts {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count <= 2, let address = Self.address(parts[0]) else { throw InvalidNetwork() }
            let bits = parts.count == 2 ? Int(parts[1]) : address.count * 8
            guard let bits, (0...address.count * 8).contains(bits) else { throw InvalidNetwork() }
            networks.append(Network(address: address, bits: bits))
        }
        self.networks = networks
    }

    /// Trusts nobody.
    public static let none: TrustedProxies = {
        do { return try TrustedProxies() } catch { preconditionFailure("nobody has an address") }
    }()

    private static func address(_ text: some StringProtocol) -> [UInt8]? {
        func parsed(_ family: Int32, length: Int) -> [UInt8]? {
            var bytes = [UInt8](repeating: 0, count: length)
            return inet_pton(family, String(text), &bytes) == 1 ? bytes : nil
        }
        if let bytes = parsed(AF_INET, length: 4) { return bytes }
        guard let bytes = parsed(AF_INET6, length: 16) else { return nil }
        // An address of IPv4 written as one of IPv6 is the same address.
        let isMapped = bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }

    private func trust(_ address: String) -> Bool {
        guard let bytes = Self.address(address) else { return false }
        return networks.contains { $0.contains(bytes) }
    }

    /// Where a request comes from: the last address on its way that is none of the balancers'.
    /// - Parameter peer: at the other end of the connection.
    func origin(of headers: RequestHeaders, peer: String) -> String {
        guard !networks.isEmpty, trust(peer), let forwarded = headers[.forwardedFor] else { return peer }
        var origin = peer
        for hop in forwarded.split(separator: ",").reversed() {
            let address = hop.filter { $0 != " " && $0 != "\t" }
            guard Self.address(address) != nil else { return origin }
            origin = address
            guard trust(address) else { return origin }
        }
        return origin
    }
}

extension HTTPField.Name {
    fileprivate static let forwardedFor = HTTPField.Name("X-Forwarded-For")!
}
