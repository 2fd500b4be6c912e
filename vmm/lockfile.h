/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that say who has something: whoever holds the lock. It goes with its
 * process; who ends in order removes the file first.
 */
#ifndef VMM_LOCKFILE_H
#define VMM_LOCKFILE_H

/* The file, made if it is not there, or -EBUSY: another has it; or an error. */
int lockfile_take(const char *path);

#endif
