extension Server {
    /// The text of `leads-crm.conf`, which `postgresql.conf` includes.
    var settings: String {
        var values = [
            // The socket directory is private; without TCP there is neither a port to clash over nor one to attack.
            "listen_addresses": "",
            "unix_socket_directories": socketDirectory,
            // Whoever opens the directory to others has not let them in yet.
            "unix_socket_permissions": "0700",
            "port": "5432",
            // Holds the working set of a few million leads.
            "shared_buffers": "256MB",
            // Files of the write-ahead log are used again: making one takes 60 ms, in which no commit ends.
            "min_wal_size": "1GB",
            // Several instances with a pool each, and room for an analyst.
            "max_connections": "200",
            // A transaction of registrations locks up to a thousand keys; room for all instances' at once.
            "max_locks_per_transaction": "256",
            // Allows base backups and replicas without a restart.
            "wal_level": "replica",
            // Lock conflicts are short here, so a second of waiting for the deadlock check would be seen.
            "deadlock_timeout": "200ms",
            "log_lock_waits": "on",
            // Personal data stays out of the log: statements, their parameters and the details of errors may
            // contain it, and so may the messages of errors (`invalid input syntax: "…"`). The application
            // receives each error in full and decides what to record.
            "log_min_messages": "log",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length": "0",
            "log_parameter_max_length_on_error": "0",
        ]
        if configuration.durability == .throwaway {
            values["fsync"] = "off"
            values["full_page_writes"] = "off"
        }
        values.merge(configuration.settings) { $1 }
        return values.sorted { $0.key < $1.key }.map { "\($0) = \(quoted($1))\n" }.joined()
    }

    private func quoted(_ value: String) -> String {
        let escaped = value.map { character in
            switch character {
            case "'": "''"
            case "\\": "\\\\"
            case "\n": "\\n"
            default: String(character)
            }
        }
        return "'\(escaped.joined())'"
    }
}
