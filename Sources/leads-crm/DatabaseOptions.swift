import ArgumentParser
import LeadStore
import Leads
import Logging
import Postgres

/// Where a command finds the database that instances serve, and what it does there.
struct DatabaseOptions: ParsableArguments {
    @Option(help: "Where the PostgreSQL of our own keeps its data.")
    var dataDirectory = Setting.dataDirectory.value

    /// Does something with the store, also while instances serve; what is wrong is said in a sentence.
    func administering<Value: Sendable>(
        _ work: @Sendable (LeadStore) async throws(StoreError) -> Value
    ) async throws -> Value {
        let logger = try Logger.leadsCRM()
        let database = try await Database.current(dataDirectory: dataDirectory, logger: logger)
        let pool = database.pool(size: 2)
        await pool.start()
        let result: Result<Value, StoreError>
        do throws(StoreError) { result = .success(try await work(LeadStore(pool: pool))) } catch {
            result = .failure(error)
        }
        await pool.close()
        await database.close()
        do throws(StoreError) { return try result.get() } catch { throw SettingError(Self.sentence(error)) }
    }

    private static func sentence(_ error: StoreError) -> String {
        switch error {
        case .keyNotFound: "there is no such key, or it has ended"
        case .personNotFound: "there is nobody with this login who may sign in"
        case .loginTaken: "somebody has this login"
        case .sourceNotFound: "there is no such source"
        case .operatorNotFound: "there is no such operator"
        case .operatorUnnamed: "\(Person.operatorUnnamed): name it by --operator"
        case .lastAdmin: "nobody would be left who may administer: make somebody else an admin first"
        default: "it could not be done: \(error)"
        }
    }
}
