import ArgumentParser
import Foundation

struct Health: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a running instance whether it is ready; exits 0 when it is. For container health checks.")

    @Option(help: "Port of the instance on this machine.")
    var port = Setting.port.value

    func run() throws {
        guard let url = URL(string: "http://127.0.0.1:\(port)/readyz"), let body = try? Data(contentsOf: url) else {
            print("not ready")
            throw ExitCode.failure
        }
        print(String(decoding: body, as: UTF8.self))
    }
}
