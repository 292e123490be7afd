import FoundationEssentials
import Glibc
import Testing

@testable import EmbeddedPostgres

@Suite(.timeLimit(.minutes(3)))
struct ClusterTests {
    @Test func `stopping and starting keeps the data`() async throws {
        try await Scratch.with { scratch in
            let configuration = scratch.configuration { $0.durability = .durable }
            let first = try await scratch.start(configuration)
            try await first.query("create table lead as select 7 as id")
            try await first.stop()
            #expect(first.postmasterFile == nil)
            try await first.stop()
            let second = try await scratch.start(configuration)
            #expect(try await second.query("select id from lead") == "7")
            #expect(try await second.query("show data_checksums") == "on")
            #expect(try await second.query("select current_database()") == "leads")
        }
    }

    @Test func `a killed server recovers what was committed`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration { $0.durability = .durable })
            try await cluster.query("create table lead as select generate_series(1, 1000) as id")
            try await cluster.crash()
            await #expect(throws: EmbeddedPostgresError.self) { try await cluster.query("select 1") }
            try await cluster.startAgain()
            #expect(try await cluster.query("select count(*) from lead") == "1000")
        }
    }

    @Test func `the server offers only a private socket`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            #expect(try await cluster.query("show listen_addresses") == "")
            #expect(cluster.socketDirectory == cluster.directory + "/run")
            #expect(try #require(status(cluster.socketDirectory)).st_mode & 0o777 == 0o700)
            #expect(try #require(status(cluster.socketDirectory + "/.s.PGSQL.5432")).st_mode & 0o777 == 0o700)
            #expect(try #require(status(cluster.directory + "/data")).st_mode & 0o777 == 0o700)
            let owner = try #require(status(cluster.directory + "/data")).st_uid
            #expect(owner != 0)
            #expect(try #require(status(cluster.socketDirectory)).st_uid == owner)
        }
    }

    private static let rules: String = """
        select string_agg(type || ' ' || auth_method, ', ' order by line_number) from pg_hba_file_rules
        """

    @Test func `nobody is let in over a network, nor by what earlier versions wrote`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            let ours = "local trust, local trust, host reject, host reject"
            #expect(try await cluster.query(Self.rules) == ours)
            for method in ["trust", "reject"] {
                try await cluster.stop()
                // What initdb makes of it, spaces and comments included.
                try await cluster.shell(
                    #"""
                    cd -- "$1/data" || exit
                    printf '# "local" is for sockets:\nlocal   all             all                  trust\n' > pg_hba.conf
                    for database in all replication; do
                        test $database = all || printf 'local   %s     all                   trust\n' $database
                        printf 'host    %s             all     127.0.0.1/32            %s\n' $database "$2"
                        printf 'host    %s             all     ::1/128                 %s\n' $database "$2"
                    done >> pg_hba.conf
                    """#, cluster.directory, method)
                try await cluster.startAgain()
                #expect(try await cluster.query(Self.rules) == ours)
            }
        }
    }

    @Test func `rules of access that somebody has written stay`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            try await cluster.stop()
            try await cluster.shell(#"echo 'local all postgres trust' > "$1/data/pg_hba.conf""#, cluster.directory)
            try await cluster.startAgain()
            #expect(try await cluster.query(Self.rules) == "local trust")
            #expect(scratch.progress.contains { $0.contains("pg_hba.conf has been changed by hand") })
        }
    }

    @Test func `the log holds no personal data`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            try await cluster.query("create table lead (email text primary key)")
            for sql in [
                "insert into lead values ('secret@example.org'), ('secret@example.org')",
                "select 'secret@example.org'::integer",
                "do $$ begin raise warning 'secret@example.org'; end $$",
            ] {
                _ = try? await cluster.query(sql)
            }
            let log = try #require(textFile(cluster.directory + "/postgres.log"))
            #expect(log.contains("ready to accept connections"))
            #expect(!log.contains("secret"))
        }
    }

    @Test func `settings and odd names arrive as they were given`() async throws {
        try await Scratch.with { scratch in
            let configuration = scratch.configuration(#"it's a cluster"#) {
                $0.databaseName = #"o'dd "nåme" = \1"#
                $0.settings = ["search_path": #"'a\b'', public"#, "max_connections": "20"]
            }
            let cluster = try await scratch.start(configuration)
            #expect(try await cluster.query("select current_database()") == configuration.databaseName)
            #expect(try await cluster.query("show max_connections") == "20")
            #expect(try await cluster.query("show search_path") == configuration.settings["search_path"])
        }
    }

    @Test func `a second start on the same directory is refused and names the first`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            let error = try await failure { try await scratch.start(scratch.configuration()) }
            #expect(error == .inUse(directory: cluster.directory, pid: getpid()))
            #expect("\(error)".contains("Another leads-crm (pid \(getpid())) is using \(cluster.directory)"))
            #expect("\(error)".contains("DATABASE_URL"))
        }
    }

    @Test func `the server does not inherit the lock`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            let pid = try #require(cluster.postmasterFile).pid
            let open = try await cluster.shell(#"ls -l "/proc/$1/fd""#, "\(pid)")
            #expect(open.contains("socket:"))
            #expect(!open.contains("/lock"))
        }
    }

    @Test func `a server left running by an earlier life is adopted`() async throws {
        try await Scratch.with { scratch in
            let first = try await scratch.start(scratch.configuration())
            let began = try await first.query("select pg_postmaster_start_time()")
            await first.abandon()
            let second = try await scratch.start(scratch.configuration())
            #expect(try await second.query("select pg_postmaster_start_time()") == began)
            try await second.stop()
            #expect(second.postmasterFile == nil)
        }
    }

    @Test func `a server left running with other settings is restarted`() async throws {
        try await Scratch.with { scratch in
            let first = try await scratch.start(scratch.configuration())
            await first.abandon()
            let second = try await scratch.start(scratch.configuration { $0.durability = .durable })
            #expect(try await second.query("show fsync") == "on")
        }
    }

    @Test func `a server that no longer answers is restarted`() async throws {
        try await Scratch.with { scratch in
            let first = try await scratch.start(scratch.configuration())
            let pid = try #require(first.postmasterFile).pid
            try await first.shell(#"rm "$1"/.s.PGSQL.5432"#, first.socketDirectory)
            await first.abandon()
            let second = try await scratch.start(scratch.configuration())
            #expect(try #require(second.postmasterFile).pid != pid)
            #expect(scratch.progress.contains { $0.contains("does not accept connections yet") })
        }
    }

    @Test func `a postmaster file with a dead pid is replaced`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            let pid = try #require(cluster.postmasterFile).pid
            try await cluster.crash()
            #expect(cluster.postmasterFile?.pid == pid)
            try await cluster.startAgain()
            #expect(try #require(cluster.postmasterFile).pid != pid)
            #expect(try await cluster.query("select 1") == "1")
        }
    }

    @Test func `another program with the pid of the dead server is left alone`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            try await cluster.query("create table lead as select 7 as id")
            try await cluster.crash()
            let other = try #require(Int32(try await cluster.shell("sleep 100 > /dev/null 2>&1 & echo $!")))
            defer { kill(other, SIGKILL) }
            try await cluster.shell(
                #"sed -i "1s/.*/$1/" "$2/data/postmaster.pid" "$2/run/.s.PGSQL.5432.lock""#,
                "\(other)", cluster.directory
            )
            try await cluster.startAgain()
            #expect(try await cluster.query("select id from lead") == "7")
            #expect(kill(other, 0) == 0)
            #expect(scratch.progress.contains { $0.contains("whose process \(other) is another program") })
        }
    }

    @Test func `server processes orphaned by the death of the postmaster do not prevent a start`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            try await cluster.query("create table lead as select 7 as id")
            kill(try #require(cluster.postmasterFile).pid, SIGKILL)
            try await cluster.startAgain()
            #expect(try await cluster.query("select id from lead") == "7")
        }
    }

    @Test func `a half-initialised directory is initialised again`() async throws {
        try await Scratch.with { scratch in
            _ = try await scratch.directory(
                containing: "mkdir -m 700 data data.initializing && echo 15 > data.initializing/PG_VERSION"
            )
            let cluster = try await scratch.start(scratch.configuration())
            #expect(try await cluster.query("select 1") == "1")
            #expect(!exists(cluster.directory + "/data.initializing"))
        }
    }

    @Test func `files that are no cluster are explained and kept`() async throws {
        try await Scratch.with { scratch in
            let directory = try await scratch.directory(containing: "mkdir -m 700 data && touch data/thesis.tex")
            let error = try await failure { try await scratch.start(scratch.configuration()) }
            #expect(error == .notACluster(path: directory.data))
            #expect(exists(directory.data + "/thesis.tex"))
            let again = try await failure { try await scratch.start(scratch.configuration()) }
            #expect(again == error, "the lock is free again")
        }
    }

    @Test func `data of another major version is explained`() async throws {
        try await Scratch.with { scratch in
            _ = try await scratch.directory(containing: "mkdir -m 700 data && echo 8.4 > data/PG_VERSION")
            let error = try await failure { try await scratch.start(scratch.configuration()) }
            #expect("\(error)".contains("was made by PostgreSQL 8.4"))
            #expect("\(error)".contains("apt-get install postgresql-8.4"))
        }
    }

    @Test func `a long path gets a short socket directory`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration(String(repeating: "long/", count: 20)))
            #expect(cluster.socketDirectory.hasPrefix("/tmp/leads-crm-"))
            #expect(try await cluster.query("select 1") == "1")
        }
    }

    @Test func `a socket directory others may enter is refused`() async throws {
        try await Scratch.with { scratch in
            let directory = try await scratch.directory(containing: "mkdir -m 755 run")
            let open = try await failure { try await scratch.start(scratch.configuration()) }
            #expect("\(open)".hasPrefix("\(directory.path)/run cannot hold the database"))
            _ = try await scratch.directory(containing: "rmdir run && mkdir -m 700 elsewhere && ln -s elsewhere run")
            let link = try await failure { try await scratch.start(scratch.configuration()) }
            #expect(link == open)
        }
    }

    @Test(.enabled(if: ServerUser.isRoot, "only root starts servers for another user"))
    func `a directory the server's user cannot reach is replaced by another`() async throws {
        try await Scratch.with { scratch in
            mkdir(scratch.path + "/home", 0o700)
            let configuration = scratch.configuration("home/checkout/.leads-crm") {
                $0.fallbackRoot = scratch.path + "/var"
            }
            let first = try await scratch.start(configuration)
            #expect(first.directory.hasPrefix(scratch.path + "/var/"))
            #expect(!exists(scratch.path + "/home/checkout"))
            #expect(scratch.progress.contains { $0.hasSuffix("using \(first.directory) instead") })
            try await first.query("create table lead as select 7 as id")
            try await first.stop()
            chmod(scratch.path + "/home", 0o755)
            let second = try await scratch.start(configuration)
            #expect(try await second.query("select id from lead") == "7")
        }
    }

    @Test(.enabled(if: ServerUser.isRoot, "only root gives directories away"))
    func `a directory of root that holds something else is not given away`() async throws {
        try await Scratch.with { scratch in
            mkdir(scratch.path + "/etc", 0o755)
            mkdir(scratch.path + "/etc/ssl", 0o755)
            let error = try await failure { try await scratch.start(scratch.configuration("etc")) }
            #expect("\(error)".contains("belongs to root and is not empty"))
            #expect(try #require(status(scratch.path + "/etc")).st_uid == 0)
        }
    }

    @Test func `a failed start shows the end of the server's log and leaves nothing behind`() async throws {
        try await Scratch.with { scratch in
            let broken = scratch.configuration { $0.settings["shared_buffers"] = "plenty" }
            let error = try await failure { try await scratch.start(broken) }
            #expect("\(error)".contains(#"invalid value for parameter "shared_buffers": "plenty""#))
            let cluster = try await scratch.start(scratch.configuration())
            #expect(try await cluster.query("select 1") == "1")
        }
    }

    @Test func `a cancelled start leaves no server running`() async throws {
        try await Scratch.with { scratch in
            let configuration = scratch.configuration {
                $0.progress = { line in
                    if line.hasPrefix("Starting") { withUnsafeCurrentTask { $0?.cancel() } }
                }
            }
            let error = try await failure { try await Task { try await scratch.start(configuration) }.value }
            #expect(error == .cancelled)
            #expect(PostmasterFile(data: configuration.directory + "/data") == nil)
        }
    }

    @Test func `a cancelled task still stops its server`() async throws {
        try await Scratch.with { scratch in
            let cluster = try await scratch.start(scratch.configuration())
            try await Task {
                withUnsafeCurrentTask { $0?.cancel() }
                try await cluster.stop()
            }.value
            #expect(cluster.postmasterFile == nil)
        }
    }
}
