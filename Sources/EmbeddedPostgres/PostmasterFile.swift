/// What a server says about itself in `postmaster.pid`.
struct PostmasterFile: Equatable {
    let pid: Int32
    let socketDirectory: String?

    init?(data: String) {
        guard let text = textFile(data + "/postmaster.pid") else { return nil }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard let pid = Int32(lines[0].trimmed) else { return nil }
        self.pid = pid
        // The lines are: pid, data directory, start time, port, socket directory …
        socketDirectory = lines.count > 4 ? String(lines[4]) : nil
    }
}
