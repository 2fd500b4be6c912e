/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The escape key: what the operator says to the VMM instead of the guest.
 *
 *	Ctrl-A x	end the VM
 *	Ctrl-A h	help
 *	Ctrl-A Ctrl-A	one Ctrl-A for the guest
 * Ctrl-A and anything else goes to the guest as it is.
 */
#ifndef VMM_ESCAPE_H
#define VMM_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ESCAPE_KEY 0x01

struct escape {
	bool seen; /* the last byte was the key */
};

enum escape_event { ESCAPE_NONE, ESCAPE_QUIT, ESCAPE_HELP };

/*
 * Take @n bytes from the keyboard; *@nout bytes for the guest are written to
 * @out, which has room for 2 * @n. What the operator wanted last, if anything;
 * after ESCAPE_QUIT the rest of the bytes is dropped.
 */
enum escape_event escape_filter(struct escape *e, const uint8_t *in, size_t n,
				uint8_t *out, size_t *nout);

#endif
