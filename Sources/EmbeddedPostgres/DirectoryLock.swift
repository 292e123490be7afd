import Glibc
import SystemPackage

/// A cluster directory's lock, which the kernel frees when the process ends, however it ends.
struct DirectoryLock: Sendable {
    private let file: FileDescriptor

    init(_ directory: ClusterDirectory) throws(EmbeddedPostgresError) {
        let path = directory.path + "/lock"
        do {
            // Without close-on-exec the postmaster would inherit the lock and keep it after our death.
            file = try .open(
                FilePath(path), .readWrite, options: [.create, .noFollow, .closeOnExec], permissions: .ownerReadWrite
            )
        } catch {
            throw .directoryUnusable(path: path, reason: "\(error).")
        }
        guard flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            defer { try? file.close() }
            if reason == EWOULDBLOCK { throw .inUse(directory: directory.path, pid: Int32(file.tail(32).trimmed)) }
            throw .directoryUnusable(path: path, reason: "its file system cannot lock files (\(describe(reason))).")
        }
        if ServerUser.isRoot { fchown(file.rawValue, directory.owner.userID, directory.owner.groupID) }
        ftruncate(file.rawValue, 0)
        _ = try? file.writeAll(toAbsoluteOffset: 0, "\(getpid())\n".utf8)
    }

    /// Unlocks explicitly: a program being launched right now still holds a copy of the descriptor.
    func release() {
        flock(file.rawValue, LOCK_UN)
        try? file.close()
    }
}
