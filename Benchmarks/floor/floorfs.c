// SPDX-License-Identifier: Apache-2.0

// floorfs: what a file system daemon that does nothing costs.
//
// The smallest low-level libfuse file system that answers the requests brokerfs answers for its
// `sessions/` directory, from memory, in C. A brokerfs number divided by a floorfs number is what
// brokerfs itself costs; a floorfs number divided by a tmpfs number is what FUSE costs.
//
// INVARIANT: an inode number is never used again, so a recreated name is a new file.
// INVARIANT: records are linked in the order of their creation; a directory cookie is a record's
//            index, so a listing survives deletions in front of it and behind it.

#define _GNU_SOURCE
#define FUSE_USE_VERSION 314
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// The callbacks' signatures are libfuse's; most use only a part of what they are given.
#pragma GCC diagnostic ignored "-Wunused-parameter"

enum { BODY_BYTES = 1024, FILE_BYTES_MAX = 1 << 20, BUCKETS = 1 << 18, NONE = 0 };
enum { ROOT_INO = FUSE_ROOT_ID, SESSIONS_INO = 2, FIRST_INO = 3, FIRST_COOKIE = 3 };
typedef struct fuse_file_info File;

// Record 0 is the head of the list of live records and of the index space: NONE is no record.
struct record {
    char *name, *body;
    size_t size;
    struct timespec mtime;
    uint32_t previous, next, chain;
    bool live;
    _Atomic uint64_t lookups;
};

static struct record *records;
static uint32_t recordCount = 1, recordCapacity, buckets[BUCKETS];
static struct timespec directoryTime;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static double timeoutSeconds = 3600;
static bool keepsCaches = true;
static const char *mountpoint;
static struct fuse_session *session;
static atomic_bool initAnswered;

static const char *const opcodeNames[] = {
    [FUSE_LOOKUP] = "lookup", [FUSE_GETATTR] = "getattr", [FUSE_SETATTR] = "setattr",
    [FUSE_OPEN] = "open", [FUSE_READ] = "read", [FUSE_WRITE] = "write", [FUSE_FLUSH] = "flush",
    [FUSE_RELEASE] = "release", [FUSE_OPENDIR] = "opendir", [FUSE_READDIR] = "readdir",
    [FUSE_READDIRPLUS] = "readdirplus", [FUSE_CREATE] = "create", [FUSE_UNLINK] = "unlink" };
enum { OPCODES = sizeof opcodeNames / sizeof *opcodeNames };
static _Atomic unsigned long counts[OPCODES];

static uint32_t bucketOf(const char *name) {
    uint32_t hash = 2166136261u;
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash & (BUCKETS - 1);
}

static uint32_t find(const char *name) {
    uint32_t i = buckets[bucketOf(name)];
    while (i != NONE && strcmp(records[i].name, name) != 0) i = records[i].chain;
    return i;
}

static struct record *recordOf(fuse_ino_t ino) { return &records[ino - SESSIONS_INO]; }
static fuse_ino_t inoOf(uint32_t index) { return index + SESSIONS_INO; }

static void *require(void *memory) {
    if (memory == NULL) { perror("floorfs"); exit(1); }
    return memory;
}

static uint32_t insert(const char *name) {
    if (recordCount >= recordCapacity) {
        recordCapacity *= 2;
        records = require(realloc(records, recordCapacity * sizeof *records));
    }
    uint32_t i = recordCount++, *bucket = &buckets[bucketOf(name)], last = records[0].previous;
    struct record *r = &records[i];
    *r = (struct record){ .name = require(strdup(name)), .live = true, .chain = *bucket,
                          .previous = last };
    clock_gettime(CLOCK_REALTIME, &r->mtime);
    directoryTime = r->mtime;
    *bucket = records[last].next = records[0].previous = i;
    return i;
}

static void discard(struct record *r) { free(r->name), free(r->body); }

static void removeRecord(uint32_t i) {
    struct record *r = &records[i];
    uint32_t *link = &buckets[bucketOf(r->name)];
    while (*link != i) link = &records[*link].chain;
    *link = r->chain;
    records[r->previous].next = r->next;
    records[r->next].previous = r->previous;
    r->live = false;
    clock_gettime(CLOCK_REALTIME, &directoryTime);
    if (atomic_load(&r->lookups) == 0) discard(r);
}

static int resize(struct record *r, size_t size) {
    if (size > FILE_BYTES_MAX) return EFBIG;
    char *body = realloc(r->body, size ? size : 1);
    if (body == NULL) return ENOSPC;
    if (size > r->size) memset(body + r->size, 0, size - r->size);
    r->body = body;
    r->size = size;
    clock_gettime(CLOCK_REALTIME, &r->mtime);
    return 0;
}

static struct stat attributesOf(fuse_ino_t ino) {
    struct stat st = { .st_ino = ino, .st_blksize = 4096 };
    if (ino < FIRST_INO) {
        st.st_mode = S_IFDIR | (ino == ROOT_INO ? 0755 : 0750);
        st.st_nlink = ino == ROOT_INO ? 3 : 2;
        st.st_mtim = directoryTime;
    } else {
        struct record *r = recordOf(ino);
        st.st_mode = S_IFREG | 0640;
        st.st_nlink = r->live;
        st.st_size = (off_t)r->size;
        st.st_blocks = (blkcnt_t)((r->size + 511) / 512);
        st.st_mtim = r->mtime;
    }
    st.st_ctim = st.st_atim = st.st_mtim;
    return st;
}

static struct fuse_entry_param entryOf(fuse_ino_t ino) {
    if (ino >= FIRST_INO) atomic_fetch_add(&recordOf(ino)->lookups, 1);
    return (struct fuse_entry_param){ .ino = ino, .generation = 1, .attr = attributesOf(ino),
        .attr_timeout = timeoutSeconds, .entry_timeout = timeoutSeconds };
}

static void forgetLookups(fuse_ino_t ino, uint64_t n) {
    if (ino < FIRST_INO) return;
    pthread_rwlock_wrlock(&lock);
    struct record *r = recordOf(ino);
    if (atomic_fetch_sub(&r->lookups, n) == n && !r->live) discard(r);
    pthread_rwlock_unlock(&lock);
}

static void onLookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
    // A negative answer is cacheable too, as in brokerfs: an entry without an inode number.
    struct fuse_entry_param entry = { .entry_timeout = timeoutSeconds };
    pthread_rwlock_rdlock(&lock);
    uint32_t i = parent == SESSIONS_INO ? find(name) : NONE;
    if (i != NONE) entry = entryOf(inoOf(i));
    else if (parent == ROOT_INO && strcmp(name, "sessions") == 0) entry = entryOf(SESSIONS_INO);
    pthread_rwlock_unlock(&lock);
    if (entry.ino == 0 && timeoutSeconds == 0) fuse_reply_err(req, ENOENT);
    else if (fuse_reply_entry(req, &entry) != 0 && entry.ino != 0) forgetLookups(entry.ino, 1);
}

static void onForget(fuse_req_t req, fuse_ino_t ino, uint64_t n) {
    forgetLookups(ino, n), fuse_reply_none(req);
}

static void onGetattr(fuse_req_t req, fuse_ino_t ino, File *fi) {
    pthread_rwlock_rdlock(&lock);
    struct stat st = attributesOf(ino);
    pthread_rwlock_unlock(&lock);
    fuse_reply_attr(req, &st, timeoutSeconds);
}

static void onSetattr(fuse_req_t req, fuse_ino_t ino, struct stat *wanted, int which, File *fi) {
    const int refused = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID;
    int failure = ino < FIRST_INO || (which & refused) ? EPERM : 0;
    pthread_rwlock_wrlock(&lock);
    if (failure == 0 && (which & FUSE_SET_ATTR_SIZE))
        failure = resize(recordOf(ino), (size_t)wanted->st_size);
    struct stat st = attributesOf(ino);
    pthread_rwlock_unlock(&lock);
    if (failure != 0) fuse_reply_err(req, failure);
    else fuse_reply_attr(req, &st, timeoutSeconds);
}

static void onOpen(fuse_req_t req, fuse_ino_t ino, File *fi) {
    if (fi->flags & O_TRUNC) {
        pthread_rwlock_wrlock(&lock);
        resize(recordOf(ino), 0);
        pthread_rwlock_unlock(&lock);
    }
    fi->keep_cache = keepsCaches;
    fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY;
    fuse_reply_open(req, fi);
}

static void onRead(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *fi) {
    pthread_rwlock_rdlock(&lock);
    struct record *r = recordOf(ino);
    size_t start = (size_t)offset < r->size ? (size_t)offset : r->size, left = r->size - start;
    fuse_reply_buf(req, r->body + start, size < left ? size : left);
    pthread_rwlock_unlock(&lock);
}

static void onWrite(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                    File *fi) {
    pthread_rwlock_wrlock(&lock);
    struct record *r = recordOf(ino);
    size_t end = (size_t)offset + size;
    int failure = resize(r, end > r->size ? end : r->size);
    if (failure == 0) memcpy(r->body + offset, bytes, size);
    pthread_rwlock_unlock(&lock);
    if (failure) fuse_reply_err(req, failure);
    else fuse_reply_write(req, size);
}

static void onClose(fuse_req_t req, fuse_ino_t ino, File *fi) { fuse_reply_err(req, 0); }
static void onFsync(fuse_req_t req, fuse_ino_t ino, int dataOnly, File *fi) {
    fuse_reply_err(req, 0);
}

static void onOpendir(fuse_req_t req, fuse_ino_t ino, File *fi) {
    fi->keep_cache = fi->cache_readdir = keepsCaches;
    fuse_reply_open(req, fi);
}

// One listing entry: its name, its inode, and the cookie that continues after it.
struct entry { const char *name; fuse_ino_t ino; off_t cookie; };

static bool nextEntry(fuse_ino_t dir, off_t cookie, struct entry *e) {
    *e = cookie == 0 ? (struct entry){ ".", dir, 1 } : cookie == 1 ? (struct entry){ "..", 1, 2 }
        : (struct entry){ "sessions", SESSIONS_INO, FIRST_COOKIE };
    if (cookie < 2 || dir == ROOT_INO) return cookie < FIRST_COOKIE;
    uint32_t i = cookie < FIRST_COOKIE ? 0 : (uint32_t)(cookie - FIRST_COOKIE);
    if (i == 0 || records[i].live) i = records[i].next;
    else do i++; while (i < recordCount && !records[i].live);
    if (i == NONE || i >= recordCount) return false;
    *e = (struct entry){ records[i].name, inoOf(i), (off_t)i + FIRST_COOKIE };
    return true;
}

static void list(fuse_req_t req, fuse_ino_t dir, size_t size, off_t cookie, bool plus) {
    char *buffer = require(malloc(size));
    size_t used = 0, room;
    struct entry e;
    pthread_rwlock_rdlock(&lock);
    for (; nextEntry(dir, cookie, &e); used += room, cookie = e.cookie) {
        bool counted = plus && cookie >= 2;
        struct fuse_entry_param p = { .attr = attributesOf(e.ino) };
        if (counted) p = entryOf(e.ino);
        room = plus ? fuse_add_direntry_plus(req, buffer + used, size - used, e.name, &p, e.cookie)
                    : fuse_add_direntry(req, buffer + used, size - used, e.name, &p.attr, e.cookie);
        if (used + room <= size) continue;
        if (counted && e.ino >= FIRST_INO) atomic_fetch_sub(&recordOf(e.ino)->lookups, 1);
        break;
    }
    pthread_rwlock_unlock(&lock);
    fuse_reply_buf(req, buffer, used);
    free(buffer);
}

static void onReaddir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *fi) {
    list(req, ino, size, offset, false);
}
static void onReaddirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, File *fi) {
    list(req, ino, size, offset, true);
}

static void onCreate(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, File *fi) {
    if (parent != SESSIONS_INO) { fuse_reply_err(req, EPERM); return; }
    pthread_rwlock_wrlock(&lock);
    uint32_t i = find(name);
    bool existed = i != NONE;
    if (!existed) i = insert(name);
    struct fuse_entry_param entry = { 0 };
    if (!existed || !(fi->flags & O_EXCL)) entry = entryOf(inoOf(i));
    pthread_rwlock_unlock(&lock);
    fi->keep_cache = keepsCaches;
    if (entry.ino == 0) fuse_reply_err(req, EEXIST);
    else if (fuse_reply_create(req, &entry, fi) != 0) forgetLookups(entry.ino, 1);
}

static void onUnlink(fuse_req_t req, fuse_ino_t parent, const char *name) {
    pthread_rwlock_wrlock(&lock);
    uint32_t i = parent == SESSIONS_INO ? find(name) : NONE;
    if (i != NONE) removeRecord(i);
    pthread_rwlock_unlock(&lock);
    fuse_reply_err(req, i != NONE ? 0 : parent == SESSIONS_INO ? ENOENT : EPERM);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = onLookup, .forget = onForget, .getattr = onGetattr, .setattr = onSetattr,
    .open = onOpen, .read = onRead, .write = onWrite, .flush = onClose, .release = onClose,
    .fsync = onFsync, .fsyncdir = onFsync, .opendir = onOpendir, .readdir = onReaddir,
    .readdirplus = onReaddirplus, .create = onCreate, .unlink = onUnlink };

static ssize_t ioRead(int fd, void *buffer, size_t size, void *userdata) {
    ssize_t got = read(fd, buffer, size);
    uint32_t opcode = got > 0 ? ((struct fuse_in_header *)buffer)->opcode : OPCODES;
    if (opcode < OPCODES) atomic_fetch_add_explicit(&counts[opcode], 1, memory_order_relaxed);
    return got;
}

// libfuse before 3.17 never tells the kernel that lookups in one directory may run together, so
// the first reply, which answers INIT, is given that bit here.
static ssize_t ioWritev(int fd, struct iovec *iov, int count, void *userdata) {
    if (!atomic_load_explicit(&initAnswered, memory_order_relaxed)) {
        if (count == 2 && iov[1].iov_len == sizeof(struct fuse_init_out))
            ((struct fuse_init_out *)iov[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
        atomic_store(&initAnswered, true);
    }
    return writev(fd, iov, count);
}

static void printCounts(void) {
    for (int op = 0; op < OPCODES; op++)
        if (opcodeNames[op] != NULL)
            fprintf(stderr, "%s=%lu ", opcodeNames[op], atomic_exchange(&counts[op], 0));
    fputc('\n', stderr);
}

// SIGUSR1 prints and resets the request counts. Any other signal unmounts: that wakes the loop,
// which `fuse_session_exit` alone does not. A client that still holds a file keeps the connection
// alive after a lazy unmount, so leave without it after a second: closing the device frees it.
static void *waitForSignals(void *signals) {
    for (int number; sigwait(signals, &number) == 0 && number == SIGUSR1;) printCounts();
    fuse_session_exit(session);
    umount2(mountpoint, MNT_DETACH);
    sleep(1);
    _exit(0);
}

static int serve(int threads) {
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0) { perror("floorfs: /dev/fuse"); return 1; }
    char options[160];
    snprintf(options, sizeof options,
             "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions", fd);
    const struct fuse_custom_io io = { .read = ioRead, .writev = ioWritev };
    struct fuse_args args = FUSE_ARGS_INIT(1, (char *[]){ "floorfs" });
    session = fuse_session_new(&args, &operations, sizeof operations, NULL);
    if (session == NULL || fuse_session_custom_io(session, &io, fd) != 0) return 1;
    static sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM), sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP), sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int mounted = mount("floorfs", mountpoint, "fuse.floorfs", MS_NOSUID | MS_NODEV, options);
    if (mounted != 0) { perror("floorfs: mount"); return 1; }
    pthread_t waiter;
    pthread_create(&waiter, NULL, waitForSignals, &signals);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_max_threads(config, (unsigned)threads);
    fuse_loop_cfg_set_idle_threads(config, (unsigned)threads);
    int status = threads == 1 ? fuse_session_loop(session) : fuse_session_loop_mt(session, config);
    if (status < 0) umount2(mountpoint, MNT_DETACH);
    return status < 0 ? 1 : 0;
}

static void populate(long files) {
    recordCapacity = (uint32_t)files + 1024;
    records = require(calloc(recordCapacity, sizeof *records));
    clock_gettime(CLOCK_REALTIME, &directoryTime);
    for (long n = 0; n < files; n++) {
        char name[32];
        snprintf(name, sizeof name, "s%06ld", n);
        struct record *r = &records[insert(name)];
        if (resize(r, BODY_BYTES) != 0) exit(1);
        memset(r->body, 'x', BODY_BYTES);
    }
}

int main(int argc, char **argv) {
    long files = 10000, threads = 4;
    bool understood = true;
    for (int c; (c = getopt(argc, argv, "n:t:j:k")) != -1;) {
        if (c == 'n') files = atol(optarg);
        else if (c == 't') timeoutSeconds = atof(optarg);
        else if (c == 'j') threads = atol(optarg);
        else if (c == 'k') keepsCaches = false;
        else understood = false;
    }
    if (!understood || argc - optind != 1 || threads < 1 || files < 0) {
        fputs("usage: floorfs [-n FILES] [-t TIMEOUT_SECONDS] [-j THREADS] [-k] MOUNTPOINT\n"
              "  -k: the kernel keeps neither file contents nor listings\n", stderr);
        return 2;
    }
    mountpoint = require(realpath(argv[optind], NULL));
    populate(files);
    return serve((int)threads);
}
