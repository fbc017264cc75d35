// SPDX-License-Identifier: Apache-2.0

/// Processes that read, write, revoke and list the same names, and what may never be seen then.
///
/// Every process notes what it did and when, by the one monotonic clock of the machine; the notes
/// are checked against each other in the end.
enum Oracle {
    /// Prints one JSON object: counts, the delays of cached names, and what was violated.
    ///
    /// Arguments: the mount, the binary, the data directory, seconds, a directory for notes.
    static let script = #"""
        import errno, json, multiprocessing, os, random, subprocess, sys, time

        mount, binary, data, seconds, notes = sys.argv[1:6]
        seconds = float(seconds)
        EKEYREVOKED, USERS, BOUND = 128, 4, 1_000_000_000
        clock = time.monotonic_ns
        end = clock() + int(seconds * 1e9)
        made = multiprocessing.Value("q", 0)
        os.chdir(mount)

        def user(n): return "u%d" % (n % USERS)
        def name(n): return "o%06d" % n
        def paths(n): return ["sessions/" + name(n), "users/%s/sessions/%s" % (user(n), name(n))]

        def noting(work):
            def run(seed):
                random.seed(seed)
                with open("%s/%s-%d" % (notes, work.__name__, seed), "w") as out:
                    def note(*what): out.write(json.dumps(what) + "\n")
                    while clock() < end: work(note)
            return run

        @noting
        def create(note):
            n = made.value
            try:
                with open(paths(n)[n % 2 if n >= USERS else 0], "w") as f:
                    text = {"user_id": user(n), "idp_id": "x" * random.randint(1, 2000)}
                    f.write(json.dumps(text) + "\n")
                note("create", n, clock())
            except OSError as e:
                # A user without sessions is not there any more.
                if e.errno not in (errno.ENOENT, errno.ESTALE): note("error", "create", e.errno)
            made.value = n + 1
            if n > 400: time.sleep(0.002)

        def get(path):
            fd = os.open(path, os.O_RDONLY)
            try: return os.read(fd, 1 << 16)
            finally: os.close(fd)

        @noting
        def read(note):
            n = max(0, made.value - 1 - int(random.expovariate(0.02)))
            path = random.choice(paths(n))
            start = clock()
            try:
                text = get(path)
                json.loads(text)
                note("read", n, start)
            except ValueError: note("torn", path, len(text))
            except OSError as e:
                if e.errno not in (errno.ENOENT, EKEYREVOKED, errno.ESTALE):
                    note("error", "read", e.errno)
            start = clock()
            if os.path.exists(random.choice(paths(n))): note("name", n, start)

        @noting
        def list(note):
            where = random.choice(["sessions"] + ["users/u%d/sessions" % n for n in range(USERS)])
            start = clock()
            try: names = os.listdir(where)
            except OSError as e:
                if e.errno == errno.ENOENT: return
                # A directory that went and came again, twice in one call: the kernel looks it up
                # anew only once.
                return note("stale") if e.errno == errno.ESTALE else note("error", "list", e.errno)
            note("list", where, start, clock(), names)
            time.sleep(0.01)

        @noting
        def revoke(note):
            n = random.randrange(max(1, made.value))
            how = random.random()
            if how < 0.02:
                start = clock()
                try: os.rmdir("users/%s/sessions" % user(n))
                except OSError as e:
                    return None if e.errno == errno.ENOENT else note("error", "rmdir", e.errno)
                return note("rmdir", n % USERS, start, clock())
            first, second = random.sample(paths(n), 2)
            try:
                get(first); get(second)
                fd = os.open(second, os.O_RDONLY)
            except OSError: return
            start = clock()
            try:
                if how < 0.1:
                    subprocess.run([binary, "revoke", "session:" + name(n), "--data", data],
                        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                else:
                    os.unlink(first)
                back = clock()
                note("revoke", n, start, back)
                try:
                    os.pread(fd, 100, 0)
                    note("open", n)
                except OSError as e:
                    if e.errno not in (EKEYREVOKED, errno.ESTALE): note("error", "pread", e.errno)
                while os.path.exists(second):
                    if clock() > back + 2 * BOUND: return note("kept", n)
                note("gone", clock() - back)
            except subprocess.CalledProcessError: pass
            except OSError as e:
                if e.errno not in (errno.ENOENT, EKEYREVOKED): note("error", "unlink", e.errno)
            finally: os.close(fd)

        @noting
        def replace(note):
            version = clock()
            with open("context/src/.v", "w") as f: f.write("%d\n" % version)
            os.rename("context/src/.v", "context/src/v")

        @noting
        def follow(note):
            last = 0
            for _ in range(1000):
                if clock() > end: return
                try: now = int(get("context/src/v"))
                except OSError as e:
                    if e.errno != errno.ENOENT: note("error", "follow", e.errno)
                    continue
                if now < last: note("backwards", last, now)
                last = now

        def check():
            lines = [json.loads(l) for f in os.listdir(notes) for l in open(os.path.join(notes, f))]
            created = {l[1]: l[2] for l in lines if l[0] == "create"}
            called, revoked = {}, {}
            def gone(n, start, back):
                called[n] = min(start, called.get(n, start))
                revoked[n] = min(back, revoked.get(n, back))
            for l in lines:
                if l[0] == "revoke": gone(*l[1:])
                if l[0] == "rmdir":
                    for n, at in created.items():
                        if n % USERS == l[1] and at < l[2]: gone(n, l[2], l[3])
                        # Made meanwhile: it may be gone or not.
                        elif n % USERS == l[1] and at < l[3] + BOUND:
                            called[n] = min(l[2], called.get(n, l[2]))
            wrong = []
            for l in lines:
                if l[0] == "read" and l[2] > revoked.get(l[1], l[2]):
                    wrong.append(["read after revocation", l])
                if l[0] == "name" and l[2] > revoked.get(l[1], l[2]) + BOUND:
                    wrong.append(["name after bound", l])
                if l[0] == "list":
                    where, start, stop, names = l[1:]
                    shown = set(names)
                    if len(shown) != len(names): wrong.append(["listed twice", where])
                    for n in (int(x[1:]) for x in shown if x[0] == "o"):
                        if start > revoked.get(n, start) + BOUND:
                            wrong.append(["listed after bound", n])
                    for n, at in created.items():
                        here = where == "sessions" or where == "users/%s/sessions" % user(n)
                        lives = at + BOUND < start and called.get(n, stop + 1) > stop
                        if here and lives and name(n) not in shown:
                            wrong.append(["not listed", n, where])
                if l[0] in ("open", "kept", "torn", "backwards", "error"): wrong.append(l)
            delays = sorted(l[1] / 1000 for l in lines if l[0] == "gone") or [0]
            kinds = [l[0] for l in lines]
            stale = kinds.count("stale")
            if stale > max(2, kinds.count("list") // 100): wrong.append(["too often stale", stale])
            print(json.dumps({
                "created": len(created), "revoked": len(revoked), "reads": kinds.count("read"),
                "lists": kinds.count("list"), "violations": len(wrong), "examples": wrong[:5],
                "p50_us": delays[len(delays) // 2], "p99_us": delays[int(len(delays) * 0.99)],
                "max_us": delays[-1]}))

        os.makedirs("context/src", exist_ok=True)
        work = [create, read, read, list, revoke, revoke, replace, follow]
        processes = [multiprocessing.Process(target=w, args=(i,)) for i, w in enumerate(work)]
        for p in processes: p.start()
        for p in processes: p.join()
        check()
        """#
}
