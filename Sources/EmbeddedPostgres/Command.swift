import FoundationEssentials
import Glibc
import Subprocess
import SystemPackage

/// One run of another program, as the server's account, with a deadline.
struct Command: Sendable {
    let program: String
    let arguments: [String]
    let user: ServerUser

    struct Outcome: Sendable {
        let status: TerminationStatus
        let output: String

        var succeeded: Bool { status.isSuccess }

        /// What the program printed, or else how it ended.
        var reason: String { output.isEmpty ? status.description : output }
    }

    init(_ program: String, _ arguments: [String], as user: ServerUser) {
        self.program = program
        self.arguments = arguments
        self.user = user
    }

    /// A shell script with its arguments in `$1`, `$2` …
    init(script: String, _ arguments: [String], as user: ServerUser) {
        self.init("/bin/sh", ["-c", script, "sh"] + arguments, as: user)
    }

    /// Runs to the end and returns how that was, whatever the status.
    ///
    /// A cancelled task does not interrupt the program unless `cancellable`: servers are stopped, and half-done
    /// work is tidied away, precisely when tasks are cancelled.
    func run(
        input: String = "",
        within deadline: Duration = .seconds(30),
        cancellable: Bool = false
    ) async throws(EmbeddedPostgresError) -> Outcome {
        let running = Task { await race(input: input, deadline: deadline) }
        let result = await withTaskCancellationHandler {
            await running.value
        } onCancel: {
            if cancellable { running.cancel() }
        }
        if cancellable && Task.isCancelled { throw .cancelled }
        return try result.get()
    }

    /// Runs and insists on success.
    @discardableResult
    func succeed(
        input: String = "",
        within deadline: Duration = .seconds(30)
    ) async throws(EmbeddedPostgresError) -> String {
        let outcome = try await run(input: input, within: deadline)
        guard outcome.succeeded else { throw .commandFailed(command: line, reason: outcome.reason) }
        return outcome.output
    }

    private var line: String { ([program] + arguments).joined(separator: " ") }

    private func race(input: String, deadline: Duration) async -> Result<Outcome, EmbeddedPostgresError> {
        await withTaskGroup(of: Result<Outcome, EmbeddedPostgresError>?.self) { group in
            group.addTask { await execute(input: input) }
            group.addTask {
                try? await Task.sleep(for: deadline)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first ?? .failure(.commandFailed(command: line, reason: "it did not end within \(deadline)"))
        }
    }

    private func execute(input: String) async -> Result<Outcome, EmbeddedPostgresError> {
        // The output goes to an unnamed file: with a pipe, a postmaster that inherited it would keep us waiting for
        // the end of its output until it ends itself.
        guard let file = tmpfile() else {
            return .failure(.commandFailed(command: line, reason: "no temporary file: \(describe(errno))"))
        }
        defer { fclose(file) }
        let captured = FileDescriptor(rawValue: fileno(file))
        do {
            let ended = try await Subprocess.run(
                ServerUser.isRoot ? .name("setpriv") : .path(FilePath(program)),
                arguments: Arguments(ServerUser.isRoot ? becoming + [program] + arguments : arguments),
                environment: environment,
                // Our own working directory may be closed to the server's account.
                workingDirectory: "/",
                platformOptions: platformOptions,
                input: .string(input),
                output: .fileDescriptor(captured, closeAfterSpawningProcess: false),
                error: .fileDescriptor(captured, closeAfterSpawningProcess: false)
            )
            return .success(Outcome(status: ended.terminationStatus, output: captured.tail(64 << 10).trimmed))
        } catch {
            return .failure(.commandFailed(command: line, reason: "\(error)"))
        }
    }

    /// Only what PostgreSQL needs: our environment may hold secrets, and `PG…` variables meant for others.
    private var environment: Environment {
        let ours = ProcessInfo.processInfo.environment
        var variables: [Environment.Key: String] = [
            "PATH": ours["PATH"] ?? "/usr/local/bin:/usr/bin:/bin",
            "HOME": user.home,
            "LC_ALL": "C",
            "PGCLIENTENCODING": "UTF8",
        ]
        variables["LD_LIBRARY_PATH"] = ours["LD_LIBRARY_PATH"]
        variables["TZ"] = ours["TZ"]
        return .custom(variables)
    }

    private var platformOptions: PlatformOptions {
        var options = PlatformOptions()
        // In a session of its own a program does not receive the terminal's Ctrl-C, which is ours to act on.
        options.createSession = true
        // Interrupted while it waits, pg_ctl takes the server it is starting down with it.
        options.teardownSequence = [.send(signal: .interrupt, allowedDurationToNextStep: .seconds(5))]
        return options
    }

    /// Another program changes the user, because Subprocess 1.0.2 calls `setgroups` and `setuid` in a bare clone
    /// of our many threads, where glibc now and then waits for ever for a thread that exists only in the original.
    private var becoming: [String] {
        ["--reuid=\(user.userID)", "--regid=\(user.groupID)", "--init-groups", "--"]
    }
}

/// The system's text for an error number.
func describe(_ number: Int32) -> String { Errno(rawValue: number).description }
