import Identity

extension Applied { var receipt: (index: UInt64, term: UInt64)? { nil } }
extension Command.Kind { static func describeMember(_ m: GroupMember) -> Self { .deleteGroup("") } }
