/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is found on made-up hosts, and what happens when something comes. An
 * event is POLLPRI: a made-up source is a socket with out-of-band data.
 */
#include "pressure.h"
#include "tree.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
/* needs the four above */
#include <cmocka.h>

static struct {
	struct tree t;
	struct pressure p;
	_Atomic unsigned int relieved, calmed, level;
} f;

static void relieve(void *opaque, unsigned int level)
{
	assert_ptr_equal(opaque, &f);
	f.relieved++;
	f.level = level;
}

static void calm(void *opaque)
{
	assert_ptr_equal(opaque, &f);
	f.calmed++;
}

static const struct pressure_ops ops = { relieve, calm };

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	tree_make(&f.t);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tree_end(&f.t);
	return 0;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

#define wait_until(c)                               \
	do {                                        \
		for (int n_ = 0; n_ < 1000; n_++) { \
			if (c)                      \
				break;              \
			nap();                      \
		}                                   \
		assert_true(c);                     \
	} while (0)

static void put_group(const char *group)
{
	char path[128], line[128];

	tree_file(&f.t, "/proc/self/mountinfo",
		  "25 1 0:22 / /sys rw - sysfs sysfs rw\n"
		  "35 25 0:31 / /cg rw,nosuid - cgroup2 cgroup2 rw\n");
	snprintf(line, sizeof(line), "1:name=systemd:/x\n0::%s\n", group);
	tree_file(&f.t, "/proc/self/cgroup", line);
	snprintf(path, sizeof(path), "/cg%s/memory.pressure", group);
	tree_file(&f.t, path, "");
	snprintf(path, sizeof(path), "/cg%s/memory.events", group);
	tree_file(&f.t, path, "low 9\nhigh 1\nmax 2\noom 0\noom_kill 7\n");
}

static void finds_what_there_is(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	assert_int_equal(f.p.nsources, 0); /* an old kernel: none, and no error */
	pressure_stop(&f.p);

	tree_file(&f.t, "/proc/pressure/memory", "");
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	assert_int_equal(f.p.nsources, 1);
	assert_int_equal(f.p.source[0].kind, PRESSURE_PSI);
	pressure_stop(&f.p);
	assert_int_equal(sysfs_read(&f.t.s, "/proc/pressure/memory", text, sizeof(text)), 0);
	assert_string_equal(text, "some 150000 2000000");

	put_group("/a/b");
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	assert_int_equal(f.p.nsources, 3);
	assert_int_equal(f.p.source[1].kind, PRESSURE_CGROUP_PSI);
	assert_int_equal(f.p.source[2].kind, PRESSURE_CGROUP_EVENTS);
	assert_int_equal(f.p.source[2].seen, 3); /* high, max, oom; not the others */
	pressure_stop(&f.p);

	put_group("/"); /* the root has no limits */
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	assert_int_equal(f.p.nsources, 1);
	pressure_stop(&f.p);
}

static void add_socket(int *other, enum pressure_kind kind)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	f.p.source[f.p.nsources++] = (struct pressure_source){ kind, fd[0], 0 };
	*other = fd[1];
}

/* One event, taken by the test once it has arrived. */
static void send_event(int fd, unsigned int relieved)
{
	char c;

	assert_int_equal(send(fd, "!", 1, MSG_OOB), 1);
	wait_until(f.relieved >= relieved);
	recv(f.p.source[0].fd, &c, 1, MSG_OOB | MSG_DONTWAIT);
}

static void asks_and_calms_down(void **state)
{
	unsigned int n;
	int fd;

	(void)state;
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	add_socket(&fd, PRESSURE_PSI);
	f.p.calm_ms = 50;
	assert_int_equal(pressure_start(&f.p), 0);
	nap();
	assert_int_equal(f.relieved, 0); /* nothing by itself */
	assert_int_equal(f.calmed, 0);
	send_event(fd, 1);
	wait_until(f.calmed == 1);
	n = f.relieved;
	assert_true(f.level == n);
	assert_int_equal(f.p.events[PRESSURE_PSI], n);
	assert_int_equal(f.p.requests, n);
	send_event(fd, n + 1);
	wait_until(f.calmed == 2);
	assert_true(f.level <= f.relieved - n); /* counted anew after the calm */
	pressure_stop(&f.p);
	close(fd);
}

/* A source that dies is left out; the others and the stop still work. */
static void a_source_that_goes_away(void **state)
{
	int fd;

	(void)state;
	assert_int_equal(pressure_open(&f.p, &f.t.s, &ops, &f), 0);
	add_socket(&fd, PRESSURE_PSI);
	assert_int_equal(pressure_start(&f.p), 0);
	close(fd);
	wait_until(f.p.source[0].fd == -1);
	assert_int_equal(f.relieved, 0);
	pressure_stop(&f.p);
}

/* The real kernel takes the trigger, if it has PSI and lets us. */
static void real_host(void **state)
{
	static const struct sysfs real = { .root = "/sys" };

	(void)state;
	if (access("/proc/pressure/memory", W_OK))
		skip();
	assert_int_equal(pressure_open(&f.p, &real, &ops, &f), 0);
	if (f.p.nsources == 0) {
		pressure_stop(&f.p);
		skip();
	}
	assert_int_equal(f.p.source[0].kind, PRESSURE_PSI);
	assert_int_equal(pressure_start(&f.p), 0);
	pressure_stop(&f.p);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(finds_what_there_is),
		T(asks_and_calms_down),
		T(a_source_that_goes_away),
		T(real_host),
	};

	return cmocka_run_group_tests_name("pressure", tests, NULL, NULL);
}
