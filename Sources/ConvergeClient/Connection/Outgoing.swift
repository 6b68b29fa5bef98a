import ConvergeWire

/// Frames on their way from the tasks to the connection's thread, in order.
struct Outgoing {
    private(set) var bytes: [UInt8] = []
    private var encoder = FrameWriter()

    var count: Int { bytes.count }

    mutating func message(_ message: some Message, stream: UInt16) {
        encode { $0.message(message, stream: stream) }
    }

    mutating func encode(_ body: (inout FrameWriter) -> Void) {
        encoder.removeAll()
        body(&encoder)
        bytes.append(contentsOf: encoder.bytes)
    }

    mutating func frames(_ frames: [UInt8]) {
        bytes.append(contentsOf: frames)
    }

    /// Gives everything away and goes on with the buffer handed in, emptied.
    mutating func exchange(_ other: inout [UInt8]) {
        swap(&bytes, &other)
        bytes.removeAll(keepingCapacity: true)
    }
}
