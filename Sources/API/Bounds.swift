/// How much callers together may ask of the process.
public struct Bounds: Sendable {
    /// Connections; a further one takes the place of one that keeps us waiting or asks nothing, or is closed.
    public var connections: Int
    /// Of large bodies that are received and worked on, in bytes; further ones wait.
    public var bodyBytes: Int

    public init(connections: Int = 4096, bodyBytes: Int = 67_108_864) {
        self.connections = connections
        self.bodyBytes = bodyBytes
    }
}
