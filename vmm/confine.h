/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Confinement: a process gives up what it does not need any more, for good.
 *
 * A machine opens all that it will ever need while it is made, with the rights
 * of whoever started it. Before its guest runs it keeps only what is open:
 *
 *  - root becomes another user, with no group and no capability; no file that
 *    matters is its own any more. (Root without capabilities would still own
 *    the system's files.)
 *  - its root folder is an empty one;
 *  - it can gain nothing by exec, and does not exec;
 *  - a list of system calls (confine_vmm.c, confine_keeper.c) is all that the
 *    kernel still answers. Files are opened by none of them. What is not on the
 *    list ends the process by SIGSYS, with a sentence.
 *
 * All threads are confined at once: seccomp's filter is put on each by the
 * kernel (TSYNC), the change of user by the C library. confine_enter() looks
 * at each afterwards and fails if one is left out.
 *
 * A build with a sanitizer is not confined: its runtime does as it likes.
 */
#ifndef VMM_CONFINE_H
#define VMM_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The user that root becomes, if there is one of this name; else nobody. */
#define CONFINE_USER "viaduct"

/* Whether this build confines at all. */
bool confine_is_built(void);

/*
 * First of all, while there is one thread: nothing is gained by exec from here
 * on, by this process and what it forks. A user other than root drops every
 * capability that he came with. 0 or -errno with a sentence in @why.
 */
int confine_begin(char *why, size_t len);

/*
 * When everything is open: the rest, for all threads. @pins: rings that pin
 * may still be made. Not undone by anything; after an error end the process.
 */
int confine_enter(bool pins, char *why, size_t len);

/*
 * The same for the keeper, whose one thread calls it. Root's stays root, since
 * the files of /sys that it writes to are root's, and has of root's
 * capabilities the one by which it fetches rings, if @pins.
 */
int confine_keeper(bool pins, char *why, size_t len);

/* What the kernel says is in force for a process. */
struct confine_state {
	bool known;
	unsigned int uid;      /* effective */
	uint64_t capabilities; /* a bit each: effective or permitted */
	bool no_new_privs;
	bool seccomp; /* a filter */
};

/* From the text of /proc/PID/status. */
void confine_parse(const char *text, struct confine_state *out);

/* From that file, opened before; -1 is not known. */
void confine_look(int status, struct confine_state *out);

/* That file: a descriptor, or -errno. */
int confine_open_status(pid_t pid);

#endif
