public import Identity
public import LeadStore
import Leads

/// Registers the contacts of a file, in the order of its lines, some hundreds in each transaction.
///
/// Each line has an event id: the source's own, or one made of the file's content and the line's number. So a line that
/// is sent again, because the answer was lost or the process was killed, makes no second contact, and the state kept
/// beside the file only has to save time.
public struct FileImport: Sendable {
    /// Where an import stands.
    public struct Progress: Sendable {
        /// Of the file, in bytes.
        public let size: Int
        public let done: Int
        /// How much of it was done when this run began.
        public let doneBefore: Int
        public let counts: ImportCounts
        public let countsBefore: ImportCounts
    }

    /// How an import ended.
    public struct Summary: Sendable {
        public let counts: ImportCounts
        /// What this run did of it.
        public let countsOfRun: ImportCounts
        /// Whether no line is left.
        public let isFinished: Bool
        /// Whether an earlier run has finished it.
        public let wasFinished: Bool
        /// The file with the lines that failed; nil when none has, or when somebody took it away.
        public let errorsPath: String?
        /// The names now of what somebody else had written where those lines belong.
        public let setAside: [String]
        /// Columns whose content is not imported.
        public let unusedColumns: [String]
        /// Whether somebody wrote to the file meanwhile.
        public let hasFileChanged: Bool
    }

    /// What the world outside does for an import.
    public struct Surroundings: Sendable {
        /// Whether to stop after the lines in hand.
        public var isStopping: @Sendable () -> Bool
        public var progress: @Sendable (Progress) -> Void
        /// Told when the database does not take the lines, before they are sent again.
        public var isWaiting: @Sendable (StoreError) -> Void
        /// Told of each line that would fail, when lines are only looked at.
        public var rejected: @Sendable (_ line: Int, _ reason: String) -> Void

        public init(
            isStopping: @escaping @Sendable () -> Bool, progress: @escaping @Sendable (Progress) -> Void,
            isWaiting: @escaping @Sendable (StoreError) -> Void,
            rejected: @escaping @Sendable (_ line: Int, _ reason: String) -> Void
        ) {
            self.isStopping = isStopping
            self.progress = progress
            self.isWaiting = isWaiting
            self.rejected = rejected
        }
    }

    private let file: ImportFile
    private let records: RecordReader
    private let sourceID: Int?
    private let phoneRegion: PhoneRegion
    private let surroundings: Surroundings
    private static let linesPerPart = 500
    private static let actor = Actor(kind: .command, name: "leads-crm import")
    /// The pauses before lines are sent again that the database did not take.
    private static let pauses: [Duration] = [
        .milliseconds(200), .milliseconds(500), .seconds(1), .seconds(2), .seconds(5), .seconds(10), .seconds(15),
        .seconds(30),
    ]

    /// - Parameter sourceID: of lines that name no source.
    public init(
        path: String, sourceID: Int?, phoneRegion: PhoneRegion, surroundings: Surroundings
    ) throws(ImportError) {
        file = try ImportFile(path: path)
        records = try RecordReader(file)
        self.sourceID = sourceID
        self.phoneRegion = phoneRegion
        self.surroundings = surroundings
    }

    /// Reads all lines and stores nothing, neither in the database nor beside the file.
    public func validate() async throws(ImportError) -> Summary {
        let reader = PartReader(
            records, sourceID: sourceID, phoneRegion: phoneRegion, fingerprint: "", actor: Self.actor)
        var counts = ImportCounts()
        var isFinished = false
        while !surroundings.isStopping() {
            let part = try await reader.next(Self.linesPerPart)
            isFinished = part.lines.isEmpty
            guard !isFinished else { break }
            counts.unnumbered += part.unnumbered
            for line in part.lines {
                switch line.outcome {
                case .success: counts.registered += 1
                case .failure(let rejection):
                    counts.failed += 1
                    surroundings.rejected(line.record.line, rejection.reason)
                }
            }
            surroundings.progress(
                Progress(
                    size: file.size, done: part.end, doneBefore: 0, counts: counts, countsBefore: ImportCounts()))
        }
        return Summary(
            counts: counts, countsOfRun: counts, isFinished: isFinished, wasFinished: false, errorsPath: nil,
            setAside: [], unusedColumns: records.header?.unused ?? [], hasFileChanged: !file.isUnchanged)
    }

    /// Registers what no earlier run has.
    /// - Parameter isAnew: whether to import the file although another content of it has been imported.
    public func run(into store: LeadStore, anew isAnew: Bool) async throws(ImportError) -> Summary {
        let stateFile = try StateFile(for: file.path)
        let found = stateFile.load()
        let earlier = try await earlierState(found, in: store)
        var fingerprint = ""
        if let earlier, earlier.stamp == file.stamp {
            fingerprint = earlier.fingerprint
        } else {
            fingerprint = try file.fingerprint(unless: surroundings.isStopping)
        }
        if let earlier, earlier.fingerprint != fingerprint, earlier.counts.unnumbered > 0, !isAnew,
            !surroundings.isStopping()
        {
            throw .changed(path: file.path, errors: file.path.inserting(RejectedLines.word))
        }
        var state = ImportState(
            stamp: file.stamp, fingerprint: fingerprint, sourceID: sourceID, offset: records.offset, line: records.line)
        if let earlier, earlier.fingerprint == fingerprint {
            state = earlier
            state.stamp = file.stamp
        }
        let rejected = RejectedLines(for: file.path, header: records.header, after: state.rejected)
        if surroundings.isStopping() || state.isFinished {
            return summary(state, since: state.counts, wasFinished: state.isFinished, rejected)
        }
        let before = state
        // A run that was killed may have stored a part more than it could note.
        var mayBeStored = found?.fingerprint == fingerprint && found?.sourceID == sourceID
        try stateFile.store(state)
        let reader = PartReader(
            records.skipping(to: state.offset, line: state.line), sourceID: sourceID, phoneRegion: phoneRegion,
            fingerprint: state.fingerprint, actor: Self.actor)
        let intake = Intake(store: store)
        var part = try await reader.next(Self.linesPerPart)
        while !part.lines.isEmpty && !surroundings.isStopping() {
            let lines = part.lines
            async let following = Result { () async throws(ImportError) in try await reader.next(Self.linesPerPart) }
            guard let outcomes = try await register(lines, with: intake, on: store, &mayBeStored) else { break }
            try rejected.append(count(outcomes, of: part, mayBeStored: mayBeStored, in: &state))
            mayBeStored = false
            state.offset = part.end
            state.line = part.nextLine
            state.rejected = rejected.written
            try stateFile.store(state)
            surroundings.progress(
                Progress(
                    size: file.size, done: state.offset, doneBefore: before.offset, counts: state.counts,
                    countsBefore: before.counts))
            part = try await following.get()
        }
        state.isFinished = part.lines.isEmpty
        if state.isFinished { try rejected.finish() }
        try stateFile.store(state)
        return summary(state, since: before.counts, wasFinished: false, rejected)
    }

    /// What an earlier run stored of this import, unless that went into another database or one that has lost it.
    private func earlierState(
        _ state: ImportState?, in store: LeadStore
    ) async throws(ImportError) -> ImportState? {
        guard let state, state.sourceID == sourceID, let event = state.lastEvent else { return nil }
        do throws(StoreError) {
            return try await store.hasContact(sourceID: event.sourceID, eventID: event.id) ? state : nil
        } catch {
            throw .databaseAway(reason: "\(error)")
        }
    }

    /// What became of the lines; nil when the import is to stop before the database could take them.
    /// - Parameter mayBeStored: whether some of them may have been registered before the answer came that says so.
    private func register(
        _ lines: [PartReader.Part.Line], with intake: Intake, on store: LeadStore, _ mayBeStored: inout Bool
    ) async throws(ImportError) -> [Result<Intake.Registered, StoreError>]? {
        let requests = lines.compactMap { try? $0.outcome.get() }
        var outcomes: [Result<Intake.Registered, StoreError>] = []
        var missing = Array(requests.indices)
        var pauses = Self.pauses[...]
        while true {
            let sent = missing.map { requests[$0] }
            let answers = await withTaskExecutorPreference(store.taskExecutor) { await intake.register(sent) }
            if outcomes.isEmpty { outcomes = answers }
            for (index, answer) in zip(missing, answers) { outcomes[index] = answer }
            // Whether stored or not: what has an event id can be sent again.
            missing = missing.filter { outcomes[$0].passingFailure != nil }
            guard let error = missing.first.flatMap({ outcomes[$0].passingFailure }) else { return outcomes }
            mayBeStored = true
            guard let pause = pauses.popFirst() else { throw notStored(lines, error) }
            surroundings.isWaiting(error)
            let end = ContinuousClock.now + pause
            while ContinuousClock.now < end {
                guard !surroundings.isStopping() else { return nil }
                try? await Task.sleep(for: .milliseconds(50))
            }
        }
    }

    private func notStored(_ lines: [PartReader.Part.Line], _ error: StoreError) -> ImportError {
        .notStored(
            lines: (lines.first?.record.line ?? 0)...(lines.last?.record.line ?? 0), reason: "\(error)")
    }

    /// Counts what became of a part's lines. Returns those that failed.
    private func count(
        _ outcomes: [Result<Intake.Registered, StoreError>], of part: PartReader.Part, mayBeStored: Bool,
        in state: inout ImportState
    ) -> [(Record, Rejection)] {
        var outcomes = outcomes[...]
        var rejected: [(Record, Rejection)] = []
        state.counts.unnumbered += part.unnumbered
        for line in part.lines {
            switch line.outcome {
            case .failure(let rejection):
                rejected.append((line.record, rejection))
            case .success(let request):
                switch outcomes.removeFirst() {
                case .success(let registered):
                    // Whose id names this file, the import has made itself.
                    if registered.isRepetition && !(mayBeStored && request.isNumberedByImport) {
                        state.counts.repeated += 1
                    } else {
                        state.counts.registered += 1
                        if registered.contact.operator != nil { state.counts.placed += 1 }
                    }
                    state.lastEvent = request.contact.sourceEventID.map {
                        ImportState.Event(sourceID: request.contact.sourceID, id: $0)
                    }
                case .failure(.sourceNotFound):
                    rejected.append((line.record, .unknownSource))
                case .failure(let error):
                    rejected.append((line.record, Rejection(reason: "\(error)")))
                }
            }
        }
        state.counts.failed += rejected.count
        return rejected
    }

    private func summary(
        _ state: ImportState, since before: ImportCounts, wasFinished: Bool, _ rejected: RejectedLines
    ) -> Summary {
        let hasErrors = state.counts.failed > 0 && ImportFile.stamp(of: rejected.path) != nil
        return Summary(
            counts: state.counts, countsOfRun: state.counts - before, isFinished: state.isFinished,
            wasFinished: wasFinished, errorsPath: hasErrors ? rejected.path : nil, setAside: rejected.setAside,
            unusedColumns: records.header?.unused ?? [], hasFileChanged: !file.isUnchanged)
    }
}

extension ImportCounts {
    static func - (left: ImportCounts, right: ImportCounts) -> ImportCounts {
        var counts = left
        counts.registered -= right.registered
        counts.placed -= right.placed
        counts.repeated -= right.repeated
        counts.failed -= right.failed
        counts.unnumbered -= right.unnumbered
        return counts
    }
}

extension Result {
    /// Runs work that may wait.
    fileprivate init(_ work: () async throws(Failure) -> Success) async {
        do throws(Failure) { self = .success(try await work()) } catch { self = .failure(error) }
    }
}

extension Result where Failure == StoreError {
    /// What kept it from being stored and may not the next time.
    fileprivate var passingFailure: StoreError? {
        guard case .failure(let error) = self else { return nil }
        switch error {
        case .unavailable, .outcomeUnknown, .notTried, .tooManyLongReads, .tooManyClosings, .cancelled, .heldByOthers,
            .intakeFull:
            return error
        default: return nil
        }
    }
}
