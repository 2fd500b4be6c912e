/* SPDX-License-Identifier: BSD-2-Clause */
/* The epoch with an EPOCH_QUIET of the test's own, before the library's. */
#include <epoch.c>
