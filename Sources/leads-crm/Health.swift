import ArgumentParser
import Foundation
import FoundationNetworking

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a running instance whether it is ready; exits 0 when it is. For container health checks.")

    @Option(help: "Port of the instance on this machine.")
    var port = Setting.port.value

    func run() async throws {
        guard let url = URL(string: "http://127.0.0.1:\(port)/readyz") else {
            throw SettingError("\(Setting.port.name) must be a port, 1…65535")
        }
        let answer = try? await URLSession.shared.data(for: URLRequest(url: url, timeoutInterval: 2))
        guard let status = (answer?.1 as? HTTPURLResponse)?.statusCode, status == 200 else {
            print("not ready")
            throw ExitCode.failure
        }
        print("ready")
    }
}
