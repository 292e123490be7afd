import Foundation
import Testing

@testable import FileImport

struct RejectedLinesTests {
    private static let lines = "lead_name\nAnna\nBoris\nVera\n"

    /// Beside a file to import: the path of it, and what its header says.
    private func beside(_ body: (_ path: String, _ header: CSVHeader?) throws -> Void) throws {
        try Scratch.with("people.csv", Array(Self.lines.utf8)) { path in
            try body(path, RecordReader(ImportFile(path: path)).header)
        }
    }

    private func rejected(_ line: Int) -> [(Record, Rejection)] {
        [(Record(line: line, original: .fields(["name \(line)"]), content: .success([])), .unknownSource)]
    }

    private func text(_ lines: Int...) -> String {
        lines.reduce("line,error,lead_name\n") { $0 + "\($1),source_id: there is no such source,name \($1)\n" }
    }

    private func content(of path: String) -> String? { try? String(contentsOfFile: path, encoding: .utf8) }

    private func names(beside path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: path.deletingLastComponent).sorted()
    }

    @Test func `it is there once a line has failed, and grows`() throws {
        try beside { path, header in
            let lines = RejectedLines(for: path, header: header, after: .init())
            try lines.append([])
            #expect(content(of: lines.path) == nil)
            try lines.append(rejected(2))
            try lines.append(rejected(3))
            try lines.finish()
            #expect(content(of: lines.path) == text(2, 3))
            #expect(lines.setAside.isEmpty)
            #expect(try names(beside: path) == ["people.csv", "people.errors.csv"])
        }
    }

    @Test func `what an import wrote before it was killed it finds again, whole or not`() throws {
        try beside { path, header in
            for cut in 0...text(2, 3).utf8.count {
                let killed = RejectedLines(for: path, header: header, after: .init())
                try killed.append(rejected(2))
                let noted = killed.written
                try killed.append(rejected(3))
                #expect(truncate(killed.path, max(cut, noted.length)) == 0)
                let lines = RejectedLines(for: path, header: header, after: noted)
                try lines.append(rejected(3))
                try lines.append(rejected(4))
                try lines.finish()
                #expect(content(of: lines.path) == text(2, 3, 4))
                #expect(lines.setAside.isEmpty)
                try FileManager.default.removeItem(atPath: lines.path)
            }
        }
    }

    @Test(arguments: ["2,mended,Name\n", "", "nothing of ours", "line,error,lead_name\n"])
    func `a file of that name is kept under another one`(strange: String) throws {
        try beside { path, header in
            let lines = RejectedLines(for: path, header: header, after: .init())
            for number in [1, 2] {
                try strange.write(toFile: lines.path, atomically: true, encoding: .utf8)
                let again = RejectedLines(for: path, header: header, after: .init())
                try again.append(rejected(2))
                try again.finish()
                #expect(content(of: again.path) == text(2))
                let isBeginning = text(2).hasPrefix(strange)
                #expect(again.setAside.map { content(of: $0) } == (isBeginning ? [] : [strange]))
                #expect(again.setAside.allSatisfy { $0.hasSuffix("people.errors.\(number).csv") })
            }
        }
    }

    @Test func `nothing is touched when no line fails`() throws {
        try beside { path, header in
            let lines = RejectedLines(for: path, header: header, after: .init())
            try "mended".write(toFile: lines.path, atomically: true, encoding: .utf8)
            try lines.append([])
            try lines.finish()
            #expect(content(of: lines.path) == "mended")
            #expect(try names(beside: path) == ["people.csv", "people.errors.csv"])
        }
    }

    @Test(arguments: [true, false])
    func `lines that were mended while the import stood still are kept`(isInPlace: Bool) throws {
        try beside { path, header in
            let stopped = RejectedLines(for: path, header: header, after: .init())
            try stopped.append(rejected(2))
            let mended = text(2).replacingOccurrences(of: "name 2", with: "Name 2")
            try mended.write(toFile: stopped.path, atomically: !isInPlace, encoding: .utf8)
            let lines = RejectedLines(for: path, header: header, after: stopped.written)
            try lines.finish()
            #expect(content(of: lines.path) == mended)
            try lines.append(rejected(3))
            try lines.finish()
            #expect(content(of: lines.path) == text(3))
            #expect(lines.setAside.map { content(of: $0) } == [mended])
        }
    }

    @Test func `lines that somebody added are kept, and those of the import stay together`() throws {
        try beside { path, header in
            let stopped = RejectedLines(for: path, header: header, after: .init())
            try stopped.append(rejected(2))
            let added = text(2) + "9,added,name 9\n"
            try added.write(toFile: stopped.path, atomically: true, encoding: .utf8)
            let lines = RejectedLines(for: path, header: header, after: stopped.written)
            try lines.append(rejected(3))
            #expect(content(of: lines.path) == text(2, 3))
            #expect(lines.setAside.map { content(of: $0) } == [added])
            try (text(2, 3) + "5,added\n").write(toFile: lines.path, atomically: true, encoding: .utf8)
            try lines.finish()
            #expect(content(of: lines.path) == text(2, 3))
            #expect(lines.setAside.count == 2)
        }
    }

    @Test(arguments: [true, false])
    func `a file that was taken away begins again with its header`(isStopped: Bool) throws {
        try beside { path, header in
            var lines = RejectedLines(for: path, header: header, after: .init())
            try lines.append(rejected(2))
            try FileManager.default.removeItem(atPath: lines.path)
            if isStopped { lines = RejectedLines(for: path, header: header, after: lines.written) }
            try lines.append(rejected(3))
            try lines.finish()
            #expect(content(of: lines.path) == text(3))
            #expect(lines.setAside.isEmpty)
        }
    }

    @Test func `what is no regular file is named`() throws {
        try beside { path, header in
            let lines = RejectedLines(for: path, header: header, after: .init())
            try FileManager.default.createDirectory(atPath: lines.path, withIntermediateDirectories: false)
            _ = #expect(throws: ImportError.self) { try lines.append(rejected(2)) }
        }
    }

    @Test func `columns of the same names are those of a file of errors only in front`() throws {
        let cases: [(header: String, isAdded: Bool)] = [
            ("line,error,lead_name", true), ("lead_name,line,error", false), ("error,line,lead_name", false),
        ]
        for (header, isAdded) in cases {
            let found = try CSVHeader(Array(header.utf8), isLast: true, path: "")
            #expect(found.unused.sorted() == (isAdded ? [] : ["error", "line"]))
            #expect(found.original(["a", "b", "c"]) == (isAdded ? ["c"] : ["a", "b", "c"]))
        }
    }
}

extension String {
    fileprivate var deletingLastComponent: String { String(self[..<(lastIndex(of: "/") ?? startIndex)]) }
}
