// SPDX-License-Identifier: Apache-2.0

import Glibc
import Log
import Logging
import Raft
import Replica
import Store

/// The files of a data directory, opened, and what the member begins with.
struct OpenedFiles {
    let store: RocksStore
    let records: RecordStore
    let storage: MemberStorage<PosixDisk>
    let recovery: Recovery

    /// Opens the state and the log; what the state has not seen of the log Raft will bring.
    init(_ configuration: NodeConfiguration, log: Logger) throws(NodeError) {
        let directories = StateDirectories(data: configuration.dataDirectory)
        let path = try directories.current()
        do throws(StoreError) {
            store = try RocksStore(path: path, options: configuration.store)
        } catch {
            throw .store(error)
        }
        directories.removeOthers(than: path)
        do throws(NodeError) {
            records = try Self.records(store, configuration)
            (storage, recovery) = try Self.open(configuration, records.metadata)
        } catch {
            store.close()
            throw error
        }
        log.info(
            "opened",
            metadata: [
                "log.first": "\(storage.log.firstIndex)", "log.last": "\(storage.log.lastIndex)",
                "unapplied": "\(storage.log.lastIndex - recovery.appliedIndex)",
                "term": "\(recovery.hardState.term)",
                "version": "\(records.metadata.recordVersion)",
            ]
        )
    }

    /// The state; a new one is told first who begins the group.
    private static func records(
        _ store: RocksStore,
        _ configuration: NodeConfiguration
    ) throws(NodeError) -> RecordStore {
        do throws(StoreError) {
            var records = try RecordStore(store)
            let group = Configuration(voters: configuration.foundingVoters)
            try records.bootstrap(
                GroupConfiguration(group, at: 0),
                members: configuration.founders,
                clusterID: configuration.clusterID
            )
            return records
        } catch {
            throw .store(error)
        }
    }

    private static func open(
        _ configuration: NodeConfiguration,
        _ state: StoreMetadata
    ) throws(NodeError) -> (MemberStorage<PosixDisk>, Recovery) {
        do throws(RecoveryError) {
            let storage = try MemberStorage(
                opening: configuration.dataDirectory + "/log",
                on: PosixDisk(),
                member: configuration.member,
                incarnation: .random(in: 1...(.max)),
                state: state,
                limits: configuration.log
            )
            let recovery = try storage.recovery(over: state)
            let isAlone = recovery.group == Configuration(voters: [configuration.member])
            guard isAlone || configuration.isInGroup else {
                throw RecoveryError.incomplete(
                    reason: "the directory is that of a member of a larger group, and the "
                        + "configuration has no section for a cluster"
                )
            }
            return (storage, recovery)
        } catch {
            throw .recovery(error)
        }
    }
}
