public import Leads

extension Exclusion {
    /// Who is not to be chosen for a contact that some operators have released.
    ///
    /// A contact that everybody has released would wait for ever; then nobody is excluded.
    /// - Parameters:
    ///   - releasedBy: operators that released the contact.
    ///   - configured: all operators of the source, also inactive and full ones.
    /// - Returns: those who released it; nobody when everybody configured is among them.
    public static func effective(releasedBy: [Int], configured: some Sequence<Int>) -> Set<Int> {
        if releasedBy.isEmpty { return [] }
        let released = Set(releasedBy)
        return configured.allSatisfy(released.contains) ? [] : released
    }
}
