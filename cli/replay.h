/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaying a recording of a guest's calls against our own front ends. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include <stdint.h>
#include <stdio.h>

struct replay_counts {
	uint64_t calls, translations, mismatches;
};

/*
 * Replay @in, which is called @name in messages, and write each mismatch as a
 * line to @err: "NAME:LINE: what differs". *@out is written also on error.
 * Return: 0, however many mismatches there are; -EINVAL (there is not one call
 * in it), -ENOMEM, -EIO
 */
int replay_papr(FILE *in, const char *name, FILE *err,
		struct replay_counts *out);

/* The verb, with its output said by the caller. */
int replay_main(int argc, char **argv, FILE *out, FILE *err);

#endif
