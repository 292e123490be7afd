import FoundationEssentials
import Glibc
import Testing

@testable import EmbeddedPostgres

@Suite(.timeLimit(.minutes(1)))
struct PartTests {
    let user: ServerUser

    init() throws { user = try .choose(owner: nil) }

    @Test func `the highest version is found unless the data prefers another`() async throws {
        try await Scratch.with { scratch in
            let real = try await Binaries.find(preferring: nil, as: user)
            for version in ["9.6", "15", "14", "16"] {
                mkdir("\(scratch.path)/\(version)", 0o755)
                if version != "16" { symlink(real.directory, "\(scratch.path)/\(version)/bin") }
            }
            func found(preferring version: String?) async throws -> Binaries {
                try await .find(preferring: version, as: user, environment: [:], versions: scratch.path)
            }
            #expect(try await found(preferring: nil).directory == scratch.path + "/15/bin")
            #expect(try await found(preferring: nil).version == real.version)
            #expect(try await found(preferring: "14").directory == scratch.path + "/14/bin")
        }
    }

    @Test func `a chosen directory is the only one looked in`() async throws {
        let real = try await Binaries.find(preferring: nil, as: user)
        let environment = ["LEADS_POSTGRES_BIN": real.directory, "PATH": "/nowhere"]
        #expect(try await Binaries.find(preferring: "9", as: user, environment: environment) == real)
        let error = await #expect(throws: EmbeddedPostgresError.self) {
            try await Binaries.find(preferring: nil, as: user, environment: ["LEADS_POSTGRES_BIN": "/nowhere"])
        }
        #expect(error == .binariesNotFound(searched: ["LEADS_POSTGRES_BIN=/nowhere"]))
    }

    @Test func `PATH is the last resort and the error says what to install`() async throws {
        let real = try await Binaries.find(preferring: nil, as: user)
        let onPath = ["PATH": "/nowhere:\(real.directory)"]
        #expect(try await Binaries.find(preferring: nil, as: user, environment: onPath, versions: "/nowhere") == real)
        let error = await #expect(throws: EmbeddedPostgresError.self) {
            try await Binaries.find(preferring: nil, as: user, environment: [:], versions: "/nowhere")
        }
        #expect("\(try #require(error))".contains("apt-get install postgresql"))
    }

    @Test(.enabled(if: ServerUser.isRoot, "others run as themselves"))
    func `root becomes the directory's owner, the caller of sudo, or postgres`() throws {
        let games = try #require(ServerUser.named("games"))
        let sudo = ["SUDO_UID": "\(games.userID)"]
        #expect(try ServerUser.choose(owner: nil, environment: sudo) == games)
        #expect(try ServerUser.choose(owner: 0, environment: ["SUDO_UID": "0"]).name == "postgres")
        #expect(try ServerUser.choose(owner: games.userID, environment: [:]) == games)
        #expect(throws: EmbeddedPostgresError.self) { try ServerUser.choose(owner: 54321, environment: [:]) }
    }

    @Test(.enabled(if: ServerUser.isRoot, "others run as themselves"))
    func `commands run with the user's groups and a clean environment`() async throws {
        setenv("PGDATABASE", "elsewhere", 1)
        let output = try await Command(script: "id -u; id -G; id -G \(user.name); pwd; env", [], as: user).succeed()
        let lines = output.split(separator: "\n")
        #expect(lines[0] == "\(user.userID)")
        #expect(lines[1] == lines[2])
        #expect(lines[3] == "/")
        #expect(!output.contains("PGDATABASE"))
    }

    @Test func `a command that does not end is killed at its deadline`() async throws {
        let clock = ContinuousClock()
        let began = clock.now
        await #expect(throws: EmbeddedPostgresError.self) {
            try await Command(script: "sleep 600", [], as: user).run(within: .milliseconds(200))
        }
        #expect(clock.now - began < .seconds(200))
    }

    @Test func `a command is not kept waiting by what it leaves in the background`() async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let pid = try #require(Int32(try await Command(script: "sleep 600 & echo $!", [], as: user).succeed()))
        kill(pid, SIGKILL)
        #expect(clock.now - began < .seconds(200))
    }

    @Test func `paths resolve through links and missing parts`() async throws {
        try await Scratch.with { scratch in
            mkdir(scratch.path + "/real", 0o755)
            symlink("real", scratch.path + "/link")
            #expect(resolved(scratch.path + "/link/./a/../b") == scratch.path + "/real/b")
            #expect(resolved("/") == "/")
            #expect(resolved("x") == resolved(FileManager.default.currentDirectoryPath) + "/x")
        }
    }

    @Test func `a path that pg_ctl would hand to the shell is refused`() async throws {
        let error = await #expect(throws: EmbeddedPostgresError.self) {
            try await Cluster.start(.init(directory: "/tmp/$(reboot)"))
        }
        #expect("\(try #require(error))".contains("cannot hold the database"))
    }
}
