import ConvergeServer

#if SYSTEM_ALLOCATOR
    /// The sanitizers bring an allocator of their own, which says nothing of itself.
    let readMemory: (@Sendable () -> MemoryReading)? = nil
#else
    import CJemalloc

    /// What jemalloc, the allocator of Swift and of the core in this program, says of itself.
    let readMemory: (@Sendable () -> MemoryReading)? = {
        // jemalloc refreshes its numbers when the epoch is written.
        var epoch: UInt64 = 1
        mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
        return MemoryReading(
            allocated: read("stats.allocated"), active: read("stats.active"), resident: read("stats.resident"))
    }

    private func read(_ name: String) -> UInt64 {
        var value = 0
        var bytes = MemoryLayout<Int>.size
        guard mallctl(name, &value, &bytes, nil, 0) == 0 else { return 0 }
        return UInt64(value)
    }
#endif
