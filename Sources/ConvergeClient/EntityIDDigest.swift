internal import CCrypto
import ConvergeWire

extension EntityID {
    /// The SHA-256 of the text: an id for a name of any length.
    public static func str(_ text: String) -> EntityID {
        var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
        let bytes = Array(text.utf8)
        _ = SHA256(bytes, bytes.count, &digest)
        return EntityID(loading: digest.span.bytes, at: 0)
    }

    /// An id as it is typed: `text:`, `str:`, `int:`, `uuid:` or `hex:` and the value; anything else is text.
    public static func parse(_ text: String) throws(EntityIDError) -> EntityID {
        try parse(text, digest: EntityID.str)
    }
}
