// SPDX-License-Identifier: Apache-2.0

/// What a member's clock showed, on its way back to it as the basis of freshness.
///
/// A reading goes back once a majority has answered what the leader sent after the reading came:
/// then the leader led when it came, as with a read (thesis section 6.4). So freshness does not
/// rest on the lease, which is worth nothing where others wrongly take the leader for dead.
struct Readings: Equatable, Sendable {
    private struct Waiting: Equatable {
        var reading: Reading
        /// The leader's clock when it came.
        var takenAt: UInt64
    }

    private var confirmed: Reading?
    /// The oldest that is not confirmed: a newer one in its place would never be.
    private var waiting: Waiting?

    /// Takes a reading that has just come; a majority has answered what was sent at `quorumClock`.
    mutating func take(_ reading: Reading, at now: UInt64, quorumClock: UInt64) {
        confirm(quorumClock)
        if let waiting, waiting.reading.run == reading.run { return }
        if let confirmed, confirmed.run == reading.run, confirmed.clock >= reading.clock { return }
        waiting = Waiting(reading: reading, takenAt: now)
    }

    /// The newest reading that may go back.
    func newest(quorumClock: UInt64) -> Reading? {
        var readings = self
        readings.confirm(quorumClock)
        return readings.confirmed
    }

    private mutating func confirm(_ quorumClock: UInt64) {
        guard let waiting, waiting.takenAt < quorumClock else { return }
        confirmed = waiting.reading
        self.waiting = nil
    }
}
