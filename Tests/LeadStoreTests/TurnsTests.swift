import TestSupport
import Testing

@testable import LeadStore

struct TurnsTests {
    @Test func `who waits has the turn as soon as it is given back, in order`() async {
        let turns = Turns(patience: .seconds(60))
        #expect(await turns.take())
        let order = AsyncStream.makeStream(of: Int.self)
        for number in 1...3 {
            Task { if await turns.take() { order.continuation.yield(number) } }
            #expect(await eventually { turns.waiting == number })
        }
        var seen: [Int] = []
        turns.giveBack()
        for await number in order.stream {
            seen.append(number)
            turns.giveBack()
            if number == 3 { break }
        }
        #expect(seen == [1, 2, 3])
        #expect(await turns.take())
    }

    @Test func `nobody waits for long`() async {
        let turns = Turns(patience: .milliseconds(5))
        #expect(await turns.take())
        #expect(await turns.take() == false)
        #expect(await turns.take() == false)
        turns.giveBack()
        #expect(await turns.take())
    }
}
