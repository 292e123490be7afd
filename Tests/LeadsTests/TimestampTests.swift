import Leads
import TestSupport
import Testing

struct TimestampTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_795_239_131_123_456, "2026-11-21T05:32:11.123456Z"),
        (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
        (-2_203_891_200_000_000, "1900-03-01T00:00:00.000000Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ])
    func `a moment is written and read back`(microseconds: Int64, text: String) {
        #expect(Timestamp(microseconds: microseconds).description == text)
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test func `the extremes of Int64 are written, not a crash`() {
        #expect(Timestamp(microseconds: .max).description == "294247-01-10T04:00:54.775807Z")
        #expect(Timestamp(microseconds: .min).description == "-290308-12-21T19:59:05.224192Z")
    }

    @Test(arguments: [
        "", "2026-11-21T", "2026-11-21T05:32:11.", "2026-11-21T05:32:11+", "2026-11-21T05:32:11\u{2212}", "0000-12-31",
        "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-21T05:32:11Z ", "２０２６-11-21", "1795239131",
    ])
    func `a text that is not a moment of the years 1 to 9999 is refused`(text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test func `every day of four centuries follows the one before it`() {
        let lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        var days: Int64 = 0
        for year in 1970..<2370 {
            for month in 1...12 {
                let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
                let length = month == 2 && isLeap ? 29 : lengths[month - 1]
                for day in [1, length] {
                    let text = "\(year)-\(month < 10 ? "0" : "")\(month)-\(day < 10 ? "0" : "")\(day)"
                    let microseconds = (days + Int64(day) - 1) * 86_400_000_000
                    #expect(Timestamp(text)?.microseconds == microseconds)
                    #expect(Timestamp(microseconds: microseconds).description == text + "T00:00:00.000000Z")
                }
                days += Int64(length)
            }
        }
    }

    @Test func `any moment of the years 1 to 9999 survives being written and read`() {
        var generator = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        for _ in 0..<2000 {
            let range: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999
            let timestamp = Timestamp(microseconds: .random(in: range, using: &generator))
            #expect(Timestamp(timestamp.description) == timestamp, "seed \(generator.seed)")
        }
    }

    @Test func `random text is read or refused, never a crash`() {
        var generator = SeededGenerator(seed: UInt64.random(in: 0...UInt64.max))
        for _ in 0..<5000 {
            var bytes = Array("2026-11-21T05:32:11.123456+03:00".utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            bytes.removeLast(.random(in: 0..<bytes.count, using: &generator))
            let text = String(decoding: bytes, as: UTF8.self)
            if let timestamp = Timestamp(text) {
                #expect(Timestamp(timestamp.description) == timestamp, "seed \(generator.seed)")
            }
        }
    }
}
