/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of viaduct run: from words to a machine's configuration. */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include "machine.h"

/**
 * struct run_options - what was asked for
 * @cfg:        complete after CLI_OK without @wants_help; borrows from argv and
 *              from what follows
 * @wants_help: --help was there: nothing else counts
 *
 * The rest is the parser's own.
 */
struct run_options {
	struct machine_cfg cfg;
	bool wants_help;
	bool has_pool;
	const char *base;    /* of the command line */
	char *append;	     /* owned */
	char *cmdline;	     /* owned */
	const char **assign; /* owned */
};

/*
 * Read @argv. CLI_OK, or CLI_USAGE or CLI_FAILED (no memory) after one line on
 * standard error. run_options_end() is needed in all cases.
 */
int run_options_parse(struct run_options *o, int argc, char **argv);
void run_options_end(struct run_options *o);

#endif
