import Foundation
import Leads
import TestSupport
import Testing

@testable import FileImport

struct RecordReaderTests {
    /// What became of each record: its line, and its fields as `name=value` or the reason why it fails.
    private func records(_ name: String, _ bytes: [UInt8]) throws -> [(line: Int, content: String)] {
        try Scratch.with(name, bytes) { path in
            var reader = try RecordReader(ImportFile(path: path))
            var found: [(Int, String)] = []
            while let record = try reader.next() { found.append((record.line, Self.text(of: record))) }
            #expect(reader.offset == bytes.count, "all of the file is read")
            return found
        }
    }

    private static func text(of record: Record) -> String {
        switch record.content {
        case .failure(let rejection): return "! \(rejection.reason)"
        case .success(let members):
            return members.map { member in
                if case .string(let text) = member.value { "\(member.name)=\(text)" } else { member.name }
            }.joined(separator: "|")
        }
    }

    private func csv(_ text: String) throws -> [String] {
        try records("x.csv", Array(text.utf8)).map { "\($0.line) \($0.content)" }
    }

    @Test(arguments: [",", ";", "\t"], ["\n", "\r\n"])
    func `fields are those of RFC 4180, by any delimiter and line end`(delimiter: String, end: String) throws {
        let lines = [
            "lead_name,message,priority", "Anna,hi,1", "\"Anna, Boris\",\"say \"\"hi\"\"\",",
            "\"\",\"two\(end)lines\",3", "",
            "5\" screen,  padded  ,\"4\"",
        ]
        // The comma within quotes stays whatever the delimiter is.
        let text =
            lines.joined(separator: end)
            .replacingOccurrences(of: ",", with: delimiter)
            .replacingOccurrences(of: "Anna\(delimiter) Boris", with: "Anna\(delimiter) Boris") + end
        #expect(
            try csv(text) == [
                "2 lead_name=Anna|message=hi|priority=1",
                "3 lead_name=Anna\(delimiter) Boris|message=say \"hi\"",
                "4 message=two\(end)lines|priority=3",
                "7 lead_name=5\" screen|message=  padded  |priority=4",
            ])
    }

    @Test func `a byte order mark, blanks around names, capitals and a last line without end are no matter`() throws {
        #expect(try csv("\u{FEFF} Lead_Name ;MESSAGE\nAnna;hi") == ["2 lead_name=Anna|message=hi"])
    }

    @Test func `a file with a header alone, or nothing but blank lines below it, has no records`() throws {
        #expect(try csv("lead_name").isEmpty)
        #expect(try csv("lead_name\n\n\r\n").isEmpty)
    }

    @Test func `a broken line fails alone`() throws {
        let text = """
            lead_name,message
            Anna,"hi" there
            Boris,1,2
            Vera
            Galina,"never closed
            Dmitri,ok
            """
        #expect(
            try csv(text) == [
                "2 ! text follows a closing quote", "3 ! it has 3 columns and the header 2",
                "4 ! it has 1 column and the header 2", "5 ! a quote is opened and not closed",
                "6 lead_name=Dmitri|message=ok",
            ])
    }

    @Test func `a line that is not UTF-8 fails alone`() throws {
        let bytes = Array("lead_name,message\n".utf8) + [0xCF, 0xF0, 0xE8] + Array(",hi\nAnna,hi\n".utf8)
        #expect(
            try records("x.csv", bytes).map(\.content) == ["! it is not UTF-8", "lead_name=Anna|message=hi"])
    }

    @Test func `what does not end within a mebibyte is given up line by line`() throws {
        let long = String(repeating: "x", count: 3 << 20)
        #expect(
            try csv("lead_name,message\n\"open,\(long)\nAnna,hi\n")
                == ["2 ! it is longer than 1 MiB", "3 lead_name=Anna|message=hi"])
        #expect(try csv("lead_name\n\(long)") == ["2 ! it is longer than 1 MiB"])
    }

    @Test func `a quote that is never closed is named, and costs its own line alone`() throws {
        let number = 170_000
        let found = try csv("lead_name,message\n\"open,hi\n" + String(repeating: "Anna,hi\n", count: number))
        #expect(found.first == "2 ! it is longer than 1 MiB: is a quote opened and not closed?")
        #expect(found.count == 1 + number)
    }

    @Test func `records that lie across the pieces of a file are whole`() throws {
        let number = 30_000
        let lines = (0..<number).map {
            "\"name \($0)\nof \"\"two\"\" lines\",\(String(repeating: "м", count: $0 % 50))"
        }
        let found = try csv("lead_name,message\n" + lines.joined(separator: "\n"))
        #expect(found.count == number)
        #expect(
            found.enumerated().allSatisfy { index, record in
                let message = String(repeating: "м", count: index % 50)
                return record == "\(2 + 2 * index) lead_name=name \(index)\nof \"two\" lines"
                    + (message.isEmpty ? "" : "|message=\(message)")
            })
    }

    @Test func `a file is never held as a whole`() throws {
        let text = "lead_name\n" + String(repeating: "\(String(repeating: "x", count: 200))\n", count: 20_000)
        try Scratch.with("x.csv", Array(text.utf8)) { path in
            var reader = try RecordReader(ImportFile(path: path))
            var most = 0
            while try reader.next() != nil { most = max(most, reader.held) }
            #expect(most > 0 && most < RecordReader.pieceSize + 1000)
        }
    }

    @Test func `a line of JSON is an object, and blank lines are nothing`() throws {
        let text = "\u{FEFF}{\"lead_name\": \"Anna\", \"lead_name2\": 1}\r\n\n  \n[1]\n{\"a\": \n{\"lead_phone\":\"x\"}"
        #expect(
            try records("x.jsonl", Array(text.utf8)).map { "\($0.line) \($0.content)" } == [
                "1 lead_name=Anna|lead_name2", "4 ! it is no JSON object",
                "5 ! it is no JSON: Expecting value, at character 7", "6 lead_phone=x",
            ])
    }

    @Test(arguments: [
        ("x.txt", "lead_name\n", ImportError.unknownFormat(path: "")),
        ("x.csv", "name,phone\nAnna,1\n", .unknownColumns(path: "")),
        ("x.csv", "", .unknownColumns(path: "")),
        ("x.csv", "lead_name,Lead_Name\n", .repeatedColumn(path: "", name: "lead_name")),
    ])
    func `a file that cannot be meant is refused`(name: String, text: String, expected: ImportError) throws {
        try Scratch.with(name, Array(text.utf8)) { path in
            let error = #expect(throws: ImportError.self) { try RecordReader(ImportFile(path: path)) }
            #expect(error?.isMisuse == true)
            #expect(error?.description.replacingOccurrences(of: path, with: "") == expected.description)
        }
    }

    @Test func `UTF-16 is named`() throws {
        try Scratch.with("x.csv", [0xFF, 0xFE, 0x6C, 0x00]) { path in
            _ = #expect(throws: ImportError.notUTF8(path: path)) { try RecordReader(ImportFile(path: path)) }
        }
    }

    @Test func `random tables are read as they were written`() throws {
        var random = SeededGenerator()
        let alphabet = ["\"", ",", ";", "\n", "\r\n", "\t", "a", "ы", " ", ""]
        for _ in 0..<200 {
            let delimiter = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")].randomElement(using: &random)!
            let rows = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                (0..<3).map { _ in
                    (0..<Int.random(in: 1...6, using: &random)).map { _ in alphabet.randomElement(using: &random)! }
                        .joined() + "."
                }
            }
            let header = ["lead_name", "message", "lead_email"]
            let bytes = ([header] + rows).flatMap { CSVRecord.line($0, delimiter: delimiter) }
            let found = try records("x.csv", bytes).map(\.content)
            #expect(found == rows.map { zip(header, $0).map { "\($0)=\($1)" }.joined(separator: "|") })
        }
    }
}

struct ImportFileTests {
    @Test func `the fingerprint is FNV-1a of the content`() throws {
        for (text, expected) in [
            ("", "6c62272e07bb014262b821756295c58d"), ("a", "d228cb696f1a8caf78912b704e4a8964"),
            ("foobar", "343e1662793c64bf6f0d3597ba446f18"),
        ] {
            try Scratch.with("x.csv", Array(text.utf8)) { path in
                let found = try ImportFile(path: path).fingerprint { false }
                #expect(found == expected)
            }
        }
    }

    @Test func `errors lie beside the file, with its ending`() {
        #expect("/a.b/leads.csv".inserting("errors") == "/a.b/leads.errors.csv")
        #expect("leads.2026.jsonl".inserting("errors") == "leads.2026.errors.jsonl")
        #expect("/a.csv/leads".fileExtension == "" && ".csv".fileExtension == "")
    }
}

struct ImportStateTests {
    private static let state = ImportState(
        stamp: .init(size: .max, inode: .max, modified: .max), fingerprint: String(repeating: "f", count: 32),
        sourceID: .max, offset: .max, line: .max,
        counts: ImportCounts(registered: .max, placed: .max, repeated: .max, failed: .max, unnumbered: .max),
        rejected: .init(length: .max, fingerprint: String(repeating: "f", count: 32)),
        lastEvent: .init(sourceID: .max, id: String(repeating: "\u{10FFFF}", count: 200)), isFinished: true)

    @Test func `any state fits, and is read back`() throws {
        try Scratch.with("x.csv", []) { path in
            do {
                let file = try StateFile(for: path)
                #expect(file.load() == nil)
                try file.store(Self.state)
            }
            let found = try StateFile(for: path).load()
            #expect(found == Self.state)
        }
    }

    @Test func `two processes do not import one file`() throws {
        try Scratch.with("x.csv", []) { path in
            let file = try StateFile(for: path)
            _ = #expect(throws: ImportError.inUse(path: path)) { try StateFile(for: path) }
            withExtendedLifetime(file) {}
        }
    }

    @Test func `a state that is damaged is none`() throws {
        try Scratch.with("x.csv", []) { path in
            let file = try StateFile(for: path)
            try file.store(Self.state)
            try Data("{\"line\": 7".utf8).write(to: URL(fileURLWithPath: path + StateFile.suffix))
            #expect(file.load() == nil)
        }
    }
}

struct ProgressLineTests {
    private func line(done: Int, elapsed: Double = 10) -> ProgressLine {
        ProgressLine(
            FileImport.Progress(
                size: 4000, done: done, doneBefore: 1000,
                counts: ImportCounts(registered: 150_000, repeated: 0, failed: 3),
                countsBefore: ImportCounts(registered: 50_000)),
            elapsed: elapsed)
    }

    @Test func `it tells how far, how fast and how long`() {
        #expect(line(done: 2000).plain == "50 %, 150 003 lines, 10 000/s, 0:20 left, 3 failed")
        #expect(line(done: 1000).plain == "25 %, 150 003 lines, 10 000/s, 3 failed")
        #expect(line(done: 2000).bar(width: 69).hasPrefix("[########--------] 50 %"))
    }

    @Test(arguments: [-2, 0, 10, 40, 60, 100])
    func `it fits the terminal`(width: Int) {
        #expect(line(done: 2000).bar(width: width).count <= max(width, 0))
    }
}

/// A file for the time of a test.
enum Scratch {
    static func with<Value>(_ name: String, _ bytes: [UInt8], _ body: (String) throws -> Value) throws -> Value {
        let directory = FileManager.default.temporaryDirectory.appending(path: "leads-import-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let path = directory.appending(path: name).path
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try body(path)
    }
}
