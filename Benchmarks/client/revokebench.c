// SPDX-License-Identifier: Apache-2.0
//
// How soon a revoked session is gone from a mount whose caches are warm. One JSON object a line.
//
//   revokebench MOUNT USER unlink COUNT PAUSE   revokes sessions of the user one by one
//   revokebench MOUNT USER rmdir 1 PAUSE        revokes all of them at once
//   revokebench MOUNT USER watch PERIOD PAUSE   revokes nothing: says when another one has
//
// Before each revocation there is a pause, in milliseconds: for a second after a change brokerfs
// lets the kernel keep no attributes of the directory, and then no name in it counts as cached.
//
// Before, every name of each session, sessions/ID and users/USER/sessions/ID, is looked up, opened
// and read, and the kernel is asked whether it would now answer the name by itself. Asked so, with
// RESOLVE_CACHED, it never sends a request: a name is "cached" as long as a stat of it would be
// answered from the kernel's memory. Afterwards every name is asked again in the ordinary way, and
// has to answer ENOENT.
//
// `watch` makes everything warm, prints a line when it is ready, and later when, by
// CLOCK_MONOTONIC, the mount showed none of the sessions any more. The first names are asked in the
// ordinary way, every PERIOD microseconds, until each fails; as long as the kernel answers, that
// costs the node nothing. Then the kernel must have forgotten all others: the node has to be asked
// for them, and it has just said that it shows them no more. Whether it says so of each is asked
// afterwards.
//
// INVARIANT: nothing is allocated or formatted while the clock runs; no directory of the user is
// held open, because the kernel treats a directory that was removed under its holder differently.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES_MAX = 1 << 20, HELD_MAX = 100, ASKED_MAX = 16 };
static const uint64_t giveUpNanoseconds = 30000000000u;

struct session { char *name, *second; };

static char userSessions[4096], buffer[READ_BYTES_MAX];
static struct session *sessions;
static long sessionCount, pauseMilliseconds;

static void fail(const char *what, const char *name) {
    fprintf(stderr, "revokebench: %s: %s: %s\n", what, name ? name : "", strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pauseFor(long microseconds) {
    const struct timespec t = { microseconds / 1000000, microseconds % 1000000 * 1000 };
    nanosleep(&t, NULL);
}

static void pauseBefore(void) {
    pauseFor(pauseMilliseconds * 1000);
}

static void findSessions(void) {
    DIR *stream = opendir(userSessions);
    if (stream == NULL) fail("open directory", userSessions);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.') continue;
        if ((sessionCount & (sessionCount - 1)) == 0) {
            size_t room = sessionCount ? (size_t)sessionCount * 2 : 1;
            sessions = realloc(sessions, room * sizeof *sessions);
            if (sessions == NULL) fail("allocate", NULL);
        }
        struct session *session = &sessions[sessionCount++];
        if (asprintf(&session->name, "sessions/%s", entry->d_name) < 0
            || asprintf(&session->second, "%s/%s", userSessions, entry->d_name) < 0)
            fail("allocate", NULL);
    }
    closedir(stream);
    if (sessionCount == 0) fail("no sessions", userSessions);
}

// MARK: What is asked

// 0, ENOENT, or EKEYREVOKED: the name is still known and what it names is revoked.
static int statName(const char *name) {
    struct stat st;
    if (fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return 0;
    if (errno != ENOENT && errno != EKEYREVOKED) fail("stat", name);
    return errno;
}

// Whether the kernel would answer the name without asking brokerfs.
static bool isCached(const char *name) {
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_CACHED };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, name, &how, sizeof how);
    if (fd < 0 && errno != EAGAIN && errno != ENOENT) fail("ask the cache", name);
    return fd >= 0 && close(fd) == 0;
}

static int openWarm(const char *name) {
    int fd = statName(name) == 0 ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || pread(fd, buffer, sizeof buffer, 0) <= 0) fail("warm", name);
    return fd;
}

static bool isReadable(int fd) {
    return pread(fd, buffer, sizeof buffer, 0) >= 0;
}

// MARK: One by one

static void revokeOne(const struct session *session) {
    pauseBefore();
    close(openWarm(session->name));
    int fd = openWarm(session->second);
    bool wasCached = isCached(session->name) && isCached(session->second);
    uint64_t start = now(), returned, contentGone = 0, nameRefused = 0, nameGone = 0;
    long staleNames = 0, staleReads = 0;
    if (unlink(session->name) != 0) fail("unlink", session->name);
    returned = now();
    while (nameGone == 0 || contentGone == 0) {
        if (contentGone == 0 && isReadable(fd)) staleReads++;
        else if (contentGone == 0) contentGone = now();
        int answer = nameGone == 0 ? statName(session->second) : ENOENT;
        if (answer == 0) staleNames++;
        else if (nameRefused == 0) nameRefused = now();
        if (answer == ENOENT && nameGone == 0) nameGone = now();
        if (now() - returned > giveUpNanoseconds) fail("still there", session->second);
    }
    close(fd);
    printf("{\"op\":\"unlink\",\"warm\":%d,\"unlink_ns\":%llu,\"read_ns\":%llu,"
           "\"refused_ns\":%llu,\"gone_ns\":%llu,\"stale_names\":%ld,\"stale_reads\":%ld}\n",
           wasCached, (unsigned long long)(returned - start),
           (unsigned long long)(contentGone - start), (unsigned long long)(nameRefused - start),
           (unsigned long long)(nameGone - start), staleNames, staleReads);
}

// MARK: All at once

static long warmAll(int held[HELD_MAX], const char **names) {
    long cached = 0;
    pauseBefore();
    for (long i = 0; i < sessionCount; i++) {
        int fd = openWarm(sessions[i].name);
        if (i < HELD_MAX) held[i] = fd;
        else close(fd);
        close(openWarm(sessions[i].second));
        names[2 * i] = sessions[i].name;
        names[2 * i + 1] = sessions[i].second;
    }
    for (long i = 0; i < 2 * sessionCount; i++) cached += isCached(names[i]);
    return cached;
}

// Until the kernel answers none of the names by itself; returns how many it still did at first.
static long waitUntilForgotten(const char **names, uint64_t deadline) {
    long left = 2 * sessionCount, first = -1;
    while (left > 0) {
        long kept = 0;
        for (long i = 0; i < left; i++)
            if (isCached(names[i])) names[kept++] = names[i];
        left = kept;
        if (first < 0) first = left;
        if (left > 0 && now() > deadline) fail("still cached", names[0]);
    }
    return first;
}

static void revokeAll(void) {
    int held[HELD_MAX];
    const char **names = calloc((size_t)sessionCount * 2, sizeof *names);
    if (names == NULL) fail("allocate", NULL);
    long cached = warmAll(held, names), holding = sessionCount < HELD_MAX ? sessionCount : HELD_MAX;
    long staleReads = 0, staleNames = 0;
    uint64_t start = now();
    if (rmdir(userSessions) != 0) fail("rmdir", userSessions);
    uint64_t returned = now();
    for (long i = 0; i < holding; i++) staleReads += isReadable(held[i]);
    long stillCached = waitUntilForgotten(names, returned + giveUpNanoseconds);
    uint64_t forgotten = now();
    for (long i = 0; i < sessionCount; i++)
        staleNames += (statName(sessions[i].name) != ENOENT)
            + (statName(sessions[i].second) != ENOENT);
    uint64_t asked = now();
    printf("{\"op\":\"rmdir\",\"sessions\":%ld,\"names\":%ld,\"cached\":%ld,\"rmdir_ns\":%llu,"
           "\"forgotten_ns\":%llu,\"asked_ns\":%llu,\"still_cached\":%ld,\"stale_names\":%ld,"
           "\"stale_reads\":%ld}\n", sessionCount, 2 * sessionCount, cached,
           (unsigned long long)(returned - start), (unsigned long long)(forgotten - start),
           (unsigned long long)(asked - forgotten), stillCached, staleNames, staleReads);
}

// MARK: Somebody else revokes

// What a mount says of a name: 0 where it shows it; ESTALE where it is too old to answer, which is no
// news of the revocation; another refusal, for whatever reason, is not showing it.
static int askFor(const char *name, long *stale) {
    struct stat st;
    if (fstatat(AT_FDCWD, name, &st, AT_SYMLINK_NOFOLLOW) == 0) return 0;
    if (errno == ESTALE) *stale += 1;
    else if (errno != ENOENT && errno != EKEYREVOKED) fail("stat", name);
    return errno;
}

static bool mayBeShown(const char *name, long *stale) {
    int answer = askFor(name, stale);
    return answer == 0 || answer == ESTALE;
}

static void watchAll(long period) {
    int held[HELD_MAX];
    const char **names = calloc((size_t)sessionCount * 2, sizeof *names);
    if (names == NULL) fail("allocate", NULL);
    long cached = warmAll(held, names), total = 2 * sessionCount;
    long stale = 0, shown = 0, staleAfterwards = 0;
    long asked = total < ASKED_MAX ? total : ASKED_MAX;
    // Timers may be late by 50 µs otherwise.
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    printf("{\"op\":\"ready\",\"names\":%ld,\"cached\":%ld}\n", total, cached);
    fflush(stdout);
    uint64_t deadline = now() + giveUpNanoseconds;
    for (long i = 0; i < asked; i++)
        for (; mayBeShown(names[i], &stale); pauseFor(period))
            if (now() > deadline) fail("still there", names[i]);
    uint64_t first = now();
    // One after the other: what is forgotten stays so, and to ask all of them again and again would
    // take the processors from the nodes.
    for (long i = asked; i < total; i++)
        for (; isCached(names[i]); pauseFor(period))
            if (now() > deadline) fail("still cached", names[i]);
    uint64_t gone = now();
    for (long i = 0; i < sessionCount; i++)
        shown += (askFor(sessions[i].name, &staleAfterwards) == 0)
            + (askFor(sessions[i].second, &staleAfterwards) == 0);
    printf("{\"op\":\"gone\",\"asked_at\":%llu,\"gone_at\":%llu,\"shown_afterwards\":%ld,"
           "\"stale\":%ld,\"stale_afterwards\":%ld}\n", (unsigned long long)first,
           (unsigned long long)gone, shown, stale, staleAfterwards);
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fputs("usage: revokebench MOUNT USER unlink|rmdir|watch COUNT|PERIOD PAUSE\n", stderr);
        return 2;
    }
    pauseMilliseconds = atol(argv[5]);
    if (chdir(argv[1]) != 0) fail("change to", argv[1]);
    snprintf(userSessions, sizeof userSessions, "users/%s/sessions", argv[2]);
    findSessions();
    if (strcmp(argv[3], "rmdir") == 0) revokeAll();
    else if (strcmp(argv[3], "watch") == 0) watchAll(atol(argv[4]));
    else
        for (long i = 0; i < sessionCount && i < atol(argv[4]); i++) revokeOne(&sessions[i]);
    return 0;
}
