// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// Hides secrets in what is shown, and puts them back into what is written back.
///
/// INVARIANT: a document is only ever rendered from a message that passed through `hide`.
enum Secret {
    private static let prefix = "[hidden "

    /// Field names whose string values are secrets wherever a schemaless document has them.
    private static let names: Set<String> = [
        "access_token", "refresh_token", "id_token", "raw", "client_secret", "secret", "password",
        "private_key", "token", "api_key", "upstream_refresh_token", "pkce_verifier",
    ]

    /// What is shown instead of a secret: enough to see that it changed, nothing to use it.
    static func marker(for secret: String) -> String {
        "[hidden sha256:\(Digest.hex(secret, digits: Limits.secretDigestDigits))]"
    }

    /// Replaces a secret by its marker; an absent secret stays absent.
    static func hide(_ secret: inout String) {
        guard !secret.isEmpty else { return }
        secret = marker(for: secret)
    }

    /// Puts the stored secret back where its marker was written back.
    ///
    /// Throws ``DocumentError/hiddenMismatch(field:)`` for a marker of anything else.
    static func restore(
        _ written: inout String,
        from stored: String,
        field: String
    ) throws(DocumentError) {
        guard written.hasPrefix(prefix) else { return }
        guard !stored.isEmpty, written == marker(for: stored) else {
            throw .hiddenMismatch(field: field)
        }
        written = stored
    }

    /// Hides the secret members of a schemaless document, at any depth.
    static func hide(_ document: inout Google_Protobuf_Struct) {
        for key in document.fields.keys.sorted() {
            guard var value = document.fields[key] else { continue }
            hide(&value, under: key)
            document.fields[key] = value
        }
    }

    private static func hide(_ value: inout Google_Protobuf_Value, under key: String) {
        switch value.kind {
        case .stringValue(var text) where names.contains(key):
            hide(&text)
            value.stringValue = text
        case .structValue(var inner):
            hide(&inner)
            value.structValue = inner
        case .listValue(var list):
            for index in list.values.indices { hide(&list.values[index], under: key) }
            value.listValue = list
        default: break
        }
    }

    /// Puts the secret members of a schemaless document back, at any depth.
    static func restore(
        _ document: inout Google_Protobuf_Struct,
        from stored: Google_Protobuf_Struct
    ) throws(DocumentError) {
        for key in document.fields.keys.sorted() {
            guard var value = document.fields[key] else { continue }
            try restore(&value, from: stored.fields[key], under: key)
            document.fields[key] = value
        }
    }

    private static func restore(
        _ value: inout Google_Protobuf_Value,
        from stored: Google_Protobuf_Value?,
        under key: String
    ) throws(DocumentError) {
        switch value.kind {
        case .stringValue(var text) where names.contains(key):
            try restore(&text, from: stored?.stringValue ?? "", field: key)
            value.stringValue = text
        case .structValue(var inner):
            try restore(&inner, from: stored?.structValue ?? Google_Protobuf_Struct())
            value.structValue = inner
        case .listValue(var list):
            let old = stored?.listValue.values ?? []
            for index in list.values.indices {
                let before = index < old.count ? old[index] : nil
                try restore(&list.values[index], from: before, under: key)
            }
            value.listValue = list
        default: break
        }
    }
}
