# SPDX-License-Identifier: Apache-2.0
"""Who is in the group changes under load: machines are lost, removed, and replaced."""

import subprocess
import time

import world
from scenarios import scenario

SECONDS_MAX = 30


@scenario("A lost or removed member is replaced by a fresh one (join)", rounds=(2, 20))
def replace(run, rounds):
    with run.load(writers=1):
        for number in range(rounds):
            leader = run.group.wait_for_leader()
            if number % 2:
                # It lives, and leads: another must take over, and its mount must refuse.
                node = leader
                command(run, run.group.nodes, "cluster", "remove", node.name)
                run.first_revocation(time.monotonic_ns(), run.group.others(node), [],
                                     "the leader was removed")
                run.pause(0.2, 1.5)
                node.kill()
            else:
                node = run.rng.choice(run.group.others(leader))
                node.kill()
                command(run, run.group.others(node), "cluster", "remove", node.name)
            begin = time.monotonic()
            join(run, node, number)
            run.figure("removed until the fresh member votes", time.monotonic() - begin)


def join(run, node, number):
    """A new machine of the same name and address, with an empty disk, up to its vote."""
    others = run.group.others(node)
    subprocess.run(["rm", "-rf", "--one-file-system", str(node.data)], check=True)
    token, door = make_token(run, others, node.name)
    node.folder = node.folder.with_name(f"{node.name}-{run.name}{number}")
    run.group.network.inside(
        node.name, run.group.binary, "join", f"{door.address}:{world.PORT}", "--token", token,
        "--name", node.name, "--out", str(node.folder))
    run.restart(node)
    command(run, others, "cluster", "promote", node.name)
    run.group.wait_for(lambda: node.word("role") in ("follower", "leader"), SECONDS_MAX,
                       f"{node.name} votes")


def make_token(run, among, name):
    """A token, and the node that made it."""
    key = str(run.scratch / "nodes" / "ca.key")
    for node in among:
        code, output, _ = node.command("cluster", "token", "--name", name, "--ca-key", key)
        if code == 0:
            return output.split()[-1], node
    raise world.WorldError(f"nobody makes a token for {name}")


def command(run, among, *words):
    """A change of the group through some node, again until it is there.

    An attempt whose outcome is not known may have done it, so what counts is what members say.
    """
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        for node in among:
            code, _, errors = node.command(*words)
            if code == 0 or is_done(node, *words[1:]):
                return
            last = errors
        time.sleep(0.1)
    run.violate("the group cannot be changed", f"{' '.join(words)}: {last.strip()}")


def is_done(node, change, name):
    """Whether the node shows the change already."""
    role = node.word(f"nodes/{name}/role")
    return role == "" if change == "remove" else role in ("follower", "leader")
