/* SPDX-License-Identifier: BSD-2-Clause */
/* The viaduct command: find the verb, run it. */
#include "exit.h"
#include "options.h"
#include "verb.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct verb verbs[] = {
	{ "run", "start a virtual machine", verb_run },
	{ "ctl", "ask or steer a running one", verb_ctl },
	{ "top", "what running machines do, live", verb_top },
	{ "report", "a recorded run as a page of HTML", verb_report },
	{ "doctor", "what this host can do, and what it lacks", verb_doctor },
	{ "replay", "check a recorded guest's calls", verb_replay },
};

static void print_usage(FILE *to)
{
	fputs("usage: viaduct VERB [OPTION]...\n"
	      "       viaduct VERB --help\n\n",
	      to);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(to, "  %-8s %s\n", verbs[i].name, verbs[i].help);
	fputs("\n  --version\n", to);
}

/*
 * A closed standard descriptor must not become some file that we open. What
 * takes its place is open the wrong way, so that whoever uses it learns that
 * there is nothing: what is written there would be lost unseen.
 */
static void open_std_fds(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null",
			 fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return;
}

static int run_verb(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (!strcmp(argv[0], verbs[i].name))
			return verbs[i].run(argc, argv);
	}
	fprintf(stderr, "viaduct: no such verb: %s; try viaduct --help\n",
		argv[0]);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	open_std_fds();
	if (argc < 2) {
		print_usage(stderr);
		return CLI_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_usage(stdout);
		return options_end_output(NULL, stdout);
	}
	if (!strcmp(argv[1], "--version")) {
		puts("viaduct " VIADUCT_VERSION);
		return options_end_output(NULL, stdout);
	}
	return run_verb(argc - 1, argv + 1);
}
