import Dispatch
import Foundation
import Glibc
import Synchronization

/// Records of the log on their way to a file descriptor, which a thread of its own writes to.
///
/// Whoever logs never waits: a reader that has stopped reading fills its pipe, and `write` would keep a thread that
/// serves requests for as long. Records for which there is no room are dropped, and their number is written where they
/// would have stood. What is queued when the process is killed is lost.
final class LogStream: TextOutputStream, Sendable {
    private struct State {
        var queue: [UInt8] = []
        var dropped = 0
        var isWriting = false
        var waiting: [DispatchSemaphore] = []
    }

    /// Bytes that may wait; as many again may be under way.
    static let capacity = 1_048_576
    /// How long the end of the program waits for somebody to read what is queued.
    static let longestFlush = DispatchTimeInterval.seconds(1)

    private let descriptor: Int32
    private let capacity: Int
    /// The record that tells how many were dropped, with the line's end.
    private let notice: @Sendable (Int) -> String
    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)

    /// Its thread lives as long as the process: an idle one costs nothing.
    init(descriptor: Int32, capacity: Int = LogStream.capacity, notice: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.capacity = capacity
        self.notice = notice
        Thread.detachNewThread { self.run() }
    }

    /// Queues one record, with the line's end.
    func write(_ record: String) {
        let mustWake = state.withLock { state in
            guard state.queue.count + record.utf8.count <= capacity else {
                state.dropped += 1
                return false
            }
            let isIdle = state.queue.isEmpty && !state.isWriting
            state.queue.append(contentsOf: record.utf8)
            return isIdle
        }
        if mustWake { work.signal() }
    }

    /// Waits until everything queued has been written, or for `longestFlush`.
    /// - Returns: whether it has been.
    @discardableResult
    func flush() -> Bool {
        let written: DispatchSemaphore? = state.withLock { state in
            guard state.isWriting || !state.queue.isEmpty else { return nil }
            let written = DispatchSemaphore(value: 0)
            state.waiting.append(written)
            return written
        }
        return written.map { $0.wait(timeout: .now() + Self.longestFlush) == .success } ?? true
    }

    private static let lastWords = Mutex<LogStream?>(nil)

    /// Has the stream flushed when the process ends by `exit`, which all commands come to.
    func flushAtExit() {
        let isFirst = Self.lastWords.withLock { stream in
            defer { stream = self }
            return stream == nil
        }
        if isFirst { atexit { LogStream.lastWords.withLock { $0 }?.flush() } }
    }

    private func run() {
        // A reader that has gone is no reason to end: `write` fails instead.
        var brokenPipe = sigset_t()
        sigemptyset(&brokenPipe)
        sigaddset(&brokenPipe, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &brokenPipe, nil)
        while true {
            work.wait()
            while let records = take() { put(records) }
        }
    }

    /// What is queued, and behind it how many were dropped; nil when that is nothing.
    private func take() -> [UInt8]? {
        let (queue, dropped) = state.withLock { state in
            state.isWriting = !state.queue.isEmpty
            if !state.isWriting {
                for written in state.waiting { written.signal() }
                state.waiting = []
            }
            defer {
                state.queue = []
                state.dropped = 0
            }
            return (state.queue, state.dropped)
        }
        guard dropped > 0 else { return queue.isEmpty ? nil : queue }
        return queue + Array(notice(dropped).utf8)
    }

    private func put(_ records: [UInt8]) {
        var rest = records[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                // Whoever gave us the descriptor may have made it one that does not block.
                var writable = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&writable, 1, -1)
            } else if errno != EINTR {
                return
            }
        }
    }
}
