import FSMap
import Identity
import Testing
@Test func zdebug() {
    var machine = Machine(seed: 1)
    machine.trace = true
    for step in 0..<2500 {
        let findings = machine.step()
        if machine.log.count > 60 { machine.log.removeFirst(machine.log.count - 60) }
        guard findings.isEmpty else { print(machine.log.joined(separator: "\n")); print(step, findings); return }
    }
}
