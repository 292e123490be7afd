import Testing

@testable import Postgres

struct EventLoopTests {
    @Test func `a socket that the system does not watch is told of`() async {
        let (isWatched, isChanged) = await withCheckedContinuation { continuation in
            EventLoop.shared.execute {
                continuation.resume(
                    returning: (
                        EventLoop.shared.watch(-1, tag: 0), EventLoop.shared.setWatchesWriting(true, -1, tag: 0)
                    ))
            }
        }
        #expect(!isWatched)
        #expect(!isChanged)
    }
}
