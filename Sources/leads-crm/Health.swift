import ArgumentParser
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

struct Health: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a running instance whether it is ready; exits 0 when it is. For container health checks.")

    @Option(help: "Address the instance listens on.")
    var host = Setting.host.value

    @Option(help: "Port of the instance on this machine.")
    var port = Setting.port.value

    func run() async throws {
        guard let port = Int(port), (1...65535).contains(port) else {
            throw SettingError("\(Setting.port.name) must be a port, 1…65535")
        }
        var request = HTTPClientRequest(url: "http://\(reachableHost):\(port)/readyz")
        // The one name that an instance goes by wherever it listens.
        request.headers.add(name: "Host", value: "localhost")
        guard await status(answering: request) == 200 else {
            print("not ready")
            throw ExitCode.failure
        }
        print("ready")
    }

    /// Who listens on all addresses is asked on loopback.
    private var reachableHost: String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        case _ where host.contains(":"): "[\(host)]"
        default: host
        }
    }

    private func status(answering request: HTTPClientRequest) async -> UInt? {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let status = try? await client.execute(request, timeout: .seconds(2)).status.code
        try? await client.shutdown()
        return status
    }
}
