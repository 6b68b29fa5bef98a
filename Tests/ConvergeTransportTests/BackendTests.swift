import ConvergeTransport
import Testing

/// What this machine allows.
enum Machine {
    /// Why io_uring cannot be had here; nil: it can.
    static let ioUringRefusal: TransportError? = {
        do throws(TransportError) {
            _ = try Transport(TransportOptions(backend: .ioUring))
            return nil
        } catch { return error }
    }()

    /// The backends that tests run on.
    static let backends: [TransportBackend] = ioUringRefusal == nil ? [.ioUring, .epoll] : [.epoll]
}

@Suite struct BackendTests {
    @Test(.enabled(if: Machine.ioUringRefusal == nil, "io_uring is not tested: this machine does not allow it"))
    func ioUringIsWhatWasAskedFor() throws {
        let asked = try Transport(TransportOptions(backend: .ioUring))
        #expect(asked.backend == .init(name: "io_uring", fallback: nil))
    }

    @Test func epollIsWhatWasAskedFor() throws {
        let transport = try Transport(TransportOptions(backend: .epoll))
        #expect(transport.backend == .init(name: "epoll", fallback: nil))
    }

    @Test(arguments: TransportBackend.allCases) func namesAreReadBack(_ backend: TransportBackend) {
        #expect(TransportBackend(name: backend.name) == backend)
    }

    @Test func otherNamesAreRefused() { #expect(TransportBackend(name: "kqueue") == nil) }
}
