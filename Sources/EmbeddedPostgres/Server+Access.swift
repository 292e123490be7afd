extension Server {
    private var accessPath: String { data + "/pg_hba.conf" }

    /// The first line of a `pg_hba.conf` of ours.
    private static let mark = "# Written by leads-crm at every start. Take this line away to have it left as it is."

    /// Who may connect how: whoever can enter the socket's directory, and nobody over a network.
    private static let accessRules = """
        \(mark)
        local all         all     trust
        local replication all     trust
        host  all         all all reject
        host  replication all all reject

        """

    /// What `initdb --auth=trust` makes of it, without comments.
    private static let initialRules = """
        local all all trust
        host all all 127.0.0.1/32 trust
        host all all ::1/128 trust
        local replication all trust
        host replication all 127.0.0.1/32 trust
        host replication all ::1/128 trust
        """.split(separator: "\n").map(String.init)

    /// Writes `pg_hba.conf` unless somebody has changed it.
    func writeAccessRules() async throws(EmbeddedPostgresError) {
        let found = textFile(accessPath) ?? ""
        guard found != Self.accessRules else { return }
        let rules = found.split(separator: "\n").map { line in
            line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
        guard found.hasPrefix(Self.mark) || [Self.initialRules, Self.initialRules.rejectingHosts].contains(rules) else {
            configuration.progress("\(accessPath) has been changed by hand: it is left as it is")
            return
        }
        try await script(
            #"umask 077; cat > "$1.new" && mv -T -- "$1.new" "$1""#, accessPath
        ).succeed(input: Self.accessRules)
    }
}

extension [String] {
    /// The same rules as `initdb --auth-host=reject` makes them.
    fileprivate var rejectingHosts: [String] {
        map { $0.hasPrefix("host ") ? String($0.dropLast("trust".count)) + "reject" : $0 }
    }
}
