internal import CPhoneNumber

/// The country whose rules apply to phone numbers written without a country code.
public struct PhoneRegion: Sendable, Hashable {
    /// Two capital letters of ISO 3166, for instance `RU`.
    public let code: String

    /// Nil when libphonenumber knows no such region.
    public init?(_ code: String) {
        guard leads_phone_region_is_known(code) == 1 else { return nil }
        self.code = code
    }

    public static let russia = PhoneRegion(known: "RU")

    private init(known code: String) {
        self.code = code
    }

    /// What numbers of the country begin with in E.164, after the plus.
    var countryCode: Int { Int(leads_phone_country_code(code)) }

    /// What is dialled before numbers within the country; empty where nothing is.
    var nationalPrefix: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16) { buffer in
            let written = leads_phone_national_prefix(code, buffer.baseAddress, buffer.count)
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<written]), as: UTF8.self)
        }
    }

    /// The number in E.164, or nil when the text is no valid phone number.
    ///
    /// `8 (900) 123-45-67`, `+7 900 123-45-67` and `79001234567` are the same number in Russia. About 10 µs a number; see decision 11.
    public func e164(_ text: String) -> String? {
        var text = text
        // Cheaper than asking the library: no number in the world has fewer digits, which other scripts write in bytes beyond
        // ASCII.
        let mayBeDigits = text.withUTF8 { bytes in
            bytes.reduce(0) { $0 + (UInt8(ascii: "0")...UInt8(ascii: "9") ~= $1 || $1 >= 0x80 ? 1 : 0) }
        }
        guard mayBeDigits >= 3 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            let written = text.withUTF8 { bytes in
                bytes.withMemoryRebound(to: CChar.self) { characters in
                    leads_phone_e164(
                        characters.baseAddress, characters.count, code, buffer.baseAddress, buffer.count)
                }
            }
            guard written > 0 else { return nil }
            return String(
                decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<written]), as: UTF8.self)
        }
    }
}
