import FoundationEssentials
import Glibc
import Subprocess

/// The PostgreSQL server of one cluster directory, whose lock the caller holds.
struct Server: Sendable {
    let directory: ClusterDirectory
    let binaries: Binaries
    let socketDirectory: String
    let configuration: Cluster.Configuration

    /// Crash recovery may take minutes, and pg_ctl notices at once when the server gives up.
    private static let patience = Duration.seconds(900)

    var data: String { directory.data }

    func connectionString(as role: String) -> String {
        Self.connectionString(socketDirectory: socketDirectory, to: configuration.databaseName, as: role)
    }

    /// For PostgreSQL's tools, which work in a database that is always there.
    private var administration: String {
        Self.connectionString(socketDirectory: socketDirectory, to: "postgres", as: Cluster.superuser)
    }

    static func connectionString(socketDirectory: String, to database: String, as role: String) -> String {
        func quoted(_ value: String) -> String {
            let escaped = value.map { "'\\".contains($0) ? "\\\($0)" : String($0) }
            return "'\(escaped.joined())'"
        }
        return "host=\(quoted(socketDirectory)) port=5432 user=\(quoted(role)) dbname=\(quoted(database))"
    }

    private func command(_ tool: String, _ arguments: [String]) -> Command {
        Command(binaries.tool(tool), arguments, as: directory.owner)
    }

    func script(_ script: String, _ arguments: String...) -> Command {
        Command(script: script, arguments, as: directory.owner)
    }

    // Everything inside the directory is made, renamed and removed by programs that run as its owner: what its
    // owner may have put there, links included, then gives nobody the power of root.

    /// Makes the data directory unless there is one.
    ///
    /// It is made under another name and renamed when complete, so `data` is never half a cluster.
    func initialise() async throws(EmbeddedPostgresError) {
        if let madeBy = textFile(data + "/PG_VERSION")?.trimmed {
            guard madeBy == binaries.majorVersion else {
                throw .versionMismatch(
                    directory: data, madeBy: madeBy, found: binaries.version, binaries: binaries.directory
                )
            }
            return
        }
        guard !exists(data) || isEmptyDirectory(data) else { throw .notACluster(path: data) }
        let unfinished = data + ".initializing"
        if exists(unfinished) {
            configuration.progress("Removing \(unfinished), which an interrupted start left behind")
        }
        configuration.progress("Initialising a PostgreSQL \(binaries.version) cluster in \(data)")
        // Sorting by code point is the same on every machine and survives upgrades of the system's library.
        for locale in ["C.UTF-8", "C"] {
            try await script(#"rm -rf -- "$1""#, unfinished).succeed(within: .seconds(120))
            let durability = configuration.durability == .durable ? "--data-checksums" : "--no-sync"
            let initdb = command(
                "initdb",
                [
                    "--pgdata=\(unfinished)", "--encoding=UTF8", "--locale=\(locale)", "--auth-local=trust",
                    "--auth-host=reject", "--username=\(Cluster.superuser)", durability,
                ]
            )
            let outcome = try await initdb.run(within: .seconds(300))
            if outcome.succeeded { break }
            guard locale != "C", outcome.output.contains("locale") else {
                throw .commandFailed(command: "initdb", reason: outcome.output.lastLines(20))
            }
        }
        try await script(#"mv -T -- "$1" "$2" && sync -- "$3""#, unfinished, data, directory.path).succeed()
    }

    /// Starts the server, or adopts the one that an earlier life of ours left running.
    func launch() async throws(EmbeddedPostgresError) {
        if try await adopt() { return }
        try await endProcesses(after: .seconds(10))
        try await writeSettings()
        try await writeAccessRules()
        let before = PostmasterFile(data: data)
        do {
            try await runPostmaster()
        } catch {
            // PostgreSQL replaces the file of a dead server itself, but believes the file when its pid has been
            // taken by another program of the same account, as happens after a reboot or in a container.
            guard let before, before == PostmasterFile(data: data), try await processes().isEmpty else {
                throw error
            }
            configuration.progress("Removing \(data)/postmaster.pid, whose process \(before.pid) is another program")
            try await script(
                #"rm -f -- "$1/postmaster.pid" "$2/.s.PGSQL.5432.lock""#, data, socketDirectory
            ).succeed()
            try await runPostmaster()
        }
    }

    private func runPostmaster() async throws(EmbeddedPostgresError) {
        configuration.progress("Starting PostgreSQL \(binaries.version)")
        let waiting = reportWaiting("PostgreSQL is not ready yet; after a crash it first replays its log")
        defer { waiting.cancel() }
        let seconds = Self.patience.components.seconds
        let start = command(
            "pg_ctl", ["start", "--silent", "-w", "-t", "\(seconds)", "-D", data, "-l", directory.log]
        )
        let outcome: Command.Outcome
        do {
            outcome = try await start.run(within: Self.patience + .seconds(10), cancellable: true)
        } catch {
            try await halt()
            throw error
        }
        guard outcome.succeeded else {
            try await halt()
            throw .startFailed(reason: outcome.reason, log: (textFile(directory.log) ?? "").lastLines(20))
        }
    }

    /// Waits until a server that runs in the data directory accepts connections; stops it if it cannot be ours.
    private func adopt() async throws(EmbeddedPostgresError) -> Bool {
        guard let pid = try await postmaster() else { return false }
        configuration.progress("PostgreSQL (pid \(pid)) is still running from an earlier start")
        let waiting = reportWaiting("PostgreSQL (pid \(pid)) does not accept connections yet")
        defer { waiting.cancel() }
        let clock = ContinuousClock()
        let began = clock.now
        var lastAnswer = began
        while try await postmaster() == pid, clock.now - began < Self.patience {
            guard PostmasterFile(data: data)?.socketDirectory == socketDirectory,
                textFile(settingsPath) == settings
            else {
                configuration.progress("It was started with other settings: restarting it")
                break
            }
            let isReady = command("pg_isready", ["-q", "-t", "3", "-d", administration])
            let answer = try await isReady.run()
            if answer.succeeded { return true }
            // 1: starting up or shutting down; 2: no answer.
            if answer.status == .exited(1) { lastAnswer = clock.now }
            if clock.now - lastAnswer > .seconds(10) {
                configuration.progress("It does not answer: restarting it")
                break
            }
            try await pause()
        }
        try await halt()
        return false
    }

    /// Makes the database unless there is one.
    func createDatabase() async throws(EmbeddedPostgresError) {
        let name = configuration.databaseName
        let literal = name.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''")
        let identifier = name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        if try await query("select 1 from pg_database where datname = '\(literal)'") == "1" { return }
        configuration.progress("Creating the database \(name)")
        try await query("create database \"\(identifier)\"")
    }

    @discardableResult
    private func query(_ sql: String) async throws(EmbeddedPostgresError) -> String {
        try await command(
            "psql", ["-X", "-A", "-t", "-q", "-w", "-c", sql, administration]
        ).succeed()
    }

    /// Stops the server: politely, and if that takes too long at once, which costs a recovery but no data.
    func halt() async throws(EmbeddedPostgresError) {
        // pg_ctl signals whatever process has the pid in postmaster.pid, so it has to be the server.
        guard try await postmaster() != nil else { return }
        let fast = try await stop(mode: "fast", seconds: 60)
        if fast.succeeded { return }
        guard try await postmaster() != nil else { return }
        let immediate = try await stop(mode: "immediate", seconds: 15)
        guard try await postmaster() == nil else {
            throw .stopFailed(directory: data, reason: immediate.reason)
        }
    }

    private func stop(mode: String, seconds: Int) async throws(EmbeddedPostgresError) -> Command.Outcome {
        let arguments = ["stop", "--silent", "-w", "-m", mode, "-t", "\(seconds)", "-D", data]
        return try await command("pg_ctl", arguments).run(within: .seconds(seconds + 5))
    }

    /// Kills what still runs in the data directory, once it has had its time to end by itself.
    func endProcesses(after grace: Duration) async throws(EmbeddedPostgresError) {
        let clock = ContinuousClock()
        let began = clock.now
        while true {
            let running = try await processes()
            if running.isEmpty { return }
            if clock.now - began > grace + .seconds(30) {
                throw .stopFailed(directory: data, reason: "the processes \(running) do not end.")
            }
            if clock.now - began >= grace {
                for pid in running { _ = Glibc.kill(pid, SIGKILL) }
            }
            try await pause()
        }
    }

    /// Whether the process that the data directory names as its server exists.
    var isAlive: Bool {
        guard let pid = PostmasterFile(data: data)?.pid else { return false }
        return Glibc.kill(pid, 0) == 0 || errno == EPERM
    }

    /// The pid of the running server, if there is one.
    private func postmaster() async throws(EmbeddedPostgresError) -> Int32? {
        guard let pid = PostmasterFile(data: data)?.pid else { return nil }
        return try await processes().contains(pid) ? pid : nil
    }

    /// Every PostgreSQL process that works in the data directory.
    ///
    /// Their working directory tells them from another cluster's and from programs that were given an old pid.
    /// Only their own account may look at it, even root may not in a container.
    private func processes() async throws(EmbeddedPostgresError) -> [Int32] {
        let listing = try await script(
            #"""
            for process in /proc/[0-9]*; do
                [ "$process/cwd" -ef "$1" ] && read -r name < "$process/comm" && [ "$name" = postgres ] &&
                    echo "${process#/proc/}"
            done 2> /dev/null
            true
            """#,
            data
        ).succeed()
        return listing.split(separator: "\n").compactMap { Int32($0) }
    }

    private var settingsPath: String { data + "/leads-crm.conf" }

    private func writeSettings() async throws(EmbeddedPostgresError) {
        try await script(
            #"""
            umask 077
            cd -- "$1" || exit
            line="include 'leads-crm.conf'"
            grep -qx "$line" postgresql.conf || printf '\n%s\n' "$line" >> postgresql.conf
            cat > leads-crm.conf.new && mv leads-crm.conf.new leads-crm.conf
            """#,
            data
        ).succeed(input: settings)
    }

    private func pause() async throws(EmbeddedPostgresError) {
        do { try await Task.sleep(for: .milliseconds(100)) } catch { throw .cancelled }
    }

    private func reportWaiting(_ message: String) -> Task<Void, any Error> {
        Task {
            var seconds = 0
            while true {
                try await Task.sleep(for: .seconds(3))
                seconds += 3
                configuration.progress("\(message) (\(seconds) s)")
            }
        }
    }
}
