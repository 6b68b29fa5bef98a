/// A kind as a Swift type: its properties are the kind's fields.
///
///     struct Player: TypedKind {
///         var zone = ""
///         var health: UInt8 = 0
///
///         static let schema = Schema<Player>("Player") {
///             $0.string("zone", \.zone, max: 16)
///             $0.field("health", \.health)
///         }
///     }
///
/// The schema is the order in which the fields stand in a row; like a kind file it may only grow at its end. Properties that
/// it does not name are the program's own. `init()` gives what the server gives to fields that nobody wrote: zero.
public protocol TypedKind: Sendable {
    init()
    /// A `static let`: it is looked at for every row.
    static var schema: Schema<Self> { get }
}

/// A struct inside of a kind: the value of a `structure` field, or an element of an array.
///
///     struct Position: TypedStruct {
///         var lat = 0.0
///         var lon = 0.0
///
///         static let members = Members<Position> {
///             $0.field("lat", \.lat)
///             $0.field("lon", \.lon)
///         }
///     }
public protocol TypedStruct: Sendable {
    init()
    /// A `static let`.
    static var members: Members<Self> { get }
}
