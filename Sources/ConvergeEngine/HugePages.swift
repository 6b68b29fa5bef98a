internal import ConvergeCore
import Glibc

/// The allocator the core is given: the process's own, with large blocks on huge pages.
///
/// A write touches a random row, and with 4 KiB pages nearly every such access also misses the TLB. Row slabs are blocks of
/// 2 MiB, all but a kind's first aligned so; most systems give huge pages only to memory that asks for them.
enum HugePages {
    private static let bytes = 2 << 20

    static var allocator: cvg_allocator {
        cvg_allocator(
            context: nil,
            allocate: { _, size, alignment in
                var pointer: UnsafeMutableRawPointer?
                let aligned = max(alignment, MemoryLayout<UnsafeRawPointer>.alignment)
                guard posix_memalign(&pointer, aligned, size) == 0, let pointer else { return nil }
                // Advice: where the kernel cannot follow it, the pages stay small.
                if alignment >= HugePages.bytes { _ = madvise(pointer, size, MADV_HUGEPAGE) }
                return pointer
            },
            release: { _, pointer, _ in free(pointer) })
    }
}
