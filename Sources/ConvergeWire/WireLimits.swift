/// The limits of the protocol that both sides know without asking.
public enum WireLimits {
    /// The port a server listens on unless it is told otherwise.
    public static let defaultPort: UInt16 = 3727
    /// Bytes of a whole frame, header included, unless CONNECTED says otherwise.
    public static let frameBytes = 4 << 20
    /// Bytes of a whole frame before CONNECT has been answered.
    public static let frameBytesBeforeConnect = 64 << 10
    /// Bytes of a str16 or token16.
    public static let stringBytes = 65_535
    /// The largest stream id.
    public static let streamMax: UInt16 = 32_767
    /// Bytes of a sentence in ERROR and GOODBYE; longer ones are cut by the encoder.
    public static let sentenceBytes = 1_024
}
