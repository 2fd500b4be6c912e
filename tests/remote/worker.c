/* SPDX-License-Identifier: BSD-2-Clause */
#include "worker.h"

#include <poll.h>

#define MANY 4u /* transfers at once */

static unsigned int faults_of(const struct shared_result *r)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < MANY; i++)
		n += r[i].faults;
	return n;
}

static bool is_there(struct worker *w, const struct transfer *t)
{
	return on_disk(w->g, t->offset, page_of(w->g, w->provider, t->page), t->n * PAGE);
}

static bool is_same(struct worker *w, const struct transfer *a, const struct transfer *b)
{
	return memcmp(page_of(w->g, w->provider, a->page), page_of(w->g, w->provider, b->page),
		      a->n * PAGE) == 0;
}

/* What was refused is not on the disk: nothing has come out of memory. */
static bool write_and_check(struct worker *w, const struct transfer *t, uint64_t seed)
{
	struct shared_result r[MANY];
	bool done;

	for (unsigned int i = 0; i < MANY; i++)
		stamp(page_of(w->g, w->provider, t[i].page), t[i].n * PAGE, seed + i);
	done = !transfer_all(w->g, t, MANY, r) && !faults_of(r);
	for (unsigned int i = 0; i < MANY; i++)
		w->bad += is_there(w, &t[i]) != done || (done && r[i].status != 0);
	return done;
}

/*
 * Into pages with canaries; of what was refused all are still alive. @out: what
 * was written before, NULL: nothing.
 */
static bool read_and_check(struct worker *w, const struct transfer *t, const struct transfer *out)
{
	struct shared_result r[MANY];
	bool done = !transfer_all(w->g, t, MANY, r) && !faults_of(r);

	for (unsigned int i = 0; i < MANY; i++) {
		unsigned char *to = page_of(w->g, w->provider, t[i].page);
		size_t len = t[i].n * PAGE;

		if (!done)
			w->bad += !is_canary(to, len);
		else if (out)
			w->bad += r[i].status != 0 || !is_same(w, &t[i], &out[i]);
		w->bad += !is_canary(to + len, (SPAN - t[i].n) * PAGE);
		w->verified += done && out ? 2 * len : 0;
		memset(to, CANARY, len);
	}
	return done;
}

/*
 * MANY transfers in flight at once; lists, then sources, then targets. Every
 * second time without lists: what has no window gets as far as the device.
 */
static void work_once(struct worker *w, uint64_t seed)
{
	struct transfer out[MANY], in[MANY];
	unsigned int span = seed / 1024 % 2 ? SPAN : 2;
	bool done;

	for (unsigned int i = 0; i < MANY; i++) {
		out[i] = (struct transfer){
			.provider = w->provider,
			.opcode = NVME_WRITE,
			.offset = (uint64_t)w->provider * (4 << 20) +
				  (seed / 8 % 16 * MANY + i) * SPAN * PAGE,
			.page = w->page + MANY + i * SPAN,
			.n = 1 + (unsigned int)(seed + i) % span,
			.list = w->page + i,
		};
		in[i] = out[i];
		in[i].opcode = NVME_READ;
		in[i].page += MANY * SPAN;
	}
	done = write_and_check(w, out, seed);
	done = read_and_check(w, in, done ? out : NULL) && done;
	w->refused += !done;
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

void start(struct worker *w, struct rig *g, uint32_t provider, unsigned int page)
{
	*w = (struct worker){ .g = g, .provider = provider, .page = page };
	assert_int_equal(pthread_create(&w->thread, NULL, work, w), 0);
}

void finish(struct worker *w)
{
	w->stop = true;
	pthread_join(w->thread, NULL);
}

void wait_more(atomic_ulong *counter, unsigned long n)
{
	unsigned long from = *counter;

	for (int i = 0; i < 20000 && *counter < from + n; i++)
		poll(NULL, 0, 1);
	assert_true(*counter >= from + n);
}

void wait_overlap(struct rig *g, uint64_t n)
{
	struct shared_stats s;
	uint64_t end;

	shared_stats(g->s, &s);
	end = s.overlapped + n;
	for (int i = 0; i < 20000 && s.overlapped < end; i++) {
		poll(NULL, 0, 1);
		shared_stats(g->s, &s);
	}
	assert_true(s.overlapped >= end);
}
