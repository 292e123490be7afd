import FoundationEssentials
import Glibc

/// The account the server runs as and that owns its files.
struct ServerUser: Sendable, Equatable {
    let name: String
    let userID: uid_t
    let groupID: gid_t
    let home: String

    static let isRoot = geteuid() == 0

    /// Chooses ourselves, or, when we are root, the directory's owner, the caller of sudo, or `postgres`.
    ///
    /// An existing directory keeps its owner, so that a cluster begun under sudo can be served by a system
    /// unit later, and the other way round.
    static func choose(
        owner: uid_t?,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws(EmbeddedPostgresError) -> ServerUser {
        if !isRoot { return try known(geteuid()) }
        if let owner, owner != 0 { return try known(owner) }
        if let caller = environment["SUDO_UID"].flatMap({ uid_t($0) }), caller != 0 { return try known(caller) }
        guard let postgres = named("postgres") else {
            throw .noServerUser(reason: "there is neither a caller of sudo nor a user called postgres")
        }
        return postgres
    }

    static func named(_ name: String) -> ServerUser? {
        entry { getpwnam_r(name, $0, $1, $2, $3) }
    }

    private static func known(_ userID: uid_t) throws(EmbeddedPostgresError) -> ServerUser {
        guard let user = entry({ getpwuid_r(userID, $0, $1, $2, $3) }) else {
            throw .noServerUser(reason: "the user id \(userID) has no entry in /etc/passwd, which initdb needs")
        }
        return user
    }

    private typealias Lookup = (
        UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
        UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32

    private static func entry(_ lookUp: Lookup) -> ServerUser? {
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64 << 10) { buffer in
            guard lookUp(&record, buffer.baseAddress!, buffer.count, &found) == 0, found != nil else { return nil }
            return ServerUser(
                name: String(cString: record.pw_name),
                userID: record.pw_uid,
                groupID: record.pw_gid,
                home: String(cString: record.pw_dir)
            )
        }
    }
}
