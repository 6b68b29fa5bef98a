public import ConvergeSchema

/// A Swift type that is a scalar field type: UInt8…UInt128, Int8…Int64, Float, Double, Bool.
public protocol FieldScalar: Sendable {
    static var fieldType: FieldType { get }
    /// Appends the bytes of a row.
    func append(to bytes: inout [UInt8])
    /// The value at `offset`, where as many bytes as the type has must be.
    static func load(_ bytes: RawSpan, at offset: Int) -> Self
}

extension FieldScalar where Self: FixedWidthInteger & BitwiseCopyable {
    public func append(to bytes: inout [UInt8]) {
        Swift.withUnsafeBytes(of: littleEndian) { bytes.append(contentsOf: $0) }
    }

    public static func load(_ bytes: RawSpan, at offset: Int) -> Self {
        precondition(offset >= 0 && offset <= bytes.byteCount - MemoryLayout<Self>.size)
        return Self(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: Self.self))
    }
}

extension UInt8: FieldScalar { public static var fieldType: FieldType { .u8 } }
extension UInt16: FieldScalar { public static var fieldType: FieldType { .u16 } }
extension UInt32: FieldScalar { public static var fieldType: FieldType { .u32 } }
extension UInt64: FieldScalar { public static var fieldType: FieldType { .u64 } }
extension UInt128: FieldScalar { public static var fieldType: FieldType { .u128 } }
extension Int8: FieldScalar { public static var fieldType: FieldType { .i8 } }
extension Int16: FieldScalar { public static var fieldType: FieldType { .i16 } }
extension Int32: FieldScalar { public static var fieldType: FieldType { .i32 } }
extension Int64: FieldScalar { public static var fieldType: FieldType { .i64 } }

extension Float: FieldScalar {
    public static var fieldType: FieldType { .f32 }
    public func append(to bytes: inout [UInt8]) { bitPattern.append(to: &bytes) }
    public static func load(_ bytes: RawSpan, at offset: Int) -> Float {
        Float(bitPattern: UInt32.load(bytes, at: offset))
    }
}

extension Double: FieldScalar {
    public static var fieldType: FieldType { .f64 }
    public func append(to bytes: inout [UInt8]) { bitPattern.append(to: &bytes) }
    public static func load(_ bytes: RawSpan, at offset: Int) -> Double {
        Double(bitPattern: UInt64.load(bytes, at: offset))
    }
}

extension Bool: FieldScalar {
    public static var fieldType: FieldType { .bool }
    public func append(to bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
    public static func load(_ bytes: RawSpan, at offset: Int) -> Bool { UInt8.load(bytes, at: offset) != 0 }
}
