import ConvergeWire

/// What the answer to a query of a loaded entity must be: it is the one and only way in which a wrong answer shows, because
/// QUERY_RESULT does not name its entity.
struct QueryCheck {
    static let statusOffset = FrameHeader.bytes
    static let versionOffset = FrameHeader.bytes + 4
    static let dataOffset = FrameHeader.bytes + 28

    let seed: UInt64
    let rowBytes: Int

    /// Bytes of a request, and of the reply that there should be.
    var requestBytes: Int { FrameHeader.bytes + 36 }
    var replyBytes: Int { Self.dataOffset + rowBytes }

    init(_ options: Options) {
        seed = options.seed
        rowBytes = options.rowBytes
    }

    /// - Parameters:
    ///   - frame: a whole QUERY_RESULT of `replyBytes`.
    ///   - key: that was asked for.
    @inline(__always)
    func isRight(_ frame: UnsafeRawPointer, key: UInt64) -> Bool {
        frame.load(fromByteOffset: Self.statusOffset, as: UInt8.self) == 1
            && frame.loadUnaligned(fromByteOffset: Self.versionOffset, as: UInt64.self) != 0
            && frame.loadUnaligned(fromByteOffset: Self.dataOffset, as: UInt64.self).littleEndian
                == SequentialKeys.value(of: key, seed: seed)
    }

    static func wrong(key: UInt64) -> BenchFailure {
        BenchFailure(
            .checkFailed,
            "the answer to the query of entity int:\(key) is not what was loaded: is somebody else writing?")
    }
}
