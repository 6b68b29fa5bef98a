internal import ConvergeCore

/// Why the core refused something: `cvg_status` in Swift.
public enum EngineStatus: Int32, Error, Sendable, CaseIterable, CustomStringConvertible {
    case outOfMemory = -1
    case unknownKind = -2
    case kindExists = -3
    case invalidDefinition = -4
    case invalidOperation = -5
    case invalidSource = -6
    case unknownSchemaVersion = -7
    case wrongLength = -8
    case unknownField = -9
    case invalidBool = -10
    case valueTooLong = -11
    case invalidUTF8 = -12
    case nonzeroPadding = -13
    case notOwner = -14
    case windowFull = -15
    case batchSealed = -16
    case nothingPending = -17
    case tooManyRows = -18
    case bufferTooSmall = -19

    /// The core's sentence for it.
    public var description: String { String(cString: cvg_status_text(rawValue)) }

    init(core status: Int32) {
        guard let known = EngineStatus(rawValue: status) else {
            preconditionFailure("the core returned the undeclared status \(status)")
        }
        self = known
    }

    static func check(_ status: Int32) throws(EngineStatus) {
        if status != CVG_OK.rawValue { throw EngineStatus(core: status) }
    }
}
