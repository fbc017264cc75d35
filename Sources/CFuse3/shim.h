// SPDX-License-Identifier: Apache-2.0
#ifndef CFUSE3_SHIM_H
#define CFUSE3_SHIM_H

// A -D of the package does not reach a system library, so the API version is chosen here.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// The headers show these only with _GNU_SOURCE, which comes too late here.
int pthread_setname_np(pthread_t thread, const char *name);
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline);

// Starts a process that ends a FUSE connection when this one dies, and returns its number.
//
// A thread that is told to invalidate a name may wait in the kernel for a directory whose holder
// waits for an answer of this process. If the process is killed then, that thread cannot end, keeps
// the connection open, and nobody who uses the mount is ever answered. Only an abort through fusectl
// helps, so somebody else has to be there to write it. `abort_fd` is open on the connection's `abort`.
//
// In C, because Swift has no fork(2). After it the child calls what signal-safety(7) allows.
static inline pid_t brokerfs_start_guard(int abort_fd) {
    const pid_t parent = getpid();
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", parent);
    const pid_t child = fork();
    if (child != 0) return child;
    prctl(PR_SET_NAME, "brokerfs-guard");
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    // Neither the mount's descriptor nor the lock of the data directory may live on in here.
    dup2(abort_fd, 0);
    syscall(SYS_close_range, 1u, ~0u, 0u);
    const struct timespec pause = {0, 100 * 1000 * 1000};
    while (getppid() == parent) {
        char text[256] = {0};
        const int status = open(path, O_RDONLY | O_CLOEXEC);
        if (status >= 0) {
            const ssize_t count = read(status, text, sizeof text - 1);
            close(status);
            const char *state = count > 0 ? strrchr(text, ')') : 0;
            // A zombie with threads that go on: its first thread has ended, they cannot.
            if (state && state[1] == ' ' && (state[2] == 'Z' || state[2] == 'X')) break;
        }
        nanosleep(&pause, 0);
    }
    if (write(0, "1", 1) < 0) _exit(1);
    _exit(0);
}

#endif
