/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recorded calls of a PAPR guest: one line of QEMU's trace, read into words.
 *
 * A line is an event's name, then "key=value" words, some of which are
 * spread over several words. Lines of other events are TRACE_OTHER.
 */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <stdint.h>

enum trace_kind {
	TRACE_OTHER,
	TRACE_TABLE,  /* a window came to be: liobn */
	TRACE_PUT,    /* liobn, ioba, tce -> ret */
	TRACE_GET,    /* liobn, ioba -> ret, tce */
	TRACE_STUFF,  /* liobn, ioba after the last, tce, count -> ret */
	TRACE_LIST,   /* liobn, ioba, list, count, the last tce -> ret */
	TRACE_QUERY,  /* buid, addr -> windows, tces, mask */
	TRACE_CREATE, /* buid, addr, page and window size -> ioba, liobn */
	TRACE_REMOVE, /* liobn */
	TRACE_RESET,  /* buid, addr */
	TRACE_XLATE,  /* liobn, ioba in the window -> gpa, prot, mask */
	TRACE_KINDS,
};

struct trace_line {
	enum trace_kind kind;
	uint64_t liobn, ioba, tce, count, list;
	int64_t ret;
	uint64_t buid, addr; /* which PE */
	uint64_t windows, tces, mask;
	uint64_t page_size, window_size;
	uint64_t gpa, prot;
};

/*
 * What @text says. 0, or -EINVAL: it begins as one of our events but is not
 * whole. *@out is written in both cases.
 */
int trace_parse(const char *text, struct trace_line *out);

#endif
