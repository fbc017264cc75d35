// SPDX-License-Identifier: Apache-2.0
//
// The same POST again and again on kept-alive connections, as etcd's JSON gateway takes it. Prints
// one JSON object a line.
//
//   httpbench ADDRESS PORT PATH BODY THREADS COUNT PREFIX
//
// BODY is a file; in it @KEY@ stands for PREFIX and a number, in base64, another for every request.
// Each thread has one connection and sends its next request when it has the answer to the last one.
//
// INVARIANT: nothing is allocated or formatted while the clock of one request runs.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BYTES_MAX = 1 << 16, THREADS_MAX = 256 };

struct share { long first, count; uint64_t *times, start, end; pthread_barrier_t *ready; };

static const char *path, *prefix;
static char template[BYTES_MAX];
static struct sockaddr_in server = { .sin_family = AF_INET };

static void fail(const char *what) {
    fprintf(stderr, "httpbench: %s\n", what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// A multiple of three bytes, so that no padding is needed.
static void encodeKey(char *key, long number) {
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char plain[64];
    int length = snprintf(plain, sizeof plain - 3, "%s%09ld", prefix, number);
    while (length % 3 != 0) plain[length++] = '.';
    for (int i = 0; i < length; i += 3) {
        unsigned bits = (unsigned)(unsigned char)plain[i] << 16
            | (unsigned)(unsigned char)plain[i + 1] << 8 | (unsigned char)plain[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) *key++ = letters[bits >> shift & 63];
    }
    *key = 0;
}

// Head and body in one buffer; returns its length.
static int fillRequest(char *request, long number) {
    char key[128], body[BYTES_MAX];
    encodeKey(key, number);
    char *mark = strstr(template, "@KEY@");
    if (mark == NULL) fail("the body has no @KEY@");
    int length = snprintf(body, sizeof body, "%.*s%s%s", (int)(mark - template), template, key,
                          mark + strlen("@KEY@"));
    return snprintf(request, 2 * BYTES_MAX,
                    "POST %s HTTP/1.1\r\nHost: etcd\r\nContent-Length: %d\r\n\r\n%s", path, length,
                    body);
}

static int connectToServer(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&server, sizeof server) != 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

// Whether all of the answer has come; the gateway gives a length, or an end of chunks.
static bool isWhole(const char *answer, size_t got) {
    const char *end = memmem(answer, got, "\r\n\r\n", 4);
    if (end == NULL) return false;
    const char *length = strcasestr(answer, "Content-Length:");
    if (length == NULL) return got >= 5 && memcmp(answer + got - 5, "0\r\n\r\n", 5) == 0;
    size_t wanted = strtoul(length + strlen("Content-Length:"), NULL, 10);
    return got - (size_t)(end + 4 - answer) >= wanted;
}

static void readAnswer(int fd, char *answer) {
    size_t got = 0;
    do {
        ssize_t more = read(fd, answer + got, 2 * BYTES_MAX - 1 - got);
        if (more <= 0) fail("the connection ended");
        got += (size_t)more;
        answer[got] = 0;
    } while (!isWhole(answer, got));
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0) fail(answer);
}

static void *runShare(void *context) {
    struct share *share = context;
    char *request = malloc(2 * BYTES_MAX), *answer = malloc(2 * BYTES_MAX);
    if (request == NULL || answer == NULL) fail("allocate");
    int fd = connectToServer();
    pthread_barrier_wait(share->ready);
    share->start = now();
    for (long i = share->first; i < share->first + share->count; i++) {
        int length = fillRequest(request, i);
        uint64_t begin = now();
        if (write(fd, request, (size_t)length) != length) fail("write");
        readAnswer(fd, answer);
        share->times[i] = now() - begin;
    }
    share->end = now();
    close(fd);
    return NULL;
}

static int compareTimes(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void runAll(long threads, long count) {
    struct share shares[THREADS_MAX];
    pthread_t handles[THREADS_MAX];
    pthread_barrier_t ready;
    uint64_t *times = calloc((size_t)count, sizeof *times), start = UINT64_MAX, end = 0;
    if (times == NULL) fail("allocate");
    pthread_barrier_init(&ready, NULL, (unsigned)threads);
    for (long t = 0; t < threads; t++) {
        long first = count * t / threads;
        shares[t] = (struct share){ first, count * (t + 1) / threads - first, times, 0, 0, &ready };
        if (pthread_create(&handles[t], NULL, runShare, &shares[t]) != 0) fail("thread");
    }
    for (long t = 0; t < threads; t++) {
        pthread_join(handles[t], NULL);
        if (shares[t].start < start) start = shares[t].start;
        if (shares[t].end > end) end = shares[t].end;
    }
    qsort(times, (size_t)count, sizeof *times, compareTimes);
    printf("{\"op\":\"%s\",\"threads\":%ld,\"ops\":%ld,\"total_ns\":%llu,\"ns_per_op\":%.1f,"
           "\"p50_ns\":%llu,\"p99_ns\":%llu,\"max_ns\":%llu}\n", path, threads, count,
           (unsigned long long)(end - start), (double)(end - start) / (double)count,
           (unsigned long long)times[count / 2], (unsigned long long)times[count * 99 / 100],
           (unsigned long long)times[count - 1]);
}

int main(int argc, char **argv) {
    if (argc != 8) {
        fputs("usage: httpbench ADDRESS PORT PATH BODY THREADS COUNT PREFIX\n", stderr);
        return 2;
    }
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1) fail("no address");
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    path = argv[3];
    prefix = argv[7];
    int fd = open(argv[4], O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, template, sizeof template - 256) <= 0) fail("read the body");
    close(fd);
    long threads = atol(argv[5]), count = atol(argv[6]);
    if (threads < 1 || threads > THREADS_MAX || count < threads || strlen(prefix) > 40)
        fail("THREADS is 1 to 256 and at most COUNT, PREFIX at most 40 bytes");
    runAll(threads, count);
    return 0;
}
