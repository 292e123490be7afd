import DequeModule
import Synchronization

/// The room that all large bodies share while they are received and worked on, in bytes.
///
/// Who finds none waits in line; a body that is waited for is not read from its socket.
final class BodyRoom: Sendable {
    /// A body's part of the room, given back when nobody holds it any more.
    final class Place: Sendable {
        private let room: BodyRoom
        private let size: Int

        fileprivate init(_ size: Int, of room: BodyRoom) {
            self.size = size
            self.room = room
        }

        deinit { room.giveBack(size) }
    }

    private struct Waiter {
        let number: Int
        let size: Int
        let enter: @Sendable (Place) -> Void
    }

    private struct State {
        var free: Int
        var waiters: Deque<Waiter> = []
        var lastNumber = 0
    }

    /// What comes of asking for room.
    enum Answer {
        case place(Place)
        /// There is none yet; ``leaveLine(_:)`` gives up the turn.
        case turn(Int)
    }

    private let total: Int
    private let state: Mutex<State>

    /// - Parameter size: in bytes.
    init(size: Int) {
        total = size
        state = Mutex(State(free: size))
    }

    /// Asks for room for a body; one that is larger than all there is gets all there is.
    /// - Parameter enter: is called once when the turn comes that the answer promises.
    func ask(for size: Int, enter: @escaping @Sendable (Place) -> Void) -> Answer {
        let size = min(size, total)
        return state.withLock { state in
            if state.waiters.isEmpty, state.free >= size {
                state.free -= size
                return .place(Place(size, of: self))
            }
            state.lastNumber += 1
            state.waiters.append(Waiter(number: state.lastNumber, size: size, enter: enter))
            return .turn(state.lastNumber)
        }
    }

    func leaveLine(_ turn: Int) {
        let admitted = state.withLock { state in
            state.waiters.removeAll { $0.number == turn }
            return takeAdmitted(&state)
        }
        admit(admitted)
    }

    private func giveBack(_ size: Int) {
        let admitted = state.withLock { state in
            state.free += size
            return takeAdmitted(&state)
        }
        admit(admitted)
    }

    private func takeAdmitted(_ state: inout State) -> [Waiter] {
        var admitted: [Waiter] = []
        while let first = state.waiters.first, state.free >= first.size {
            state.free -= first.size
            admitted.append(state.waiters.removeFirst())
        }
        return admitted
    }

    private func admit(_ waiters: [Waiter]) {
        for waiter in waiters { waiter.enter(Place(waiter.size, of: self)) }
    }
}
