/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile client of a space, who asks for any run and frees any address: each
 * four bytes are a call. Whatever it did, no page was given to two, a free said
 * what a list of the runs says, and in the end all is one run again.
 */
#include "fuzz.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/viaduct.h>

#define PAGES  300u
#define BASE   (((uint64_t)1 << 20) + 3) /* pages: not aligned to anything */
#define PAGE   VD_PAGE_SIZE
#define CACHES 2u

struct client {
	struct vd_space *s;
	struct vd_space_cache *c[CACHES];
	uint16_t run[PAGES]; /* length of the run that begins here */
	bool reserved[PAGES], taken[PAGES];
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static vd_iova bus(uint64_t page)
{
	return (vd_iova){ (BASE + page) * PAGE };
}

static void mark(struct client *c, uint64_t page, uint64_t n, bool taken)
{
	must(page < PAGES && n <= PAGES - page);
	for (uint64_t i = page; i < page + n; i++) {
		must(c->taken[i] != taken);
		c->taken[i] = taken;
	}
	c->run[page] = taken ? (uint16_t)n : 0;
}

static void alloc(struct client *c, const uint8_t *arg)
{
	struct vd_space_need need = { sizeof(need), arg[1], arg[2] % 64,
				      bus((uint64_t)arg[3] * 2) };
	vd_iova at = { 0 };
	int err;

	if (arg[3] & 1)
		need.last.v = UINT64_MAX;
	err = vd_space_alloc_within(c->c[arg[0] >> 7], &need, &at);
	must(err == (need.npages ? -ENOSPC : -EINVAL) || err == 0);
	if (err)
		return;
	must(at.v % ((uint64_t)1 << need.align_shift) == 0);
	must(at.v + need.npages * PAGE - 1 <= need.last.v);
	mark(c, at.v / PAGE - BASE, need.npages, true);
}

/* What freeing or unreserving this must say. */
static int verdict(const struct client *c, uint64_t page, uint64_t n, bool reserved)
{
	if (page >= PAGES)
		return -ERANGE;
	if (!c->run[page] || c->reserved[page] != reserved)
		return -ENOENT;
	return c->run[page] == n ? 0 : -EINVAL;
}

static void give(struct client *c, uint64_t page, uint64_t n, bool reserved)
{
	int is = verdict(c, page, n, reserved);
	int err = reserved ? vd_space_unreserve(c->s, bus(page), n) :
			     vd_space_free(c->c[n % CACHES], bus(page), n);

	must(err == is);
	if (err)
		return;
	mark(c, page, n, false);
	c->reserved[page] = false;
}

static void reserve(struct client *c, uint64_t page, uint64_t n)
{
	int err = vd_space_reserve(c->s, bus(page), n);

	must(err == 0 || err == -EEXIST || err == -ERANGE || err == -EINVAL);
	if (err)
		return;
	mark(c, page, n, true);
	c->reserved[page] = true;
}

static void call(struct client *c, const uint8_t *arg)
{
	uint64_t page = arg[1] + ((uint64_t)(arg[0] >> 4 & 3) << 8), n = arg[2];

	if (arg[0] & 8 && page < PAGES)
		n = c->run[page];
	switch (arg[0] & 7) {
	case 0:
		reserve(c, page, n);
		break;
	case 1:
		give(c, page, n, true);
		break;
	case 2:
	case 3:
		give(c, page, n, false);
		break;
	case 4:
		vd_space_cache_destroy(c->c[arg[1] % CACHES]);
		must(vd_space_cache_create(c->s, &c->c[arg[1] % CACHES]) == 0);
		break;
	default:
		alloc(c, arg);
	}
}

static void check_end(struct client *c)
{
	vd_iova at;

	for (uint64_t i = 0; i < PAGES; i++)
		if (c->run[i])
			give(c, i, c->run[i], c->reserved[i]);
	must(vd_space_alloc(c->c[0], PAGES, &at) == 0 && at.v == bus(0).v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct vd_space_cfg cfg = {
		.size = sizeof(cfg), .base = bus(0), .npages = PAGES, .page_shift = VD_PAGE_SHIFT
	};
	static struct client c;

	memset(&c, 0, sizeof(c));
	must(vd_space_create(&cfg, &c.s) == 0);
	for (size_t i = 0; i < CACHES; i++)
		must(vd_space_cache_create(c.s, &c.c[i]) == 0);
	for (; len >= 4; data += 4, len -= 4)
		call(&c, data);
	check_end(&c);
	for (size_t i = 0; i < CACHES; i++)
		vd_space_cache_destroy(c.c[i]);
	vd_space_destroy(c.s);
	return 0;
}
