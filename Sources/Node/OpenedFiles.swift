// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Logging
import Replica
import Store

/// The files of a data directory, opened and brought up to date.
struct OpenedFiles {
    let store: RocksStore
    let records: RecordStore
    let entries: DurableLog<PosixDisk>

    /// Opens the state and the log and replays what the state has not seen.
    init(_ configuration: NodeConfiguration, log: Logger) throws(NodeError) {
        let directory = configuration.dataDirectory
        do throws(StoreError) {
            store = try RocksStore(path: directory + "/state", options: configuration.store)
        } catch {
            throw .store(error)
        }
        do throws(NodeError) {
            (entries, records) = try Self.recover(store, configuration, log)
        } catch {
            store.close()
            throw error
        }
    }

    private static func recover(
        _ store: RocksStore,
        _ configuration: NodeConfiguration,
        _ log: Logger
    ) throws(NodeError) -> (DurableLog<PosixDisk>, RecordStore) {
        let entries: DurableLog<PosixDisk>
        do throws(LogError) {
            entries = try DurableLog(
                opening: configuration.dataDirectory + "/log",
                on: PosixDisk(),
                limits: configuration.log
            )
        } catch {
            throw .log(error)
        }
        var records: RecordStore
        do throws(StoreError) { records = try RecordStore(store) } catch { throw .store(error) }
        let replayed: UInt64
        do throws(RecoveryError) {
            replayed = try Recovery.replay(entries, into: &records)
        } catch {
            throw .recovery(error)
        }
        log.info(
            "recovered",
            metadata: [
                "log.first": "\(entries.firstIndex)", "log.last": "\(entries.lastIndex)",
                "replayed": "\(replayed)", "version": "\(records.metadata.recordVersion)",
            ]
        )
        return (entries, records)
    }
}
