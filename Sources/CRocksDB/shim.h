// SPDX-License-Identifier: Apache-2.0
#ifndef CROCKSDB_SHIM_H
#define CROCKSDB_SHIM_H

#include <rocksdb/c.h>

#endif
