/* SPDX-License-Identifier: BSD-2-Clause */
/* Exit statuses of all verbs. They are an interface: never renumber. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum cli_exit {
	CLI_OK = 0,	/* done; run: the guest powered off */
	CLI_FAILED = 1, /* refused or failed; standard error says why */
	CLI_USAGE = 2,	/* the command line is wrong */
	CLI_RESET = 3,	/* run: the guest reset itself, with --no-reboot */
	CLI_DIED = 4,	/* run: the guest cannot go on (triple fault, ...) */
	CLI_QUIT = 5,	/* run: ended from outside: escape key, signal, ctl */
	CLI_UNREACHABLE = 6, /* ctl: no machine answers */
	CLI_NO_WINDOWS = 7,  /* ctl window: the machine has no DMA windows */
	CLI_OVER = 8, /* run: the guest was asked to power off and did not */
};

#endif
