/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to mapped registers that may be gone.
 *
 * When a function is pulled the kernel revokes the mappings of its BARs, at any
 * moment and without a word: the next access raises SIGBUS. Asking first does
 * not help, the answer may be old when the access is made; and the kernel has no
 * call that reads a memory BAR with a given width. So the one access is made
 * with a place to go on at, which the signal's handler jumps to. Nothing but
 * that access lies in between: no lock is held and no call is left, so a jump
 * out of the handler leaves nothing half done. No system call is made.
 *
 * Any thread. Widths are 1, 2, 4 and 8; the address is aligned to the width.
 */
#ifndef VMM_GUARDED_H
#define VMM_GUARDED_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Handle SIGBUS from now on; once or often. One that no guarded access has
 * raised does what it did before. 0 or -errno.
 */
int guarded_init(void);

/* false: there is nothing any more; *@value is not written. */
bool guarded_load(const volatile void *p, unsigned int width, uint64_t *value);
bool guarded_store(volatile void *p, unsigned int width, uint64_t value);

#endif
