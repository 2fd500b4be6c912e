/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The translation engine against a rival that is an array of every entry: each
 * cell says which window it is in, who fills it and what is there. Random
 * splits, merges, loans and writes, a third of them wrong in some way; after
 * each, the outcome, all registers (X2), some translations by both devices (X3)
 * and the pins of all owners (X1) must be what the rival says; after many, all
 * entries (X5). What was refused must have changed nothing (X6). The devices keep
 * what they were told until they are asked to forget it, and it must be true.
 *
 * Owner 3 has the memory of owner 0, so live entries go from one to the other as
 * they are. Domains get more memory while it runs, a stretch at a time, and owners
 * reach memory of others, later what that has got since; so two owners of one
 * domain have often not looked at the same.
 *
 * Pages of the windows may be larger than the host's; then the owners' memory
 * ends in the middle of one.
 *
 * Usage: window-model [operations] [seed] [entries] [page shift] [control]
 *
 * The control is the same program with owners that take what they cannot see
 * (stale_owner.c): it must come to a bad end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <viaduct/viaduct.h>

#define NREGS	8u
#define NOWNERS 4u		    /* providers 0 and 1; 2, a client of 0; 3, a client of 1 */
#define NMEM	3u		    /* domains: of owners 0 and 3, of 1, of 2 */
#define FAR	((uint64_t)1 << 56) /* where an owner reaches memory 1, or 2 */
#define PAGES	32u		    /* of a window, in an owner's memory; and the half of one */
#define BUS	((uint64_t)1 << 32)
#define MOST	80000u
#define NONE	UINT32_MAX
#define RW	(VD_READ | VD_WRITE)

struct cell {
	uint32_t window; /* the innermost; NONE: free */
	uint32_t owner;	 /* whose page the entry names */
	uint64_t entry;
};

struct rwindow {
	uint32_t id, owner, via, lender; /* id NONE: a free register */
	uint64_t first, len;
	unsigned int rights;
};

struct rival {
	uint64_t n;
	struct cell cell[MOST];
	struct rwindow w[NREGS];
	uint32_t count[NMEM][PAGES]; /* entries that name a page */
	uint64_t have[NMEM];	     /* pages that the domain has by now */
	uint64_t seen[NOWNERS];	     /* of what it reaches; 0: it does not */
};

struct world {
	struct vd_adapter *a;
	struct vd_table *t;
	struct vd_host *host[NMEM];
	struct vd_domain *d[NMEM];
	struct vd_reader *reader[2];
	uint64_t seed;
	unsigned long done, kept, forgotten, taken;
	uint64_t tlb[2][MOST]; /* for each device an entry that it keeps; 0: none */
	bool restless;
};

static struct rival R;
static struct world W;
static unsigned int shift = 12;
static uint64_t page = 1 << 12;

#define must(ok) must_at((ok), #ok, __LINE__)

static void must_at(bool ok, const char *what, int line)
{
	if (!ok) {
		fprintf(stderr, "window-model: line %d: %s, after %lu operations\n", line, what,
			W.done);
		abort();
	}
}

static uint64_t rnd(uint64_t n)
{
	W.seed ^= W.seed << 13;
	W.seed ^= W.seed >> 7;
	W.seed ^= W.seed << 17;
	return (W.seed >> 11) % n;
}

static char *base_of(uint32_t mem)
{
	return (char *)0x40000000 + (uintptr_t)mem * 0x1000000;
}

static uint32_t own_memory(uint32_t owner)
{
	return owner == 3 ? 0 : owner;
}

/* The one that an owner may reach besides its own. */
static uint32_t other_memory(uint32_t owner)
{
	return own_memory(owner) == 1 ? 2 : 1;
}

/* Whose memory an entry names, and which page of it. */
static uint32_t memory_of(uint32_t owner, uint64_t entry)
{
	return entry & FAR ? other_memory(owner) : own_memory(owner);
}

static uint64_t page_of(uint64_t entry)
{
	return (entry & ~FAR) / page;
}

static void forget(void *opaque, const struct vd_drain *what)
{
	uint64_t i = what->bus.v < BUS ? 0 : (what->bus.v - BUS) / page;

	(void)opaque;
	must(what->owner < 2);
	for (; i < R.n && BUS + i * page <= what->last.v; i++) {
		W.forgotten += W.tlb[what->owner][i] != 0;
		W.tlb[what->owner][i] = 0;
	}
}

static int drain(void *opaque, const struct vd_drain *what)
{
	forget(opaque, what);
	return W.restless ? -1 : 0;
}

static void changed(void *opaque, uint32_t owner, const struct vd_window_info *w)
{
	(void)opaque;
	(void)owner;
	(void)w;
}

/* In the host's pages. */
static size_t memory_pages(void)
{
	return ((PAGES << shift) + page / 2) / VD_PAGE_SIZE;
}

/* One page more; the last brings the half of one along. */
static void grow(uint32_t mem, uint64_t npages)
{
	uint64_t at = R.have[mem], end = at + npages;
	uint64_t last = end == PAGES ? memory_pages() * VD_PAGE_SIZE : end * page;

	must(vd_domain_add_memory(W.d[mem], (vd_gpa){ at * page }, base_of(mem) + at * page,
				  last - at * page) == 0);
	R.have[mem] = end;
}

static void make_memory(uint32_t mem)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	must(vd_host_fake_create(base_of(mem), memory_pages(), &W.host[mem]) == 0);
	must(vd_domain_create(W.host[mem], &cfg, &W.d[mem]) == 0);
	grow(mem, PAGES / 2);
}

static uint32_t provider_of(uint32_t owner)
{
	return owner >= 2 ? owner - 2 : owner;
}

static void make_owner(uint32_t id)
{
	const struct vd_owner_cfg o = { .size = sizeof(o),
					.id = id,
					.provider = id >= 2 ? provider_of(id) : VD_NO_OWNER,
					.domain = W.d[own_memory(id)] };

	must(vd_owner_add(W.a, &o) == 0);
}

static void make_world(uint64_t n)
{
	static const struct vd_adapter_ops ops = { sizeof(ops), drain, changed, forget };
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg), .nregs = NREGS, .ops = &ops };
	const struct vd_table_cfg t = {
		.size = sizeof(t), .format = VD_FORMAT_TCE, .page_shift = shift, .nentries = n
	};
	struct vd_window_cfg w = { .size = sizeof(w), .id = 1, .bus = { BUS }, .len = n };

	must(vd_adapter_create(&cfg, &W.a) == 0);
	for (uint32_t i = 0; i < NMEM; i++)
		make_memory(i);
	for (uint32_t i = 0; i < NOWNERS; i++)
		make_owner(i);
	must(vd_table_create(W.a, &t, &W.t) == 0);
	w.table = W.t;
	must(vd_window_create(W.a, &w) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		must(vd_adapter_attach(W.a, i, i) == 0);
		must(vd_reader_create(W.a, i, &W.reader[i]) == 0);
	}
	R.n = n;
	for (uint64_t i = 0; i < n; i++)
		R.cell[i] = (struct cell){ .window = 1 };
	for (uint32_t i = 0; i < NREGS; i++)
		R.w[i].id = NONE;
	R.w[0] = (struct rwindow){ 1, 0, 0, 1, 0, n, RW };
}

static struct rwindow *find(uint32_t id)
{
	for (uint32_t i = 0; i < NREGS; i++) {
		if (R.w[i].id == id)
			return &R.w[i];
	}
	return NULL;
}

/* Now and then a handle that does not exist, or exists already. */
static uint32_t some_id(void)
{
	return (uint32_t)rnd(NREGS + 3) + 1;
}

static bool all_in(uint64_t first, uint64_t len, uint32_t window)
{
	for (uint64_t i = first; i < first + len; i++) {
		if (R.cell[i].window != window)
			return false;
	}
	return true;
}

static bool any_live(uint64_t first, uint64_t len)
{
	for (uint64_t i = first; i < first + len; i++) {
		if (R.cell[i].entry)
			return true;
	}
	return false;
}

static uint32_t *count_of(uint32_t owner, uint64_t entry)
{
	return &R.count[memory_of(owner, entry)][page_of(entry)];
}

static void set_cell(uint64_t i, uint32_t owner, uint64_t entry)
{
	struct cell *c = &R.cell[i];

	if (c->entry)
		--*count_of(c->owner, c->entry);
	c->entry = entry;
	c->owner = owner;
	if (entry)
		++*count_of(owner, entry);
}

static void clear_cells(uint64_t first, uint64_t len)
{
	for (uint64_t i = first; i < first + len; i++)
		set_cell(i, 0, 0);
}

static void own_cells(uint64_t first, uint64_t len, uint32_t window)
{
	for (uint64_t i = first; i < first + len; i++)
		R.cell[i].window = window;
}

/* Has @to all the memory that @from has? */
static bool can_take(uint32_t from, uint32_t to)
{
	return own_memory(from) == own_memory(to) && R.seen[from] <= R.seen[to];
}

/* What becomes of them. */
static void hand_over(uint64_t first, uint64_t len, uint32_t to, enum vd_live live)
{
	if (live != VD_LIVE_TRANSFER) {
		clear_cells(first, len);
		return;
	}
	for (uint64_t i = first; i < first + len; i++) {
		W.taken += R.cell[i].entry != 0;
		R.cell[i].owner = to;
	}
}

/* May these entries leave @from for @to? */
static bool may_leave(uint64_t first, uint64_t len, uint32_t from, uint32_t to, enum vd_live live)
{
	if (from == to)
		return true;
	if (W.restless)
		return false;
	if (live == VD_LIVE_TRANSFER)
		return can_take(from, to);
	return live == VD_LIVE_REVOKE || !any_live(first, len);
}

static bool rival_split(const struct vd_split *s)
{
	struct rwindow *w = find(s->id), *n = find(NONE);
	uint64_t first, len;

	if (!w || !n || s->owner >= NOWNERS || s->keep == 0 || s->keep >= w->len || find(s->newid))
		return false;
	first = w->first + s->keep;
	len = w->len - s->keep;
	if (w->lender != w->id || !all_in(first, len, w->id) ||
	    !may_leave(first, len, w->owner, s->owner, s->live))
		return false;
	if (w->owner != s->owner)
		hand_over(first, len, s->owner, s->live);
	*n =
		(struct rwindow){ s->newid, s->owner, provider_of(s->owner), s->newid, first,
				  len,	    RW };
	own_cells(first, len, s->newid);
	w->len = s->keep;
	return true;
}

static bool rival_merge(const struct vd_merge *m)
{
	struct rwindow *k = find(m->keep), *c = find(m->clear), *low;

	if (!k || !c || m->owner >= NOWNERS)
		return false;
	low = k->first + k->len == c->first ? k : c->first + c->len == k->first ? c : NULL;
	if (!low || k->lender != k->id || c->lender != c->id || !all_in(k->first, k->len, k->id) ||
	    !all_in(c->first, c->len, c->id) ||
	    !may_leave(k->first, k->len, k->owner, m->owner, m->live) ||
	    !may_leave(c->first, c->len, c->owner, m->owner, m->live))
		return false;
	if (k->owner != m->owner)
		hand_over(k->first, k->len, m->owner, m->live);
	if (c->owner != m->owner)
		hand_over(c->first, c->len, m->owner, m->live);
	k->first = low->first;
	k->len += c->len;
	k->owner = m->owner;
	k->via = provider_of(m->owner);
	own_cells(k->first, k->len, k->id);
	c->id = NONE;
	return true;
}

static bool rival_lend(const struct vd_loan *l)
{
	struct rwindow *w = find(l->id), *n = find(NONE);
	uint64_t first;

	if (!w || !n || l->owner >= NOWNERS || l->len == 0 || l->rights == 0 ||
	    (l->rights & ~w->rights) || find(l->newid) || l->first >= w->len ||
	    l->len > w->len - l->first)
		return false;
	first = w->first + l->first;
	if (!all_in(first, l->len, w->id) || !may_leave(first, l->len, w->owner, l->owner, l->live))
		return false;
	if (W.restless && l->rights != w->rights)
		return false;
	if (w->owner != l->owner)
		hand_over(first, l->len, l->owner, l->live);
	*n = (struct rwindow){ l->newid, l->owner, w->via, w->id, first, l->len, l->rights };
	own_cells(first, l->len, l->newid);
	return true;
}

static bool rival_take_back(uint32_t id, enum vd_live live)
{
	struct rwindow *l = find(id), *w;

	if (!l || l->lender == id || !all_in(l->first, l->len, id))
		return false;
	w = find(l->lender);
	if (!may_leave(l->first, l->len, l->owner, w->owner, live))
		return false;
	if (l->owner != w->owner)
		hand_over(l->first, l->len, w->owner, live);
	own_cells(l->first, l->len, w->id);
	l->id = NONE;
	return true;
}

static bool is_good(uint64_t e, const struct rwindow *w)
{
	if ((e & RW) == 0)
		return e == 0;
	return (e & (page - 1) & ~(uint64_t)RW) == 0 && (e & RW & ~w->rights) == 0 &&
	       page_of(e) < (e & FAR ? R.seen[w->owner] : R.have[own_memory(w->owner)]);
}

static bool rival_put(const struct vd_put *p)
{
	const struct rwindow *w = find(p->window);
	uint64_t first = (p->bus.v - BUS) / page;

	if (!w || w->owner != p->owner || p->n == 0 || first < w->first ||
	    first - w->first >= w->len || p->n > w->len - (first - w->first) ||
	    !all_in(first, p->n, w->id))
		return false;
	for (size_t i = 0; i < p->n; i++) {
		if (!is_good(p->entry[i].v, w) || (p->flags && R.cell[first + i].entry))
			return false;
	}
	for (size_t i = 0; i < p->n; i++)
		set_cell(first + i, w->owner, p->entry[i].v);
	return true;
}

static void check_registers(void)
{
	for (uint32_t slot = 0; slot < NREGS; slot++) {
		const struct rwindow *w = &R.w[slot];
		struct vd_window_info i = { .size = sizeof(i) };
		int err = vd_window_show(W.a, slot, &i);

		must(err == (w->id == NONE ? -ENOENT : 0));
		if (err)
			continue;
		must(i.id == w->id && i.owner == w->owner && i.via == w->via);
		must(i.lender == w->lender && i.rights == w->rights);
		must(i.first == w->first && i.len == w->len && i.table == 8 * w->first);
		must(i.bus.v == BUS + w->first * page);
	}
}

/* What a device keeps of an entry is what it would be told. */
static bool is_true(uint32_t dev, uint64_t i)
{
	const struct cell *c = &R.cell[i];
	const struct rwindow *w = c->window == NONE ? NULL : find(c->window);
	uint64_t kept = W.tlb[dev][i], prot = kept & RW;

	if (kept == 0)
		return true;
	return w && w->via == dev && (c->entry & w->rights & prot) == prot &&
	       kept == ((uint64_t)c->owner << 60 | c->entry / page * page | prot);
}

static void check_translation(uint64_t i)
{
	const struct cell *c = &R.cell[i];
	const struct rwindow *w = c->window == NONE ? NULL : find(c->window);
	uint64_t in = rnd(page);

	for (uint32_t dev = 0; dev < 2; dev++) {
		struct vd_target t;
		unsigned int prot = 1 + (unsigned int)rnd(3);
		bool ok = w && w->via == dev && (c->entry & w->rights & prot) == prot;
		int err = vd_translate_once(W.reader[dev], (vd_iova){ BUS + i * page + in }, prot,
					    &t);

		must((err == 0) == ok);
		must(is_true(dev, i));
		if (!ok)
			continue;
		W.kept += W.tlb[dev][i] == 0;
		W.tlb[dev][i] = (uint64_t)c->owner << 60 | c->entry / page * page | prot;
		must(t.owner == c->owner && t.gpa.v == c->entry / page * page + in);
		must(t.hva ==
		     (unsigned char *)base_of(memory_of(c->owner, c->entry)) + (t.gpa.v & ~FAR));
	}
}

static void check_pins(void)
{
	for (uint32_t o = 0; o < NMEM; o++) {
		size_t n = 0;

		for (uint32_t p = 0; p < PAGES; p++)
			n += R.count[o][p] != 0;
		must(vd_fake_pinned(W.host[o]) == n * page / VD_PAGE_SIZE);
	}
}

static void check_all(void)
{
	struct vd_fault f = { .size = sizeof(f) };

	for (uint64_t i = 0; i < R.n; i++)
		check_translation(i);
	while (vd_adapter_next_fault(W.a, &f) == 0)
		;
}

static uint64_t some_len(uint64_t most)
{
	return rnd(4) ? rnd(20) : rnd(most + 2);
}

static enum vd_live some_live(void)
{
	return (enum vd_live)rnd(3);
}

static void try_split(void)
{
	struct vd_split s = { sizeof(s),   some_id(), some_id(), (uint32_t)rnd(NOWNERS + 1),
			      some_live(), 0 };
	const struct rwindow *w = find(s.id);

	s.keep = rnd(8) ? rnd((w ? w->len : 5) + 1) : rnd(R.n);
	must((vd_window_split(W.a, &s) == 0) == rival_split(&s));
}

static void try_merge(void)
{
	const struct vd_merge m = { sizeof(m), some_id(), some_id(), (uint32_t)rnd(NOWNERS + 1),
				    some_live() };

	must((vd_window_merge(W.a, &m) == 0) == rival_merge(&m));
}

static void try_lend(void)
{
	struct vd_loan l = {
		sizeof(l),   some_id(), some_id(), (uint32_t)rnd(NOWNERS + 1), (unsigned)rnd(8) % 5,
		some_live(), rnd(R.n),	0
	};
	const struct rwindow *w = find(l.id);

	if (w && rnd(8))
		l.first = rnd(w->len);
	l.len = some_len(R.n);
	must((vd_window_lend(W.a, &l) == 0) == rival_lend(&l));
}

static void try_take_back(void)
{
	uint32_t id = some_id();
	enum vd_live live = some_live();

	must((vd_window_take_back(W.a, id, live) == 0) == rival_take_back(id, live));
}

/* A page that the owner has, of its own or where it reaches. */
static uint64_t some_page(uint32_t owner)
{
	uint64_t seen = owner < NOWNERS ? R.seen[owner] : 0;

	if (seen && rnd(3) == 0)
		return FAR | rnd(seen) * page;
	return rnd(owner < NOWNERS ? R.have[own_memory(owner)] : PAGES) * page;
}

static void fill_list(vd_entry *e, size_t n, uint32_t owner)
{
	for (size_t i = 0; i < n; i++) {
		e[i].v = rnd(3) ? some_page(owner) | (1 + rnd(3)) : 0;
		if (rnd(200) == 0)
			e[i].v = rnd(2) ? (PAGES + rnd(5)) * page | RW : rnd(PAGES) * page | 4;
	}
}

static void try_put(void)
{
	vd_entry e[24];
	struct vd_put p = {
		.size = sizeof(p), .window = some_id(), .entry = e, .flags = rnd(4) == 0
	};
	const struct rwindow *w = find(p.window);
	uint64_t at = w ? w->first : rnd(R.n);

	p.owner = w && rnd(10) ? w->owner : (uint32_t)rnd(NOWNERS);
	p.n = rnd(24);
	fill_list(e, p.n, p.owner);
	at += w && rnd(10) ? rnd(w->len) : rnd(R.n);
	p.bus.v = BUS + at * page;
	must((vd_window_put(W.a, &p) == 0) == rival_put(&p));
}

/* A run of guest memory, often to the very end of it and now and then beyond. */
static void try_map(void)
{
	struct vd_window_range r = { .size = sizeof(r),
				     .window = some_id(),
				     .prot = 1 + (unsigned int)rnd(3) };
	const struct rwindow *w = find(r.window);
	uint64_t n = 1 + rnd(15), have = w ? R.have[own_memory(w->owner)] : PAGES;
	uint64_t from = rnd(2) ? rnd(have) : have - n;
	vd_entry e[25];
	struct vd_put p = {
		.size = sizeof(p), .window = r.window, .entry = e, .flags = VD_PUT_FRESH, .n = n
	};

	r.owner = p.owner = w && rnd(10) ? w->owner : (uint32_t)rnd(NOWNERS);
	p.bus.v = BUS + (w ? w->first + rnd(w->len) : rnd(R.n)) * page;
	r.bus = p.bus;
	r.gpa.v = from * page;
	r.len = (p.n += rnd(8) == 0) * page;
	for (size_t i = 0; i < p.n; i++)
		e[i].v = (from + i) * page | r.prot;
	must((vd_window_map(W.a, &r) == 0) == rival_put(&p));
}

static void try_unmap(void)
{
	vd_entry none[24] = { { 0 } };
	struct vd_put p = {
		.size = sizeof(p), .window = some_id(), .entry = none, .n = 1 + rnd(24)
	};
	const struct rwindow *w = find(p.window);

	p.owner = w && rnd(10) ? w->owner : (uint32_t)rnd(NOWNERS);
	p.bus.v = BUS + (w ? w->first + rnd(w->len) : rnd(R.n)) * page;
	must((vd_window_unmap(W.a, p.owner, p.window, p.bus, p.n * page) == 0) == rival_put(&p));
}

/* Seldom, so that much happens while owners have seen different memory. */
static void try_memory(void)
{
	uint32_t owner = (uint32_t)rnd(NOWNERS), mem = (uint32_t)rnd(NMEM);

	if (rnd(60))
		return;
	if (rnd(2)) {
		if (R.have[mem] < PAGES && rnd(8) == 0)
			grow(mem, 1);
		return;
	}
	mem = other_memory(owner);
	must(vd_owner_reach(W.a, owner, W.d[mem], FAR) == 0);
	R.seen[owner] = R.have[mem];
}

static void step(void)
{
	static void (*const tries[])(void) = {
		try_put,   try_put,   try_put,	 try_map,  try_map,	  try_unmap,	 try_split,
		try_merge, try_merge, try_merge, try_lend, try_take_back, try_take_back, try_memory,
	};

	W.restless = rnd(20) == 0;
	tries[rnd(sizeof(tries) / sizeof(tries[0]))]();
	W.restless = false;
	check_registers();
	check_pins();
	for (int i = 0; i < 4; i++)
		check_translation(rnd(R.n));
	if (++W.done % (R.n <= 1000 ? 64 : 20000) == 0)
		check_all();
}

static void end_world(void)
{
	vd_reader_destroy(W.reader[0]);
	vd_reader_destroy(W.reader[1]);
	vd_adapter_destroy(W.a);
	for (uint32_t i = 0; i < NMEM; i++) {
		must(vd_fake_pinned(W.host[i]) == 0);
		vd_domain_destroy(W.d[i]);
		vd_host_destroy(W.host[i]);
	}
}

static void run(unsigned long n, uint64_t entries)
{
	struct vd_adapter_stats s = { .size = sizeof(s) };

	make_world(entries);
	while (W.done < n)
		step();
	check_all();
	vd_adapter_stats(W.a, &s);
	printf("window-model: %lu operations on %lu entries, %lu splits, %lu merges, %lu loans, "
	       "%lu refused, %lu of %lu kept entries forgotten, %lu taken over as they were\n",
	       n, (unsigned long)entries, (unsigned long)s.splits, (unsigned long)s.merges,
	       (unsigned long)s.loans, (unsigned long)s.refused, W.forgotten, W.kept, W.taken);
	must(s.splits > n / 1000 && s.merges > n / 1000 && s.loans > n / 1000);
	must(W.taken > n / 1000);
	end_world();
}

/* In a child, which must not come to its end. */
static int control(unsigned long n, uint64_t entries)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		run(n, entries);
		_exit(0);
	}
	must(child > 0 && waitpid(child, &status, 0) == child);
	must(WIFSIGNALED(status));
	printf("window-model: an owner that had not looked was noticed\n");
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 2000000;
	uint64_t entries = argc > 3 ? strtoul(argv[3], NULL, 0) : 300;

	shift = argc > 4 ? (unsigned int)strtoul(argv[4], NULL, 0) : 12;
	page = (uint64_t)1 << shift;
	W.seed = argc > 2 ? strtoul(argv[2], NULL, 0) | 1 : 88172645463325252u;
	must(entries > 0 && entries <= MOST);
	if (argc > 5)
		return control(n, entries);
	run(n, entries);
	return 0;
}
