import Identity
import Testing

@testable import Demo

struct ScenarioTests {
    private func arrivals(seed: UInt64 = 1, rate: Double = 5, count: Int = 2_000) -> [Arrival] {
        Array(Scenario(seed: seed, rate: rate).arrivals.prefix(count))
    }

    @Test func `the same seed sends the same, another seed does not`() throws {
        #expect(arrivals(seed: 7) == arrivals(seed: 7))
        #expect(arrivals(seed: 7) != arrivals(seed: 8))
        let scenario = Scenario(seed: 7, rate: 5)
        #expect(
            Array(scenario.breaks(period: 30).prefix(50))
                == Array(Scenario(seed: 7, rate: 5).breaks(period: 30).prefix(50)))
        #expect(
            scenario.handling(ofContact: 3, version: 1) == Scenario(seed: 7, rate: 5).handling(ofContact: 3, version: 1)
        )

        let staff = Staff(
            workers: [], channelIDs: Dictionary(uniqueKeysWithValues: zip(Scenario.channels.map(\.name), 1...)),
            weights: [:])
        let bodies = try (0..<2).map { _ in
            try arrivals(seed: 7, count: 100).map {
                try Wire.encode(#require(Wire.NewContact($0, staff, eventID: "x")))
            }
        }
        #expect(bodies[0] == bodies[1])
    }

    @Test(arguments: [0.5, 5, 200])
    func `gaps between arrivals are exponential with the rate's mean`(rate: Double) {
        let count = 20_000
        let offsets = arrivals(rate: rate, count: count).map(\.offset.inSeconds)
        #expect(zip(offsets, offsets.dropFirst()).allSatisfy { $0 <= $1 })
        let gaps = zip([0] + offsets, offsets).map { $1 - $0 }
        let mean = gaps.reduce(0, +) / Double(count)
        #expect(abs(mean * rate - 1) < 5 / Double(count).squareRoot())
        // An exponential's standard deviation is its mean.
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        #expect(abs(variance.squareRoot() * rate - 1) < 0.05)
    }

    @Test func `every phone number is from a range set aside for fiction, and one person's`() {
        let fictitious =
            ["207946", "113496", "114496", "117496", "121496", "131496", "141496", "151496", "161496"]
            .map { (prefix: "+44\($0)0", digits: 13) }
            + ["202", "206", "212", "213", "305", "312", "404", "415", "617", "702"]
            .map { (prefix: "+1\($0)55501", digits: 12) }
        var numbers: Set<String> = []
        for number in 0..<Person.count {
            let phone = Person(number).phone
            numbers.insert(phone)
            #expect(fictitious.contains { phone.hasPrefix($0.prefix) && phone.count == $0.digits }, "\(phone)")
        }
        #expect(numbers.count == Person.count)
    }

    @Test func `the product reads every notation of a phone number as the same`() {
        for number in stride(from: 0, to: Person.count, by: 7) {
            let person = Person(number)
            for notation in 0..<4 {
                #expect(PhoneRegion.russia.e164(person.phone(notation: notation)) == person.phone)
            }
        }
    }

    @Test func `every e-mail address is at an example domain`() {
        let domains = Set((0..<Person.count).map { Person($0).email.split(separator: "@").last })
        #expect(domains == ["example.com", "example.net", "example.org"])
        #expect(Set((0..<Person.count).map { Person($0).email }).count == Person.count)
    }

    @Test func `contacts are what the API takes`() {
        for arrival in arrivals() {
            #expect((0...9).contains(arrival.priority))
            #expect(arrival.message?.contains("{") != true)
            #expect(arrival.phone != nil || arrival.email != nil)
        }
        #expect(Set(arrivals().map(\.channel.name)).count == Scenario.channels.count)
    }

    @Test func `some people come back`() {
        let people = arrivals().map(\.person.number)
        let returning = people.count - Set(people).count
        #expect((400...1_000).contains(returning), "\(returning)")
    }

    @Test func `weights are valid and of known operators`() {
        let names = Set(Scenario.workers.map(\.name))
        #expect(names.count == Scenario.workers.count)
        for channel in Scenario.channels {
            #expect(channel.weights.count > 1)
            #expect(channel.weights.allSatisfy { names.contains($0.key) && (1...1_000_000).contains($0.value) })
        }
        #expect(Scenario.channels.reduce(0) { $0 + $1.traffic } == 100)
        #expect(Scenario.workers.allSatisfy { (1...1_000_000).contains($0.maxLoad) })
    }

    @Test func `never two operators are on a break at once`() {
        let breaks = Array(Scenario(seed: 1, rate: 5).breaks(period: 30).prefix(500))
        for (one, next) in zip(breaks, breaks.dropFirst()) { #expect(one.offset + one.length < next.offset) }
        #expect(Set(breaks.map(\.handsOver)).count == 2)
    }

    @Test(arguments: [
        ("60", 60.0), ("90s", 90), ("5m", 300), ("2h", 7_200), ("0.5m", 30), ("0", nil), ("forever", nil),
    ])
    func `lengths are read`(text: String, seconds: Double?) {
        #expect(RunLength(text) == RunLength(duration: seconds.map { .seconds($0) }))
    }

    @Test(arguments: ["", "s", "-5", "5d", "nan", "1e99", "for ever"])
    func `what is no length is refused`(text: String) {
        #expect(RunLength(text) == nil)
    }
}
