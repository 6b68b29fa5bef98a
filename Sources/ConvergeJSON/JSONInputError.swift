import ConvergeSchema

/// JSON text that was refused. `description` is a sentence; from a file it begins with `FILE:LINE: `.
public struct JSONInputError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence alone.
    public var message: String
    /// Name of the file the text came from, as the user gave it.
    public var file: String?
    /// From 1.
    public var line: Int
    /// From 1, in bytes.
    public var column: Int
    /// The rule of the schema that was broken; nil for malformed JSON.
    public var code: SchemaError.Code?

    public init(message: String, file: String?, line: Int, column: Int, code: SchemaError.Code? = nil) {
        self.message = message
        self.file = file
        self.line = line
        self.column = column
        self.code = code
    }

    public var description: String {
        guard let file else { return message }
        return "\(file):\(line): \(message)"
    }
}
