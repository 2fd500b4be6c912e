/* SPDX-License-Identifier: BSD-2-Clause */
/* The verbs of the viaduct command: one file each, one row each in main.c. */
#ifndef CLI_VERB_H
#define CLI_VERB_H

/*
 * @argv[0] is the verb's name. Returns an enum cli_exit. Errors are one line
 * on standard error: "viaduct VERB: what happened: to what; what to do".
 */
struct verb {
	const char *name;
	const char *help; /* half a line */
	int (*run)(int argc, char **argv);
};

int verb_run(int argc, char **argv);
int verb_ctl(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_report(int argc, char **argv);
int verb_doctor(int argc, char **argv);
int verb_replay(int argc, char **argv);

#endif
