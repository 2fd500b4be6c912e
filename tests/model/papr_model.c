/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PAPR front end against a naive rival: random calls of two partitions, and
 * beside them one array with every entry there is, which says by LoPAR's rules
 * what must come of each call. After each, the status must be one that the rival
 * allows; entries, what the device reaches, the bit bucket with it, and what is
 * pinned must be the rival's. Where several checks fail at once any of their statuses is right.
 *
 * Meanwhile an administrator splits PE's window and merges the parts, for the
 * guest and for another provider of the adapter, and the partitions reboot.
 *
 * Usage: papr-model [calls [seed]]
 */
#include <container.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/viaduct.h>

#define PAGE	VD_PAGE_SIZE
#define PAGES	24u
#define GPA	0x40000u
#define ENTRIES 48u
#define TABLES	3u
#define PE	0u /* of partition 0 */
#define SERVER	1u /* the virtual device of partition 0 */
#define CLIENT	2u /* that of partition 1 */
#define NONE	(-1)
#define BUCKET	2 /* whose the bit bucket is: no partition's */

static const uint64_t liobns[TABLES] = { 0x80000000, 0x10000000, 0x10000001 };

#define PARTNER	 0x30000000u
#define GRANTS	 0xf0000000u

/* Windows of PE's table: by the guest's LIOBN, and by an administrator's id. */
#define GUEST	 0u
#define ADMIN	 1u
#define PE_OWNER 1 /* of what is the guest's */
#define OTHER	 2 /* another provider, with partition 1's memory */

static const uint32_t windows[2] = { 0x80000000, 100 };

struct part {
	unsigned int first, len; /* 0: there is none */
	int owner;
};

/* The rival: an entry names page @page of partition @of. */
struct entry {
	int page, of;
	unsigned int prot;
	bool copy; /* of one of CLIENT's */
	bool lent; /* to partition 1 */
};

struct world {
	struct entry table[TABLES][ENTRIES];
	int place[ENTRIES];  /* of PE, where an entry of CLIENT was copied to */
	bool bucket;	     /* PE's attribute */
	uint64_t budget[2];  /* pages */
	uint64_t cookie;     /* of the one grant there may be; 0: none */
	uint64_t lent_liobn; /* 0: not accepted */
	unsigned int first, len;
	struct part part[2]; /* each entry of PE is in one of them */

	unsigned char *mem[3];
	struct vd_host *host[3];
	struct vd_domain *d[3];
	struct vd_adapter *a;
	struct vd_reader *r[2]; /* of PE_OWNER's device, and OTHER's */
	struct vd_papr *p;
	unsigned long n, good;
	int64_t right[8]; /* statuses that are */
	unsigned int nright;
};

static void must_be(struct world *w, bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "papr-model: call %lu, line %d: %s\n", w->n, line, what);
	abort();
}
#define must(x) must_be(w, (x), #x, __LINE__)

static unsigned int pick(unsigned int n)
{
	return (unsigned int)random() % n;
}

/* Pages of a partition that some entry names. */
static uint32_t named(const struct world *w, int of)
{
	uint32_t pages = 0;

	for (size_t t = 0; t < TABLES; t++) {
		for (size_t i = 0; i < ENTRIES; i++) {
			const struct entry *e = &w->table[t][i];

			if (e->prot && e->of == of)
				pages |= 1u << e->page;
		}
	}
	return pages;
}

static bool is_in(const struct part *p, unsigned int i)
{
	return i - p->first < p->len; /* unsigned: nothing is below */
}

/* Are @n entries from @i on in the guest's window? */
static bool has_guest(const struct world *w, unsigned int i, unsigned int n)
{
	const struct part *g = &w->part[GUEST];

	return g->owner == PE_OWNER && is_in(g, i) && n <= g->first + g->len - i;
}

static int owner_of(const struct world *w, unsigned int i)
{
	return w->part[is_in(&w->part[GUEST], i) ? GUEST : ADMIN].owner;
}

/* What stands there counts, as LoPAR says: a copy that was overwritten is none. */
static bool is_copied(const struct world *w, unsigned int i)
{
	const struct entry *from = &w->table[CLIENT][i], *to;

	if (w->place[i] == NONE || !from->prot)
		return false;
	to = &w->table[PE][w->place[i]];
	return to->copy && to->page == from->page && to->prot == from->prot;
}

static void allow(struct world *w, bool when, int64_t status)
{
	for (unsigned int i = 0; i < w->nright; i++)
		when = when && w->right[i] != status;
	if (when)
		w->right[w->nright++] = status;
}

/* With nothing against it a call must succeed. True: it did. */
static bool judge(struct world *w, int64_t status)
{
	if (w->nright == 0) {
		must(status == VD_H_SUCCESS);
		w->good++;
		return true;
	}
	for (unsigned int i = 0; i < w->nright; i++) {
		if (w->right[i] == status)
			return false;
	}
	fprintf(stderr, "status %ld\n", (long)status);
	must(!"a status that is right");
	return false;
}

static struct vd_papr_hcall call(struct world *w, uint32_t who, uint64_t token, const uint64_t *arg)
{
	struct vd_papr_hcall h = { .token = token };

	memcpy(h.arg, arg, 6 * sizeof(*arg));
	must(vd_papr_hcall(w->p, who, &h) == 0);
	return h;
}
#define CALL(who, token, ...) call(w, who, token, (uint64_t[6]){ __VA_ARGS__ })

/* Which table @who names, as it sees it; @lent: by the LIOBN of the loan. */
static bool may_name(uint32_t who, unsigned int t, bool lent)
{
	return lent ? who == 1 : (t == CLIENT ? who == 1 : who == 0);
}

struct put {
	uint32_t who;
	unsigned int t, at;
	bool lent;
	size_t n;
	int page[ENTRIES]; /* PAGES and above: not memory */
	unsigned int prot[ENTRIES];
};

static void against(struct world *w, const struct put *p)
{
	uint32_t pages = named(w, (int)p->who);
	unsigned int first = p->lent ? w->first : 0;
	unsigned int end = p->lent ? w->first + w->len : ENTRIES;

	w->nright = 0;
	allow(w, !may_name(p->who, p->t, p->lent), VD_H_PARAMETER);
	if (p->at < first || p->at >= end || p->n > end - p->at ||
	    (p->t == PE && !p->lent && !has_guest(w, p->at, (unsigned int)p->n))) {
		allow(w, true, VD_H_PARAMETER);
		return;
	}
	for (size_t i = 0; i < p->n; i++) {
		const struct entry *e = &w->table[p->t][p->at + i];

		/* A part that somebody else fills. */
		allow(w, p->t == PE && !p->lent && e->lent, VD_H_RESOURCE);
		allow(w, p->t == CLIENT && !w->bucket && is_copied(w, p->at + (unsigned int)i),
		      VD_H_RESOURCE);
		if (p->prot[i] && p->page[i] >= (int)PAGES)
			allow(w, true, VD_H_PARAMETER);
		else if (p->prot[i])
			pages |= 1u << p->page[i];
	}
	allow(w,
	      pages != named(w, (int)p->who) &&
		      (uint64_t)__builtin_popcount(pages) > w->budget[p->who],
	      VD_H_NOT_ENOUGH);
}

static void apply(struct world *w, const struct put *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct entry *e = &w->table[p->t][p->at + i];

		if (p->t == CLIENT && is_copied(w, p->at + (unsigned int)i))
			w->table[PE][w->place[p->at + i]] =
				(struct entry){ .of = BUCKET, .prot = VD_WRITE };
		if (p->t == CLIENT)
			w->place[p->at + i] = NONE;
		e->prot = p->prot[i];
		e->page = p->prot[i] ? p->page[i] : 0;
		e->of = (int)p->who;
		e->copy = false;
	}
}

static uint64_t tce(int page, unsigned int prot)
{
	return prot ? (GPA + (uint64_t)page * PAGE) | prot : 0;
}

static struct put make_put(struct world *w, size_t most)
{
	struct put p = { .who = pick(8) ? 0 : 1, .t = pick(TABLES), .at = pick(ENTRIES + 2) };

	if (p.t == CLIENT)
		p.who = pick(8) ? 1 : 0;
	if (w->lent_liobn && pick(3) == 0) {
		p.lent = true;
		p.t = PE;
		p.who = pick(8) ? 1 : 0;
		p.at = w->first + pick(w->len + 1);
	}
	p.n = 1 + pick((unsigned int)most);
	for (size_t i = 0; i < ENTRIES; i++) {
		p.prot[i] = pick(4);
		p.page[i] = (int)pick(pick(16) ? PAGES : PAGES + 1);
	}
	return p;
}

static uint64_t liobn_of(const struct world *w, const struct put *p)
{
	return p->lent ? w->lent_liobn : liobns[p->t];
}

static void do_put(struct world *w)
{
	struct put p = make_put(w, 1);

	against(w, &p);
	if (judge(w, CALL(p.who, VD_H_PUT_TCE, liobn_of(w, &p), p.at * PAGE + pick(PAGE),
			  tce(p.page[0], p.prot[0]))
			     .status))
		apply(w, &p);
}

static void do_stuff(struct world *w)
{
	struct put p = make_put(w, 12);

	for (size_t i = 1; i < ENTRIES; i++) {
		p.page[i] = p.page[0];
		p.prot[i] = p.prot[0];
	}
	against(w, &p);
	if (judge(w, CALL(p.who, VD_H_STUFF_TCE, liobn_of(w, &p), p.at * PAGE,
			  tce(p.page[0], p.prot[0]), p.n)
			     .status))
		apply(w, &p);
}

static void do_list(struct world *w)
{
	struct put p = make_put(w, 12);

	for (size_t i = 0; i < p.n; i++) {
		uint64_t be = htobe64(tce(p.page[i], p.prot[i]));

		memcpy(w->mem[p.who] + i * 8, &be, 8);
	}
	against(w, &p);
	if (judge(w, CALL(p.who, VD_H_PUT_TCE_INDIRECT, liobn_of(w, &p), p.at * PAGE, GPA, p.n)
			     .status))
		apply(w, &p);
}

/* Whatever was copied to entry @to of PE: that is another's place now. */
static void forget(struct world *w, unsigned int to)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (w->place[i] == (int)to)
			w->place[i] = NONE;
	}
}

static void do_redirect(struct world *w)
{
	unsigned int from = pick(ENTRIES), to = pick(ENTRIES), n = 1 + pick(4);
	struct vd_papr_hcall h;
	bool in = from + n <= ENTRIES && has_guest(w, to, n);

	w->nright = 0;
	allow(w, !in, VD_H_PARAMETER);
	for (unsigned int i = 0; in && i < n; i++) {
		const struct entry *e = &w->table[PE][to + i];

		allow(w, w->table[CLIENT][from + i].prot == 0, VD_H_R_PARM);
		allow(w, is_copied(w, from + i) && w->place[from + i] == (int)(to + i),
		      VD_H_IN_USE);
		allow(w, e->lent || is_copied(w, from + i), VD_H_RESOURCE);
	}
	h = CALL(0, VD_H_PUT_RTCE, PARTNER, from * PAGE, liobns[PE], to * PAGE, n);
	if (!judge(w, h.status))
		return;
	for (unsigned int i = 0; i < n; i++) {
		forget(w, to + i);
		w->table[PE][to + i] = w->table[CLIENT][from + i];
		w->table[PE][to + i].copy = true;
		w->place[from + i] = (int)(to + i);
	}
}

static void do_remove(struct world *w)
{
	unsigned int from = pick(ENTRIES), to = pick(ENTRIES), n = 1 + pick(6);
	struct entry *e = &w->table[PE][to];
	int64_t status;
	bool in = from + n <= ENTRIES && has_guest(w, to, n);

	w->nright = 0;
	allow(w, !in, VD_H_PARAMETER);
	for (unsigned int i = 0; in && i < n; i++)
		allow(w, e[i].lent, VD_H_RESOURCE);
	status = CALL(0, VD_H_REMOVE_RTCE, PARTNER, from * PAGE, liobns[PE], to * PAGE, n).status;
	if (!judge(w, status))
		return;
	for (unsigned int i = 0; i < n; i++)
		e[i] = (struct entry){ 0 };
}

static void do_attribute(struct world *w)
{
	unsigned int set = pick(2);

	if (!has_guest(w, w->part[GUEST].first, 1))
		return;
	w->nright = 0;
	judge(w, CALL(0, VD_H_LIOBN_ATTRIBUTES, liobns[PE], 1, set).status);
	w->bucket = set;
}

static void end_copies(struct world *w)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		if (is_copied(w, i))
			w->table[PE][w->place[i]] =
				(struct entry){ .of = BUCKET, .prot = VD_WRITE };
		w->place[i] = NONE;
	}
}

static void do_disconnect(struct world *w)
{
	bool copied = false;
	int err;

	for (unsigned int i = 0; i < ENTRIES; i++)
		copied = copied || is_copied(w, i);
	err = vd_papr_disconnect(w->p, 0x30 + pick(2));
	must(err == (copied && !w->bucket ? -EBUSY : 0));
	must(vd_papr_connect(w->p, 0x30 + pick(2)) == 0);
	if (!err)
		end_copies(w);
}

static void do_grant(struct world *w)
{
	struct vd_papr_hcall h;
	unsigned int first = pick(ENTRIES), len = 1 + pick(8);

	if (w->cookie)
		return;
	w->nright = 0;
	allow(w, !has_guest(w, first, len), VD_H_PARAMETER);
	h = CALL(0, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, liobns[PE], first * PAGE, len * PAGE,
		 0x30);
	if (!judge(w, h.status))
		return;
	w->cookie = h.out[0];
	w->first = first;
	w->len = len;
}

static void do_accept(struct world *w)
{
	struct entry *e = &w->table[PE][w->first];
	struct vd_papr_hcall h;

	if (!w->cookie)
		return;
	w->nright = 0;
	allow(w, w->lent_liobn != 0 || !has_guest(w, w->first, w->len), VD_H_PARAMETER);
	for (unsigned int i = 0; i < w->len; i++)
		allow(w, e[i].prot != 0, VD_H_RESOURCE);
	h = CALL(1, VD_H_ACCEPT_LOGICAL, w->cookie);
	if (!judge(w, h.status))
		return;
	w->lent_liobn = h.out[0];
	for (unsigned int i = 0; i < w->len; i++)
		e[i].lent = true;
}

static void unlend(struct world *w)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		struct entry *e = &w->table[PE][i];

		if (e->lent)
			*e = (struct entry){ 0 };
	}
	w->lent_liobn = 0;
}

static void do_return(struct world *w)
{
	if (!w->cookie)
		return;
	w->nright = 0;
	allow(w, !w->lent_liobn, VD_H_PARAMETER);
	for (unsigned int i = 0; w->lent_liobn && i < w->len; i++)
		allow(w, w->table[PE][w->first + i].prot != 0, VD_H_RESOURCE);
	if (judge(w, CALL(1, VD_H_RETURN_LOGICAL, w->cookie).status))
		unlend(w);
}

static void do_rescind(struct world *w)
{
	uint64_t force = pick(2) ? VD_RESCIND_FORCED : 0;
	uint64_t pane = w->lent_liobn;

	if (!w->cookie)
		return;
	w->nright = 0;
	allow(w, pane && !force, VD_H_RESOURCE);
	if (!judge(w, CALL(0, VD_H_RESCIND_LOGICAL, force, w->cookie).status))
		return;
	must(CALL(1, VD_H_ACCEPT_LOGICAL, w->cookie).status == VD_H_RESCINDED);
	if (pane)
		must(CALL(1, VD_H_GET_TCE, pane, w->first * PAGE).status == VD_H_RESCINDED);
	unlend(w);
	w->cookie = 0;
}

static void do_budget(struct world *w)
{
	uint32_t who = pick(2);

	w->budget[who] = 1 + pick(PAGES);
	must(CALL(who, VD_H_SET_MPP, w->budget[who] * PAGE, 9).status == VD_H_SUCCESS);
}

/* Of what is in a part that an administrator gives to somebody. */
enum fate { STAYS, ENDS, IN_THE_WAY };

static enum fate ask(const struct world *w, const struct part *p, int owner, enum vd_live live)
{
	bool valid = false;

	if (p->owner == owner)
		return STAYS;
	for (unsigned int i = p->first; i < p->first + p->len; i++)
		valid = valid || w->table[PE][i].prot;
	if (live == VD_LIVE_REVOKE)
		return ENDS;
	/* The two have different memories. */
	return live == VD_LIVE_TRANSFER || valid ? IN_THE_WAY : STAYS;
}

static void clear_part(struct world *w, const struct part *p)
{
	for (unsigned int i = p->first; i < p->first + p->len; i++)
		w->table[PE][i] = (struct entry){ 0 };
}

static bool is_lent(const struct world *w, const struct part *p)
{
	bool lent = false;

	for (unsigned int i = p->first; i < p->first + p->len; i++)
		lent = lent || w->table[PE][i].lent;
	return lent;
}

static void do_split(struct world *w)
{
	unsigned int id = pick(2);
	struct part *from = &w->part[id], *to = &w->part[!id], n = *from;
	struct vd_split s = { .size = sizeof(s),
			      .id = windows[id],
			      .newid = windows[!id],
			      .owner = pick(2) ? PE_OWNER : OTHER,
			      .keep = pick(ENTRIES + 1),
			      .live = pick(3) };
	bool ok = s.keep > 0 && s.keep < from->len && to->len == 0;
	enum fate what;

	if (ok) {
		n.first += (unsigned int)s.keep;
		n.len -= (unsigned int)s.keep;
	}
	what = ask(w, &n, (int)s.owner, s.live);
	ok = ok && what != IN_THE_WAY && !is_lent(w, &n);
	must((vd_window_split(w->a, &s) == 0) == ok);
	if (!ok)
		return;
	if (what == ENDS)
		clear_part(w, &n);
	from->len = (unsigned int)s.keep;
	n.owner = (int)s.owner;
	*to = n;
}

static void do_merge(struct world *w)
{
	unsigned int id = pick(2);
	struct part *keep = &w->part[id], *clear = &w->part[!id];
	struct vd_merge m = { .size = sizeof(m),
			      .keep = windows[id],
			      .clear = windows[!id],
			      .owner = pick(4) ? PE_OWNER : OTHER,
			      .live = pick(3) };
	enum fate what[2] = { ask(w, keep, (int)m.owner, m.live),
			      ask(w, clear, (int)m.owner, m.live) };
	bool ok = keep->len && clear->len && what[0] != IN_THE_WAY && what[1] != IN_THE_WAY &&
		  !is_lent(w, keep) && !is_lent(w, clear);

	must((vd_window_merge(w->a, &m) == 0) == ok);
	if (!ok)
		return;
	if (what[0] == ENDS)
		clear_part(w, keep);
	if (what[1] == ENDS)
		clear_part(w, clear);
	keep->first = keep->first < clear->first ? keep->first : clear->first;
	keep->len += clear->len;
	keep->owner = (int)m.owner;
	clear->len = 0;
}

/* The other provider fills what it has. */
static void do_other(struct world *w)
{
	unsigned int at = pick(ENTRIES), page = pick(PAGES);
	vd_entry entry = { tce((int)page, 1 + pick(3)) };
	unsigned int id = is_in(&w->part[GUEST], at) ? GUEST : ADMIN;
	struct vd_put put = { .size = sizeof(put),
			      .owner = OTHER,
			      .window = windows[id],
			      .bus = { at * PAGE },
			      .n = 1,
			      .entry = &entry };
	uint32_t pages = named(w, 1);
	bool fits = pages & 1u << page || (uint64_t)__builtin_popcount(pages) < w->budget[1];
	int err = vd_window_put(w->a, &put);

	if (owner_of(w, at) != OTHER)
		must(err == -EPERM);
	else
		must(err == (fits ? 0 : -EDQUOT));
	if (!err)
		w->table[PE][at] = (struct entry){ (int)page, 1, entry.v & 3, false, false };
}

/* Its default window can be emptied if it is there. */
static void reset_pe(struct world *w, int err)
{
	bool is_there = w->part[GUEST].len && w->part[GUEST].owner == PE_OWNER;

	must(err == (is_there ? 0 : -EIO));
	if (!is_there)
		return;
	clear_part(w, &w->part[GUEST]);
	w->bucket = false;
}

static void do_reset(struct world *w)
{
	uint32_t who = pick(2);
	int err = vd_papr_reset(w->p, who);

	unlend(w);
	end_copies(w);
	if (who == 0) {
		w->cookie = 0;
		reset_pe(w, err);
	} else {
		must(err == 0);
	}
	memset(w->table[who ? CLIENT : SERVER], 0, sizeof(w->table[0]));
	must(vd_papr_connect(w->p, 0x30) == 0);
}

static void (*const actions[])(struct world *) = {
	do_put,	     do_put,	do_put,	       do_stuff,     do_list,  do_list,	  do_redirect,
	do_redirect, do_remove, do_remove,     do_attribute, do_grant, do_accept, do_return,
	do_rescind,  do_budget, do_disconnect, do_split,     do_merge, do_other,  do_reset,
};

static void compare_entry(struct world *w, unsigned int t, unsigned int i)
{
	const struct entry *e = &w->table[t][i];
	uint32_t who = t == CLIENT;
	struct vd_papr_hcall h = CALL(who, VD_H_GET_TCE, liobns[t], i * PAGE);

	if (t == PE && !has_guest(w, i, 1)) {
		must(h.status == VD_H_PARAMETER);
	} else if (e->prot && e->of != (int)who) {
		must(h.status == VD_H_PARTIAL);
		must(h.out[0] == (VD_TCE_RPN | e->prot));
	} else {
		must(h.status == VD_H_SUCCESS);
		must(h.out[0] == tce(e->page, e->prot));
	}
}

static void compare_device(struct world *w, int owner, unsigned int i)
{
	const struct entry *e = &w->table[PE][i];
	unsigned int allowed = owner_of(w, i) == owner ? e->prot : 0;
	struct vd_target t;

	for (unsigned int prot = VD_READ; prot <= VD_WRITE; prot++) {
		int err = vd_translate_once(w->r[owner - 1], (vd_iova){ i * PAGE }, prot, &t);

		must((err == 0) == ((allowed & prot) != 0));
		if (!err)
			must(t.hva == w->mem[e->of] + (size_t)e->page * PAGE);
	}
}

static void compare(struct world *w)
{
	for (int i = 0; i < 2; i++)
		must(vd_fake_pinned(w->host[i]) == (size_t)__builtin_popcount(named(w, i)));
	must(vd_fake_pinned(w->host[BUCKET]) == 1);
	for (unsigned int k = 0; k < 4; k++) {
		compare_entry(w, pick(TABLES), pick(ENTRIES));
		compare_device(w, PE_OWNER, pick(ENTRIES));
		compare_device(w, OTHER, pick(ENTRIES));
	}
}

static void make_domain(struct world *w, uint32_t i, uint64_t gpa, size_t pages)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	w->mem[i] = aligned_alloc(PAGE, pages * PAGE);
	must(w->mem[i] != NULL);
	must(vd_host_fake_create(w->mem[i], pages, &w->host[i]) == 0);
	must(vd_domain_create(w->host[i], &cfg, &w->d[i]) == 0);
	must(vd_domain_add_memory(w->d[i], (vd_gpa){ gpa }, w->mem[i], pages * PAGE) == 0);
}

static void make_partition(struct world *w, uint32_t i)
{
	struct vd_papr_partition part = { .size = sizeof(part), .id = i };

	make_domain(w, i, GPA, PAGES);
	part.domain = w->d[i];
	must(vd_papr_add_partition(w->p, &part) == 0);
	w->budget[i] = PAGES;
}

static void make_provider(struct world *w, uint32_t id)
{
	const struct vd_owner_cfg owner = {
		.size = sizeof(owner), .id = id, .provider = VD_NO_OWNER, .domain = w->d[id - 1]
	};

	must(vd_owner_add(w->a, &owner) == 0);
	must(vd_adapter_attach(w->a, id, id) == 0);
	must(vd_reader_create(w->a, id, &w->r[id - 1]) == 0);
}

static void make_devices(struct world *w)
{
	const struct vd_papr_pe pe = { .size = sizeof(pe),
				       .adapter = w->a,
				       .owner = PE_OWNER,
				       .liobn = (uint32_t)liobns[PE],
				       .len = ENTRIES * PAGE,
				       .max_windows = 1,
				       .slot_shift = 59 };

	make_provider(w, PE_OWNER);
	make_provider(w, OTHER);
	w->part[GUEST] = (struct part){ 0, ENTRIES, PE_OWNER };
	must(vd_papr_add_pe(w->p, &pe) == 0);
	for (uint32_t i = 0; i < 2; i++) {
		const struct vd_papr_vio vio = { .size = sizeof(vio),
						 .partition = i,
						 .unit = 0x30 + i,
						 .partner = 0x31 - i,
						 .liobn = (uint32_t)liobns[SERVER + i],
						 .len = ENTRIES * PAGE,
						 .partner_liobn = i ? 0 : PARTNER };

		must(vd_papr_add_vio(w->p, &vio) == 0);
	}
	must(vd_papr_connect(w->p, 0x30) == 0);
}

static void make(struct world *w)
{

	const struct vd_adapter_cfg adapter = { .size = sizeof(adapter), .nregs = 64 };
	struct vd_papr_cfg papr = { .size = sizeof(papr), .grant_liobn = GRANTS };

	for (size_t i = 0; i < ENTRIES; i++)
		w->place[i] = NONE;
	must(vd_adapter_create(&adapter, &w->a) == 0);
	make_domain(w, BUCKET, 0, 1);
	papr.bucket = w->d[BUCKET];
	must(vd_papr_create(&papr, &w->p) == 0);
	for (uint32_t i = 0; i < 2; i++)
		make_partition(w, i);
	make_devices(w);
}

static void unmake(struct world *w)
{
	vd_reader_destroy(w->r[0]);
	vd_reader_destroy(w->r[1]);
	vd_papr_destroy(w->p);
	vd_adapter_destroy(w->a);
	for (uint32_t i = 0; i <= BUCKET; i++) {
		must(vd_fake_pinned(w->host[i]) == 0);
		vd_domain_destroy(w->d[i]);
		vd_host_destroy(w->host[i]);
		free(w->mem[i]);
	}
}

int main(int argc, char **argv)
{
	static struct world world;
	struct world *w = &world;
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;

	srandom(argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 1);
	make(w);
	for (w->n = 1; w->n <= n; w->n++) {
		actions[pick(ARRAY_LEN(actions))](w);
		compare(w);
	}
	unmake(w);
	printf("%lu calls, %lu of them successes\n", n, w->good);
	return 0;
}
