// SPDX-License-Identifier: Apache-2.0

/// The `README` of a mount: what this is and what to try first.
enum Readme {
    static func text(version: String) -> [UInt8] {
        Array(
            """
            brokerfs \(version.isEmpty ? "(development)" : version)

            These files are the live identity state that access decisions depend on: sessions,
            users, groups, service accounts and external context, replicated to a few nodes.
            What you read is this node's state now; what you change, all nodes agree on first.

            Try, from this directory:

                ls users                          everybody somebody knows of
                cat users/USER/groups             the groups of one of them
                cat sessions/ID                   a live session as JSON, tokens hidden
                rm sessions/ID                    revoke it: on every node, for good
                tail -F events/all.jsonl          every change, as it happens

            rmdir users/USER/sessions revokes all sessions of a user in one commit.
            revocations/INDEX says what was revoked when, and which nodes have forgotten it.
            echo USER >> groups/GROUP/members adds a member. cat cluster/leader names the node
            whose mount is writable. Ids are escaped in names: %20 is a space.

            """.utf8
        )
    }
}
