/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A real adapter, shared, by two providers at work and a client, while their
 * windows are split, lent and merged.
 */
#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#define MANY   4u /* transfers at once */
#define ROUNDS 16

/*
 * A provider at work: transfers in its part of the window and of the disk.
 * While it has no window, everything it does must be refused.
 */
struct worker {
	struct rig *g;
	uint32_t provider;
	unsigned int page; /* where its part begins */
	atomic_bool stop;
	atomic_ulong verified, refused, bad;
	pthread_t thread;
};

static unsigned int faults_of(const struct shared_result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < MANY; i++)
		n += r[i].faults;
	return n;
}

static bool write_and_check(struct worker *w, const struct transfer *t, uint64_t seed)
{
	struct shared_result r[MANY];

	for (unsigned int i = 0; i < MANY; i++)
		stamp(page_of(w->g, w->provider, t[i].page), t[i].n * PAGE, seed + i);
	if (transfer_all(w->g, t, MANY, r) || faults_of(r))
		return false;
	for (unsigned int i = 0; i < MANY; i++)
		w->bad += r[i].status != 0 ||
			  !on_disk(w->g, t[i].offset, page_of(w->g, w->provider, t[i].page),
				   t[i].n * PAGE);
	return true;
}

/* Into pages with canaries, which are there again afterwards. */
static bool read_and_check(struct worker *w, const struct transfer *t, const struct transfer *out)
{
	struct shared_result r[MANY];
	bool done = !transfer_all(w->g, t, MANY, r) && !faults_of(r);

	for (unsigned int i = 0; i < MANY; i++) {
		unsigned char *to = page_of(w->g, w->provider, t[i].page);
		const unsigned char *want = page_of(w->g, w->provider, out[i].page);
		size_t len = t[i].n * PAGE;

		w->bad += done && (r[i].status != 0 || memcmp(to, want, len) != 0);
		w->bad += !is_canary(to + len, (SPAN - t[i].n) * PAGE);
		w->verified += done ? 2 * len : 0;
		memset(to, CANARY, len);
	}
	return done;
}

/* MANY transfers in flight at once; lists, then sources, then targets. */
static void work_once(struct worker *w, uint64_t seed)
{
	struct transfer out[MANY], in[MANY];

	for (unsigned int i = 0; i < MANY; i++) {
		out[i] = (struct transfer){
			.provider = w->provider,
			.opcode = NVME_WRITE,
			.offset = (uint64_t)w->provider * (4 << 20) +
				  (seed / 8 % 16 * MANY + i) * SPAN * PAGE,
			.page = w->page + MANY + i * SPAN,
			.n = 1 + (unsigned int)(seed + i) % SPAN,
			.list = w->page + i,
		};
		in[i] = out[i];
		in[i].opcode = NVME_READ;
		in[i].page += MANY * SPAN;
	}
	w->refused += !write_and_check(w, out, seed) || !read_and_check(w, in, out);
}

static void *work(void *arg)
{
	struct worker *w = arg;
	uint64_t seed = 88172645463325252u + w->provider;

	while (!w->stop) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		work_once(w, seed);
	}
	return NULL;
}

static void start(struct worker *w, struct rig *g, uint32_t provider, unsigned int page)
{
	*w = (struct worker){ .g = g, .provider = provider, .page = page };
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

static void finish(struct worker *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
}

/* Until the counter has moved by @n: the worker goes on meanwhile. */
static void wait_more(atomic_ulong *counter, unsigned long n)
{
	unsigned long from = *counter;

	for (int i = 0; i < 20000 && *counter < from + n; i++)
		poll(NULL, 0, 1);
	assert_true(*counter >= from + n);
}

/* The client's pages are reached by the provider's device, and only while lent. */
static void lend_and_take_back(struct rig *g)
{
	struct vd_loan loan = { .id = PART,
				.newid = LOAN,
				.owner = CLIENT,
				.rights = VD_READ | VD_WRITE,
				.first = HALF - LENT,
				.len = LENT };
	unsigned int page = NPAGES - LENT;
	struct shared_result r;

	assert_int_equal(vd_window_lend(g->a, &loan), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r)); /* nothing mapped yet */
	assert_int_equal(map(g, TWO, PART, page, 1), -EPERM);
	assert_int_equal(map(g, CLIENT, LOAN, page, LENT), 0);
	audit(g);
	assert_true(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 0);
	assert_false(lands(g, ONE, CLIENT, page + 1, &r));
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REFUSE), -EBUSY);
	assert_int_equal(vd_window_take_back(g->a, LOAN, VD_LIVE_REVOKE), 0);
	assert_false(lands(g, TWO, CLIENT, page, &r));
	assert_int_equal(r.faults, 1);
	audit(g);
	memset(page_of(g, CLIENT, page), CANARY, PAGE);
}

/* T2.9: the client's part, by itself. */
static void t2_9_client(void **state)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct rig *g = rig(state);

	assert_int_equal(vd_window_split(g->a, &split), 0);
	lend_and_take_back(g);
	lend_and_take_back(g);
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

static void split_lend_merge(struct rig *g, struct worker *one, struct worker *two)
{
	struct vd_split split = { .id = WINDOW, .newid = PART, .owner = TWO, .keep = HALF };
	struct vd_merge merge = {
		.keep = WINDOW, .clear = PART, .owner = ONE, .live = VD_LIVE_REVOKE
	};
	struct vd_window_info w;

	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->refused, 2);
	assert_int_equal(vd_window_split(g->a, &split), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, HALF);
	assert_int_equal(map(g, TWO, PART, HALF, HALF - LENT), 0);
	wait_more(&one->verified, 16 * PAGE);
	wait_more(&two->verified, 16 * PAGE);
	lend_and_take_back(g);
	wait_more(&two->verified, 16 * PAGE);
	assert_int_equal(vd_window_merge(g->a, &merge), 0);
	assert_int_equal(vd_window_query(g->a, WINDOW, &w), 0);
	assert_int_equal(w.len, NPAGES);
	assert_int_equal(w.owner, ONE);
	assert_int_equal(vd_window_query(g->a, PART, &w), -ENOENT);
	wait_more(&two->refused, 2);
	audit(g);
	forget_faults(g);
}

static void report(struct rig *g, const struct worker *one, const struct worker *two, double s)
{
	struct vd_adapter_stats a;
	struct shared_stats h;

	vd_adapter_stats(g->a, &a);
	shared_stats(g->s, &h);
	print_message("# %.1f s: %lu + %lu bytes verified, 0 wrong; %llu splits, %llu loans, "
		      "%llu merges\n",
		      s, one->verified, two->verified, (unsigned long long)a.splits,
		      (unsigned long long)a.loans, (unsigned long long)a.merges);
	print_message("# %llu commands, %llu addresses refused, %llu faults (audits' too), "
		      "%llu region updates, %llu drains\n",
		      (unsigned long long)h.commands, (unsigned long long)h.faults,
		      (unsigned long long)a.nfaults, (unsigned long long)h.syncs,
		      (unsigned long long)h.drains);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What neither provider may reach has not changed. */
static void check_canaries(struct rig *g)
{
	assert_true(is_canary(page_of(g, ONE, HALF), HALF * PAGE));
	assert_true(is_canary(page_of(g, TWO, 0), HALF * PAGE));
	assert_true(is_canary(page_of(g, CLIENT, 0), LEN - LENT * PAGE));
}

/*
 * T2.2, T2.9, T2.10 on a real device model: both work all along; the second
 * begins without a window, gets its part, lends a piece of it, loses it again.
 */
static void t2_shared_under_io(void **state)
{
	struct rig *g = rig(state);
	struct worker one, two;
	double begin = now();

	assert_int_equal(map(g, ONE, WINDOW, 0, HALF), 0);
	start(&one, g, ONE, 0);
	start(&two, g, TWO, HALF);
	for (int i = 0; i < ROUNDS; i++)
		split_lend_merge(g, &one, &two);
	finish(&one);
	finish(&two);
	assert_int_equal(one.bad, 0);
	assert_int_equal(two.bad, 0);
	assert_int_equal(one.refused, 0);
	check_canaries(g);
	report(g, &one, &two, now() - begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		rigged(t2_9_client),
		rigged(t2_shared_under_io),
	};

	return run_all(tests);
}
