import Glibc
import StableHash
import SystemPackage

/// The directory everything of a cluster lives in, and the account that owns it.
struct ClusterDirectory: Sendable {
    let path: String
    let owner: ServerUser

    var data: String { path + "/data" }
    var log: String { path + "/postgres.log" }

    /// Where the cluster is or would be: the wanted directory and its substitute.
    static func candidates(_ configuration: Cluster.Configuration) -> [String] {
        let wanted = resolved(configuration.directory)
        return [wanted, fallback(for: wanted, configuration)]
    }

    /// Without leading zeros, as directories of earlier versions are called.
    private static func name(of path: String) -> String {
        String(FNV1a<UInt64>(path.utf8).value, radix: 16)
    }

    private static func fallback(for wanted: String, _ configuration: Cluster.Configuration) -> String {
        configuration.fallbackRoot + "/" + Self.name(of: wanted)
    }

    /// Makes the wanted directory, or its substitute when the server's account cannot reach it.
    static func prepare(_ configuration: Cluster.Configuration) async throws(EmbeddedPostgresError) -> Self {
        let wanted = resolved(configuration.directory)
        // pg_ctl puts the path into a shell command between double quotes, as it is.
        guard !wanted.contains(where: { "\"$`\\".contains($0) || $0.isNewline }) else {
            throw .directoryUnusable(
                path: wanted, reason: "PostgreSQL's tools cannot handle quotes, `$`, `\\` or line breaks in a path."
            )
        }
        let fallback = fallback(for: wanted, configuration)
        // Data already in the fallback stays there even if the wanted path has become reachable since.
        if !exists(wanted + "/data"), exists(fallback + "/data") {
            configuration.progress("The data of \(wanted) is in \(fallback)")
            return try make(fallback, owner: .choose(owner: status(fallback)?.st_uid))
        }
        let owner = try ServerUser.choose(owner: status(wanted)?.st_uid)
        if ServerUser.isRoot, try await !owner.canEnter(parentOf: wanted) {
            configuration.progress("The user \(owner.name) cannot reach \(wanted): using \(fallback) instead")
            return try make(fallback, owner: .choose(owner: status(fallback)?.st_uid))
        }
        return try make(wanted, owner: owner)
    }

    private static func make(_ path: String, owner: ServerUser) throws(EmbeddedPostgresError) -> Self {
        try makeParents(of: FilePath(path))
        let isNew = mkdir(path, 0o700) == 0
        let reason = errno
        guard isNew || reason == EEXIST else { throw .directoryUnusable(path: path, reason: "\(describe(reason)).") }
        let options: FileDescriptor.OpenOptions = [.directory, .noFollow, .closeOnExec]
        guard let directory = try? FileDescriptor.open(FilePath(path), .readOnly, options: options) else {
            throw .directoryUnusable(path: path, reason: "it is not a directory we may read (\(describe(errno))).")
        }
        defer { try? directory.close() }
        var found = stat()
        fstat(directory.rawValue, &found)
        if found.st_uid == 0, ServerUser.isRoot {
            // Giving away a directory that holds something else (think of /etc) would be a disaster.
            guard isNew || isEmptyDirectory(path) else {
                throw .directoryUnusable(path: path, reason: "it belongs to root and is not empty.")
            }
            guard fchown(directory.rawValue, owner.userID, owner.groupID) == 0 else {
                throw .directoryUnusable(path: path, reason: "\(describe(errno)).")
            }
            fchmod(directory.rawValue, 0o700)
        } else if found.st_uid != owner.userID {
            throw .directoryUnusable(
                path: path,
                reason: "it belongs to the user id \(found.st_uid); run leads-crm as that user or as root."
            )
        }
        return Self(path: path, owner: owner)
    }

    private static func makeParents(of path: FilePath) throws(EmbeddedPostgresError) {
        let parent = path.removingLastComponent()
        guard parent != path, !exists(parent.string) else { return }
        try makeParents(of: parent)
        guard mkdir(parent.string, 0o755) == 0 || errno == EEXIST else {
            throw .directoryUnusable(path: parent.string, reason: "\(describe(errno)).")
        }
        // Whatever our umask, the server's account has to pass through.
        if ServerUser.isRoot { chmod(parent.string, 0o755) }
    }

    /// The private directory of the server's socket: `run`, or one in /tmp when that path is too long.
    ///
    /// Authentication is `trust`, so being able to enter this directory, and to open the socket in it, is the whole of the
    /// access control: only its owner and root can.
    func socketDirectory() async throws(EmbeddedPostgresError) -> String {
        var socket = path + "/run"
        // The kernel allows 107 bytes, and a comma separates hosts in a connection string.
        if socket.utf8.count + "/.s.PGSQL.5432".utf8.count >= 107 || socket.contains(",") {
            socket = "/tmp/leads-crm-\(owner.userID)-\(Self.name(of: path))"
        }
        _ = try await Command(script: #"mkdir -m 700 -- "$1""#, [socket], as: owner).run()
        guard let found = status(socket),
            found.st_mode & S_IFMT == S_IFDIR, found.st_uid == owner.userID, found.st_mode & 0o077 == 0
        else {
            throw .directoryUnusable(
                path: socket,
                reason: "the server's socket needs a directory of the user \(owner.name) with mode 0700. Remove it."
            )
        }
        return socket
    }
}

extension ServerUser {
    fileprivate func canEnter(parentOf path: String) async throws(EmbeddedPostgresError) -> Bool {
        var parent = FilePath(path).removingLastComponent()
        while !exists(parent.string) { parent.removeLastComponent() }
        // Passing through every directory above is part of testing the last one.
        return try await Command(script: #"test -x "$1""#, [parent.string], as: self).run().succeeded
    }
}
