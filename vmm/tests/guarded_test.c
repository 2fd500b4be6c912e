/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to what is gone. A file that is cut under its mapping stands for a
 * BAR that the kernel has revoked: both raise SIGBUS.
 */
#include "guarded.h"
#include "unit.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	 4096
#define NTHREADS 4

struct gone {
	int fd;
	uint8_t *map;
};

static void open_page(struct gone *g)
{
	g->fd = memfd_create("bar", MFD_CLOEXEC);
	assert_true(g->fd >= 0);
	assert_int_equal(ftruncate(g->fd, PAGE), 0);
	g->map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd, 0);
	assert_true(g->map != MAP_FAILED);
	assert_int_equal(guarded_init(), 0);
}

static void close_page(struct gone *g)
{
	munmap(g->map, PAGE);
	close(g->fd);
}

static void test_there(void **state)
{
	static const uint64_t ones[] = { 0xff, 0xffff, 0xffffffff, UINT64_MAX };
	struct gone g;
	uint64_t v;

	(void)state;
	open_page(&g);
	for (unsigned int i = 0, width = 1; width <= 8; width *= 2, i++) {
		memset(g.map, 0, 16);
		assert_true(guarded_store(g.map + 8, width, UINT64_MAX));
		assert_true(guarded_load(g.map + 8, 8, &v));
		assert_true(v == ones[i]); /* and no byte more */
		assert_true(guarded_load(g.map + 8, width, &v));
		assert_true(v == ones[i]);
		assert_true(guarded_load(g.map, width, &v));
		assert_true(v == 0);
	}
	close_page(&g);
}

static void test_gone(void **state)
{
	struct gone g;
	uint64_t v = 5;

	(void)state;
	open_page(&g);
	assert_int_equal(ftruncate(g.fd, 0), 0);
	for (unsigned int width = 1; width <= 8; width *= 2) {
		/* Twice: the signal is not left blocked. */
		assert_false(guarded_load(g.map, width, &v));
		assert_false(guarded_store(g.map, width, 1));
	}
	assert_true(v == 5);
	assert_int_equal(ftruncate(g.fd, PAGE), 0);
	assert_true(guarded_load(g.map, 4, &v));
	assert_true(v == 0);
	close_page(&g);
}

struct race {
	struct gone g;
	_Atomic bool gone, stop;
	_Atomic unsigned int late; /* accesses that worked afterwards */
};

static void *hammer(void *arg)
{
	struct race *r = arg;
	uint64_t v;
	bool was;

	while (!r->stop) {
		was = r->gone;
		if (guarded_load(r->g.map, 4, &v) && was)
			r->late++;
		if (guarded_store(r->g.map + 64, 2, 1) && was)
			r->late++;
	}
	return NULL;
}

static void test_pulled_under_threads(void **state)
{
	struct race r = { .gone = false };
	pthread_t t[NTHREADS];

	(void)state;
	open_page(&r.g);
	for (int i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, hammer, &r), 0);
	usleep(20000);
	assert_int_equal(ftruncate(r.g.fd, 0), 0);
	r.gone = true;
	usleep(20000);
	r.stop = true;
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(r.late, 0);
	close_page(&r.g);
}

/* A bus error that is not ours ends the process, as without us. */
static void test_not_ours(void **state)
{
	struct gone g;
	int status;
	pid_t pid;

	(void)state;
	open_page(&g);
	assert_int_equal(ftruncate(g.fd, 0), 0);
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL); /* not the test runner's */
		guarded_init();
		_exit(*(volatile uint8_t *)g.map);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	close_page(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_pulled_under_threads),
		cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
