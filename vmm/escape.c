/* SPDX-License-Identifier: BSD-2-Clause */
/* The escape key: two states, see escape.h. */
#include "escape.h"

static enum escape_event after_key(uint8_t byte, uint8_t *out, size_t *nout)
{
	switch (byte) {
	case 'x':
	case 'X':
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case '?':
		return ESCAPE_HELP;
	}
	out[(*nout)++] = ESCAPE_KEY;
	if (byte != ESCAPE_KEY)
		out[(*nout)++] = byte;
	return ESCAPE_NONE;
}

enum escape_event escape_filter(struct escape *e, const uint8_t *in, size_t n,
				uint8_t *out, size_t *nout)
{
	enum escape_event event = ESCAPE_NONE, now;

	*nout = 0;
	for (size_t i = 0; i < n && event != ESCAPE_QUIT; i++) {
		if (!e->seen && in[i] == ESCAPE_KEY) {
			e->seen = true;
		} else if (e->seen) {
			e->seen = false;
			now = after_key(in[i], out, nout);
			if (now != ESCAPE_NONE)
				event = now;
		} else {
			out[(*nout)++] = in[i];
		}
	}
	return event;
}
