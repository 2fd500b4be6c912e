/* SPDX-License-Identifier: BSD-2-Clause */
/* Replaying a recording of a guest's calls against our own front ends. */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include <stdint.h>
#include <stdio.h>

struct replay_counts {
	uint64_t calls, translations, mismatches;
	uint64_t cut; /* line that ends without its newline; 0: none */
};

/*
 * Replay @in, which is called @name in messages, and write each mismatch as a
 * line to @err: "NAME:LINE: what differs". A last line that is cut is neither
 * replayed nor a mismatch. @in is read twice, so it must be a file that can be
 * rewound. *@out is written also on error.
 * Return: 0, however many mismatches there are; -EINVAL (there is not one call
 * in it), -ENOMEM, -EIO or another error of reading
 */
int replay_papr(FILE *in, const char *name, FILE *err,
		struct replay_counts *out);

/* The verb, with its output said by the caller. */
int replay_main(int argc, char **argv, FILE *out, FILE *err);

#endif
