import Distribution
import Leads

func candidate(
    _ id: Int, weight: Int = 1, load: Int = 0, maxLoad: Int = 1_000_000, isActive: Bool = true, credit: Int = 0,
    lastTurn: Int = 0, lastAssignment: Int = 0
) -> Candidate {
    Candidate(
        operatorID: id, weight: weight, load: load, maxLoad: maxLoad, isActive: isActive, credit: credit,
        lastTurn: lastTurn, lastAssignment: lastAssignment)
}

extension Decision {
    /// The operator it chose, or nil when the contact waits.
    var operatorID: Int? {
        if case .placed(let operatorID) = outcome { operatorID } else { nil }
    }
}

extension Distributor {
    /// Decides contacts without circumstances, one after the other; 0 stands for one that waits.
    mutating func sequence(of count: Int, using generator: inout some RandomNumberGenerator) -> [Int] {
        (0..<count).map { _ in decide(using: &generator).operatorID ?? 0 }
    }
}

extension Circumstances {
    static func preferring(_ operatorID: Int, _ rule: Decision.Rule = .sticky) -> Circumstances {
        Circumstances(preferred: Preference(operatorID: operatorID, rule: rule))
    }

    /// Half the time nothing, else some exclusions, a preference or both, among operators 1 to `count` and one unknown.
    static func random(among count: Int, using generator: inout some RandomNumberGenerator) -> Circumstances {
        var circumstances = Circumstances()
        guard Bool.random(using: &generator) else { return circumstances }
        if Bool.random(using: &generator) {
            let likelihood = Int.random(in: 0...4, using: &generator)
            circumstances.excluded = Set(
                (1...count + 1).filter { _ in .random(in: 0..<4, using: &generator) < likelihood })
        }
        if Bool.random(using: &generator) {
            circumstances.preferred = Preference(
                operatorID: .random(in: 1...count + 1, using: &generator),
                rule: Bool.random(using: &generator) ? .sticky : .returned)
        }
        return circumstances
    }
}

extension [Candidate] {
    /// Operators 1 to `count`, many alike, so that ties, limits and inactivity are common.
    static func random(_ count: Int, using generator: inout some RandomNumberGenerator) -> [Candidate] {
        let isUniform = Int.random(in: 0..<4, using: &generator) == 0
        return (0..<count).map {
            candidate(
                $0 + 1, weight: .random(in: 1...6, using: &generator),
                load: isUniform ? 1 : .random(in: 0...4, using: &generator),
                maxLoad: isUniform ? 4 : .random(in: 1...8, using: &generator),
                isActive: .random(in: 0..<5, using: &generator) > 0, credit: .random(in: -9...9, using: &generator),
                lastTurn: .random(in: 0...3, using: &generator) * 2,
                lastAssignment: isUniform ? 7 : .random(in: 0...3, using: &generator))
        }
        .shuffled(using: &generator)
    }
}
