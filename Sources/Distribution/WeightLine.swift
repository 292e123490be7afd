/// The weights of a pool's active operators laid end to end in order of operator id, to draw from without knowing who has
/// room.
///
/// To draw from all of them and to pass over those that turn out to have none gives each of the others the share it has
/// among those that have room (rejection: Devroye, *Non-Uniform Random Variate Generation*, 1986, II.3). So of thousands of
/// operators only those that were drawn need be looked at.
public struct WeightLine: Sendable {
    /// A place on the line, and whose it is.
    public struct Draw: Sendable, Equatable {
        public let position: Int
        public let operatorID: Int
    }

    /// All weights together, 1 or more.
    public let total: Int
    private let operatorIDs: [Int]
    private let starts: [Int]

    /// - Parameter candidates: in any order, each once. Loads and limits do not matter.
    /// - Returns: nil when nobody is active.
    public init?(_ candidates: [Candidate]) {
        let active = candidates.filter(\.isActive).sorted { $0.operatorID < $1.operatorID }
        guard !active.isEmpty else { return nil }
        operatorIDs = active.map(\.operatorID)
        var end = 0
        starts = active.map { candidate in
            defer { end += candidate.weight }
            return end
        }
        total = end
    }

    /// Draws in O(log n).
    public func draw(using generator: inout some RandomNumberGenerator) -> Draw {
        let position = Int.random(in: 0..<total, using: &generator)
        return Draw(position: position, operatorID: operatorIDs[starts.lastIndex(atMost: position) ?? 0])
    }

    /// Where an operator's weight begins, nil for one that was not active.
    public func start(of operatorID: Int) -> Int? {
        operatorIDs.lastIndex(atMost: operatorID).flatMap { operatorIDs[$0] == operatorID ? starts[$0] : nil }
    }
}

/// Candidates that were drawn from a ``WeightLine``, of which they are parts.
struct DrawnShares: Sendable {
    let total: Int
    /// In order of operator id, and so of place.
    private let starts: [Int]
    private let weights: [Int]

    /// - Parameter starts: by operator.
    init(_ pool: Pool, starts: [Int: Int], total: Int) {
        self.total = max(total, 1)
        self.starts = pool.candidates.map { starts[$0.operatorID] ?? Int.max }
        weights = pool.candidates.map(\.weight)
    }

    /// Whose a place on the line is, nil when it is nobody's of these.
    func index(at position: Int) -> Int? {
        guard let index = starts.lastIndex(atMost: position) else { return nil }
        return position - starts[index] < weights[index] ? index : nil
    }

    /// Each candidate's chance in one draw, 0 for those that would be passed over.
    func probabilities(of pool: Pool, without setAside: [Int]) -> [Double] {
        pool.indices.map {
            pool.isOpen($0) && !setAside.contains($0) ? Double(weights[$0]) / Double(total) : 0
        }
    }
}

extension [Int] {
    /// Where the last element up to a number stands in an ascending list, by binary search.
    fileprivate func lastIndex(atMost number: Int) -> Int? {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] <= number { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }
}
