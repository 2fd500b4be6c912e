/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pool on this host's own memory: what it is when it is there, and each way in
 * which it is not, by a child that has not the right or the room for it.
 */
#include "pool.h"
#include "unit.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534
#define CHUNKS 2u

static char why[256];

/* Huge pages may be off, or this not be root's: then there is no pool here. */
static void make(struct pool *p, uint64_t len, bool hard)
{
	if (geteuid()) {
		print_message("skipped: only root sees where memory is\n");
		skip();
	}
	if (pool_create(p, len, hard, why, sizeof(why)) == 0)
		return;
	print_message("skipped: %s\n", why);
	skip();
}

static void test_whole(void **state)
{
	struct pool p;

	(void)state;
	make(&p, (CHUNKS - 1) * POOL_CHUNK + 1, false); /* rounded up */
	assert_int_equal(p.len, CHUNKS * POOL_CHUNK);
	assert_int_equal((uintptr_t)p.hva % POOL_CHUNK, 0);
	assert_int_equal(p.below[POOL_PLACES - 1], CHUNKS);
	assert_in_range(p.bus_bits, 21, 64);
	if (p.bus_bits < 64)
		assert_int_equal(p.below[p.bus_bits], CHUNKS);
	for (unsigned int i = 1; i < POOL_PLACES; i++)
		assert_true(p.below[i - 1] <= p.below[i]);
	assert_int_equal(pool_low(&p), p.below[32] * POOL_CHUNK);
	memset(p.hva, 0x55, p.len);
	assert_int_equal(pool_mend(&p), CHUNKS);
	assert_int_equal(((unsigned char *)p.hva)[p.len - 1], 0x55);
	pool_destroy(&p);
	pool_destroy(&p); /* once more is fine */
	assert_int_equal(pool_low(&p), 0);
}

/* What came apart is one page again, or is not counted. */
static void test_mended(void **state)
{
	struct pool p;
	unsigned int whole;

	(void)state;
	make(&p, CHUNKS * POOL_CHUNK, false);
	munlock(p.hva, 4096);
	madvise(p.hva, 4096, MADV_DONTNEED);
	whole = pool_mend(&p);
	assert_in_range(whole, CHUNKS - 1, CHUNKS);
	assert_int_equal(p.below[POOL_PLACES - 1], whole);
	pool_destroy(&p);
}

/* A device with short addresses: at least as much is low as without the effort. */
static void test_hard(void **state)
{
	struct pool p;

	(void)state;
	make(&p, POOL_CHUNK, true);
	assert_true(pool_low(&p) <= p.len);
	pool_destroy(&p);
}

static void test_none(void **state)
{
	struct pool p = { 0 };

	(void)state;
	pool_destroy(&p);
	assert_int_equal(pool_low(&p), 0);
}

/* 0 if the pool is refused with these words, in a process that @spoil has changed. */
static int refusal(int (*spoil)(void), const char *says)
{
	struct pool p;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (spoil())
			_exit(2);
		if (pool_create(&p, POOL_CHUNK, false, why, sizeof(why)) !=
		    -ENOMEM)
			_exit(3);
		if (!strstr(why, says)) {
			dprintf(2, "%s\n", why);
			_exit(4);
		}
		_exit(p.hva || p.len ? 5 : 0); /* nothing is left */
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int limit(int what, rlim_t most)
{
	const struct rlimit l = { most, most };

	return setrlimit(what, &l);
}

static int no_room(void)
{
	return limit(RLIMIT_AS, POOL_CHUNK);
}

static int no_lock(void)
{
	return limit(RLIMIT_MEMLOCK, 0) || setuid(NOBODY);
}

static int no_frames(void)
{
	return limit(RLIMIT_MEMLOCK, 2 * POOL_CHUNK) || setuid(NOBODY);
}

static void test_refusals(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	print_message("skipped: a sanitizer locks nothing and needs room\n");
	skip();
#endif
	if (geteuid()) {
		print_message("skipped: becomes another user, needs root\n");
		skip();
	}
	assert_int_equal(refusal(no_room, "no address space"), 0);
	assert_int_equal(refusal(no_lock, "see RLIMIT_MEMLOCK"), 0);
	assert_int_equal(refusal(no_frames, "0 of 1 chunks"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),	 cmocka_unit_test(test_whole),
		cmocka_unit_test(test_mended),	 cmocka_unit_test(test_hard),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
