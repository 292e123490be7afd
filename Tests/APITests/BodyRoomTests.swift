import Synchronization
import TestSupport
import Testing

@testable import API

struct BodyRoomTests {
    private final class Entered: Sendable {
        let places = Mutex<[Int: BodyRoom.Place]>([:])
        func leave(_ number: Int) { _ = places.withLock { $0.removeValue(forKey: number) } }
        var numbers: [Int] { places.withLock { $0.keys.sorted() } }
    }

    private final class Use: Sendable {
        private let state = Mutex((now: 0, most: 0, waits: 0))
        func wait() { state.withLock { $0.waits += 1 } }
        func enter(_ size: Int) { state.withLock { $0 = ($0.now + size, max($0.most, $0.now + size), $0.waits) } }
        func leave(_ size: Int) { state.withLock { $0.now -= size } }
        var numbers: (now: Int, most: Int, waits: Int) { state.withLock { $0 } }
    }

    @Test func `bodies enter in order, and never more than there is room for`() {
        let room = BodyRoom(size: 100)
        let entered = Entered()
        func ask(_ number: Int, _ size: Int) -> Int? {
            switch room.ask(for: size, enter: { place in entered.places.withLock { $0[number] = place } }) {
            case .place(let place):
                entered.places.withLock { $0[number] = place }
                return nil
            case .turn(let turn): return turn
            }
        }
        #expect(ask(1, 60) == nil && ask(2, 40) == nil)
        let third = ask(3, 70)
        let fourth = ask(4, 10)
        #expect(third != nil && fourth != nil, "whoever comes later does not overtake, however small")
        entered.leave(2)
        #expect(entered.numbers == [1])
        entered.leave(1)
        #expect(entered.numbers == [3, 4])
        let fifth = ask(5, 90)
        #expect(ask(6, 20) != nil)
        if let fifth { room.leaveLine(fifth) }
        #expect(entered.numbers == [3, 4, 6], "who leaves the line holds up nobody behind")
        for number in [3, 4, 6] { entered.leave(number) }
        #expect(ask(7, 1_000_000) == nil, "what is larger than the room gets all of it")
        #expect(ask(8, 1) != nil)
        entered.leave(7)
        #expect(entered.numbers == [8])
    }

    @Test func `room is neither lost nor made by many who come and go at once`() async {
        let room = BodyRoom(size: 1000)
        let used = Use()
        await withTaskGroup { group in
            for seed in 0..<8 {
                group.addTask {
                    var generator = SeededGenerator(seed: UInt64(seed))
                    for _ in 0..<500 {
                        let size = Int.random(in: 1...900, using: &generator)
                        let place: BodyRoom.Place = await withCheckedContinuation { continuation in
                            switch room.ask(for: size, enter: { continuation.resume(returning: $0) }) {
                            case .place(let place): continuation.resume(returning: place)
                            case .turn: used.wait()
                            }
                        }
                        used.enter(size)
                        await Task.yield()
                        used.leave(size)
                        withExtendedLifetime(place) {}
                    }
                }
            }
        }
        let (now, most, waits) = used.numbers
        #expect(now == 0 && most <= 1000 && waits > 100, "most \(most), waited \(waits) times of 4000")
        guard case .place = room.ask(for: 1000, enter: { _ in }) else {
            Issue.record("room was lost")
            return
        }
    }
}
