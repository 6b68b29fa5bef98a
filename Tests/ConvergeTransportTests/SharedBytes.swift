/// A `cvg_segment` of the core, made by hand: bytes, capacity, used, references, dispose, owner.
final class SharedBytes {
    private let segment = UnsafeMutableRawPointer.allocate(byteCount: 40, alignment: 8)
    private let bytes: UnsafeMutableBufferPointer<UInt8>

    init(_ content: [UInt8]) {
        bytes = .allocate(capacity: content.count)
        _ = bytes.initialize(from: content)
        segment.initializeMemory(as: UInt8.self, repeating: 0, count: 40)
        segment.storeBytes(of: UnsafeMutableRawPointer(bytes.baseAddress!), as: UnsafeMutableRawPointer.self)
        segment.storeBytes(of: UInt32(content.count), toByteOffset: 8, as: UInt32.self)
        segment.storeBytes(of: UInt32(content.count), toByteOffset: 12, as: UInt32.self)
        segment.storeBytes(of: 1, toByteOffset: 16, as: UInt32.self)
    }

    deinit {
        precondition(references == 1, "someone still holds the segment")
        bytes.deallocate()
        segment.deallocate()
    }

    var pointer: OpaquePointer { OpaquePointer(segment) }
    var references: UInt32 { segment.load(fromByteOffset: 16, as: UInt32.self) }
}
