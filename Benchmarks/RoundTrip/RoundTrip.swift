import Foundation
import Postgres

/// Measures `select $1` through the libpq wrapper: `postgres-round-trip TASKS SECONDS`, database in DATABASE_URL.
///
/// Prints queries per second and the mean latency in microseconds, as pgbench counts them.
@main
enum RoundTrip {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        guard arguments.count == 2, let url = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            print("usage: DATABASE_URL=… postgres-round-trip TASKS SECONDS")
            exit(64)
        }
        let (tasks, seconds) = (arguments[0], arguments[1])
        let pool = Pool(
            Pool.Configuration(
                connection: ConnectionConfiguration(connectionString: url), readers: min(tasks, 4)))
        _ = try await pool.read("select \(0)")
        let begin = ContinuousClock.now
        let end = begin + .seconds(seconds)
        let queries = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<tasks {
                group.addTask(executorPreference: pool.taskExecutor) {
                    var count = 0
                    while ContinuousClock.now < end {
                        let answer = try await pool.read("select \(task &+ count)")[0].decode(Int.self)
                        precondition(answer == task &+ count)
                        count += 1
                    }
                    return count
                }
            }
            var sum = 0
            for try await count in group { sum += count }
            return sum
        }
        let (whole, attoseconds) = begin.duration(to: .now).components
        let elapsed = Double(whole) + Double(attoseconds) / 1e18
        let latency = elapsed * Double(tasks) / Double(queries) * 1e6
        print("\(Int(Double(queries) / elapsed)) \(Int(latency))")
        await pool.close()
    }
}
