import HTTPTypes
import NIOCore

extension Reply {
    /// The answer as it goes over the wire, in one buffer, which makes it one call of the system. Of one without an
    /// end, its beginning.
    /// - Parameters:
    ///   - common: the fields that every answer has.
    ///   - isChunked: whether what follows of one without an end comes in chunks (RFC 9112, 7.1).
    func encoded(
        for method: HTTPRequest.Method, id: String, connection: String?, date: String, common: [UInt8],
        isChunked: Bool = false, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 448 + body.count)
        switch status.code {
        case 200: buffer.writeStaticString("HTTP/1.1 200 OK\r\n")
        case 201: buffer.writeStaticString("HTTP/1.1 201 Created\r\n")
        default: buffer.writeString("HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n")
        }
        for field in headers.fields where field.name != .connection {
            buffer.write(field.name.rawName, field.value)
        }
        // What says nothing else may hold somebody's data, and stays with nobody on its way.
        if headers[.cacheControl] == nil { buffer.writeStaticString("Cache-Control: no-store\r\n") }
        buffer.writeBytes(common)
        // RFC 9110, 8.6: there is none where there can be no body.
        if stream != nil {
            if isChunked { buffer.write("Transfer-Encoding", "chunked") }
        } else if status != .noContent && status != .notModified {
            buffer.write("Content-Length", String(body.count))
        }
        buffer.write(RequestID.header.rawName, id)
        if let connection { buffer.write("Connection", connection) }
        buffer.write("Date", date)
        buffer.writeStaticString("\r\n")
        if method != .head, status != .noContent, status != .notModified { buffer.writeBytes(body) }
        return buffer
    }
}

extension ByteBuffer {
    /// Writes a header field. Of a value that could end the field, what could do so is left out.
    fileprivate mutating func write(_ name: String, _ value: String) {
        writeString(name)
        writeStaticString(": ")
        if value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) {
            writeString(value)
        } else {
            writeBytes(value.utf8.filter { $0 >= 0x20 && $0 != 0x7F })
        }
        writeStaticString("\r\n")
    }
}
