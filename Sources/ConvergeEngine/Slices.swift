internal import ConvergeCore

/// Whole frames in one shared segment. `segment` is a `cvg_segment *`, for `Transport.send`.
public struct Slice {
    public let segment: OpaquePointer
    public let offset: Int
    public let bytes: Int
    public let frames: Int

    public init(segment: OpaquePointer, offset: Int, bytes: Int, frames: Int) {
        self.segment = segment
        self.offset = offset
        self.bytes = bytes
        self.frames = frames
    }

    /// One reference more to the segment.
    public func retain() { cvg_segment_retain(UnsafeMutablePointer(segment)) }
    /// One less: at the last it ends. On any thread.
    public func release() { cvg_segment_release(UnsafeMutablePointer(segment)) }

    init(_ slice: cvg_slice) {
        segment = OpaquePointer(slice.segment)
        offset = Int(slice.offset)
        bytes = Int(slice.bytes)
        frames = Int(slice.frames)
    }
}

/// Encoded frames, lent by the engine until its next call that returns slices.
public struct Slices {
    let base: UnsafeRawPointer?
    public let count: Int

    init(_ slices: cvg_slices) {
        base = UnsafeRawPointer(slices.items)
        count = slices.count
    }

    public var frames: Int { (0..<count).reduce(0) { $0 + self[$1].frames } }
    public var bytes: Int { (0..<count).reduce(0) { $0 + self[$1].bytes } }

    public subscript(_ index: Int) -> Slice {
        precondition(index >= 0 && index < count)
        return Slice(base.unsafelyUnwrapped.assumingMemoryBound(to: cvg_slice.self)[index])
    }
}

/// Slices kept longer than they are lent: holds one reference to each segment until `removeAll` or its end.
public struct RetainedSlices: ~Copyable {
    private var slices: [Slice] = []

    public init() {}
    deinit { releaseAll() }

    public var count: Int { slices.count }
    public subscript(_ index: Int) -> Slice { slices[index] }

    public mutating func append(_ lent: Slices) {
        for index in 0..<lent.count {
            let slice = lent[index]
            cvg_segment_retain(UnsafeMutablePointer(slice.segment))
            slices.append(slice)
        }
    }

    public mutating func removeAll() {
        releaseAll()
        slices.removeAll(keepingCapacity: true)
    }

    private func releaseAll() {
        for slice in slices { cvg_segment_release(UnsafeMutablePointer(slice.segment)) }
    }
}
