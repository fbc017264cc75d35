# SPDX-License-Identifier: Apache-2.0
"""Every promise can be seen broken, and is not when it holds: python3 -m unittest."""

import unittest

from history import (CONTENT, LISTING, MILLISECOND, NAME, OK, OPEN_CONTENT, REFUSED, UNKNOWN,
                     Finals, History, Put, Revocation, Session, Sight, Tenure, check_all,
                     check_logs)


def ms(value):
    return value * MILLISECOND


def a_history(outcome=OK):
    """One session, made on n1 from 0 to 10 ms."""
    history = History()
    history.sessions["s"] = Session("s", "u", "mark-s", "n1", 0, ms(10), outcome)
    return history


def revoked(history, outcome=OK, mount="n1", ids=("s",), **more):
    """Revoked from 100 to 110 ms."""
    history.revocations.append(Revocation(
        frozenset(ids), mount, ms(100), ms(110), outcome, "unlink", "sessions/s", **more))
    return history


def seen(history, at, mount="n1", how=CONTENT, is_seen=True, **more):
    history.sights.append(Sight("s", mount, how, ms(at), ms(at + 1), is_seen, **more))
    return history


def finals(*mounts, **more):
    """What n1, n2, … show at the end, each a list of ids."""
    return {f"n{number}": Finals({id: f"has mark-{id}" for id in ids}, more.get("values", {}),
                                 {"sessions": sorted(ids)})
            for number, ids in enumerate(mounts, 1)}


class HistoryTests(unittest.TestCase):
    def kinds(self, history, at_the_end=None):
        return {violation.kind for violation in check_all(history, at_the_end)}

    def assert_broken(self, kind, history, at_the_end=None):
        self.assertIn(kind, self.kinds(history, at_the_end))

    def assert_kept(self, history, at_the_end=None):
        self.assertEqual(set(), self.kinds(history, at_the_end))

    def test_a_quiet_history_keeps_everything(self):
        self.assert_kept(a_history(), finals(["s"], ["s"]))
        self.assert_kept(revoked(seen(a_history(), 50)), finals([], []))

    # A revoked session

    def test_content_after_the_answer_on_the_revoking_mount(self):
        for how in (CONTENT, OPEN_CONTENT):
            self.assert_broken("revoked session is seen", seen(revoked(a_history()), 111, how=how))

    def test_the_name_that_was_unlinked_is_gone_at_once(self):
        self.assert_broken("revoked session is seen",
                           seen(revoked(a_history()), 111, how=NAME, path="sessions/s"))

    def test_other_names_of_the_revoking_mount_have_a_moment(self):
        path = "users/u/sessions/s"
        self.assert_kept(seen(revoked(a_history()), 150, how=NAME, path=path))
        self.assert_broken("revoked session is seen",
                           seen(revoked(a_history()), 400, how=NAME, path=path))

    def test_other_mounts_have_the_bound(self):
        for how in (CONTENT, OPEN_CONTENT, NAME, LISTING):
            self.assert_kept(seen(revoked(a_history()), 1100, "n2", how))
            self.assert_broken("revoked session is seen",
                               seen(revoked(a_history()), 1200, "n2", how))

    def test_a_look_that_began_before_the_bound_may_end_after_it(self):
        history = revoked(a_history())
        history.sights.append(Sight("s", "n2", CONTENT, ms(1100), ms(5000), True))
        self.assert_kept(history)

    def test_an_unknown_revocation_forbids_nothing(self):
        self.assert_kept(seen(revoked(a_history(), UNKNOWN), 5000, "n2"))

    def test_a_revoked_session_that_is_back_at_the_end(self):
        self.assert_broken("revoked session is back", revoked(a_history()), finals(["s"], ["s"]))
        self.assert_broken("revoked session is back", revoked(a_history()), finals([], ["s"]))

    def test_a_revocation_counts_also_after_an_unknown_one(self):
        history = revoked(revoked(a_history(), UNKNOWN))
        self.assert_broken("revoked session is back", history, finals(["s"], ["s"]))

    # An acknowledged write

    def test_an_acknowledged_session_on_no_mount_or_not_on_all(self):
        self.assert_broken("acknowledged write is lost", a_history(), finals([], []))
        self.assert_broken("acknowledged write is lost", a_history(), finals(["s"], []))

    def test_an_unknown_outcome_stays_open_but_is_the_same_everywhere(self):
        for history in (a_history(UNKNOWN), revoked(a_history(), UNKNOWN)):
            self.assert_kept(history, finals([], []))
            self.assert_kept(history, finals(["s"], ["s"]))
            self.assert_broken("mounts differ", history, finals(["s"], []))

    def test_a_refused_write_does_not_happen(self):
        self.assert_kept(a_history(REFUSED), finals([], []))
        self.assert_broken("refused write happened", a_history(REFUSED), finals(["s"], ["s"]))

    def test_a_refused_revocation_does_not_happen(self):
        history = revoked(a_history(), REFUSED)
        self.assert_kept(history, finals(["s"], ["s"]))
        self.assert_broken("acknowledged write is lost", history, finals([], []))

    def test_other_content_than_was_written(self):
        shown = finals(["s"])
        shown["n1"].sessions["s"] = "something else"
        self.assert_broken("foreign content", a_history(), shown)
        self.assert_broken("foreign content", seen(a_history(), 50, has_marker=False))

    def test_a_value_is_the_last_acknowledged_or_a_later_unknown_one(self):
        history = History()
        for number, outcome in enumerate((OK, UNKNOWN, OK, REFUSED, UNKNOWN)):
            history.puts.append(Put("k", f"v{number}", "n1", number, number + 1, outcome))
        for value in ("v2", "v4"):
            self.assert_kept(history, finals([], [], values={"k": value}))
        for value in ("v0", "v1", "v3", None):
            self.assert_broken("acknowledged write is lost", history,
                               finals([], [], values={"k": value}))

    def test_values_that_differ(self):
        history = History(puts=[Put("k", "v", "n1", 0, 1, UNKNOWN)])
        shown = finals([], [])
        shown["n1"].values["k"] = "v"
        shown["n2"] = Finals({}, {}, shown["n2"].trees)
        self.assert_broken("mounts differ", history, shown)

    # Time, terms, wholes

    def test_what_a_mount_has_shown_stays(self):
        self.assert_broken("time runs backwards",
                           seen(seen(a_history(), 20, "n2"), 230, "n2", is_seen=False))
        self.assert_broken("time runs backwards", seen(a_history(), 220, "n1", is_seen=False))
        self.assert_kept(seen(a_history(), 200, "n1", is_seen=False))
        self.assert_kept(seen(a_history(), 220, "n2", is_seen=False))
        self.assert_kept(seen(seen(revoked(a_history()), 20, "n2"), 105, "n2", is_seen=False))

    def test_an_attempt_to_revoke_ends_that(self):
        history = seen(seen(revoked(a_history(), UNKNOWN), 20, "n2"), 105, "n2", is_seen=False)
        self.assert_kept(history)

    def test_two_mounts_that_write_in_one_term(self):
        history = History(tenures=[Tenure("n1", 4, 1), Tenure("n2", 5, 2), Tenure("n1", 4, 3)])
        self.assert_kept(history)
        history.tenures.append(Tenure("n2", 4, 4))
        self.assert_broken("two writers", history)

    def test_half_a_bulk_revocation(self):
        history = a_history()
        history.sessions["t"] = Session("t", "u", "mark-t", "n1", 0, ms(10), OK)
        revoked(history, UNKNOWN, ids=("s", "t"), is_bulk=True)
        self.assert_kept(history, finals([], []))
        self.assert_kept(history, finals(["s", "t"], ["s", "t"]))
        self.assert_broken("half a bulk revocation", history, finals(["s"], ["s"]))

    def test_listings_that_differ(self):
        shown = finals([], [])
        shown["n2"].trees["sessions"].append("stray")
        self.assert_broken("mounts differ", History(), shown)

    def test_logs_that_differ(self):
        logs = {"n1": {1: "a", 2: "b", 3: "x"}, "n2": {2: "b", 3: "y"}}
        self.assertEqual([], list(check_logs(logs, 2)))
        self.assertEqual(["logs differ"], [each.kind for each in check_logs(logs, 3)])


if __name__ == "__main__":
    unittest.main()
