/// A moment, in microseconds since 1970-01-01T00:00:00Z: PostgreSQL's precision.
public struct Timestamp: Sendable, Hashable, Comparable {
    /// Microseconds since the Unix epoch; negative before it.
    public let microseconds: Int64

    /// The moment that many microseconds after the Unix epoch.
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    /// Reads a moment written as RFC 3339 or ISO 8601, or answers nil.
    ///
    /// A date, alone or followed by `T`, `t`, `_` or a space and a time `05:32` or `05:32:11` with an optional fraction
    /// (digits beyond the sixth are dropped) and an optional offset `Z`, `+03:00` or `+0300`; without one the time is
    /// UTC. Years 0001 to 9999.
    public init?(_ text: String) {
        guard let timestamp = try? Timestamp(parsing: text) else { return nil }
        self = timestamp
    }

    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.microseconds < right.microseconds
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC, always with six digits: `2026-11-21T05:32:11.123456Z`.
    public var description: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(27)
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the description without an intermediate string.
    ///
    /// A year beyond 9999 is written with as many digits as it needs and one before 0 with a minus sign, as ISO 8601
    /// has it; the server itself never produces either.
    public func append(to bytes: inout [UInt8]) {
        // Flooring, so that a moment before the epoch falls on the day and the second it belongs to.
        let (seconds, fraction) = microseconds.floored(by: 1_000_000)
        let (days, time) = seconds.floored(by: 86_400)
        let date = CalendarDate(daysSinceEpoch: days)
        if date.year < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.append(date.year.magnitude, digits: date.year.magnitude > 9999 ? 6 : 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(date.month.magnitude, digits: 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(date.day.magnitude, digits: 2)
        bytes.append(UInt8(ascii: "T"))
        bytes.append((time / 3600).magnitude, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append((time / 60 % 60).magnitude, digits: 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append((time % 60).magnitude, digits: 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(fraction.magnitude, digits: 6)
        bytes.append(UInt8(ascii: "Z"))
    }
}

extension Timestamp {
    /// Why a text is not a moment, in the words of pydantic's date parser.
    enum Malformation: String, Error {
        case tooShort = "input is too short"
        case year = "invalid character in year"
        case month = "invalid character in month"
        case day = "invalid character in day"
        case separator = "invalid date separator, expected `-`"
        case monthRange = "month value is outside expected range of 1-12"
        case dayRange = "day value is outside expected range"
        // Whatever is wrong with the time: pydantic falls back to reading a date and reports what follows it.
        case time = "unexpected extra characters at the end of the input"
        case yearRange = "year 0 is out of range"
    }

    init(parsing text: String) throws(Malformation) {
        let bytes = Array(text.utf8)
        guard bytes.count >= 10 else { throw .tooShort }
        var scanner = DigitScanner(bytes: bytes)
        guard let year = scanner.number(digits: 4) else { throw .year }
        guard scanner.skip("-") else { throw .separator }
        guard let month = scanner.number(digits: 2) else { throw .month }
        guard scanner.skip("-") else { throw .separator }
        guard let day = scanner.number(digits: 2) else { throw .day }
        guard 1...12 ~= month else { throw .monthRange }
        guard 1...CalendarDate.length(ofMonth: month, year: year) ~= day else { throw .dayRange }
        guard let time = scanner.isAtEnd ? 0 : scanner.timeOfDay() else { throw .time }
        let days = CalendarDate(year: year, month: month, day: day).daysSinceEpoch
        self.init(microseconds: days * 86_400_000_000 + time)
        // An offset can also push the first or the last day out of the years that PostgreSQL and Python can write.
        guard Timestamp.writable.contains(self) else { throw .yearRange }
    }

    private static let writable =
        Timestamp(microseconds: -62_135_596_800_000_000)...Timestamp(microseconds: 253_402_300_799_999_999)
}

/// A date of the proleptic Gregorian calendar.
///
/// The conversions are Howard Hinnant's `days_from_civil` and `civil_from_days`
/// (https://howardhinnant.github.io/date_algorithms.html): years begin in March, so that the leap day is the last, and
/// repeat every 400 years, an era of 146 097 days.
private struct CalendarDate {
    var year: Int64
    var month: Int64
    var day: Int64

    init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    init(daysSinceEpoch: Int64) {
        // 719 468 days lie between 0000-03-01 and 1970-01-01.
        let days = daysSinceEpoch + 719_468
        let (era, dayOfEra) = days.floored(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    var daysSinceEpoch: Int64 {
        let year = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = year.floored(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func length(ofMonth month: Int64, year: Int64) -> Int64 {
        switch month {
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Reads the fixed-width numbers of which dates and times are made.
private struct DigitScanner {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func number(digits: Int) -> Int64? {
        guard bytes.count - position >= digits else { return nil }
        var number: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            number = number * 10 + digit
        }
        return number
    }

    /// Skips one of the characters of `choice`, all ASCII.
    mutating func skip(_ choice: StaticString) -> Bool {
        guard !isAtEnd, choice.withUTF8Buffer({ $0.contains(bytes[position]) }) else { return false }
        position += 1
        return true
    }

    /// The microseconds since midnight UTC of `T05:32:11.123456+03:00`, to the end of the text.
    mutating func timeOfDay() -> Int64? {
        guard skip("Tt_ "), let hour = number(digits: 2), hour < 24, skip(":"),
            let minute = number(digits: 2), minute < 60
        else { return nil }
        var microseconds = (hour * 3600 + minute * 60) * 1_000_000
        if skip(":") {
            guard let second = number(digits: 2), second < 60 else { return nil }
            microseconds += second * 1_000_000
            if skip(".,") {
                guard let fraction = fraction() else { return nil }
                microseconds += fraction
            }
        }
        guard let offset = isAtEnd ? 0 : offset(), isAtEnd else { return nil }
        return microseconds - offset
    }

    /// The microseconds of a fraction of at least one digit.
    private mutating func fraction() -> Int64? {
        guard var microseconds = digit() else { return nil }
        microseconds *= 100_000
        var unit: Int64 = 10_000
        while let digit = digit() {
            microseconds += digit * unit
            unit /= 10
        }
        return microseconds
    }

    /// The microseconds by which local time is ahead of UTC.
    private mutating func offset() -> Int64? {
        if skip("Zz") { return 0 }
        // U+2212 MINUS SIGN, which ISO 8601 prefers to the hyphen and pydantic accepts.
        let minus: [UInt8] = [0xE2, 0x88, 0x92]
        let isTypographic = bytes[position...].starts(with: minus)
        if isTypographic { position += minus.count }
        let isBehind = isTypographic || skip("-")
        guard isBehind || skip("+"), let hours = number(digits: 2), hours < 24 else { return nil }
        _ = skip(":")
        guard let minutes = number(digits: 2), minutes < 60 else { return nil }
        let microseconds = (hours * 3600 + minutes * 60) * 1_000_000
        return isBehind ? -microseconds : microseconds
    }

    private mutating func digit() -> Int64? {
        guard !isAtEnd, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] else { return nil }
        defer { position += 1 }
        return Int64(bytes[position] - UInt8(ascii: "0"))
    }
}

extension Int64 {
    /// The quotient rounded towards negative infinity, where `/` rounds towards zero, and what remains, which is never
    /// negative. Requires a positive divisor.
    fileprivate func floored(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

extension [UInt8] {
    /// Appends a decimal number of at most `digits` digits, padded with zeros.
    fileprivate mutating func append(_ number: UInt64, digits: Int) {
        append(contentsOf: repeatElement(UInt8(ascii: "0"), count: digits))
        var rest = number
        var index = count - 1
        while rest > 0 {
            self[index] += UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
            index -= 1
        }
    }
}
