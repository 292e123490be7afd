import Leads

/// The candidates, in order of operator id, with the loads that the decisions so far have left.
///
/// A candidate is *open* while it is active and has a place free. Loads only grow, so whoever closes stays closed.
struct Pool: Sendable {
    let candidates: [Candidate]
    private(set) var loads: [Int]
    /// Free places of the active candidates together.
    private(set) var capacity = 0
    private var openCount = 0
    private var activeCount = 0

    /// - Parameter candidates: in any order; of two with the same operator id only one counts.
    init(_ candidates: [Candidate]) {
        var sorted = candidates.sorted { $0.operatorID < $1.operatorID }
        if zip(sorted, sorted.dropFirst()).contains(where: { $0.operatorID == $1.operatorID }) {
            var last: Int?
            sorted.removeAll { candidate in
                defer { last = candidate.operatorID }
                return candidate.operatorID == last
            }
        }
        self.candidates = sorted
        loads = sorted.map(\.load)
        for index in sorted.indices where sorted[index].isActive {
            activeCount += 1
            capacity += freePlaces(of: index)
            if isOpen(index) { openCount += 1 }
        }
    }

    var indices: Range<Int> { loads.indices }

    /// Where a candidate stands, by binary search.
    func index(of operatorID: Int) -> Int? {
        var (low, high) = (0, candidates.count)
        while low < high {
            let middle = (low + high) / 2
            if candidates[middle].operatorID < operatorID { low = middle + 1 } else { high = middle }
        }
        return low < candidates.count && candidates[low].operatorID == operatorID ? low : nil
    }

    func isOpen(_ index: Int) -> Bool {
        candidates[index].isActive && loads[index] < candidates[index].maxLoad
    }

    /// The places free, 0 for one at its limit or beyond.
    func freePlaces(of index: Int) -> Int {
        max(candidates[index].maxLoad - loads[index], 0)
    }

    func exclusion(of index: Int, excluded: Set<Int>) -> Exclusion? {
        if !candidates[index].isActive { return .inactive }
        if loads[index] >= candidates[index].maxLoad { return .atLimit }
        if excluded.contains(candidates[index].operatorID) { return .released }
        return nil
    }

    /// The open candidates among some operators: those whom their exclusion costs a chance.
    func open(among operatorIDs: Set<Int>) -> [Int] {
        operatorIDs.isEmpty ? [] : operatorIDs.compactMap(index).filter(isOpen)
    }

    /// Why nobody is eligible, the first reason that fits, or nil when somebody is.
    /// - Parameter setAside: how many open candidates are not to be chosen.
    func waitingReason(setAside: Int) -> WaitingReason? {
        if candidates.isEmpty { return .noOperators }
        if activeCount == 0 { return .allInactive }
        if openCount == 0 { return .allAtLimit }
        return openCount == setAside ? .excluded : nil
    }

    /// Gives a candidate one more contact.
    mutating func take(_ index: Int) {
        let wasOpen = isOpen(index)
        loads[index] += 1
        guard wasOpen else { return }
        capacity -= 1
        if !isOpen(index) { openCount -= 1 }
    }
}
