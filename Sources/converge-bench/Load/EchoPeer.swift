import Glibc

/// The other end of a bare TCP ping-pong on the loopback: a thread that answers so many bytes with so many. What a round
/// trip costs at least, on this machine and at this moment.
final class EchoPeer {
    private let thread: Thread
    private let link: RawLink

    /// - Parameters:
    ///   - request: bytes that are waited for.
    ///   - reply: bytes that are sent then; at least 1.
    init(request: Int, reply: Int) throws {
        var peer: Int32 = -1
        link = try Self.connected(&peer)
        let far = peer
        thread = try Thread {
            let answering = RawLink(descriptor: far)
            let room = UnsafeMutableRawBufferPointer.allocate(byteCount: max(request, reply), alignment: 8)
            defer { room.deallocate() }
            room.initializeMemory(as: UInt8.self, repeating: 0)
            // Ends when the other end is closed.
            while (try? answering.receiveAll(UnsafeMutableRawBufferPointer(rebasing: room[..<request]))) != nil,
                (try? answering.send(UnsafeRawBufferPointer(rebasing: room[..<reply]))) != nil
            {}
        }
    }

    deinit {
        shutdown(link.descriptor, Int32(SHUT_RDWR))
        thread.join()
    }

    /// One round trip.
    func exchange(_ request: UnsafeRawBufferPointer, _ reply: UnsafeMutableRawBufferPointer) throws {
        try link.send(request)
        try link.receiveAll(reply)
    }

    /// Two connected sockets on 127.0.0.1, over a listener that is gone afterwards.
    private static func connected(_ far: inout Int32) throws -> RawLink {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard isBound else { throw BenchFailure(.cannotConnect, "no socket for the ping-pong: \(errno)") }
        let near = try RawLink(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
        far = accept(listener, nil, nil)
        guard far >= 0 else { throw BenchFailure(.cannotConnect, "no socket for the ping-pong: \(errno)") }
        return near
    }
}
