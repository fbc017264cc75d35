// SPDX-License-Identifier: Apache-2.0

// fdbench: the disk's floor under a log that is safe to acknowledge: write a record, fdatasync it.
//
//   fdbench [--label L] [--round R] [--count N] [--size BYTES] DIRECTORY
//
// Two files, --count records each, in alternating runs so that both see the same disk:
//
//   growing        every append also makes the file longer, which the sync must record
//   preallocated   the file was filled with zeros and synced before, only data is written
//
// One JSON line per file. Only a directory on a disk says something; on tmpfs a sync is free.
//
// INVARIANT: both files are gone when the program ends, also when a signal ends it.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { RUN_RECORDS = 50, FILES = 2 };

struct log { const char *operation; char path[4096]; int fd; uint64_t *times; };

static struct log logs[FILES] = { { .operation = "append-growing", .fd = -1 },
                                  { .operation = "append-preallocated", .fd = -1 } };
static const char *label = "";
static long roundNumber, recordCount = 2000, recordBytes = 1024;

static void removeLogs(void) {
    for (int i = 0; i < FILES; i++)
        if (logs[i].fd >= 0) unlink(logs[i].path);
}

static void removeLogsAndLeave(int number) {
    removeLogs();
    _exit(128 + number);
}

static void fail(const char *what) {
    fprintf(stderr, "fdbench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void openLog(struct log *log, const char *directory, const char *record, int filled) {
    snprintf(log->path, sizeof log->path, "%s/fdbench-%d-%s", directory, (int)getpid(),
             log->operation);
    log->fd = open(log->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    log->times = calloc((size_t)recordCount, sizeof *log->times);
    if (log->fd < 0 || log->times == NULL) fail(log->path);
    for (long n = 0; filled && n < recordCount; n++)
        if (write(log->fd, record, (size_t)recordBytes) != recordBytes) fail("fill");
    if (fsync(log->fd) != 0) fail("fsync");
}

static void append(struct log *log, const char *record, long n) {
    uint64_t start = now();
    if (pwrite(log->fd, record, (size_t)recordBytes, n * recordBytes) != recordBytes) fail("write");
    if (fdatasync(log->fd) != 0) fail("fdatasync");
    log->times[n] = now() - start;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct log *log) {
    uint64_t total = 0;
    for (long n = 0; n < recordCount; n++) total += log->times[n];
    qsort(log->times, (size_t)recordCount, sizeof *log->times, compare);
    printf("{\"op\":\"%s\",\"target\":\"%s\",\"round\":%ld,\"threads\":1,\"ops\":%ld,"
           "\"bytes\":%ld,\"ns_per_op\":%.1f,\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu}\n",
           log->operation, label, roundNumber, recordCount, recordBytes,
           (double)total / (double)recordCount, (unsigned long long)log->times[recordCount / 2],
           (unsigned long long)log->times[recordCount * 99 / 100],
           (unsigned long long)log->times[recordCount - 1]);
}

static int usage(void) {
    fputs("usage: fdbench [--label L] [--round R] [--count N] [--size BYTES] DIRECTORY\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    const struct option options[] = {
        { "label", required_argument, NULL, 'l' }, { "round", required_argument, NULL, 'r' },
        { "count", required_argument, NULL, 'n' }, { "size", required_argument, NULL, 's' },
        { 0 } };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'l') label = optarg;
        else if (c == 'r') roundNumber = atol(optarg);
        else if (c == 'n') recordCount = atol(optarg);
        else if (c == 's') recordBytes = atol(optarg);
        else return usage();
    }
    if (argc - optind != 1 || recordCount < 1 || recordBytes < 1) return usage();
    atexit(removeLogs);
    const int ending[] = { SIGINT, SIGTERM, SIGHUP };
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        signal(ending[i], removeLogsAndLeave);
    char *record = calloc(1, (size_t)recordBytes);
    if (record == NULL) fail("allocate");
    for (int i = 0; i < FILES; i++) openLog(&logs[i], argv[optind], record, i == 1);
    memset(record, 'x', (size_t)recordBytes);
    for (long n = 0; n < recordCount; n += RUN_RECORDS)
        for (int i = 0; i < FILES; i++)
            for (long m = n; m < n + RUN_RECORDS && m < recordCount; m++)
                append(&logs[i], record, m);
    for (int i = 0; i < FILES; i++) report(&logs[i]);
    return 0;
}
