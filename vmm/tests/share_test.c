/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's budget between processes that borrow, give back, and are killed at
 * any moment: never is more lent than there is, and what the dead had is there
 * again. The naive rival is the sum of what the living say they have.
 */
#include "share.h"
#include "unit.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/fake.h>
#include <viaduct/viaduct.h>

#define PAGE  4096u
#define LIMIT (64 * PAGE)
#define KIDS  6

static char path[64];
static char why[256];

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/viaduct-share-%d", (int)getpid());
	unlink(path);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

static uint64_t take(struct share *s, uint64_t need, uint64_t want)
{
	return share_ops.take(s, need, want);
}

static void lends_what_there_is(void **state)
{
	struct share a, b;
	struct share_stats st;

	(void)state;
	assert_int_equal(share_open(&a, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(share_open(&b, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(take(&a, PAGE, 40 * PAGE), 40 * PAGE);
	assert_int_equal(take(&b, PAGE, 40 * PAGE),
			 PAGE); /* not so much, but what it needs */
	assert_int_equal(take(&b, 24 * PAGE, 24 * PAGE), 0);
	assert_int_equal(take(&b, 23 * PAGE, 23 * PAGE), 23 * PAGE);
	share_stats(&b, &st);
	assert_int_equal(st.limit, LIMIT);
	assert_int_equal(st.taken, LIMIT);
	assert_int_equal(st.ours, 24 * PAGE);
	assert_int_equal(st.machines, 2);
	share_ops.give(&a, 10 * PAGE);
	assert_int_equal(take(&b, 10 * PAGE, 10 * PAGE), 10 * PAGE);
	share_close(&a); /* and with it goes what it had */
	assert_int_equal(take(&b, 30 * PAGE, 30 * PAGE), 30 * PAGE);
	share_close(&b);
	share_close(&b);
}

static void one_limit_for_all(void **state)
{
	struct share a, b;

	(void)state;
	assert_int_equal(share_open(&a, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(share_open(&b, path, 2 * LIMIT, why, sizeof(why)),
			 -EBUSY);
	assert_non_null(strstr(why, "another limit: 262144 bytes"));
	share_close(&a);
	/* Nobody is there any more: whoever comes may choose. */
	assert_int_equal(share_open(&b, path, 2 * LIMIT, why, sizeof(why)), 0);
	assert_int_equal(take(&b, 2 * LIMIT, 2 * LIMIT), 2 * LIMIT);
	share_close(&b);
	assert_int_equal(
		share_open(&a, "/no/such/file", LIMIT, why, sizeof(why)),
		-ENOENT);
	assert_non_null(strstr(why, "/no/such/file"));
}

/* Garbage of a crashed writer, or of another version, when nobody is there. */
static void begins_anew(void **state)
{
	struct share a;
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	(void)state;
	for (int i = 0; i < 2000; i++)
		assert_int_equal(write(fd, "garbage", 7), 7);
	close(fd);
	assert_int_equal(share_open(&a, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(take(&a, LIMIT, LIMIT), LIMIT);
	share_close(&a);
}

static void as_many_as_there_are_slots(void **state)
{
	static struct share s[SHARE_SLOTS + 1];

	(void)state;
	for (int i = 0; i < SHARE_SLOTS; i++)
		assert_int_equal(
			share_open(&s[i], path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(
		share_open(&s[SHARE_SLOTS], path, LIMIT, why, sizeof(why)),
		-ENOSPC);
	share_close(&s[7]);
	assert_int_equal(share_open(&s[7], path, LIMIT, why, sizeof(why)), 0);
	for (int i = 0; i < SHARE_SLOTS; i++)
		share_close(&s[i]);
}

/* Who holds a duplicate of the descriptor, as the keeper does, keeps the slot. */
static void a_keeper_keeps_it(void **state)
{
	struct share a, b;
	int kept;

	(void)state;
	assert_int_equal(share_open(&a, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(share_open(&b, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(take(&a, LIMIT, LIMIT), LIMIT);
	kept = dup(a.fd);
	share_close(&a);
	assert_int_equal(take(&b, PAGE, PAGE),
			 0); /* the pins may be there still */
	close(kept);
	assert_int_equal(take(&b, LIMIT, LIMIT), LIMIT);
	share_close(&b);
}

/* What each process says that it has; shared with the test. */
static _Atomic uint64_t *had;

static void borrow_and_give(int kid)
{
	uint64_t seed = 77 + (uint64_t)kid + (uint64_t)getpid(), mine = 0, n;
	struct share s;

	atomic_store(&had[kid], 0);
	if (share_open(&s, path, LIMIT, why, sizeof(why)))
		_exit(3);
	for (;;) {
		n = (1 + next_random(&seed) % 20) * PAGE;
		if (next_random(&seed) % 2) {
			n = share_ops.take(&s, n, n + 8 * PAGE);
			mine += n;
			/* what it says is never more than what it has */
			atomic_store(&had[kid], mine);
		} else if (mine >= n) {
			mine -= n;
			atomic_store(&had[kid], mine);
			share_ops.give(&s, n);
		}
	}
}

static pid_t spawn(int kid)
{
	pid_t pid = fork();

	if (pid == 0)
		borrow_and_give(kid);
	return pid;
}

static void nobody_exceeds_it_though_many_die(void **state)
{
	pid_t pid[KIDS];
	uint64_t seed = 5, most = 0;
	struct share last;

	(void)state;
	had = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < KIDS; i++)
		pid[i] = spawn(i);
	for (int n = 0; n < 150; n++) {
		int i = (int)(next_random(&seed) % KIDS);
		uint64_t sum = 0;

		/* All are stopped, so that the sum is of one moment. */
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		for (int k = 0; k < KIDS; k++)
			kill(pid[k], SIGSTOP);
		for (int k = 0; k < KIDS; k++)
			waitpid(pid[k], NULL, WUNTRACED);
		for (int k = 0; k < KIDS; k++)
			sum += atomic_load(&had[k]);
		assert_true(sum <= LIMIT);
		most = sum > most ? sum : most;
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		atomic_store(&had[i], 0);
		for (int k = 0; k < KIDS; k++)
			if (k != i)
				kill(pid[k], SIGCONT);
		pid[i] = spawn(i);
	}
	for (int i = 0; i < KIDS; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
	}
	assert_true(most > LIMIT / 4); /* they really borrowed */
	assert_int_equal(share_open(&last, path, LIMIT, why, sizeof(why)), 0);
	assert_int_equal(take(&last, LIMIT, LIMIT),
			 LIMIT); /* nothing is lost */
	share_close(&last);
	munmap(had, PAGE);
}

/* Somebody is stopped while it has the lock: there is nothing, but no wait. */
static void a_stopped_holder_stops_nobody(void **state)
{
	struct timespec a, b;
	struct share s;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(share_open(&s, path, LIMIT, why, sizeof(why)), 0);
	pid = fork();
	if (pid == 0) {
		/* the lock is the first that is in the file behind two numbers */
		pthread_mutex_lock(
			(pthread_mutex_t *)((uint64_t *)(void *)s.file + 2));
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, &status, WUNTRACED);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(take(&s, PAGE, PAGE), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((b.tv_sec - a.tv_sec) * 1000 +
			    (b.tv_nsec - a.tv_nsec) / 1000000 <
		    500);
	kill(pid, SIGKILL); /* it dies with the lock */
	waitpid(pid, &status, 0);
	assert_int_equal(take(&s, LIMIT, LIMIT), LIMIT);
	share_close(&s);
}

/* Two domains: the one that idles gives way to the one that wants. */
struct side {
	struct share share;
	struct vd_host *host;
	struct vd_domain *d;
	uint8_t *mem;
};

static int always_quiet(void *opaque)
{
	(void)opaque;
	return 0;
}

static void side_make(struct side *s)
{
	static const struct vd_device_ops ops = { sizeof(ops), always_quiet };
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };
	const struct vd_device_cfg dev = { sizeof(dev), 1, 1, &ops, NULL };

	s->mem = aligned_alloc(PAGE, LIMIT);
	assert_non_null(s->mem);
	memset(s->mem, 0, LIMIT);
	assert_int_equal(vd_host_fake_create(s->mem, LIMIT / PAGE, &s->host),
			 0);
	assert_int_equal(vd_domain_create(s->host, &cfg, &s->d), 0);
	assert_int_equal(
		vd_domain_add_memory(s->d, (vd_gpa){ 0 }, s->mem, LIMIT), 0);
	assert_int_equal(vd_device_attach(s->d, &dev), 0);
	assert_int_equal(share_open(&s->share, path, LIMIT, why, sizeof(why)),
			 0);
	assert_int_equal(share_attach(&s->share, s->d), 0);
}

static void side_unmake(struct side *s)
{
	share_detach(&s->share);
	vd_domain_destroy(s->d);
	share_close(&s->share);
	vd_host_destroy(s->host);
	free(s->mem);
}

static int side_map(struct side *s, unsigned int npages, vd_iova *at)
{
	struct vd_seg seg = { .len = npages * PAGE, .prot = VD_READ };
	int err = vd_device_map(s->d, 1, &seg, 1, UINT64_MAX);

	*at = seg.iova;
	return err;
}

static void idle_gives_way(void **state)
{
	struct side a, b;
	vd_iova at, there;
	int err = -EDQUOT;

	(void)state;
	side_make(&a);
	side_make(&b);
	assert_int_equal(side_map(&a, 60, &at), 0);
	assert_int_equal(side_map(&b, 30, &there), -EDQUOT); /* a uses it */
	assert_int_equal(vd_device_unmap(a.d, 1, at, 60 * PAGE), 0);
	for (int i = 0; i < 300 && err; i++) {
		err = side_map(&b, 30, &there);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	assert_int_equal(err, 0);
	side_unmake(&a);
	side_unmake(&b);
}

#define test(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(lends_what_there_is),
		test(one_limit_for_all),
		test(begins_anew),
		test(as_many_as_there_are_slots),
		test(a_keeper_keeps_it),
		test(nobody_exceeds_it_though_many_die),
		test(a_stopped_holder_stops_nobody),
		test(idle_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
