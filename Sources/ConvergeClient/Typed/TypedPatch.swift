/// The fields that a PATCH sets: assigning to a property is giving the field.
@dynamicMemberLookup
public struct TypedPatch<Root: TypedKind> {
    private(set) var values = Root()
    private(set) var mask: UInt64 = 0
    /// Something was set that is no field.
    private(set) var setsOther = false

    /// Sets a field, structs and arrays as a whole. It cannot be read: a patch does not know what the entity holds.
    public subscript<V>(dynamicMember property: WritableKeyPath<Root, V>) -> V {
        @available(*, unavailable, message: "a patch sets whole fields and cannot read them")
        get { values[keyPath: property] }
        set {
            guard let ordinal = Root.schema.ordinal(of: property) else {
                setsOther = true
                return
            }
            values[keyPath: property] = newValue
            mask |= 1 << UInt64(ordinal)
        }
    }
}
