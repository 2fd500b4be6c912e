/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on the engine and on its naive rival. After every one the
 * two must have said the same, and the invariants must hold:
 *  X1 what a device reaches is pinned, and no more than the budget is
 *  X3 a bus address means one guest byte, whatever mapping says so
 *  X4 at quiesce translations are invalid and pins are there (in the callback)
 *  X6 a call that fails changes nothing
 * X2 and X5 are about windows, which this engine has none of.
 *
 * Usage: model [operations [seed]]
 */
#include "rival.h"
#include <container.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/fake.h>

#define PAGE VD_PAGE_SIZE
#define BASE ((char *)0x40000000)

struct world {
	struct rival r;
	struct vd_host *host;
	struct vd_domain *d;
	struct world_dev {
		struct world *w;
		uint32_t id;
		int says; /* of its quiesce */
	} dev[RIVAL_DEVICES];
	uint64_t seed, op;
	uint64_t last_iova[16], last_len[16]; /* of recent maps */
	uint64_t tally[13];
};

static void fail(struct world *w, const char *what)
{
	fprintf(stderr, "operation %" PRIu64 ": %s\n", w->op, what);
	exit(1);
}

#define check(w, c) ((c) ? (void)0 : fail(w, #c))

static uint64_t rnd(struct world *w, uint64_t n)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return (w->seed >> 11) % n;
}

static uint32_t rnd_dev(struct world *w)
{
	return (uint32_t)rnd(w, RIVAL_DEVICES);
}

static int quiesce(void *opaque)
{
	struct world_dev *dev = opaque;
	struct world *w = dev->w;
	struct vd_mapping m;
	vd_gpa gpa;
	size_t n;

	/* X4: not one translation works, every pin is there. */
	if (vd_device_mappings(w->d, dev->id, 0, &m, 1, &n) == 0 && n)
		check(w, vd_device_translate(w->d, dev->id, m.iova, VD_READ, &gpa) == -EPERM);
	check(w, vd_fake_pinned(w->host) == rival_pinned(&w->r));
	return dev->says;
}

static int do_attach(struct world *w)
{
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };
	uint32_t i = rnd_dev(w);
	struct vd_device_cfg cfg = { sizeof(cfg), i, i + 100, &ops, &w->dev[i] };
	int err = vd_device_attach(w->d, &cfg);

	check(w, err == (w->r.dev[i].attached ? -EEXIST : 0));
	w->r.dev[i].attached = true;
	if (!err)
		w->r.dev[i].state = VD_DEVICE_PERMITTED;
	return err;
}

static struct vd_seg rnd_seg(struct world *w)
{
	uint64_t gpa = rnd(w, RIVAL_PAGES * PAGE), len;

	if (rnd(w, 2))
		gpa -= gpa % PAGE;
	len = rnd(w, 4) ? PAGE * (1 + rnd(w, 3)) : 1 + rnd(w, 2 * PAGE);
	if (rnd(w, 200) == 0)
		gpa = UINT64_MAX - rnd(w, PAGE);
	if (rnd(w, 200) == 0)
		len = 0;
	/* Equal ranges have equal rights: which of several is unmapped is the
	 * engine's choice. */
	return (struct vd_seg){
		.gpa = { gpa },
		.len = len,
		.prot = rnd(w, 64) ? 1 + (unsigned int)(gpa + len / 7) % 3 : 4,
	};
}

static int do_map(struct world *w)
{
	struct vd_seg a[4], b[4], was[4];
	uint32_t dev = rnd_dev(w);
	size_t n = 1 + rnd(w, 4);
	uint64_t mask = rnd(w, 20) ? UINT64_MAX : VD_FAKE_BASE + rnd(w, RIVAL_PAGES * PAGE);
	int err;

	memset(a, 0, sizeof(a));
	for (size_t i = 0; i < n; i++)
		a[i] = rnd_seg(w);
	memcpy(b, a, sizeof(a));
	memcpy(was, a, sizeof(a));
	err = vd_device_map(w->d, dev, a, n, mask);
	check(w, err == rival_map(&w->r, dev, b, n, mask));
	check(w, memcmp(a, err ? was : b, sizeof(a)) == 0);
	for (size_t i = 0; !err && i < n; i++) {
		w->last_iova[(w->op + i) % 16] = a[i].iova.v;
		w->last_len[(w->op + i) % 16] = a[i].len;
	}
	return err;
}

/* A host that fails: the engine must be as it was, the rival is not asked. */
static int do_map_failing(struct world *w)
{
	struct vd_seg seg = { .gpa = { rnd(w, RIVAL_PAGES) * PAGE }, .len = PAGE, .prot = 3 };
	int err;

	vd_fake_fail(w->host, 1, -ENOMEM);
	err = vd_device_map(w->d, rnd_dev(w), &seg, 1, UINT64_MAX);
	vd_fake_fail(w->host, 0, 0);
	check(w, err != 0);
	return err;
}

static int do_unmap(struct world *w)
{
	size_t i = rnd(w, 16);
	uint64_t len = w->last_len[i] + (rnd(w, 50) == 0);
	uint32_t dev = rnd_dev(w);
	int err = vd_device_unmap(w->d, dev, (vd_iova){ w->last_iova[i] }, len);

	check(w, err == rival_unmap(&w->r, dev, w->last_iova[i], len));
	return err;
}

static int do_unmap_some(struct world *w)
{
	struct vd_mapping m[6];
	struct vd_seg segs[6];
	uint32_t dev = rnd_dev(w);
	size_t n = 0, done, want = 0;
	int err, expect = 0;

	if (vd_device_mappings(w->d, dev, rnd(w, 8), m, 6, &n) != 0 || n == 0)
		return -ENOENT;
	for (size_t i = 0; i < n; i++)
		segs[i] = (struct vd_seg){ .iova = m[i].iova, .len = m[i].len };
	if (rnd(w, 4) == 0)
		segs[rnd(w, n)].len++;
	err = vd_device_unmap_segs(w->d, dev, segs, n, &done);
	for (; want < n && !expect; want += !expect)
		expect = rival_unmap(&w->r, dev, segs[want].iova.v, segs[want].len);
	check(w, err == expect && done == want);
	return err;
}

static int do_translate(struct world *w)
{
	uint32_t dev = rnd_dev(w);
	uint64_t iova = rnd(w, 2) ? w->last_iova[rnd(w, 16)] + rnd(w, PAGE) :
				    VD_FAKE_BASE + rnd(w, (RIVAL_PAGES + 2) * PAGE);
	unsigned int prot = 1 + (unsigned int)rnd(w, 2);
	uint64_t gpa = 0;
	vd_gpa got = { 0 };
	int err = vd_device_translate(w->d, dev, (vd_iova){ iova }, prot, &got);

	check(w, err == rival_translate(&w->r, dev, iova, prot, &gpa));
	check(w, got.v == gpa);
	return err;
}

static int do_reverse(struct world *w)
{
	uint32_t dev = rnd_dev(w);
	uint64_t gpa = rnd(w, RIVAL_PAGES * PAGE), back;
	vd_iova iova;
	int err = vd_device_reverse(w->d, dev, (vd_gpa){ gpa }, &iova);

	if (!w->r.dev[dev].attached) {
		check(w, err == -ENODEV);
		return err;
	}
	check(w, err == (rival_reaches(&w->r, dev, gpa) ? 0 : -ENOENT));
	if (!err && w->r.dev[dev].state == VD_DEVICE_PERMITTED) {
		/* X3 */
		check(w, rival_translate(&w->r, dev, iova.v, VD_READ | VD_WRITE, &back) == 0);
		check(w, back == gpa);
	}
	return err;
}

/* Move a page that is not pinned; at times on top of another one: a lie. */
static int do_move(struct world *w)
{
	size_t page = rnd(w, RIVAL_PAGES);
	uint64_t at = VD_FAKE_BASE + rnd(w, RIVAL_PAGES + 2) * PAGE;

	if (rival_pins(&w->r) >> page & 1)
		return -EBUSY;
	if (rnd(w, 8))
		at = VD_FAKE_BASE + page * PAGE;
	w->r.place[page] = at;
	vd_fake_place(w->host, page, (vd_hpa){ at });
	return 0;
}

static int do_budget(struct world *w)
{
	uint64_t pages = rnd(w, 3) ? 0 : 1 + rnd(w, RIVAL_PAGES);

	vd_domain_set_budget(w->d, pages * PAGE);
	w->r.budget = pages ? pages : UINT64_MAX;
	return 0;
}

/* Which pages were given, a bit each. */
static int note_given(void *opaque, void *hva, uint64_t len)
{
	size_t page = (size_t)((char *)hva - BASE) / PAGE;
	uint64_t *given = opaque;

	for (; len; len -= PAGE)
		*given |= 1ull << page++;
	return 0;
}

/* Exactly the pages that no device can reach are given. */
static int do_discard(struct world *w)
{
	uint64_t first = rnd(w, RIVAL_PAGES), n = 1 + rnd(w, RIVAL_PAGES - first);
	uint64_t range = (1ull << n) - 1, pins = rival_pins(&w->r), given = 0;
	struct vd_discard how = { .size = sizeof(how), .give = note_given, .opaque = &given };

	range <<= first;
	check(w, vd_domain_discard(w->d, (vd_gpa){ first * PAGE }, n * PAGE, &how) == 0);
	check(w, given == (range & ~pins));
	check(w, how.given == (uint64_t)__builtin_popcountll(given) * PAGE);
	check(w, how.pinned == (uint64_t)__builtin_popcountll(range & pins) * PAGE);
	return given == range ? 0 : -EBUSY;
}

/* Deny, revoke, permit, detach; quiesce fails now and then. */
static int do_state(struct world *w)
{
	uint32_t i = rnd_dev(w);
	struct rival_device *dev = &w->r.dev[i];
	bool quiet = dev->state == VD_DEVICE_DENIED || rnd(w, 4) != 0;
	unsigned int what = (unsigned int)rnd(w, 12);
	int err, expect = dev->attached ? quiet ? 0 : -EIO : -ENODEV;

	w->dev[i].says = quiet ? 0 : -EIO;
	if (what >= 3) {
		err = vd_device_permit(w->d, i);
		expect = !dev->attached ? -ENODEV : dev->state == VD_DEVICE_STUCK ? -EIO : 0;
		check(w, err == expect);
		if (!err)
			dev->state = VD_DEVICE_PERMITTED;
		return err;
	}
	err = what == 0 ? vd_device_deny(w->d, i) :
	      what == 1 ? vd_device_revoke(w->d, i) :
			  vd_device_detach(w->d, i);
	check(w, err == expect);
	if (!dev->attached)
		return err;
	if (!err)
		rival_drop(&w->r, i);
	if (err)
		dev->state = VD_DEVICE_STUCK;
	else if (what == 0 || dev->state != VD_DEVICE_PERMITTED)
		dev->state = VD_DEVICE_DENIED;
	if (!err && what == 2)
		dev->attached = false;
	return err;
}

static void check_invariants(struct world *w)
{
	uint64_t pins = rival_pins(&w->r);
	struct vd_domain_stats st = { .size = sizeof(st) };
	size_t n = 0;

	vd_domain_stats(w->d, &st);
	for (uint32_t i = 0; i < RIVAL_DEVICES; i++)
		n += rival_mappings(&w->r, i);
	check(w, st.nmappings == n);
	check(w, st.mapped == rival_mapped(&w->r));
	check(w, st.pinned == (uint64_t)__builtin_popcountll(pins) * PAGE);
	for (size_t i = 0; i < RIVAL_PAGES; i++)
		check(w, (vd_fake_pins(w->host, i) > 0) == (pins >> i & 1));
}

static void step(struct world *w)
{
	static int (*const ops[])(struct world *) = {
		do_map,	      do_map,	  do_map,     do_unmap,	      do_unmap_some,
		do_translate, do_reverse, do_move,    do_map_failing, do_state,
		do_attach,    do_budget,  do_discard,
	};
	size_t i = rnd(w, 64);

	/* The last five are rare. */
	i = i < 56 ? i % 8 : 8 + rnd(w, 5);
	w->tally[i] += ops[i](w) == 0;
	check_invariants(w);
	w->op++;
}

int main(int argc, char **argv)
{
	uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 0) : 2000000;
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12,
					   .max_mappings = RIVAL_MAPPINGS };
	static struct world w;

	w.seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x9e3779b97f4a7c15u;
	w.r.budget = UINT64_MAX;
	for (size_t i = 0; i < RIVAL_PAGES; i++)
		w.r.place[i] = VD_FAKE_BASE + i * PAGE;
	for (uint32_t i = 0; i < RIVAL_DEVICES; i++)
		w.dev[i] = (struct world_dev){ &w, i, 0 };
	if (vd_host_fake_create(BASE, RIVAL_PAGES, &w.host) != 0 ||
	    vd_domain_create(w.host, &cfg, &w.d) != 0 ||
	    vd_domain_add_memory(w.d, (vd_gpa){ 0 }, BASE, RIVAL_PAGES * PAGE) != 0)
		fail(&w, "set-up");
	while (w.op < n)
		step(&w);
	for (uint32_t i = 0; i < RIVAL_DEVICES; i++) {
		w.dev[i].says = 0;
		vd_device_detach(w.d, i);
		rival_drop(&w.r, i);
	}
	vd_domain_destroy(w.d);
	check(&w, vd_fake_pinned(w.host) == 0 && rival_pinned(&w.r) == 0);
	vd_host_destroy(w.host);
	printf("%" PRIu64 " operations agree; succeeded, by kind:", n);
	for (size_t i = 0; i < ARRAY_LEN(w.tally); i++)
		printf(" %" PRIu64, w.tally[i]);
	printf("\n");
	return 0;
}
