/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile client of the window commands: any bytes are lines. Between them,
 * owners fill what is theirs; inside them, while a device comes to rest, domains
 * get memory and owners look at it or at others'. Whatever they did, the windows
 * of the table do not overlap and cover it wholly, a loan lies within its lender,
 * and what a device reaches is memory, and pinned.
 */
#include "control_windows.h"
#include "fuzz.h"
#include <stdlib.h>
#include <string.h>

#define NREGS 6
#define LEN   256
#define PAGE  ((uint64_t)4096)
#define BUS   ((uint64_t)1 << 28)

static void must(bool ok)
{
	if (!ok)
		abort();
}

#define NDOMAINS 2u /* of owners 1, 3 and 4, and of 2; 3 is a client of 2 */
#define NOWNERS	 4u
#define PAGES	 24u /* of each, the second half page by page */
#define FAR	 ((uint64_t)1 << 56)

struct world {
	struct vd_adapter *a;
	unsigned int calls; /* of everything that may be different next time */
	struct vd_host *host[NDOMAINS];
	struct vd_domain *d[NDOMAINS];
	uint64_t have[NDOMAINS];
	struct vd_reader *r[2]; /* of the providers' devices */
};

static unsigned char memory[NDOMAINS][PAGES * 4096] __attribute__((aligned(4096)));

static uint32_t domain_of(uint32_t owner)
{
	return owner == 2;
}

static void grow(struct world *w, uint32_t i, uint64_t n)
{
	uint64_t at = w->have[i];

	if (at + n > PAGES)
		return;
	must(vd_domain_add_memory(w->d[i], (vd_gpa){ at * PAGE }, memory[i] + at * PAGE,
				  n * PAGE) == 0);
	w->have[i] += n;
}

static int drain(void *opaque, const struct vd_drain *what)
{
	struct world *w = opaque;
	unsigned int n = ++w->calls;
	uint32_t owner = 1 + n % NOWNERS;

	(void)what;
	if (n % 3 == 0)
		grow(w, n / 3 % NDOMAINS, 1);
	if (n % 5 == 0)
		must(vd_owner_reach(w->a, owner, w->d[!domain_of(owner)], FAR) == 0);
	return n % 7 == 0 ? -1 : 0; /* now and then not at rest */
}

/* A page that its domain has by now, or where it may reach; it may not. */
static void fill(struct world *w)
{
	unsigned int n = ++w->calls;
	struct vd_window_info i = { .size = sizeof(i) };
	vd_entry e;

	if (vd_window_show(w->a, n % NREGS, &i) != 0)
		return;
	e.v = n % w->have[domain_of(i.owner)] * PAGE | i.rights;
	if (n % 4 == 0)
		e.v = FAR | n % w->have[!domain_of(i.owner)] * PAGE | i.rights;
	struct vd_put p = { .size = sizeof(p),
			    .owner = i.owner,
			    .window = i.id,
			    .bus = { i.bus.v + n * 7 % i.len * PAGE },
			    .n = 1,
			    .entry = &e };

	(void)vd_window_put(w->a, &p);
}

static void tried(void *opaque, const struct vd_policy_record *r)
{
	vd_policy_record(opaque, r);
}

static int next_record(void *opaque, uint64_t seq, struct vd_policy_record *out)
{
	return vd_policy_next(opaque, seq, out);
}

static void add_domain(struct world *w, uint32_t i)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	must(vd_host_fake_create(memory[i], PAGES, &w->host[i]) == 0);
	must(vd_domain_create(w->host[i], &cfg, &w->d[i]) == 0);
	grow(w, i, PAGES / 2);
}

static void add_owner(struct world *w, uint32_t id)
{
	const struct vd_owner_cfg cfg = { .size = sizeof(cfg),
					  .id = id,
					  .provider = id == 3 ? 2 : VD_NO_OWNER,
					  .domain = w->d[domain_of(id)] };

	must(vd_owner_add(w->a, &cfg) == 0);
}

static void make_window(struct vd_adapter *a)
{
	struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = LEN };
	struct vd_window_cfg w = {
		.size = sizeof(w), .id = 10, .owner = 1, .bus = { BUS }, .len = LEN
	};
	struct vd_window_range r = { .size = sizeof(r),
				     .owner = 1,
				     .window = 10,
				     .bus = { BUS + 8 * PAGE },
				     .len = 4 * PAGE,
				     .prot = VD_READ };

	must(vd_table_create(a, &t, &w.table) == 0);
	must(vd_window_create(a, &w) == 0);
	must(vd_window_map(a, &r) == 0);
}

static void check_loan(struct vd_adapter *a, const struct vd_window_info *w)
{
	struct vd_window_info lender = { .size = sizeof(lender) };

	must(vd_window_query(a, w->lender, &lender) == 0);
	must(w->first >= lender.first && w->first + w->len <= lender.first + lender.len);
	must(w->bus.v - lender.bus.v == (w->first - lender.first) * PAGE);
}

/* X1 */
static void check_devices(struct world *w)
{
	for (size_t k = 0; k < 2; k++) {
		for (uint64_t i = 0; i < LEN; i++) {
			struct vd_target t;
			size_t of;

			if (vd_translate_once(w->r[k], (vd_iova){ BUS + i * PAGE }, VD_READ, &t))
				continue;
			of = t.hva >= memory[1] && t.hva < memory[1] + sizeof(memory[1]);
			must(t.hva >= memory[of] && t.hva < memory[of] + sizeof(memory[of]));
			must(vd_fake_pins(w->host[of], (size_t)(t.hva - memory[of]) / PAGE) > 0);
		}
	}
}

/* X2: what is no loan covers each entry once. */
static void check(struct vd_adapter *a)
{
	uint8_t covered[LEN] = { 0 };
	struct vd_window_info w = { .size = sizeof(w) };

	for (uint32_t slot = 0; slot < NREGS; slot++) {
		if (vd_window_show(a, slot, &w))
			continue;
		must(w.first + w.len <= LEN && w.bus.v == BUS + w.first * PAGE);
		if (w.lender != w.id)
			check_loan(a, &w);
		else
			for (uint64_t i = 0; i < w.len; i++)
				must(covered[w.first + i]++ == 0);
	}
	for (size_t i = 0; i < LEN; i++)
		must(covered[i] == 1);
}

static void answer(struct world *w, struct control_windows *c, const char *line, size_t len)
{
	struct control_table t = control_windows_table(c);
	char *text = control_answer(&t, line, len);

	must(text && strchr(text, '\n') == text + strlen(text) - 1);
	free(text);
	check(w->a);
	check_devices(w);
	for (int i = 0; i < 8; i++)
		fill(w);
}

static void serve(struct world *w, struct control_windows *c, const char *line, size_t len)
{
	const char *end;
	size_t n;

	for (; len; line += n, len -= n) {
		end = memchr(line, '\n', len);
		n = end ? (size_t)(end - line) + 1 : len;
		answer(w, c, line, n - (end != NULL));
	}
}

static void make(struct world *w)
{
	static const struct vd_adapter_ops ops = { .size = sizeof(ops), .drain = drain };
	const struct vd_adapter_cfg a = {
		.size = sizeof(a), .nregs = NREGS, .ops = &ops, .opaque = w
	};

	must(vd_adapter_create(&a, &w->a) == 0);
	for (uint32_t i = 0; i < NDOMAINS; i++)
		add_domain(w, i);
	for (uint32_t id = 1; id <= NOWNERS; id++)
		add_owner(w, id);
	make_window(w->a);
	for (uint32_t id = 1; id <= 2; id++) {
		must(vd_adapter_attach(w->a, id, id) == 0);
		must(vd_reader_create(w->a, id, &w->r[id - 1]) == 0);
	}
}

static void unmake(struct world *w)
{
	w->calls = 0; /* it comes to rest */
	for (size_t i = 0; i < 2; i++)
		vd_reader_destroy(w->r[i]);
	vd_adapter_destroy(w->a);
	for (uint32_t i = 0; i < NDOMAINS; i++) {
		must(vd_fake_pinned(w->host[i]) == 0);
		vd_domain_destroy(w->d[i]);
		vd_host_destroy(w->host[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct control_windows_ops wops = { tried, next_record };
	struct vd_policy_cfg p = { .size = sizeof(p), .samples = 1, .high = 1, .min_len = 1 };
	struct control_windows c = { .ops = &wops, .first_id = 11 };
	struct world w = { .calls = 0 };
	struct vd_policy *policy;

	make(&w);
	must(vd_policy_create(&p, &policy) == 0);
	c.opaque = policy;
	c.adapter = w.a;
	serve(&w, &c, (const char *)data, len);
	unmake(&w);
	vd_policy_destroy(policy);
	return 0;
}
