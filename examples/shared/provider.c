/* SPDX-License-Identifier: BSD-2-Clause */
#include "provider.h"
#include <poll.h>
#include <string.h>

#define HALF	  128u
#define WINDOW	  10u
#define SPAN	  32u /* pages that it writes, and as many to read to */
#define BUS	  0x10000000u
#define IDLE_MS	  5 /* between commands that were refused */
#define PER_OWNER ((uint64_t)4 << 20)

static unsigned char *page_at(struct provider *p, uint32_t page)
{
	return shared_memory(p->shared, p->id) + (uint64_t)page * NVME_PAGE;
}

static void stamp(unsigned char *to, uint64_t seed)
{
	for (size_t i = 0; i < NVME_PAGE; i += sizeof(seed)) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		memcpy(to + i, &seed, sizeof(seed));
	}
}

/* One page; true if every address was translated. */
static bool transfer(struct provider *p, enum nvme_opcode op, uint32_t page,
		     uint64_t offset)
{
	struct nvme_sqe e = { .opcode = (uint8_t)op,
			      .prp1 = BUS + (uint64_t)page * NVME_PAGE,
			      .cdw10 = (uint32_t)(offset / 512),
			      .cdw12 = NVME_PAGE / 512 - 1 };
	struct shared_io io = { p->id, &e, 1 };
	struct shared_result r;

	if (shared_do(p->shared, &io, &r) || r.faults)
		return false;
	p->wrong += r.status != 0;
	return true;
}

static bool work_once(struct provider *p, uint64_t n)
{
	uint32_t from = p->page + (uint32_t)(n % p->span);
	uint32_t to = from + p->span;
	uint64_t offset = p->id * PER_OWNER + n % 256 * NVME_PAGE;

	stamp(page_at(p, from), n);
	memset(page_at(p, to), 0, NVME_PAGE);
	if (!transfer(p, NVME_WRITE, from, offset) ||
	    !transfer(p, NVME_READ, to, offset))
		return false;
	p->wrong += memcmp(page_at(p, from), page_at(p, to), NVME_PAGE) != 0;
	p->verified += 2 * (unsigned long)NVME_PAGE;
	return true;
}

static void map_all(struct provider *p, uint32_t window, uint32_t npages)
{
	struct vd_window_range r = {
		.size = sizeof(r),
		.owner = p->id,
		.window = window,
		.bus = { BUS + (uint64_t)p->page * NVME_PAGE },
		.gpa = { (uint64_t)p->page * NVME_PAGE },
		.len = (uint64_t)npages * NVME_PAGE,
		.prot = VD_READ | VD_WRITE,
	};

	shared_map(p->shared, &r); /* else its commands are refused */
}

/* A new window: map as much of it as there is use for. */
static void read_news(struct provider *p)
{
	struct vd_window_info w = { .size = sizeof(w) };
	bool news;

	pthread_mutex_lock(&p->lock);
	news = p->news;
	w = p->told;
	p->news = false;
	pthread_mutex_unlock(&p->lock);
	if (!news || w.len < 2)
		return;
	p->page = (uint32_t)((w.bus.v - BUS) / NVME_PAGE);
	p->span = w.len < 2 * SPAN ? (uint32_t)w.len / 2 : SPAN;
	map_all(p, w.id, 2 * p->span);
}

static void *work(void *arg)
{
	struct provider *p = arg;

	for (uint64_t n = 1; !p->stop; n++) {
		read_news(p);
		if (!p->paused && work_once(p, n))
			continue;
		p->refused += !p->paused;
		poll(NULL, 0, IDLE_MS);
	}
	return NULL;
}

void provider_start(struct provider *p, struct shared *s, uint32_t id,
		    uint32_t page)
{
	p->id = id;
	p->page = page;
	p->span = SPAN;
	pthread_mutex_init(&p->lock, NULL);
	p->shared = s;
	if (page == 0) /* it owns the window from the start */
		map_all(p, WINDOW, HALF);
	pthread_create(&p->thread, NULL, work, p);
}

void provider_stop(struct provider *p)
{
	p->stop = true;
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
}

void provider_told(struct provider *p, const struct vd_window_info *w)
{
	pthread_mutex_lock(&p->lock);
	p->told = *w;
	p->news = true;
	pthread_mutex_unlock(&p->lock);
}
