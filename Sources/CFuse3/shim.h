// SPDX-License-Identifier: Apache-2.0
#ifndef CFUSE3_SHIM_H
#define CFUSE3_SHIM_H

// A -D of the package does not reach a system library, so the API version is chosen here.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#endif
