/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command as a child process: pipes or a terminal on its standard
 * descriptors, what it prints, how it ends. The guest is vmm/tests/tiny.S, which
 * any KVM can run.
 */
#ifndef CLI_TESTS_CHILD_H
#define CLI_TESTS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MAX_ARGS 24

struct child {
	pid_t pid;
	int in, out, err; /* our ends; -1: none */
	char text[65536]; /* of its standard output, so far */
	size_t len;
};

extern struct child c;
extern const char *viaduct, *tiny;
extern char name[32]; /* of all machines here, and of nobody else's */

/* usage: TEST VIADUCT TINY. 0, or 2: that is wrong. */
int child_main(int argc, char **argv);

/* @args end in NULL. */
void start(struct child *at, const char *const *args);
int start_on_pty(const char *const *args); /* its terminal: our end */

#define START(at, ...) start(at, (const char *const[]){ __VA_ARGS__, NULL })
#define GUEST(cmdline)                                              \
	"run", "--name", name, "--kernel", tiny, "--memory", "64M", \
		"--cmdline", cmdline

/* Read more of its output; false: end of file or nothing for @ms. */
bool more(struct child *at, int ms);
bool wait_text(struct child *at, const char *text);

/* Its exit status; 1000 + signal if one killed it. Kills it after 10 s. */
int finish(struct child *at);
void take_errors(struct child *at, char *text, size_t room);
void drop(struct child *at);

void nap(unsigned int ms);
int64_t now_ms(void);

/* A KVM that is missing or too small is a reason to skip; nothing else is. */
bool has_kvm(void);

#define NEED_KVM()              \
	do {                    \
		if (!has_kvm()) \
			skip(); \
	} while (0)

#endif
