import Foundation
public import Leads

/// The keys of a lead in the forms in which two are compared.
public struct LeadKeys: Sendable, Equatable {
    /// Strongest first: external id, phone, e-mail; at most one of each.
    public let identities: [LeadIdentity]

    /// Reads the keys out of what was given. What is no key (an invalid phone, a blank id) is left out, never an error:
    /// a lead must not be lost to a typing error.
    public init(externalID: String?, phone: String?, email: String?, region: PhoneRegion) {
        var identities: [LeadIdentity] = []
        if let value = externalID.flatMap(Self.normalizedExternalID) {
            identities.append(LeadIdentity(kind: .externalID, value: value))
        }
        if let value = phone.flatMap(region.e164) {
            identities.append(LeadIdentity(kind: .phone, value: value))
        }
        if let value = email.flatMap(Self.normalizedEmail) {
            identities.append(LeadIdentity(kind: .email, value: value))
        }
        self.identities = identities
    }

    /// Trimmed, case-sensitive, in Unicode's composed form (NFC); nil when nothing is left, or more than 1 024 bytes: a few
    /// scripts grow when composed.
    ///
    /// Swift compares strings by canonical equivalence and PostgreSQL by bytes; in one normal form both agree.
    static func normalizedExternalID(_ text: String) -> String? {
        let trimmed = text.trimmingWhitespace()
        let composed = trimmed.composed
        return (1...1024).contains(composed.utf8.count) ? composed : nil
    }

    /// Trimmed and lower-cased; nil unless it has one `@`, something before it, a dotted domain and at most 254 bytes.
    static func normalizedEmail(_ text: String) -> String? {
        let trimmed = text.trimmingWhitespace()
        guard trimmed.utf8.count <= 254, !trimmed.unicodeScalars.contains(where: \.properties.isWhitespace) else {
            return nil
        }
        let parts = trimmed.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        guard labels.count >= 2, labels.allSatisfy({ !$0.isEmpty }) else { return nil }
        return trimmed.lowercased().composed
    }
}

extension String {
    fileprivate var composed: String {
        utf8.allSatisfy { $0 < 0x80 } ? self : precomposedStringWithCanonicalMapping
    }

    fileprivate func trimmingWhitespace() -> String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[first...last])
    }
}
