/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are compressed, which we do not read: for the message about one. */
#ifndef CLI_PACKED_H
#define CLI_PACKED_H

#include <stddef.h>

/* The program that unpacks to standard output what begins so; NULL: none. */
const char *packed_reader(const void *begin, size_t len);

#endif
