/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The keeper process, on a host of files: whoever dies, and when, the function
 * is found as it was, and nobody holds it.
 */
#include "keeper.h"
#include "assign_take.h"
#include "made_host.h"
#include "unit.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static char why[256];

static bool gives_back(struct made_host *h)
{
	for (int i = 0; i < 5000 && made_host_claims(h); i++)
		usleep(1000);
	return made_host_claims(h) == 0;
}

static void start(struct made_host *h, struct keeper *k)
{
	made_host_make(h, "nvme");
	assert_int_equal(keeper_start(k, &h->t.s), 0);
}

static void test_take_and_finish(void **state)
{
	struct made_host h;
	struct keeper k;
	uint64_t id = 0, again = 0;

	(void)state;
	start(&h, &k);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)), 0);
	assert_true(id != 0);
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	assert_int_equal(keeper_take(&k, MADE_BDF, &again, why, sizeof(why)),
			 -EBUSY);
	assert_true(again == 0); /* not written on error */
	assert_int_equal(
		keeper_take(&k, "0000:0a:00.0", &again, why, sizeof(why)),
		-ENOENT);
	assert_non_null(strstr(why, "0000:0a:00.0"));
	assert_int_equal(keeper_finish(&k), 0);
	made_host_expect(&h, "nvme", "", 7);
	assert_int_equal(made_host_claims(&h), 0);
	assert_int_equal(keeper_finish(&k), 0); /* once more is fine */
	made_host_remove(&h);
}

static void test_cannot_reset(void **state)
{
	struct made_host h;
	struct keeper k;
	uint64_t id;

	(void)state;
	made_host_make(&h, "nvme");
	h.deaf = true;
	assert_int_equal(keeper_start(&k, &h.t.s), 0);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)),
			 -EIO);
	assert_non_null(strstr(why, "did not stop its DMA"));
	made_host_expect(&h, "nvme", "", 7);
	assert_int_equal(keeper_finish(&k), 0);
	made_host_remove(&h);
}

/* A machine that takes the function, and waits to be killed. */
static pid_t machine(struct made_host *h)
{
	int ready[2];
	struct keeper k;
	uint64_t id;
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (keeper_start(&k, &h->t.s) ||
		    keeper_take(&k, MADE_BDF, &id, why, sizeof(why)) ||
		    write(ready[1], &c, 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_machine_is_killed(void **state)
{
	struct made_host h;
	pid_t pid;

	(void)state;
	made_host_make(&h, "nvme");
	pid = machine(&h);
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	made_host_set_command(&h, 0x0407); /* in mid-DMA, INTx masked by uio */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(gives_back(&h));
	made_host_expect(&h, "nvme", "", 7);
	made_host_remove(&h);
}

/* Killed, and the card is swapped meanwhile. */
static void test_killed_and_swapped(void **state)
{
	struct made_host h;
	pid_t pid;

	(void)state;
	made_host_make(&h, "nvme");
	pid = machine(&h);
	made_host_pull(&h);
	made_host_plug(&h, "nvme");
	made_host_set_command(&h, 0x0547);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(gives_back(&h));
	made_host_expect(&h, "nvme", "", 0x0547);
	made_host_remove(&h);
}

static void on_death(void *opaque)
{
	*(atomic_bool *)opaque = true;
}

/* The keeper is killed; whatever the next one takes, it mends what is left. */
static void test_keeper_is_killed(void **state)
{
	atomic_bool died = false;
	struct made_host h;
	struct keeper k;
	uint64_t id;

	(void)state;
	start(&h, &k);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)), 0);
	assert_int_equal(keeper_watch(&k, on_death, &died), 0);
	kill(k.pid, SIGKILL);
	for (int i = 0; i < 5000 && !died; i++)
		usleep(1000);
	assert_true(died);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)),
			 -EPIPE);
	assert_non_null(strstr(why, "has died"));
	keeper_lost(&k, MADE_BDF); /* tells nobody, and does not wait */
	assert_int_equal(keeper_finish(&k), -EPIPE);
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	tree_file(&h.t, "/run/viaduct/claims/0000:0b:00.0",
		  "of another time\n");
	assign_mend_all(&h.t.s);
	made_host_expect(&h, "nvme", "", 7);
	assert_int_equal(made_host_claims(&h), 0);
	made_host_remove(&h);
}

/* What does not stop stays as it is, with its record, for the next who tries. */
static void test_mend_what_is_not_quiet(void **state)
{
	struct made_host h;
	struct keeper k;
	uint64_t id;

	(void)state;
	start(&h, &k);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)), 0);
	kill(k.pid, SIGKILL);
	assert_int_equal(keeper_finish(&k), -EPIPE);
	h.deaf = true;
	assert_int_equal(assign_mend(&h.t.s, MADE_BDF), -EIO);
	made_host_expect(&h, MADE_UIO, MADE_UIO, 3);
	assert_int_equal(made_host_claims(&h), 1);
	h.deaf = false;
	assert_int_equal(assign_mend(&h.t.s, MADE_BDF), 0);
	made_host_expect(&h, "nvme", "", 7);
	assert_int_equal(made_host_claims(&h), 0);
	made_host_remove(&h);
}

/* Lost to the machine but not to the host: it is given back at the end. */
static void test_lost(void **state)
{
	struct made_host h;
	struct keeper k;
	uint64_t id;

	(void)state;
	start(&h, &k);
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)), 0);
	keeper_lost(&k, MADE_BDF);
	usleep(250000);
	assert_int_equal(made_host_claims(&h), 1);
	made_host_pull(&h); /* a little later */
	assert_true(gives_back(&h));
	made_host_plug(&h, "nvme");
	/* Another machine can have what is there now, and this one too. */
	assert_int_equal(keeper_take(&k, MADE_BDF, &id, why, sizeof(why)), 0);
	assert_int_equal(keeper_finish(&k), 0);
	made_host_expect(&h, "nvme", "", 7);
	made_host_remove(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take_and_finish),
		cmocka_unit_test(test_cannot_reset),
		cmocka_unit_test(test_machine_is_killed),
		cmocka_unit_test(test_killed_and_swapped),
		cmocka_unit_test(test_keeper_is_killed),
		cmocka_unit_test(test_mend_what_is_not_quiet),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
