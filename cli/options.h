/* SPDX-License-Identifier: BSD-2-Clause */
/* What all verbs do with their options, besides getopt_long(). */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <getopt.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * What getopt_long() has just not taken ('?'), in words for a message: the word
 * of @argv, and for "-kernel" that "--kernel" was meant. In @text.
 */
const char *options_culprit(char **argv, const struct option *options,
			    char *text, size_t len);

/*
 * The command line is wrong: "viaduct VERB: what; see viaduct VERB --help" on
 * standard error. Return: CLI_USAGE
 */
__attribute__((format(printf, 2, 3))) int options_usage(const char *verb,
							const char *fmt, ...);

/*
 * All has been printed to @out. CLI_OK, or CLI_FAILED if not all of it has
 * arrived (a full disk, a closed descriptor), which standard error says. @verb
 * NULL: viaduct itself.
 */
int options_end_output(const char *verb, FILE *out);

/*
 * A whole number: decimal digits and nothing else, @least to @most. 0, -EINVAL
 * (no number), -ERANGE. *out is written on success only.
 */
int options_number(const char *text, uint64_t least, uint64_t most,
		   uint64_t *out);

#endif
