// SPDX-License-Identifier: Apache-2.0

// fsbench: measures one directory, one JSON line per operation.
//
//   fsbench [options] DIRECTORY OPERATION...
//
// Operations run once each, in the order given, over the regular files found in the directory
// (those that start with --match) in an order shuffled from --seed:
//
//   stat, open-read, readdir                  warm: an untimed pass goes first
//   stat-cold, open-read-cold, readdir-cold   the machine's caches are dropped first (root only)
//   create, create-sync                       makes --count files named --name-prefix000000…;
//                                             -sync adds fsync of the file
//   unlink, unlink-sync                       removes what this run created, else what it found;
//                                             -sync adds fsync of the directory
//
// With --sample N, only N of the files that were found, chosen by the seed.
//
// Names are opened relative to the directory, so no path above it is measured. The time is wall
// time from the moment all threads are ready to the moment the last one is done.
//
// INVARIANT: nothing is allocated, formatted or shuffled while the clock runs.

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { READ_BYTES_MAX = 1 << 20, LISTING_BYTES = 32 * 1024, THREADS_MAX = 64 };

static const char *directoryPath, *label = "", *match = "", *namePrefix = "bench-", *bodyPath;
static long fileCount = 1000, sampleCount, threadCount = 1, roundNumber;
static uint64_t seed = 1;
static int directory;

struct names { char **at; long count; };
struct file { const char *name; const char *body; size_t size; uint64_t nanoseconds; };

// One thread's share of an operation: the files it handles, in its order.
struct share {
    bool (*handle)(struct file *file, char *buffer);
    struct file *files;
    long count;
    char *buffer;
    pthread_barrier_t *ready;
    uint64_t start, end;
};

static void fail(const char *what, const char *name) {
    fprintf(stderr, "fsbench: %s: %s: %s\n", label[0] ? label : directoryPath, what,
            name ? name : strerror(errno));
    exit(1);
}

static void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes ? bytes : 1);
    if (memory == NULL) fail("allocate", NULL);
    return memory;
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// SplitMix64: small, fixed, and good enough to shuffle names.
static uint64_t nextRandom(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void shuffle(struct file *files, long count, uint64_t state) {
    for (long i = count - 1; i > 0; i--) {
        long j = (long)(nextRandom(&state) % (uint64_t)(i + 1));
        struct file swap = files[i];
        files[i] = files[j];
        files[j] = swap;
    }
}

// MARK: What is measured

static bool statFile(struct file *file, char *buffer) {
    (void)buffer;
    struct stat st;
    return fstatat(directory, file->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool openReadFile(struct file *file, char *buffer) {
    int fd = openat(directory, file->name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t got = read(fd, buffer, READ_BYTES_MAX);
    return (close(fd) == 0) & (got > 0);
}

static bool createWith(struct file *file, bool synced) {
    uint64_t start = now();
    int fd = openat(directory, file->name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);
    if (fd < 0) return false;
    bool written = write(fd, file->body, file->size) == (ssize_t)file->size;
    if (written && synced) written = fsync(fd) == 0;
    written = (close(fd) == 0) & written;
    file->nanoseconds = now() - start;
    return written;
}

static bool createFile(struct file *file, char *buffer) {
    (void)buffer;
    return createWith(file, false);
}

static bool createFileSynced(struct file *file, char *buffer) {
    (void)buffer;
    return createWith(file, true);
}

static bool unlinkWith(struct file *file, bool synced) {
    uint64_t start = now();
    bool removed = unlinkat(directory, file->name, 0) == 0 && (!synced || fsync(directory) == 0);
    file->nanoseconds = now() - start;
    return removed;
}

static bool unlinkFile(struct file *file, char *buffer) {
    (void)buffer;
    return unlinkWith(file, false);
}

static bool unlinkFileSynced(struct file *file, char *buffer) {
    (void)buffer;
    return unlinkWith(file, true);
}

// Lists the whole directory and returns how many entries it has besides "." and "..".
static long listAll(void) {
    static char buffer[LISTING_BYTES];
    int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail("open directory", NULL);
    long entries = 0;
    for (ssize_t got; (got = getdents64(fd, buffer, sizeof buffer)) != 0;) {
        if (got < 0) fail("getdents64", NULL);
        for (ssize_t at = 0; at < got; entries++)
            at += ((struct dirent64 *)(buffer + at))->d_reclen;
    }
    close(fd);
    return entries - 2;
}

// MARK: How it is measured

static void *runShare(void *context) {
    struct share *share = context;
    pthread_barrier_wait(share->ready);
    share->start = now();
    for (long i = 0; i < share->count; i++)
        if (!share->handle(&share->files[i], share->buffer)) fail(share->files[i].name, NULL);
    share->end = now();
    return NULL;
}

static uint64_t runAll(bool (*handle)(struct file *, char *), struct file *files, long count) {
    struct share shares[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    pthread_barrier_t ready;
    pthread_barrier_init(&ready, NULL, (unsigned)threadCount);
    for (long t = 0; t < threadCount; t++) {
        long first = count * t / threadCount, end = count * (t + 1) / threadCount;
        shares[t] = (struct share){ handle, files + first, end - first, allocate(READ_BYTES_MAX),
                                    &ready, 0, 0 };
        if (pthread_create(&threads[t], NULL, runShare, &shares[t]) != 0) fail("thread", NULL);
    }
    uint64_t start = UINT64_MAX, end = 0;
    for (long t = 0; t < threadCount; t++) {
        pthread_join(threads[t], NULL);
        free(shares[t].buffer);
        if (shares[t].start < start) start = shares[t].start;
        if (shares[t].end > end) end = shares[t].end;
    }
    pthread_barrier_destroy(&ready);
    return end - start;
}

// Dirty pages and inodes cannot be dropped, hence sync. Twice, because the first pass over the
// name cache only takes away the "recently used" mark of a name.
static void dropCaches(void) {
    for (int pass = 0; pass < 2; pass++) {
        sync();
        int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, "3", 1) != 1) fail("drop caches (needs root)", NULL);
        close(fd);
    }
}

static int compareNanoseconds(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(const char *operation, long count, uint64_t total, const struct file *files) {
    printf("{\"op\":\"%s\",\"target\":\"%s\",\"round\":%ld,\"threads\":%ld,\"seed\":%llu,"
           "\"ops\":%ld,\"total_ns\":%llu,\"ns_per_op\":%.1f",
           operation, label, roundNumber, threadCount, (unsigned long long)seed, count,
           (unsigned long long)total, count ? (double)total / (double)count : 0.0);
    if (files != NULL && count > 0) {
        uint64_t *times = allocate((size_t)count * sizeof *times);
        for (long i = 0; i < count; i++) times[i] = files[i].nanoseconds;
        qsort(times, (size_t)count, sizeof *times, compareNanoseconds);
        printf(",\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu",
               (unsigned long long)times[count / 2], (unsigned long long)times[count * 99 / 100],
               (unsigned long long)times[count - 1]);
        free(times);
    }
    puts("}");
    fflush(stdout);
}

// MARK: Names and bodies

static int compareNames(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names are sorted before they are shuffled, so that one seed gives the same order on every
// file system.
static struct names findNames(void) {
    struct names names = { NULL, 0 };
    DIR *stream = opendir(directoryPath);
    if (stream == NULL) fail("open directory", NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        bool regular = entry->d_type == DT_REG && entry->d_name[0] != '.';
        if (!regular || strncmp(entry->d_name, match, strlen(match)) != 0) continue;
        if ((names.count & (names.count - 1)) == 0) {
            size_t room = names.count ? (size_t)names.count * 2 : 1;
            names.at = realloc(names.at, room * sizeof *names.at);
            if (names.at == NULL) fail("allocate", NULL);
        }
        names.at[names.count++] = strdup(entry->d_name);
    }
    closedir(stream);
    if (names.count > 0) qsort(names.at, (size_t)names.count, sizeof *names.at, compareNames);
    return names;
}

static struct names makeNames(void) {
    struct names names = { allocate((size_t)fileCount * sizeof(char *)), fileCount };
    for (long i = 0; i < fileCount; i++)
        if (asprintf(&names.at[i], "%s%06ld", namePrefix, i) < 0) fail("allocate", NULL);
    return names;
}

static char *readBody(void) {
    static char plain[1025];
    if (bodyPath == NULL) return memset(plain, 'x', sizeof plain - 1);
    char *text = allocate(READ_BYTES_MAX + 1);
    int fd = open(bodyPath, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, text, READ_BYTES_MAX) <= 0) fail("read the body", NULL);
    close(fd);
    return text;
}

// The template with every @ID@ replaced by the file's name.
static char *bodyFor(const char *name, const char *template) {
    const char mark[] = "@ID@";
    size_t marks = 0, markBytes = sizeof mark - 1, nameBytes = strlen(name);
    for (const char *at = template; (at = strstr(at, mark)) != NULL; at += markBytes) marks++;
    char *body = allocate(strlen(template) + marks * nameBytes + 1), *end = body;
    for (const char *hit; (hit = strstr(template, mark)) != NULL; template = hit + markBytes) {
        end = mempcpy(end, template, (size_t)(hit - template));
        end = mempcpy(end, name, nameBytes);
    }
    strcpy(end, template);
    return body;
}

static struct file *filesOf(struct names names, const char *template) {
    struct file *files = allocate((size_t)names.count * sizeof *files);
    for (long i = 0; i < names.count; i++) {
        char *body = template ? bodyFor(names.at[i], template) : NULL;
        files[i] = (struct file){ names.at[i], body, body ? strlen(body) : 0, 0 };
    }
    return files;
}

// MARK: The operations by name

struct operation {
    const char *name;
    bool (*handle)(struct file *file, char *buffer);  // NULL: a whole listing
    bool cold, makes, removes;
};

static const struct operation operations[] = {
    { "stat", statFile, false, false, false },
    { "stat-cold", statFile, true, false, false },
    { "open-read", openReadFile, false, false, false },
    { "open-read-cold", openReadFile, true, false, false },
    { "readdir", NULL, false, false, false },
    { "readdir-cold", NULL, true, false, false },
    { "create", createFile, false, true, false },
    { "create-sync", createFileSynced, false, true, false },
    { "unlink", unlinkFile, false, false, true },
    { "unlink-sync", unlinkFileSynced, false, false, true },
};

static const struct operation *operationNamed(const char *name) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strcmp(operations[i].name, name) == 0) return &operations[i];
    fail("unknown operation", name);
    return NULL;
}

static void measureListing(const struct operation *op) {
    if (op->cold) dropCaches();
    else listAll();
    uint64_t start = now();
    long entries = listAll();
    report(op->name, entries, now() - start, NULL);
}

static void measure(const struct operation *op, struct names *found, struct names *made) {
    if (op->handle == NULL) { measureListing(op); return; }
    if (op->makes) *made = makeNames();
    bool usesMade = op->makes || (op->removes && made->count > 0);
    struct names names = usesMade ? *made : *found;
    if (names.count == 0) fail(op->name, "no files to work on");
    char *template = op->makes ? readBody() : NULL;
    struct file *files = filesOf(names, template);
    shuffle(files, names.count, seed);
    if (sampleCount > 0 && sampleCount < names.count && !usesMade) names.count = sampleCount;
    if (op->cold) dropCaches();
    else if (!op->makes && !op->removes) runAll(op->handle, files, names.count);
    uint64_t total = runAll(op->handle, files, names.count);
    report(op->name, names.count, total, op->makes || op->removes ? files : NULL);
    for (long i = 0; i < names.count; i++) free((char *)files[i].body);
    free(files);
    if (op->removes) (usesMade ? made : found)->count = 0;
}

static int usage(void) {
    fputs("usage: fsbench [--label L] [--round R] [--threads T] [--seed S] [--match PREFIX]\n"
          "               [--sample N] [--count N] [--name-prefix P] [--body FILE]\n"
          "               DIRECTORY OPERATION...\n"
          "operations:", stderr);
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        fprintf(stderr, " %s", operations[i].name);
    fputs("\nIn the body, @ID@ stands for the name of the file.\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    const struct option options[] = {
        { "label", required_argument, NULL, 'l' }, { "round", required_argument, NULL, 'r' },
        { "threads", required_argument, NULL, 't' }, { "seed", required_argument, NULL, 's' },
        { "match", required_argument, NULL, 'm' }, { "count", required_argument, NULL, 'n' },
        { "name-prefix", required_argument, NULL, 'p' }, { "body", required_argument, NULL, 'b' },
        { "sample", required_argument, NULL, 'a' },
        { 0 } };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'l': label = optarg; break;
        case 'r': roundNumber = atol(optarg); break;
        case 't': threadCount = atol(optarg); break;
        case 's': seed = strtoull(optarg, NULL, 0); break;
        case 'm': match = optarg; break;
        case 'n': fileCount = atol(optarg); break;
        case 'p': namePrefix = optarg; break;
        case 'b': bodyPath = optarg; break;
        case 'a': sampleCount = atol(optarg); break;
        default: return usage();
        }
    }
    if (argc - optind < 2 || threadCount < 1 || threadCount > THREADS_MAX || fileCount < 1)
        return usage();
    directoryPath = argv[optind];
    for (int i = optind + 1; i < argc; i++) operationNamed(argv[i]);
    directory = open(directoryPath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) fail(directoryPath, NULL);
    struct names found = findNames(), made = { NULL, 0 };
    for (int i = optind + 1; i < argc; i++) measure(operationNamed(argv[i]), &found, &made);
    return 0;
}
