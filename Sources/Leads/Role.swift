/// What somebody may do.
public enum Role: String, Sendable, CaseIterable {
    /// Registers contacts, and sees those it registered.
    case intake
    /// Works on the contacts it has.
    case `operator`
    /// Sees everything, personal data masked.
    case analyst
    /// Does everything but what admins do.
    case supervisor
    /// Does everything: keys, people, erasure and settings, too.
    case admin

    /// Those that people may have.
    public static let ofPeople: [Role] = [.operator, .analyst, .supervisor, .admin]
    /// Those that keys may have.
    public static let ofKeys: [Role] = [.intake, .analyst, .supervisor, .admin]
}
