/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One exchange of QEMU's multi-process protocol (its hw/remote): a header, a
 * body of the length that the header says, descriptors beside them, all in the
 * byte order of the machine. Some requests are answered by RET with a number.
 *
 * Once an exchange fails nobody knows where in the stream the peer is: the wire
 * keeps the error and gives it to whoever comes after.
 */
#ifndef REMOTE_REMOTE_WIRE_H
#define REMOTE_REMOTE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_FDS 8 /* places in the table of a sync; one less can be used */

enum wire_cmd {
	WIRE_SYNC_SYSMEM, /* wire_sync and its descriptors; no answer */
	WIRE_RET,
	WIRE_CONFIG_WRITE, /* wire_config */
	WIRE_CONFIG_READ,
	WIRE_BAR_WRITE, /* wire_bar */
	WIRE_BAR_READ,
	WIRE_SET_IRQFD,	   /* two descriptors; no answer */
	WIRE_DEVICE_RESET, /* answered without a number */
};

struct wire_header {
	int32_t cmd;
	uint32_t pad;
	uint64_t size;
};

struct wire_sync {
	uint64_t addr[WIRE_FDS];
	uint64_t size[WIRE_FDS];
	int64_t off[WIRE_FDS];
};

struct wire_config {
	uint32_t addr;
	uint32_t val;
	int32_t len;
};

struct wire_bar {
	uint64_t addr;
	uint64_t val;
	uint32_t size;
	uint8_t memory; /* or port */
	uint8_t pad[3];
};

struct wire {
	int fd; /* borrowed */
	unsigned int timeout_ms;
	int lost; /* 0, or the error that ended it */
};

/* A request: @body of @len bytes, @nfds descriptors, borrowed. */
struct wire_request {
	enum wire_cmd cmd;
	const void *body;
	size_t len;
	const int *fd;
	size_t nfds;
};

/* Send it. 0, -EPIPE, -ETIMEDOUT, -EPROTO: then the wire is lost. */
int wire_send(struct wire *w, const struct wire_request *q);

/*
 * Send it and wait for the number in its answer; @out NULL: for an answer
 * without one. Errors as wire_send().
 */
int wire_ask(struct wire *w, const struct wire_request *q, uint64_t *out);

#endif
