import TestSupport
import Testing

@testable import API

/// The rules of a connection, without one.
struct ConversationStateTests {
    typealias State = ConversationState<Int, String>

    /// Does what it is told at once, answers what it is told to, and keeps a log.
    final class Rig {
        var state = State(idleSeconds: 60)
        var log: [String] = []
        /// What becomes of a request that is begun.
        var decide: (inout State, Int) -> String = { state, _ in
            state.reads(atMost: 100)
            return "reads"
        }

        func proceed() {
            while let action = state.next() {
                switch action {
                case .begin(let head): log.append("begin \(head), \(decide(&state, head))")
                case .append(let piece): log.append("append \(piece)")
                case .refuse(let refusal):
                    log.append("refuse \(refusal)")
                    state.answered(isLast: state.endsAfterAnswer || refusal == .nonsense)
                case .endStream:
                    log.append("end stream")
                    state.closes(atOnce: false)
                default: log.append("\(action)")
                }
            }
        }

        func receive(_ parts: State.Part...) {
            for part in parts {
                state.receive(part)
                proceed()
            }
            state.readCompleted()
        }

        func wantsRead() -> Bool { state.readWanted() }

        func answer(isLast: Bool = false) {
            log.append("answer")
            state.answered(isLast: isLast)
            proceed()
        }

        func wait(_ seconds: Int, unsent: Int = 0) {
            for _ in 0..<seconds {
                state.secondPassed(unsent: unsent)
                proceed()
            }
        }

        /// What was done since the last time.
        func done() -> [String] {
            defer { log = [] }
            return log
        }
    }

    @Test func `requests are answered one after the other, and reading pauses for those sent ahead`() {
        let rig = Rig()
        rig.receive(.head(1), .body("a", length: 1), .end)
        #expect(rig.done() == ["begin 1, reads", "append a", "handle"])
        #expect(rig.wantsRead())
        rig.receive(.head(2), .end, .head(3), .end)
        #expect(rig.done() == [])
        #expect(!rig.wantsRead())
        rig.answer()
        #expect(rig.done() == ["answer", "begin 2, reads", "handle"])
        rig.answer()
        #expect(rig.done() == ["answer", "begin 3, reads", "handle"])
        rig.answer()
        #expect(rig.done() == ["answer", "read"])
    }

    @Test func `what is answered before it has come whole is read on and thrown away`() {
        let rig = Rig()
        rig.decide = { state, _ in
            state.answered(isLast: false)
            return "refused"
        }
        rig.receive(.head(1), .body("a", length: 1))
        #expect(rig.done() == ["begin 1, refused"])
        #expect(rig.state.phase == .discarding)
        rig.receive(.end, .head(2))
        #expect(rig.done() == ["begin 2, refused"])
        rig.receive(.body("much", length: State.mostDiscarded + 1))
        #expect(rig.done() == ["flush"])
        rig.state.flushed()
        rig.proceed()
        #expect(rig.done() == ["closeOutput"])
        rig.wait(2)
        #expect(rig.done() == [])
        rig.wait(1)
        #expect(rig.done() == ["close"])
    }

    @Test func `a body may be as long as its route says, in however many pieces`() {
        let rig = Rig()
        rig.receive(.head(1), .body("a", length: 60), .body("b", length: 40), .end)
        #expect(rig.done() == ["begin 1, reads", "append a", "append b", "handle"])
        rig.answer()
        rig.receive(.head(2), .body("a", length: 60), .body("b", length: 41), .body("c", length: 1), .end)
        #expect(rig.done() == ["answer", "begin 2, reads", "append a", "refuse bodyTooLarge"])
        #expect(rig.state.phase == .idle)
    }

    @Test func `who makes a request is asked before any more of it is looked at`() {
        let rig = Rig()
        rig.decide = { state, _ in
            state.asks()
            return "asks"
        }
        rig.receive(.head(1), .body("a", length: 1), .end)
        #expect(rig.done() == ["begin 1, asks"])
        rig.state.reads(atMost: 100)
        rig.proceed()
        #expect(rig.done() == ["append a", "handle"])
    }

    @Test func `nothing is read while a body has no room, and nobody waits for it for long`() {
        let rig = Rig()
        rig.decide = { state, _ in
            state.reads(atMost: 100, waitsForRoom: true)
            return "waits"
        }
        rig.receive(.head(1))
        #expect(!rig.wantsRead())
        rig.wait(5)
        #expect(rig.done() == ["begin 1, waits"])
        rig.state.roomCame()
        rig.proceed()
        #expect(rig.done() == ["read"])
        rig.receive(.end)
        rig.answer()
        rig.receive(.head(2))
        #expect(!rig.wantsRead())
        #expect(rig.done() == ["handle", "answer", "begin 2, waits"])
        rig.wait(6)
        #expect(rig.done() == ["refuse noRoom", "read"])
    }

    @Test func `the last answer is sent, then this side closes, then both`() {
        let rig = Rig()
        rig.receive(.head(1), .end)
        rig.answer(isLast: true)
        rig.receive(.head(2), .end)
        #expect(rig.done() == ["begin 1, reads", "handle", "answer"])
        // However long the caller takes to take it.
        rig.wait(50, unsent: 5)
        #expect(rig.done() == [])
        rig.state.flushed()
        rig.proceed()
        #expect(rig.done() == ["closeOutput"])
        rig.state.inputClosed()
        rig.proceed()
        #expect(rig.done() == ["flush"])
        rig.state.flushed()
        rig.proceed()
        #expect(rig.done() == ["close"])
    }

    @Test func `whoever takes nothing of what is sent is left after a minute`() {
        let rig = Rig()
        rig.receive(.head(1), .end)
        rig.state.isWritable = false
        rig.answer()
        #expect(rig.state.phase == .writing)
        rig.wait(40, unsent: 7)
        rig.wait(61, unsent: 6)
        #expect(rig.done() == ["begin 1, reads", "handle", "answer"])
        rig.wait(1, unsent: 6)
        #expect(rig.done() == ["close"])
    }

    @Test func `what takes its answer slowly is not idle, and goes on when it has room`() {
        let rig = Rig()
        rig.receive(.head(1), .end, .head(2), .end)
        rig.state.isWritable = false
        rig.answer()
        #expect(rig.done() == ["begin 1, reads", "handle", "answer"])
        rig.state.becameWritable()
        rig.proceed()
        #expect(rig.done() == ["begin 2, reads", "handle"])
    }

    @Test func `a stop lets what is under way be answered, and ends what is not`() {
        for phase in ["idle", "answering", "streaming"] {
            let rig = Rig()
            if phase != "idle" { rig.receive(.head(1), .end) }
            if phase == "streaming" { rig.state.streams() }
            _ = rig.done()
            rig.state.stops()
            rig.proceed()
            if phase == "answering" {
                #expect(rig.done() == [])
                rig.answer()
            }
            #expect(
                rig.done()
                    == ["idle": ["flush"], "answering": ["answer", "flush"], "streaming": ["end stream"]][phase])
            rig.state.flushed()
            rig.proceed()
            #expect(rig.done() == ["close"], "\(phase)")
        }
    }

    @Test func `input that breaks is told of once everything before it is answered`() {
        let rig = Rig()
        rig.receive(.head(1), .end, .head(2))
        rig.state.inputBroke()
        rig.proceed()
        #expect(rig.done() == ["begin 1, reads", "handle"])
        rig.answer()
        #expect(rig.done() == ["answer", "begin 2, reads", "refuse bodyIncomplete"])
        let other = Rig()
        other.state.inputBroke()
        other.proceed()
        #expect(other.done() == ["refuse nonsense"])
        // The caller may still be sending: closed at once, it might not get the answer.
        other.state.flushed()
        other.proceed()
        #expect(other.done() == ["closeOutput"])
        other.state.inputBroke()
        other.proceed()
        #expect(other.done() == ["flush"])
    }

    @Test func `a stream is told of every second, and breaks its silence after fifteen`() {
        let rig = Rig()
        rig.receive(.head(1), .end)
        rig.state.streams()
        _ = rig.done()
        rig.wait(14)
        #expect(rig.done() == Array(repeating: "lookAtCaller", count: 14))
        rig.wait(1)
        #expect(rig.done() == ["breakSilence", "lookAtCaller"])
        rig.receive(.head(2), .end)
        #expect(rig.done() == [])
    }

    @Test func `half a head is waited for for ten seconds, and nothing at all for as long as was said`() {
        let rig = Rig()
        rig.wait(60)
        #expect(rig.done() == [])
        rig.wait(1)
        #expect(rig.done() == ["close"])
        let other = Rig()
        other.state.readCompleted()
        other.wait(10)
        #expect(other.done() == [])
        other.wait(1)
        #expect(other.done() == ["close"])
    }

    /// Events in any order: whatever comes, there is an end to what is to be done, each request is answered once, in its order,
    /// and nothing is begun before that or after the last.
    @Test func `whatever happens, each request is answered once and in turn`() {
        var random = SeededGenerator()
        var met: [String: Int] = [:]
        for _ in 0..<2000 { walk(&random, &met) }
        print("  \(met.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
        let all = [
            "append", "begin", "breakSilence", "close", "closeOutput", "endStream", "flush", "handle", "lookAtCaller",
            "read",
            "refuse bodyIncomplete", "refuse bodyTooLarge", "refuse bodyTooSlow", "refuse noRoom", "refuse nonsense",
        ]
        #expect(all.filter { met[$0, default: 0] < 10 } == [], "hardly met")
    }

    private func walk(_ random: inout SeededGenerator, _ met: inout [String: Int]) {
        let seed = random.seed
        var state = State(idleSeconds: 60)
        var (next, sent, answered, isOver) = (0, 0, 0, false)
        var underWay: Int?
        var flushes = 0
        /// Whether a part of a request has been sent that is not whole.
        var isOpen = false

        func answer(_ state: inout State, isLast: Bool) {
            #expect(underWay == answered, "seed \(seed)")
            underWay = nil
            answered += 1
            state.answered(isLast: isLast)
            if isLast { flushes += 1 }
        }
        func proceed() {
            var steps = 0
            while let action = state.next() {
                steps += 1
                guard steps < 1000 else { Issue.record("seed \(seed): it never ends in \(state.phase)"); return }
                #expect(!isOver, "seed \(seed): \(action) after the end")
                met[name(of: action), default: 0] += 1
                switch action {
                case .begin(let head):
                    #expect(underWay == nil && head == next, "seed \(seed)")
                    (underWay, next) = (head, head + 1)
                    switch random.next() % 5 {
                    case 0: answer(&state, isLast: random.next() % 4 == 0)
                    case 1: state.asks()
                    case 2: state.reads(atMost: 100, waitsForRoom: true)
                    default: state.reads(atMost: 100)
                    }
                case .append, .read, .lookAtCaller, .closeOutput: break
                case .handle: #expect(underWay != nil, "seed \(seed)")
                case .refuse(.nonsense):
                    state.answered(isLast: true)
                    flushes += 1
                case .refuse: answer(&state, isLast: state.endsAfterAnswer)
                case .endStream:
                    state.closes(atOnce: false)
                    flushes += 1
                case .breakSilence: state.said()
                case .flush: flushes += 1
                case .close: isOver = true
                }
            }
        }
        for _ in 0..<200 where !isOver {
            switch random.next() % 14 {
            case 0, 1, 2, 3:
                if !isOpen {
                    state.receive(.head(sent))
                    (isOpen, sent) = (true, sent + 1)
                } else if random.next() % 2 == 0 {
                    state.receive(.end)
                    isOpen = false
                } else {
                    state.receive(.body("x", length: Int(random.next() % 120)))
                }
            case 4: state.readCompleted()
            case 5: _ = state.readWanted()
            case 6 where random.next() % 20 == 0: state.inputBroke()
            case 7 where random.next() % 20 == 0: state.inputClosed()
            case 8 where random.next() % 20 == 0: state.stops()
            case 9:
                if random.next() % 2 == 0 { state.isWritable = false } else { state.becameWritable() }
            case 10:
                for _ in 0..<random.next() % 20 {
                    state.secondPassed(unsent: random.next() % 3 == 0 ? 1 : 0)
                    proceed()
                }
            case 11 where flushes > 0:
                flushes -= 1
                state.flushed()
            case 12:
                switch state.phase {
                case .asking:
                    if random.next() % 2 == 0 { state.reads(atMost: 100) } else { answer(&state, isLast: false) }
                case .reading: state.roomCame()
                case .answering where random.next() % 6 == 0:
                    state.streams()
                    underWay = nil
                    answered += 1
                case .answering: answer(&state, isLast: state.endsAfterAnswer || random.next() % 8 == 0)
                default: break
                }
            default: break
            }
            proceed()
        }
        #expect(answered <= next && next <= sent, "seed \(seed)")
    }

    private func name(of action: State.Action) -> String {
        switch action {
        case .begin: "begin"
        case .append: "append"
        case .refuse(let refusal): "refuse \(refusal)"
        default: "\(action)"
        }
    }
}
