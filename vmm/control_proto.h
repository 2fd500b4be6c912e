/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control protocol: one request line in, one answer line out. No system
 * calls and no state, so that it runs under a fuzzer. docs/control.md says
 * what users may rely on.
 *
 *	{"execute": "status", "arguments": {...}, "id": anything}
 *	{"return": ..., "id": anything}
 *	{"error": {"class": "...", "desc": "..."}, "id": anything}
 */
#ifndef VMM_CONTROL_PROTO_H
#define VMM_CONTROL_PROTO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_PROTOCOL      1
#define CONTROL_LINE_MAX      65536 /* bytes of a request, newline included */

/* The classes of errors; stable. */
#define CONTROL_BAD_REQUEST   "BadRequest" /* no such JSON */
#define CONTROL_NO_COMMAND    "CommandNotFound"
#define CONTROL_BAD_ARGUMENTS "BadArguments"
#define CONTROL_NO_DEVICE     "DeviceNotFound"
#define CONTROL_BUSY	      "DeviceBusy"
#define CONTROL_NOT_QUIESCED  "NotQuiesced"
#define CONTROL_TOO_MANY      "TooManyClients"
#define CONTROL_NO_WINDOWS    "NoWindows"
#define CONTROL_NO_WINDOW     "WindowNotFound"
#define CONTROL_WINDOW_BUSY   "WindowBusy"
#define CONTROL_FAILED	      "GenericError"

struct control_error {
	const char *class; /* CONTROL_*; a literal */
	char desc[256];	   /* one sentence */
};

/* Fill in @e; returns -1, so that a command can end with it. */
int control_fail(struct control_error *e, const char *class, const char *fmt,
		 ...) __attribute__((format(printf, 3, 4)));

/*
 * A command. @args is an object, borrowed. 0 and *@result (a new reference,
 * the caller's), or not 0 and @e filled in.
 */
struct control_command {
	const char *name;
	const char *help; /* one line */
	int (*fn)(void *ctx, const json_t *args, json_t **result,
		  struct control_error *e);
};

/* As json_unpack() of @args, refusing keys that @fmt does not name. */
int control_args(const json_t *args, struct control_error *e, const char *fmt,
		 ...);

struct control_table {
	const struct control_command *command;
	size_t n;
	void *ctx;
};

/*
 * A number as a client writes it in a string: decimal, or hexadecimal behind
 * "0x". A leading 0 does not make it octal. False: it is none, or too long for
 * 64 bits; then *out is not written.
 */
bool control_number(const char *text, uint64_t *out);

/*
 * What is sent to a new client, and the answer to one line of @len bytes
 * without its newline. Each ends in a newline and is the caller's to free();
 * NULL if there is no memory. control_answer_error() answers what never became
 * a request.
 */
char *control_greeting(const char *version);
char *control_answer(const struct control_table *t, const char *line,
		     size_t len);
char *control_answer_error(const char *class, const char *desc);

#endif
