// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether a thread that waits has been sent nothing but news.
///
/// The kernel interrupts a request for any signal that has a handler, and does not say for which.
/// A shell that has a child end while it writes would see EINTR, and its user a change that may
/// or may not have happened. Signals that are ignored unless they are caught can wait for the
/// commit, which is bounded in time; all others are answered at once.
///
/// Source: proc_pid_status(5); signal(7) for the signals whose default is to be ignored.
func isOnlyNews(forThread thread: pid_t) -> Bool {
    guard thread > 0, let status = read("/proc/\(thread)/status") else { return false }
    let blocked = mask("SigBlk", in: status)
    let pending = (mask("SigPnd", in: status) | mask("ShdPnd", in: status)) & ~blocked
    let news: UInt64 = [SIGCHLD, SIGURG, SIGWINCH, SIGCONT].reduce(0) { $0 | 1 << ($1 - 1) }
    return pending != 0 && pending & ~news == 0
}

private func read(_ path: String) -> [Substring]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n")
}

private func mask(_ key: String, in status: [Substring]) -> UInt64 {
    let line = status.first { $0.hasPrefix("\(key):") }
    return line?.split(whereSeparator: \.isWhitespace).last.flatMap { UInt64($0, radix: 16) } ?? 0
}
