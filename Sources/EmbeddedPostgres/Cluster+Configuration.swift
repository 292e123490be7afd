extension Cluster {
    /// What survives a loss of power.
    public enum Durability: Sendable {
        /// Every committed transaction, provided the disk keeps its promises.
        case durable
        /// Nothing is promised: for tests and demonstrations, which start faster without `fsync`.
        case throwaway
    }

    /// Where a cluster lives and how it behaves.
    public struct Configuration: Sendable {
        /// The directory that holds `data`, `run`, `lock` and `postgres.log`; made when missing.
        public var directory: String
        /// The database made in the cluster, and named by its connection string.
        public var databaseName = "leads"
        /// What survives a loss of power.
        public var durability = Durability.durable
        /// Further `postgresql.conf` settings, which win over the defaults.
        public var settings: [String: String] = [:]
        /// Called with one plain English line for each step that takes time.
        public var progress: @Sendable (String) -> Void = { _ in }

        /// Where the cluster goes when the server's account cannot reach `directory`.
        var fallbackRoot = "/var/lib/leads-crm"

        /// Describes a durable cluster in a directory, with the defaults for everything else.
        public init(directory: String) {
            self.directory = directory
        }
    }
}
