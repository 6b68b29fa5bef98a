import Glibc

/// A file, or standard input (`-`), read in pieces.
struct InputFile: ~Copyable {
    let name: String
    /// Bytes in all; nil when that is not known.
    let size: Int?
    private let descriptor: Int32
    private let isStandardInput: Bool

    static let pieceBytes = 64 << 10

    init(_ path: String) throws {
        isStandardInput = path == "-"
        name = isStandardInput ? "standard input" : path
        descriptor = isStandardInput ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CommandFailure(.usage, "cannot read \(shown(path)): \(String(cString: strerror(errno)))")
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            size = nil
            return
        }
        size = Int(status.st_size)
    }

    deinit {
        if !isStandardInput, descriptor >= 0 { Glibc.close(descriptor) }
    }

    /// The next bytes; empty at the end.
    func read() throws -> [UInt8] {
        while true {
            var failed: Int32 = 0
            let piece = [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, count in
                let got = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
                failed = got < 0 ? errno : 0
                count = max(0, got)
            }
            if failed == 0 { return piece }
            guard failed == EINTR else {
                throw CommandFailure(.usage, "cannot read \(shown(name)): \(String(cString: strerror(failed)))")
            }
        }
    }

    static func readAll(_ path: String, bytesMax: Int) throws -> [UInt8] {
        let file = try InputFile(path)
        var bytes: [UInt8] = []
        while true {
            let piece = try file.read()
            if piece.isEmpty { return bytes }
            bytes += piece
            if bytes.count > bytesMax {
                throw CommandFailure(.usage, "\(shown(path)) has more than \(bytesMax) bytes: is it the right file?")
            }
        }
    }
}
