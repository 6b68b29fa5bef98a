import Glibc

/// What went wrong with an address or the machine, as a sentence that says what to change.
public struct TransportError: Error, Sendable, Equatable, CustomStringConvertible {
    public let errno: Int32
    public let description: String

    /// Why `connect` to this address ended in `closed` with this errno before `connected`.
    public static func connecting(host: String, port: UInt16, errno: Int32) -> TransportError {
        let address = addressText(host: host, port: port)
        let sentence =
            switch errno {
            case ECONNREFUSED: "nothing listens on \(address): is the server running?"
            case EHOSTUNREACH, ENETUNREACH:
                "\(address) cannot be reached from this machine: check the address and the network"
            case ETIMEDOUT: "\(address) does not answer: check the address, and whether a firewall is in between"
            case ECONNRESET: "\(address) closed the connection at once: is it a ConvergeDB server?"
            case EMFILE, ENFILE: noDescriptors
            default: "cannot connect to \(address): \(text(of: errno))"
            }
        return TransportError(errno: errno, description: sentence)
    }

    static func resolving(host: String, port: UInt16, errno: Int32) -> TransportError {
        let address = addressText(host: host, port: port)
        let sentence =
            switch errno {
            case EHOSTUNREACH: "the name \"\(host)\" does not resolve to an address: check its spelling"
            case EUSERS: "cannot connect to \(address): this program has reached its limit of connections"
            default: "cannot connect to \(address): \(text(of: errno))"
            }
        return TransportError(errno: errno, description: sentence)
    }

    static func listening(host: String, port: UInt16, errno: Int32) -> TransportError {
        let address = addressText(host: host, port: port)
        let sentence =
            switch errno {
            case EADDRINUSE: "\(address) is in use: stop the other server, or choose another port"
            case EACCES where port < 1024:
                "\(address) may not be used: ports below 1024 are for privileged programs; choose a port from 1024 on"
            case EACCES: "\(address) may not be used: this user lacks the permission; choose another address or port"
            case EADDRNOTAVAIL: "\(host) is not an address of this machine: choose one of its own, 127.0.0.1 or 0.0.0.0"
            case EHOSTUNREACH: "the name \"\(host)\" does not resolve to an address: check its spelling"
            case EMFILE, ENFILE: noDescriptors
            default: "cannot listen on \(address): \(text(of: errno))"
            }
        return TransportError(errno: errno, description: sentence)
    }

    static func creating(errno: Int32) -> TransportError {
        let sentence =
            errno == EMFILE || errno == ENFILE ? noDescriptors : "cannot start the network: \(text(of: errno))"
        return TransportError(errno: errno, description: sentence)
    }

    static func ioUring(errno: Int32, reason: String) -> TransportError {
        TransportError(errno: errno, description: "cannot use io_uring: \(reason)")
    }

    static func polling(errno: Int32) -> TransportError {
        TransportError(errno: errno, description: "cannot wait for the network: \(text(of: errno))")
    }

    private static let noDescriptors = "no file descriptor is left: raise the limit of open files (ulimit -n)"

    private static func addressText(host: String, port: UInt16) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    private static func text(of errno: Int32) -> String { String(cString: strerror(errno)) }
}
