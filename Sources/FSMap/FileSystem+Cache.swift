// SPDX-License-Identifier: Apache-2.0

package import Identity
import Synchronization

/// What a kernel must forget when the state changes (ARCHITECTURE sections 3.4 and 7).
extension FileSystem {
    /// Remembers what is about to change, before it does.
    ///
    /// From here on answers about it are not to be believed for long, and revoked sessions can
    /// neither be opened nor, where they are open, be read any more.
    package func willApply(_ effects: [Effect], now: UInt64) {
        let touches = isBulk(effects) ? nil : effects.flatMap(Touch.touches(of:))
        state.withLock { state in
            refuseRevoked(in: effects, &state) { _, _ in }
            state.recent.announce(touches?.compactMap(\.key), now: now)
        }
    }

    /// Too many to name: the kernel is told to forget every name it has.
    private func isBulk(_ effects: [Effect]) -> Bool {
        effects.count > options.invalidatedNamesMax
    }

    /// Nobody opens a revoked file or reads it through what is open; `body` is called with its
    /// inodes.
    ///
    /// In a bulk, where files are opened at all, only with those that are open: the pages of
    /// others are out of reach. They have to be marked all the same, for the sake of who is
    /// opening one and has looked at the state before.
    private func refuseRevoked(
        in effects: [Effect],
        _ state: inout State,
        _ body: (UInt64, InodeTable.Inode) -> Void
    ) {
        let isOpenOnly = isBulk(effects) && !options.kind.isOpenless
        for effect in effects {
            guard case .recordRemoved(let type, let id, users: _, revoked: true) = effect else {
                continue
            }
            let nodes: [Node] =
                type == .session ? [.session(id), .record(type, id)] : [.record(type, id)]
            for node in nodes {
                state.inodes.removeAll(node, .revoked) { inode, entry in
                    if !isOpenOnly || !entry.handles.isEmpty { body(inode, entry) }
                }
            }
        }
    }

    /// What must be invalidated after the state has changed, as far as the kernel may have it.
    ///
    /// `content` goes out before the replies, `names` after them.
    package func invalidations(
        for effects: [Effect],
        view: any IdentityView
    ) -> (content: [Invalidation], names: [Invalidation]) {
        state.withLock { $0.recent.settle() }
        var batch = InvalidationBatch(
            namesMax: options.invalidatedNamesMax
        )
        let isBulk = isBulk(effects)
        if isBulk { batch.addEverything() }
        for effect in isBulk ? addRevoked(in: effects, to: &batch) : effects {
            for touch in Touch.touches(of: effect) where batch.isNew(touch) {
                add(touch, to: &batch, view: view)
            }
        }
        return batch.result
    }

    /// Handles the revoked sessions of a bulk, whose names a new epoch covers, and returns the
    /// effects that are left: one revocation for each principal stands for its listings.
    private func addRevoked(
        in effects: [Effect],
        to batch: inout InvalidationBatch
    ) -> [Effect] {
        var rest: [Effect] = []
        var last: [String] = []
        state.withLock { state in
            refuseRevoked(in: effects, &state) { inode, _ in batch.add(.content(inode: inode)) }
        }
        for effect in effects {
            switch effect {
            case .recordRemoved(.session, id: _, let users, revoked: true):
                guard !users.elementsEqual(last, by: { $0.isSame(as: $1) }) else { continue }
                last = users
                rest.append(effect)
            case .unlisted(.sessions, _): break
            default: rest.append(effect)
            }
        }
        return rest
    }

    private func add(
        _ touch: Touch,
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        switch touch {
        case .content(let node): content(of: node, to: &batch, view: view)
        case .name(let node, in: let directory):
            let parent = state.withLock { state in
                if !state.pending.isEmpty { state.pending.remove(node) }
                return state.inodes.current(directory)
            }
            if let parent { batch.add(.entry(parent: parent, name: node.name)) }
        case .listing(let directory):
            for inode in state.withLock({ $0.inodes.all(directory) }) {
                batch.add(.listing(directory: inode))
            }
        case .gone(let node, let revoked):
            gone(node, revoked: revoked, to: &batch, view: view)
        case .groupNames(let session, let users):
            groupNames(of: session, users: users, to: &batch, view: view)
        case .memberNames(let sessions, let user):
            memberNames(of: user, in: sessions, to: &batch, view: view)
        case .moved(let session): names(of: session, to: &batch)
        }
    }

    /// Attributes and pages; what is open learns which version is current now.
    private func content(
        of node: Node,
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        let inodes = state.withLock { state in
            state.inodes.all(node).compactMap { inode in
                state.inodes[inode].map { (inode, !$0.handles.isEmpty) }
            }
        }
        guard !inodes.isEmpty else { return }
        if options.kind.isOpenless, node.kind == .regular {
            return supersede(node, inodes.map(\.0), to: &batch, view: view)
        }
        for (inode, _) in inodes {
            batch.add(node.forgetting(inode))
        }
        guard inodes.contains(where: \.1), node.kind == .regular else { return }
        // A state that cannot be read now leaves the old version, which makes readers stale.
        guard let found = try? tree.presence(of: node, in: view) else { return }
        state.withLock { state in
            for (inode, _) in inodes {
                state.inodes.update(inode) { $0.latestVersion = found.version }
            }
        }
    }

    /// New content is a new inode; the names lead to the old one until they are forgotten.
    private func supersede(
        _ node: Node,
        _ inodes: [UInt64],
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        // A state that cannot be read now is found out by the next GETATTR.
        let found = (try? tree.presence(of: node, in: view)) ?? nil
        let stale = state.withLock { state in
            inodes.filter { inode in
                if let found { supersede(inode, by: found, &state) }
                return state.inodes[inode]?.removal == .superseded
            }
        }
        for inode in inodes {
            batch.add(
                stale.contains(inode) ? .attributes(inode: inode) : node.forgetting(inode)
            )
        }
        if !stale.isEmpty { names(of: node, to: &batch) }
    }

    /// A node that has ceased to exist; or one that has not, after all, or is another one now.
    private func gone(
        _ node: Node,
        revoked: Bool,
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        guard !state.withLock({ $0.inodes.all(node).isEmpty }) else { return }
        let found = revoked ? nil : (try? tree.presence(of: node, in: view)) ?? nil
        let inodes = state.withLock { state in
            let isPending = isPending(node, state)
            for inode in state.inodes.all(node) {
                guard let entry = state.inodes[inode], !entry.isUncommitted, !isPending else {
                    continue
                }
                if let found, state.inodes.isSame(entry.number, found.number) { continue }
                state.inodes.remove(inode, revoked ? .revoked : .gone)
            }
            return state.inodes.all(node)
        }
        for inode in inodes {
            batch.add(node.forgetting(inode))
        }
        names(of: node, to: &batch)
    }

    /// Every name under which the kernel has looked up a node.
    private func names(of node: Node, to batch: inout InvalidationBatch) {
        let name = node.name
        let known = state.withLock { state in
            state.inodes.all(node).flatMap { inode -> [Invalidation] in
                guard let entry = state.inodes[inode] else { return [] }
                return entry.parents.filter { state.inodes[$0] != nil }.map {
                    entry.removal == nil || entry.removal == .superseded
                        ? .entry(parent: $0, name: name)
                        : .delete(parent: $0, child: inode, name: name)
                }
            }
        }
        known.forEach { batch.add($0) }
    }

    /// A session's name in the groups of its old and its new principal.
    private func groupNames(
        of session: Node,
        users: [Node],
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        guard state.withLock({ $0.inodes.groupSessionsCount > 0 }) else { return }
        let name = session.name
        for case .user(let user) in users {
            // Where the state cannot be read, nothing is listed and nothing has been.
            let header = try? view.header(.directoryUser, user)
            for group in header?.facts.groupIDs ?? [] {
                let parent = state.withLock { $0.inodes.current(.groupSessions(group)) }
                if let parent { batch.add(.entry(parent: parent, name: name)) }
            }
        }
    }

    /// The names of a user's sessions in a group that the user joined or left.
    private func memberNames(
        of user: Node,
        in sessions: Node,
        to batch: inout InvalidationBatch,
        view: any IdentityView
    ) {
        let parent = state.withLock { $0.inodes.current(sessions) }
        guard let parent, case .user(let user) = user else { return }
        var names: [String] = []
        do {
            try tree.forEachSession(of: user, in: view) { names.append(FileName.encode($0.id)) }
        } catch {
            return batch.addEverything()
        }
        for name in names { batch.add(.entry(parent: parent, name: name)) }
    }

    /// Asked after a reply about an inode was sent: what changed since the mark was taken.
    package func raced(since mark: CacheMark, inode: UInt64) -> [Invalidation] {
        state.withLock { state in
            guard !state.recent.isQuiet(since: mark), let node = state.inodes[inode]?.node else {
                return []
            }
            guard node.kind == .directory else {
                let isTouched = state.recent.isTouched(.node(node), since: mark)
                return isTouched ? [forgetting(inode, of: node, state)] : []
            }
            guard !state.recent.isUnknown(since: mark) else {
                let children = state.inodes.children(of: inode).compactMap { child in
                    state.inodes[child].map { forgetting(child, of: $0.node, state) }
                }
                return [.listing(directory: inode)] + children + [.everything]
            }
            return racedNames(since: mark, node, inode, state)
        }
    }

    /// The same where only attributes were answered: what is listed in a directory was not told.
    ///
    /// Whoever walks a path asks for those of its directories, however many names change there.
    package func racedAttributes(since mark: CacheMark, inode: UInt64) -> [Invalidation] {
        state.withLock { state in
            guard !state.recent.isQuiet(since: mark), let node = state.inodes[inode]?.node else {
                return []
            }
            let keys: [RecentChanges.Key] =
                node.kind == .directory
                ? [.node(node), .listing(node), .names(node)] : [.node(node)]
            let isTouched = keys.contains { state.recent.isTouched($0, since: mark) }
            return isTouched ? [forgetting(inode, of: node, state)] : []
        }
    }

    /// What was listed meanwhile: names and attributes in one directory.
    private func racedNames(
        since mark: CacheMark,
        _ directory: Node,
        _ inode: UInt64,
        _ state: borrowing State
    ) -> [Invalidation] {
        var result: [Invalidation] = []
        for key in state.recent.touched(since: mark) {
            switch key {
            case .node(directory), .listing(directory): result.append(.listing(directory: inode))
            case .names(directory): result.append(.everything)
            case .node(let child) where child.canBeNamed(in: directory):
                result.append(.entry(parent: inode, name: child.name))
                result += state.inodes.all(child).map { forgetting($0, of: child, state) }
            case .listing(let child) where child.canBeNamed(in: directory):
                result += state.inodes.all(child).map { forgetting($0, of: child, state) }
            default: break
            }
        }
        return InvalidationBatch.unique(result)
    }

    /// Asked after a reply about a name was sent: what changed since the mark was taken.
    package func raced(
        since mark: CacheMark,
        name: String,
        in parent: UInt64
    ) -> [Invalidation] {
        state.withLock { state in
            guard !state.recent.isQuiet(since: mark),
                let directory = state.inodes[parent]?.node
            else { return [] }
            let entry = Invalidation.entry(parent: parent, name: name)
            let fixed = directory.fixedChildren.first { $0.name == name }
            var node = fixed
            if case .id(let id)? = FileName.decode(name), fixed == nil {
                node = directory.child(id)
            }
            guard let node else { return [entry] }
            let recent = state.recent
            guard
                recent.isTouched(.node(node), since: mark)
                    || recent.isTouched(.listing(node), since: mark)
                    || recent.isTouched(.names(directory), since: mark)
            else { return [] }
            return state.inodes.all(node).map { forgetting($0, of: node, state) } + [entry]
        }
    }

    /// What makes a kernel ask again for what it has of an inode; content that cannot have become
    /// wrong is left alone.
    private func forgetting(
        _ inode: UInt64,
        of node: Node,
        _ state: borrowing State
    ) -> Invalidation {
        let removal = state.inodes[inode]?.removal
        let isFixed = options.kind.isOpenless && node.kind == .regular && node != .allEvents
        guard isFixed, removal == nil || removal == .superseded else {
            return node.forgetting(inode)
        }
        return .attributes(inode: inode)
    }
}

extension Node {
    /// What makes a kernel forget all it has of an inode of this node but its names.
    func forgetting(_ inode: UInt64) -> Invalidation {
        kind == .directory ? .listing(directory: inode) : .content(inode: inode)
    }
}
