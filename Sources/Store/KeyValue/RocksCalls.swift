// SPDX-License-Identifier: Apache-2.0

internal import CRocksDB

/// Makes one RocksDB call that reports through an error pointer; frees the text it reports.
func rocksChecked<R>(
    _ storePath: String,
    whileOpening: Bool,
    _ call: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> R
) throws(StoreError) -> R {
    var message: UnsafeMutablePointer<CChar>? = nil
    let result = unsafe call(&message)
    guard let message = unsafe message else { return result }
    defer { unsafe rocksdb_free(message) }
    throw StoreError(
        rocksDBMessage: unsafe String(cString: message),
        storePath: storePath,
        whileOpening: whileOpening
    )
}

/// Lends bytes in the form RocksDB takes them; the pointer is never nil.
func withNativeBytes<R, E: Error>(
    of bytes: [UInt8],
    _ body: (_ start: UnsafePointer<CChar>, _ count: Int) throws(E) -> R
) throws(E) -> R {
    try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(E) -> R in
        guard let start = buffer.baseAddress else {
            var nothing: CChar = 0
            return try unsafe withUnsafePointer(to: &nothing) { (start) throws(E) -> R in
                try unsafe body(start, 0)
            }
        }
        let native = unsafe UnsafeRawPointer(start).assumingMemoryBound(to: CChar.self)
        return try unsafe body(native, buffer.count)
    }
}

/// Views bytes RocksDB returned, which must live as long as the view.
func nativeBytes(_ start: UnsafePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    let bytes = unsafe UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self)
    return unsafe UnsafeBufferPointer(start: bytes, count: count)
}
