/// Operations one behind the other, lent by the buffer that holds them until that changes.
public struct OperationRun {
    let base: UnsafePointer<Operation>
    public let count: Int

    public subscript(_ index: Int) -> Operation {
        precondition(index >= 0 && index < count)
        return base[index]
    }
}
