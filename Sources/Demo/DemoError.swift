/// Why a demonstration cannot begin.
public enum DemoError: Error, Equatable, CustomStringConvertible {
    /// Nobody answers at the address.
    case unreachable(address: String, reason: String)
    /// Somebody answers, but it is no Leads CRM.
    case notLeadsCRM(address: String)
    /// It does not let everybody in, and does not know the key, or was given none.
    case keyWanted(address: String)
    /// The instance refused a request of the preparations.
    case refused(status: Int, detail: String)
    /// It was stopped before it began.
    case stopped

    public var description: String {
        switch self {
        case .unreachable(let address, let reason):
            """
            nothing answers at \(address) (\(reason)).
            Start an instance with `make run` or `leads-crm serve`, or name a running one with --url.
            """
        case .notLeadsCRM(let address): "what answers at \(address) is no Leads CRM; name an instance with --url."
        case .keyWanted(let address):
            "\(address) wants a key it knows: give one with the role supervisor in LEADS_KEY or with --key."
        case .refused(let status, let detail): "a request of the preparations was answered \(status): \(detail)"
        case .stopped: "stopped before it began"
        }
    }
}
