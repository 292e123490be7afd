import Foundation

/// Everything a demonstration decides by itself: the same for the same seed, whatever the instance answers.
public struct Scenario: Sendable {
    /// What makes two runs the same.
    public let seed: UInt64
    /// Contacts per second, on average.
    public let rate: Double

    /// - Parameter rate: contacts per second, above 0.
    public init(seed: UInt64, rate: Double) {
        self.seed = seed
        self.rate = rate
    }

    struct Worker: Sendable, Equatable {
        let name: String
        let maxLoad: Int
    }

    struct Channel: Sendable, Equatable {
        let name: String
        let description: String
        let strategy: String
        /// How often contacts come this way, in percent.
        let traffic: Int
        /// By the operator's name.
        let weights: [String: Int]
    }

    static let workers = [
        Worker(name: "Anna Demo", maxLoad: 8),
        Worker(name: "Boris Demo", maxLoad: 6),
        Worker(name: "Clara Demo", maxLoad: 6),
        Worker(name: "David Demo", maxLoad: 5),
        Worker(name: "Elena Demo", maxLoad: 4),
        Worker(name: "Farid Demo", maxLoad: 3),
    ]

    static let telegram = Channel(
        name: "Telegram bot (demo)", description: "Invented customers of `leads-crm demo`",
        strategy: "weighted_random", traffic: 35, weights: ["Anna Demo": 30, "Boris Demo": 20, "Clara Demo": 10])
    static let website = Channel(
        name: "Website form (demo)", description: "Invented customers of `leads-crm demo`",
        strategy: "weighted_capacity", traffic: 30,
        weights: ["Boris Demo": 10, "Clara Demo": 20, "David Demo": 20, "Elena Demo": 10])
    static let whatsApp = Channel(
        name: "WhatsApp (demo)", description: "Invented customers of `leads-crm demo`",
        strategy: "weighted_random", traffic: 25,
        weights: ["Anna Demo": 20, "David Demo": 20, "Elena Demo": 20, "Farid Demo": 10])
    static let instagram = Channel(
        name: "Instagram (demo)", description: "Invented customers of `leads-crm demo`",
        strategy: "weighted_random", traffic: 10,
        weights: ["Clara Demo": 10, "Elena Demo": 20, "Farid Demo": 30])

    static let channels = [telegram, website, whatsApp, instagram]

    /// The contacts in order of arrival, without an end.
    var arrivals: Arrivals { Arrivals(self) }

    /// The breaks operators take, in order, without an end.
    func breaks(period: Double) -> Breaks { Breaks(self, period: period) }

    /// How an operator deals with one contact.
    func handling(ofContact id: Int, version: Int) -> Handling {
        var generator = SplitMix64(seed: seed &+ UInt64(truncatingIfNeeded: id) << 8, purpose: UInt64(version) &+ 16)
        return Handling(
            effort: min(generator.logNormal(mean: 1, sigma: 0.5), 4),
            comesBackAfter: generator.chance(0.05) ? generator.exponential(mean: 0.5) : nil)
    }
}

/// One contact and when it arrives.
struct Arrival: Sendable, Equatable {
    /// From 1.
    let number: Int
    /// After the beginning.
    let offset: Duration
    let channel: Scenario.Channel
    let person: Person
    let externalID: String?
    let phone: String?
    let email: String?
    let message: String?
    let priority: Int
}

/// A Poisson process of contacts: new people and people who come back.
struct Arrivals: Sequence, IteratorProtocol {
    private let rate: Double
    private var generator: SplitMix64
    private var number = 0
    private var seconds = 0.0
    private var recent: [Int] = []
    private static let remembered = 500

    init(_ scenario: Scenario) {
        rate = scenario.rate
        generator = SplitMix64(seed: scenario.seed, purpose: 1)
    }

    mutating func next() -> Arrival? {
        number += 1
        seconds += generator.exponential(mean: 1 / rate)
        let person = nextPerson()
        let channel = generator.pick(Scenario.channels) { $0.traffic }
        let message = generator.pick(Message.all) { $0.frequency }
        let text = message.text(inRussian: person.writesRussian, using: &generator)
        let phone = person.phone(notation: .random(in: 0...3, using: &generator))
        let isSilent = message.priority == 0 && generator.chance(0.05)
        return Arrival(
            number: number, offset: .seconds(seconds), channel: channel, person: person,
            externalID: [Scenario.telegram, Scenario.instagram].contains(channel) ? person.externalID : nil,
            phone: channel == Scenario.instagram ? nil : phone,
            email: [Scenario.website, Scenario.instagram].contains(channel) ? person.email : nil,
            message: isSilent ? nil : text, priority: message.priority)
    }

    private mutating func nextPerson() -> Person {
        if generator.chance(0.3), let known = recent.randomElement(using: &generator) { return Person(known) }
        let new = Int.random(in: 0..<Person.count, using: &generator)
        if recent.count < Self.remembered {
            recent.append(new)
        } else {
            recent[number % Self.remembered] = new
        }
        return Person(new)
    }
}

/// One operator's absence.
struct Break: Sendable, Equatable {
    let worker: Scenario.Worker
    /// After the beginning.
    let offset: Duration
    let length: Duration
    /// Whether the colleagues get the contacts at hand.
    let handsOver: Bool
}

/// Somebody is away now and then, never two at once.
struct Breaks: Sequence, IteratorProtocol {
    private var generator: SplitMix64
    private let period: Double
    private var seconds = 0.0

    init(_ scenario: Scenario, period: Double) {
        generator = SplitMix64(seed: scenario.seed, purpose: 2)
        self.period = period
    }

    mutating func next() -> Break? {
        seconds += period * .random(in: 0.2...0.5, using: &generator)
        let length = period * .random(in: 0.15...0.4, using: &generator)
        defer { seconds += length }
        return Break(
            worker: Scenario.workers[Int.random(in: 0..<Scenario.workers.count, using: &generator)],
            offset: .seconds(seconds), length: .seconds(length), handsOver: generator.chance(0.4))
    }
}

/// How long one contact takes, and whether it comes back.
struct Handling: Sendable, Equatable {
    /// As a multiple of what is usual at the time.
    let effort: Double
    /// In usual handling times after it was closed; nil when it stays closed.
    let comesBackAfter: Double?
}

/// The ups and downs of a working day, compressed: calm, then a rush in which not everybody finds a place, then calm.
struct Tide: Sendable {
    /// In seconds.
    let period: Double
    private let secondsPerPlace: Double

    /// - Parameter places: how many contacts all operators together can hold.
    init(rate: Double, places: Int) {
        secondsPerPlace = Double(places) / rate
        period = max(30, 4 * secondsPerPlace)
    }

    /// The mean handling time, in seconds, of a contact that an operator gets at this second: what keeps the operators
    /// from 20 % to 120 % busy.
    func handlingTime(at seconds: Double) -> Double {
        secondsPerPlace * (0.7 - 0.5 * cos(2 * Double.pi * seconds / period))
    }
}
