// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // The tests look inside what is shipped, and not only inside what is built for debugging.
    .unsafeFlags(["-enable-testing"], .when(configuration: .release)),
]

// One room per target, arrows one way: see docs/DEVELOPMENT.md.
let package = Package(
    name: "leads-crm",
    dependencies: [
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: ["FullFoundation"]),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", exact: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", exact: "1.8.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", exact: "1.0.2", traits: []),
        .package(url: "https://github.com/vapor/jwt-kit", exact: "5.7.1"),
    ],
    targets: [
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(
            name: "Postgres",
            dependencies: ["CLibPQ", "StableHash", .product(name: "DequeModule", package: "swift-collections")],
            swiftSettings: settings
        ),
        .target(name: "StableHash", swiftSettings: settings),
        .target(name: "Leads", swiftSettings: settings),
        .target(
            name: "CPhoneNumber",
            linkerSettings: [.linkedLibrary("phonenumber")]
        ),
        .target(name: "Identity", dependencies: ["Leads", "CPhoneNumber"], swiftSettings: settings),
        .target(
            name: "Distribution",
            dependencies: ["Leads", .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: settings
        ),
        .target(
            name: "Schema",
            path: "sql",
            exclude: ["README.md"],
            resources: [
                .embedInCode("migrations/0001_core.sql"),
                .embedInCode("migrations/0002_tallies.sql"),
                .embedInCode("migrations/0003_distribution.sql"),
                .embedInCode("migrations/0004_event_log.sql"),
                .embedInCode("migrations/0005_validated.sql"),
                .embedInCode("migrations/0006_leads.sql"),
                .embedInCode("migrations/0007_idempotency.sql"),
                .embedInCode("migrations/0008_lists.sql"),
                .embedInCode("migrations/0009_decisions.sql"),
                .embedInCode("migrations/0010_event_kinds.sql"),
                .embedInCode("migrations/0011_large_pools.sql"),
                .embedInCode("migrations/0012_checked.sql"),
                .embedInCode("migrations/0013_times.sql"),
                .embedInCode("migrations/0014_access.sql"),
                .embedInCode("migrations/0015_erasure.sql"),
                .embedInCode("migrations/0016_audit.sql"),
                .embedInCode("migrations/0017_actor_kinds.sql"),
                .embedInCode("migrations/0018_actor_kinds_checked.sql"),
                .embedInCode("functions/contact_waiting_reason.sql"),
                .embedInCode("functions/count_contact_loads.sql"),
                .embedInCode("functions/count_contact_times.sql"),
                .embedInCode("functions/note_contact_spans.sql"),
                .embedInCode("functions/note_access_changes.sql"),
                .embedInCode("functions/note_pool_changes.sql"),
                .embedInCode("functions/erase_leads.sql"),
                .embedInCode("functions/flush_lead_names.sql"),
                .embedInCode("functions/recount_counters.sql"),
                .embedInCode("functions/remove_decision_details.sql"),
                .embedInCode("functions/remove_decisions.sql"),
                .embedInCode("functions/sequence_events.sql"),
                .embedInCode("functions/set_load_ceiling.sql"),
                .embedInCode("functions/snapshots.sql"),
                .embedInCode("functions/tally_contacts.sql"),
                .embedInCode("views/contact_counts.sql"),
                .embedInCode("views/contact_objects.sql"),
                .embedInCode("views/contact_times.sql"),
                .embedInCode("report/report.sql"),
                .embedInCode("ownership.sql"),
                .embedInCode("roles.sql"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "LeadStore",
            dependencies: [
                "Leads", "Distribution", "Schema", "Postgres", "StableHash",
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: settings
        ),
        .target(name: "JSON", dependencies: ["Leads"], swiftSettings: settings),
        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CZxcvbn", providers: [.apt(["libzxcvbn-dev"])]),
        .target(
            name: "Credentials",
            dependencies: ["CArgon2", "CZxcvbn", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: settings
        ),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(
            name: "API",
            dependencies: [
                "Leads", "JSON", "Identity", "LeadStore", "Credentials", "OpenID", "StableHash", "CZlib",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Dashboard",
            dependencies: ["API"],
            resources: [
                .embedInCode("assets/access.js"),
                .embedInCode("assets/account.js"),
                .embedInCode("assets/api.js"),
                .embedInCode("assets/audit.js"),
                .embedInCode("assets/contacts.js"),
                .embedInCode("assets/dom.js"),
                .embedInCode("assets/events.js"),
                .embedInCode("assets/icon.svg"),
                .embedInCode("assets/index.html"),
                .embedInCode("assets/keys.js"),
                .embedInCode("assets/leads.js"),
                .embedInCode("assets/live.js"),
                .embedInCode("assets/main.js"),
                .embedInCode("assets/memory.js"),
                .embedInCode("assets/operators.js"),
                .embedInCode("assets/overview.js"),
                .embedInCode("assets/passwords.js"),
                .embedInCode("assets/people.js"),
                .embedInCode("assets/router.js"),
                .embedInCode("assets/sign-in.html"),
                .embedInCode("assets/sign-in.js"),
                .embedInCode("assets/sources.js"),
                .embedInCode("assets/staff.js"),
                .embedInCode("assets/style.css"),
                .embedInCode("assets/viewer.js"),
                .embedInCode("assets/widgets.js"),
                .embedInCode("assets/words.js"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "EmbeddedPostgres",
            dependencies: [
                "StableHash",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "Demo",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "FileImport",
            dependencies: ["Identity", "JSON", "LeadStore", "Leads", "StableHash"],
            swiftSettings: settings
        ),
        .target(
            name: "OpenID",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "leads-crm",
            dependencies: [
                "API", "Credentials", "Dashboard", "Demo", "EmbeddedPostgres", "FileImport", "Identity", "LeadStore",
                "Leads", "OpenID", "Postgres", "Schema",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),

        .executableTarget(
            name: "postgres-round-trip",
            dependencies: ["Postgres"],
            path: "Benchmarks/RoundTrip",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "distribution-decision",
            dependencies: ["Distribution", "Leads"],
            path: "Benchmarks/Decision",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "http-floor",
            dependencies: [
                "API", "Identity", "LeadStore", "Leads", "Postgres",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Benchmarks/HTTPFloor",
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["EmbeddedPostgres", "LeadStore", "Postgres"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .testTarget(name: "PostgresTests", dependencies: ["Postgres", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "LeadsTests", dependencies: ["Leads", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "IdentityTests", dependencies: ["Identity", "Leads"], swiftSettings: settings),
        .testTarget(
            name: "DistributionTests",
            dependencies: ["Distribution", "Leads", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(name: "StableHashTests", dependencies: ["StableHash"], swiftSettings: settings),
        .testTarget(name: "SchemaTests", dependencies: ["Schema"], swiftSettings: settings),
        .testTarget(
            name: "LeadStoreTests",
            dependencies: ["Distribution", "Leads", "LeadStore", "Postgres", "Schema", "TestSupport"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "APITests",
            dependencies: [
                "API", "Identity", "JSON", "LeadStore", "Leads", "Postgres", "TestSupport",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ],
            exclude: ["make_fixtures.py"],
            resources: [.embedInCode("faults.json"), .embedInCode("documents.json")],
            swiftSettings: settings
        ),
        .testTarget(name: "CredentialsTests", dependencies: ["Credentials"], swiftSettings: settings),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "Leads", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "FileImportTests", dependencies: ["FileImport", "Leads", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "DemoTests", dependencies: ["Demo", "Identity"], swiftSettings: settings),
        .testTarget(
            name: "EmbeddedPostgresTests",
            dependencies: ["EmbeddedPostgres", .product(name: "Subprocess", package: "swift-subprocess")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "OpenIDTests",
            dependencies: [
                "OpenID", "TestSupport",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ProgramTests",
            dependencies: [
                "leads-crm", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            swiftSettings: settings
        ),
    ],
    cxxLanguageStandard: .cxx17
)
