import ConvergeTransport
import ConvergeWire
import Synchronization

/// Gives the frames of one received buffer to whom they belong. Neighbouring notifications of one subscription are passed
/// on as one piece: a copy a buffer, not a copy a notification.
struct FrameRouter {
    private let loop: ConnectionLoop
    private var route: SubscriptionBuffer?
    private var routeKind: UInt16 = 0
    private var start = 0
    private var end = 0

    init(loop: ConnectionLoop) {
        self.loop = loop
    }

    mutating func route(_ header: FrameHeader, _ bytes: RawSpan, at offset: Int) throws(ClientError) {
        let payload = offset + FrameHeader.bytes
        let after = payload + header.payloadBytes
        switch header.opcode {
        case .state, .deleted, .bootstrapBegin, .bootstrapEnd:
            guard loop.isConnected, header.payloadBytes >= 2 else {
                throw .violation("\(header.opcode) came before CONNECTED, or names no kind")
            }
            let kind = UInt16(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: payload, as: UInt16.self))
            if end != offset || kind != routeKind || route == nil {
                flush(bytes)
                route = loop.routes[kind]
                routeKind = kind
                start = offset
            }
            end = after
        default:
            flush(bytes)
            try take(header, bytes.extracting(payload..<after))
        }
    }

    /// Passes on what has been collected.
    mutating func flush(_ bytes: RawSpan) {
        if let route, end > start {
            route.append(bytes.extracting(start..<end).withUnsafeBytes { Array($0) })
        }
        route = nil
    }

    private func take(_ header: FrameHeader, _ payload: RawSpan) throws(ClientError) {
        do {
            switch header.opcode {
            case .connected:
                guard !loop.isConnected else { throw ClientError.violation("a second CONNECTED") }
                let answer = try Connected(payload: payload)
                guard answer.version == 1 else {
                    throw ClientError.violation("it chose protocol version \(answer.version); this client speaks 1")
                }
                loop.connected(answer)
            case .serverGoodbye:
                let goodbye = try ServerGoodbye(payload: payload)
                loop.farewell = ClientError(
                    .closed, "the server at \(loop.core.peer) closed the connection: \(goodbye.message)")
            case .error:
                try refused(ErrorMessage(payload: payload), stream: header.stream)
            default:
                // Unknown frames are ignored (docs/PROTOCOL.md, Growth); replies name the request they answer.
                guard header.stream != 0 else { return }
                try reply(header, payload)
            }
        } catch let error as WireError {
            throw .violation(error.description)
        } catch let error as ClientError {
            throw error
        } catch {
            throw .violation("\(error)")
        }
    }

    private func refused(_ error: ErrorMessage, stream: UInt16) throws {
        if error.fatal || !loop.isConnected {
            throw ClientError(refusal: error)
        } else if stream != 0 {
            guard let request = loop.core.state.withLock({ $0.streams.answer(stream) }) else {
                throw ClientError.violation("an ERROR for stream \(stream), on which nothing was asked")
            }
            if case .opens(let buffer, _) = request.effect { buffer.finish(ClientError(refusal: error)) }
            request.waiter?.continuation.resume(returning: .failure(ClientError(refusal: error)))
        } else {
            let refusal = Refusal(error)
            loop.core.refusalSink.yield(refusal)
            loop.core.state.withLock { state in
                if state.refusals.count < ConnectionCore.refusalsKept { state.refusals.append(refusal) }
            }
        }
    }

    private func reply(_ header: FrameHeader, _ payload: RawSpan) throws {
        guard let request = loop.core.state.withLock({ $0.streams.answer(header.stream) }) else {
            throw ClientError.violation("\(header.opcode) on stream \(header.stream), on which nothing was asked")
        }
        guard header.opcode == request.expected else {
            let error = ClientError.violation("\(header.opcode) came where \(request.expected) was due")
            request.waiter?.continuation.resume(returning: .failure(error))
            throw error
        }
        switch request.effect {
        case .none: break
        case .opens(let buffer, let kind):
            loop.routes[kind] = buffer
            if request.waiter == nil { loop.core.postUnsubscribe(buffer, kind: kind) }
        case .closes(let buffer, let kind):
            if loop.routes[kind] === buffer { loop.routes[kind] = nil }
            buffer.finish(nil)
        }
        request.waiter?.continuation.resume(returning: .success(Reply(payload: payload.withUnsafeBytes { Array($0) })))
    }
}
