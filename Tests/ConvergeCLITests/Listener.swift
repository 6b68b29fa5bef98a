import ConvergeTestSupport
import Glibc

/// A socket that a client can connect to and that answers only what a test says; and a named pipe to feed a command from.
final class Listener {
    let port: UInt16
    let fifo: String
    /// What the client sent before it was answered.
    private(set) var received: [UInt8] = []
    private let descriptor: Int32
    private var writeEnd: Int32 = -1

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let listens = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 4) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        fifo = "/tmp/converge-test-fifo-\(getpid())-\(port)"
        guard listens, mkfifo(fifo, 0o600) == 0 else { throw ClientFailure("no socket or fifo: errno \(errno)") }
    }

    deinit {
        closeFIFO()
        unlink(fifo)
        close(descriptor)
    }

    /// Returns when somebody reads from the pipe.
    func openFIFO() throws {
        writeEnd = open(fifo, O_WRONLY | O_CLOEXEC)
        guard writeEnd >= 0 else { throw ClientFailure("cannot open the fifo: errno \(errno)") }
    }

    func write(_ text: String) throws {
        var bytes = Array(text.utf8)
        guard Glibc.write(writeEnd, &bytes, bytes.count) == bytes.count else {
            throw ClientFailure("cannot feed the fifo")
        }
    }

    func closeFIFO() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    /// Sends bytes to an address of this machine, and returns what comes back until the other side ends it.
    static func exchange(_ request: [UInt8], with address: String) throws -> [UInt8] {
        let peer = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(peer) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        place.sin_port = (UInt16(address.split(separator: ":").last ?? "") ?? 0).bigEndian
        let isConnected = withUnsafePointer(to: &place) { place in
            place.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(peer, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        var bytes = request
        guard isConnected, send(peer, &bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw ClientFailure("cannot reach \(address): errno \(errno)")
        }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(peer, &piece, piece.count, 0), count > 0 { answer += piece.prefix(count) }
        return answer
    }

    /// Accepts one connection, reads what comes first, answers, and ends it.
    func answering(_ answer: [UInt8], _ start: (String) throws -> Process) throws -> Process.Ended {
        let process = try start("127.0.0.1:\(port)")
        let connection = accept(descriptor, nil, nil)
        defer { close(connection) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(connection, &buffer, buffer.count, 0)
        received = Array(buffer.prefix(max(0, count)))
        var bytes = answer
        _ = send(connection, &bytes, bytes.count, Int32(MSG_NOSIGNAL))
        shutdown(connection, Int32(SHUT_WR))
        return try process.wait()
    }
}

extension [UInt8] {
    /// How often the bytes occur.
    func count(of part: [UInt8]) -> Int {
        guard count >= part.count else { return 0 }
        return (0...count - part.count).count { self[$0..<$0 + part.count].elementsEqual(part) }
    }
}
