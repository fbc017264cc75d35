// SPDX-License-Identifier: Apache-2.0
#ifndef CFUSE3_SHIM_H
#define CFUSE3_SHIM_H

// A -D of the package does not reach a system library, so the API version is chosen here.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <semaphore.h>

// The headers show these only with _GNU_SOURCE, which comes too late here.
int pthread_setname_np(pthread_t thread, const char *name);
int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline);

#endif
