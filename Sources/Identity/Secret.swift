// SPDX-License-Identifier: Apache-2.0

import SwiftProtobuf

/// Hides secrets in what is shown, and puts them back into what is written back.
///
/// INVARIANT: a document is only ever rendered from a message that passed through `hide`, except
/// by `Document.reveal`.
enum Secret {
    private static let prefix = "[hidden "

    /// Field names below which every string and number of a schemaless document is a secret,
    /// whatever their case and with or without separators.
    private static let names: Set<String> = [
        "accesstoken", "refreshtoken", "idtoken", "raw", "clientsecret", "secret", "password",
        "privatekey", "token", "apikey", "upstreamrefreshtoken", "pkceverifier",
    ]

    private static func isSecret(_ key: String) -> Bool {
        names.contains(key.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " })
    }

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
        hide(&document, isSecret: false)
    }

    private static func hide(_ document: inout Google_Protobuf_Struct, isSecret inherited: Bool) {
        for key in document.fields.keys.sorted() {
            guard var value = document.fields[key] else { continue }
            hide(&value, isSecret: inherited || isSecret(key))
            document.fields[key] = value
        }
    }

    private static func hide(_ value: inout Google_Protobuf_Value, isSecret: Bool) {
        switch value.kind {
        case .structValue(var inner):
            hide(&inner, isSecret: isSecret)
            value.structValue = inner
        case .listValue(var list):
            for index in list.values.indices { hide(&list.values[index], isSecret: isSecret) }
            value.listValue = list
        default:
            if isSecret, let marker = marker(for: value) { value.stringValue = marker }
        }
    }

    /// What stands for a string or a number that is a secret; nil for what can hold none.
    private static func marker(for value: Google_Protobuf_Value) -> String? {
        switch value.kind {
        case .stringValue(let text): text.isEmpty ? nil : marker(for: text)
        case .numberValue(let number): marker(for: "\(number)")
        default: nil
        }
    }

    /// Puts the secret members of a schemaless document back, at any depth.
    static func restore(
        _ document: inout Google_Protobuf_Struct,
        from stored: Google_Protobuf_Struct
    ) throws(DocumentError) {
        try restore(&document, from: stored, isSecret: false)
    }

    private static func restore(
        _ document: inout Google_Protobuf_Struct,
        from stored: Google_Protobuf_Struct,
        isSecret inherited: Bool
    ) throws(DocumentError) {
        for key in document.fields.keys.sorted() {
            guard var value = document.fields[key] else { continue }
            let isSecret = inherited || isSecret(key)
            try restore(&value, from: stored.fields[key], isSecret: isSecret, field: key)
            document.fields[key] = value
        }
    }

    private static func restore(
        _ value: inout Google_Protobuf_Value,
        from stored: Google_Protobuf_Value?,
        isSecret: Bool,
        field: String
    ) throws(DocumentError) {
        switch value.kind {
        case .structValue(var inner):
            let old = stored?.structValue ?? Google_Protobuf_Struct()
            try restore(&inner, from: old, isSecret: isSecret)
            value.structValue = inner
        case .listValue(var list):
            let old = stored?.listValue.values ?? []
            for index in list.values.indices {
                let before = index < old.count ? old[index] : nil
                try restore(&list.values[index], from: before, isSecret: isSecret, field: field)
            }
            value.listValue = list
        case .stringValue(let written) where isSecret && written.hasPrefix(prefix):
            guard let stored, written == marker(for: stored) else {
                throw .hiddenMismatch(field: field)
            }
            value = stored
        default: break
        }
    }
}
