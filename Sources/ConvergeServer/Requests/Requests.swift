import ConvergeWire

extension Shard {
    /// Handles everything but writes. The connection's earlier writes have been applied.
    mutating func handleRequest(_ slot: Int, _ header: FrameHeader, _ payload: RawSpan) {
        // The flush that its own writes brought about may have ended the connection.
        guard sessions[slot].takesFrames else { return }
        counters.requests += 1
        charge(slot, RequestCost.estimate(header.opcode, payloadBytes: payload.byteCount))
        guard sessions[slot].state == .open || header.opcode == .connect else {
            refuse(
                slot, .notConnected, stream: header.replyStream, opcode: header.opcode, fatal: true,
                "\(header.opcode) came before CONNECT: send CONNECT first")
            return
        }
        do {
            try validate(header)
            try dispatch(slot, header, payload)
        } catch {
            refuse(slot, error.code, stream: header.replyStream, opcode: header.opcode, error.description)
        }
    }

    /// A reply can only be told from others by its stream id.
    private func validate(_ header: FrameHeader) throws(WireError) {
        let has = header.opcode.needsStream ? 1...WireLimits.streamMax : 0...WireLimits.streamMax
        guard !has.contains(header.stream) else { return }
        throw WireError(
            .malformedMessage,
            "\(header.opcode) has stream id \(header.stream): requests have 1 to \(WireLimits.streamMax), chosen by the client, "
                + "so that it knows the reply")
    }

    private mutating func dispatch(_ slot: Int, _ header: FrameHeader, _ payload: RawSpan) throws(WireError) {
        let stream = header.stream
        switch header.opcode {
        case .query: try query(slot, stream, Query(payload: payload))
        case .sync: try sync(slot, stream, Sync(payload: payload))
        case .heartbeat: try heartbeat(slot, stream, Heartbeat(payload: payload))
        case .subscribe: try subscribe(slot, stream, Subscribe(payload: payload))
        case .unsubscribe: try unsubscribe(slot, stream, Unsubscribe(payload: payload))
        case .connect: try connect(slot, stream, Connect(payload: payload))
        case .createKind: try createKind(slot, stream, CreateKind(payload: payload))
        case .getKind: try getKind(slot, stream, GetKind(payload: payload))
        case .listKinds: try listKinds(slot, stream, ListKinds(payload: payload))
        case .goodbye: try goodbye(slot, stream, Goodbye(payload: payload))
        case .admin: try admin(slot, stream, Admin(payload: payload))
        case .sourceEpochBegin, .sourceEpochEnd, .subscribeEvents, .dropKind:
            throw WireError(.unsupported, "\(header.opcode) is reserved and not supported by this server version yet")
        default:
            throw WireError(
                .unknownOpcode, "\(header.opcode) is not a message that a client sends in protocol version 1")
        }
    }

    private mutating func heartbeat(_ slot: Int, _ stream: UInt16, _ message: Heartbeat) {
        reply(slot, stream: stream, HeartbeatAck(opaque: message.opaque))
    }

    private mutating func goodbye(_ slot: Int, _ stream: UInt16, _ message: Goodbye) throws(WireError) {
        guard message.mode == 0 else {
            throw WireError(
                .unsupported,
                "GOODBYE with mode \(message.mode) is not supported yet: retract the entities with RETRACT, then send mode 0"
            )
        }
        // What it has asked for and not been answered yet comes first; it takes a window at most.
        guard sessions[slot].waiting > 0 else { return close(slot) }
        sessions[slot].state = .leaving
        transport.setReading(sessions[slot].connection, false)
    }
}

extension FrameHeader {
    /// The stream id of what answers the frame: its own, or 0 when it has none that a reply could carry.
    var replyStream: UInt16 { stream <= WireLimits.streamMax ? stream : 0 }
}

extension Opcode {
    /// A request with a reply that could be mistaken for another's. CONNECT's is the first of all; GOODBYE has none; of opcodes
    /// that are not known it is not known.
    var needsStream: Bool {
        switch self {
        case .query, .subscribe, .unsubscribe, .heartbeat, .sync, .createKind, .getKind, .listKinds, .admin:
            true
        default: false
        }
    }
}
