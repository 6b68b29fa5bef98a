/// Operations one behind the other, lent by the buffer that holds them until that changes.
public struct OperationRun {
    let base: UnsafePointer<Operation>
    public let count: Int

    public subscript(_ index: Int) -> Operation {
        precondition(index >= 0 && index < count)
        return base[index]
    }
}

extension OperationRun {
    /// Entries of a lane that are operations.
    public init(entries: UnsafeMutableRawPointer, count: Int) {
        self.init(base: UnsafePointer(entries.assumingMemoryBound(to: Operation.self)), count: count)
    }

    public subscript(_ range: Range<Int>) -> OperationRun {
        precondition(range.lowerBound >= 0 && range.upperBound <= count)
        return OperationRun(base: base + range.lowerBound, count: range.count)
    }

    /// Bits of the sources that write.
    public var sources: UInt64 {
        var sources: UInt64 = 0
        for index in 0..<count { sources |= 1 &<< UInt64(base[index].source) }
        return sources
    }
}
