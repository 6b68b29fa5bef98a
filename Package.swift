// swift-tools-version: 6.2
import PackageDescription

/// Layers, from the bottom: C core and transport, their Swift owners, the pure Swift modules, the server and the client,
/// and the programs. Who may import whom is kept by `make check` (see docs/ARCHITECTURE.md), not by this file alone.
let package = Package(
    name: "ConvergeDB",
    products: [
        .library(name: "ConvergeClient", targets: ["ConvergeClient"]),
        .executable(name: "convergedb", targets: ["convergedb"]),
        .executable(name: "convergectl", targets: ["convergectl"]),
        .executable(name: "converge-bench", targets: ["converge-bench"]),
        .executable(name: "converge-stress", targets: ["converge-stress"]),
    ],
    targets: [
        .target(name: "ConvergeCore", path: "CSources/ConvergeCore"),
        .target(
            name: "ConvergeNet", path: "CSources/ConvergeNet",
            cSettings: [.headerSearchPath("../ConvergeCore/include")],
            linkerSettings: [.linkedLibrary("uring")]),
        .target(name: "ConvergeShard", path: "CSources/ConvergeShard"),
        .systemLibrary(name: "CJemalloc", path: "CSources/CJemalloc"),
        .systemLibrary(name: "CCrypto", path: "CSources/CCrypto"),
        .systemLibrary(name: "CEditLine", path: "CSources/CEditLine"),

        .target(name: "ConvergeSchema"),
        .target(name: "ConvergeWire"),
        .target(name: "ConvergeJSON", dependencies: ["ConvergeSchema"]),
        .target(name: "ConvergeEngine", dependencies: ["ConvergeCore", "ConvergeSchema", "ConvergeWire"]),
        .target(name: "ConvergeTransport", dependencies: ["ConvergeNet"]),
        .target(name: "ConvergeLanes", dependencies: ["ConvergeShard"]),
        .target(
            name: "ConvergeServer",
            dependencies: [
                "ConvergeEngine", "ConvergeTransport", "ConvergeLanes", "ConvergeSchema", "ConvergeWire",
                "ConvergeJSON",
            ]),
        .target(
            name: "ConvergeClient",
            dependencies: ["ConvergeTransport", "ConvergeSchema", "ConvergeWire", "CCrypto"]),

        .executableTarget(name: "convergedb", dependencies: ["ConvergeServer", "CJemalloc"]),
        .executableTarget(name: "convergectl", dependencies: ["ConvergeClient", "ConvergeJSON", "CEditLine"]),
        .executableTarget(
            name: "converge-bench",
            dependencies: ["ConvergeClient", "ConvergeTransport", "ConvergeWire", "ConvergeSchema", "ConvergeJSON"]),

        .executableTarget(
            name: "flights-demo", dependencies: ["ConvergeClient", "ConvergeJSON"], path: "Examples/Flights",
            exclude: ["data", "flight.json"]),

        .executableTarget(
            name: "converge-stress",
            dependencies: ["ConvergeTransport", "ConvergeWire", "ConvergeSchema", "ConvergeJSON"],
            path: "Tests/Stress"),

        .target(
            name: "ConvergeTestSupport", dependencies: ["ConvergeServer", "ConvergeTransport", "ConvergeWire"],
            path: "Tests/ConvergeTestSupport"),
        .testTarget(name: "ConvergeSchemaTests", dependencies: ["ConvergeSchema"]),
        .testTarget(name: "ConvergeWireTests", dependencies: ["ConvergeWire"]),
        .testTarget(name: "ConvergeJSONTests", dependencies: ["ConvergeJSON"]),
        .testTarget(name: "ConvergeEngineTests", dependencies: ["ConvergeEngine", "ConvergeWire", "ConvergeSchema"]),
        .testTarget(name: "ConvergeTransportTests", dependencies: ["ConvergeTransport"]),
        .testTarget(name: "ConvergeServerTests", dependencies: ["ConvergeServer", "ConvergeTestSupport"]),
        .testTarget(name: "ConvergeClientTests", dependencies: ["ConvergeClient", "ConvergeTestSupport"]),
        .testTarget(name: "ConvergeCLITests", dependencies: ["ConvergeTestSupport", "converge-bench"]),
    ],
    swiftLanguageModes: [.v6],
    cLanguageStandard: .c11
)
