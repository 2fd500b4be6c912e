/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

static int drain(void *opaque, const struct vd_drain *what)
{
	struct ex *x = opaque;
	unsigned char *hva;

	x->ndrains++;
	x->drained = *what;
	x->pinned_at_drain = ex_pinned(&x->p1);
	x->found_at_drain = x->r1 ? ex_access(x->r1, what->bus.v, VD_READ, &hva) : 0;
	return x->drain_says;
}

static void changed(void *opaque, uint32_t owner, const struct vd_window_info *w)
{
	struct ex *x = opaque;

	if (x->ntold < EX_TOLD)
		x->told[x->ntold++] = (struct ex_told){ owner, *w };
}

static void invalidate(void *opaque, const struct vd_drain *what)
{
	struct ex *x = opaque;

	x->nforgot++;
	x->forgot = *what;
	x->pinned_at_forget = ex_pinned(&x->p1);
}

static const struct vd_adapter_ops ops = {
	.size = sizeof(ops), .drain = drain, .changed = changed, .invalidate = invalidate
};

static void make_memory(struct ex_mem *m)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg), .granule_shift = 12 };

	m->mem = aligned_alloc(PAGE, EX_PAGES * PAGE);
	assert_non_null(m->mem);
	memset(m->mem, 0, EX_PAGES * PAGE);
	assert_int_equal(vd_host_fake_create(m->mem, EX_PAGES, &m->host), 0);
	assert_int_equal(vd_domain_create(m->host, &cfg, &m->d), 0);
	assert_int_equal(vd_domain_add_memory(m->d, (vd_gpa){ EX_GPA }, m->mem, EX_PAGES * PAGE),
			 0);
}

static void end_memory(struct ex_mem *m)
{
	vd_domain_destroy(m->d);
	vd_host_destroy(m->host);
	free(m->mem);
}

static void add_owner(struct ex *x, uint32_t id, uint32_t provider, struct ex_mem *m)
{
	struct vd_owner_cfg cfg = { .size = sizeof(cfg), .id = id, .provider = provider };

	make_memory(m);
	cfg.domain = m->d;
	assert_int_equal(vd_owner_add(x->a, &cfg), 0);
}

void ex_make(struct ex *x, uint32_t flags, enum vd_format format)
{
	const struct vd_adapter_cfg cfg = {
		.size = sizeof(cfg), .nregs = 8, .flags = flags, .ops = &ops, .opaque = x
	};
	const struct vd_table_cfg table = { .size = sizeof(table),
					    .format = format,
					    .page_shift = 12,
					    .nentries = EX_LEN,
					    .at = EX_TABLE };

	memset(x, 0, sizeof(*x));
	assert_int_equal(vd_adapter_create(&cfg, &x->a), 0);
	add_owner(x, EX_P1, VD_NO_OWNER, &x->p1);
	add_owner(x, EX_P2, VD_NO_OWNER, &x->p2);
	add_owner(x, EX_C, EX_P1, &x->c);
	assert_int_equal(vd_adapter_attach(x->a, EX_D1, EX_P1), 0);
	assert_int_equal(vd_adapter_attach(x->a, EX_D2, EX_P2), 0);
	assert_int_equal(vd_reader_create(x->a, EX_D1, &x->r1), 0);
	assert_int_equal(vd_reader_create(x->a, EX_D2, &x->r2), 0);
	assert_int_equal(vd_table_create(x->a, &table, &x->t), 0);
}

void ex_unmake(struct ex *x)
{
	vd_reader_destroy(x->r1);
	vd_reader_destroy(x->r2);
	x->r1 = NULL;
	x->drain_says = 0;
	vd_adapter_destroy(x->a);
	assert_int_equal(ex_pinned(&x->p1) + ex_pinned(&x->p2) + ex_pinned(&x->c), 0);
	end_memory(&x->p1);
	end_memory(&x->p2);
	end_memory(&x->c);
}

int ex_setup(void **state)
{
	struct ex *x = malloc(sizeof(*x));

	assert_non_null(x);
	ex_make(x, 0, VD_FORMAT_TCE);
	ex_window(x);
	*state = x;
	return 0;
}

int ex_teardown(void **state)
{
	ex_unmake(*state);
	free(*state);
	return 0;
}

void ex_window(struct ex *x)
{
	const struct vd_window_cfg cfg = { .size = sizeof(cfg),
					   .id = EX_W,
					   .owner = EX_P1,
					   .bus = { EX_BUS },
					   .table = x->t,
					   .first = 0,
					   .len = EX_LEN };

	assert_int_equal(vd_window_create(x->a, &cfg), 0);
	x->ntold = 0;
}

int ex_put(struct ex *x, uint32_t owner, uint32_t window, uint64_t i, vd_entry e)
{
	struct vd_put p = { .size = sizeof(p),
			    .owner = owner,
			    .window = window,
			    .bus = ex_bus(i),
			    .n = 1,
			    .entry = &e };

	return vd_window_put(x->a, &p);
}

int ex_map(struct ex *x, uint32_t owner, uint32_t window, uint64_t i, uint64_t page)
{
	return ex_put(x, owner, window, i, ex_entry(page, RW));
}

int ex_access(struct vd_reader *r, uint64_t bus, unsigned int prot, unsigned char **hva)
{
	struct vd_target t;
	int err;

	vd_reader_enter(r);
	err = vd_translate(r, (vd_iova){ bus }, prot, &t);
	vd_reader_exit(r);
	if (!err)
		*hva = t.hva;
	return err;
}

struct vd_window_info ex_info(struct ex *x, uint32_t window)
{
	struct vd_window_info info = { .size = sizeof(info) };

	assert_int_equal(vd_window_query(x->a, window, &info), 0);
	return info;
}

void ex_entries(struct ex *x, uint64_t *out)
{
	struct vd_window_info w = { .size = sizeof(w) };
	vd_entry e[EX_LEN];

	memset(out, 0, EX_LEN * sizeof(*out));
	for (uint32_t slot = 0; vd_window_show(x->a, slot, &w) != -EINVAL; slot++) {
		if (vd_window_show(x->a, slot, &w) || w.lent)
			continue;
		assert_int_equal(vd_window_get(x->a, w.owner, w.id, w.bus, e, w.len), 0);
		memcpy(out + w.first, e, w.len * sizeof(*e));
	}
}

struct vd_fault ex_fault(struct ex *x)
{
	struct vd_fault f = { .size = sizeof(f) };

	assert_int_equal(vd_adapter_next_fault(x->a, &f), 0);
	return f;
}

size_t ex_pinned(const struct ex_mem *m)
{
	struct vd_domain_stats s = { .size = sizeof(s) };
	size_t n = vd_fake_pinned(m->host);

	vd_domain_stats(m->d, &s);
	assert_int_equal(s.pinned, n * PAGE);
	return n;
}

void ex_check(struct ex *x)
{
	struct vd_window_info w = { .size = sizeof(w) };
	unsigned char taken[EX_LEN] = { 0 };

	for (uint32_t slot = 0; vd_window_show(x->a, slot, &w) != -EINVAL; slot++) {
		if (vd_window_show(x->a, slot, &w) || w.lender != w.id || w.table < EX_TABLE)
			continue;
		assert_true(w.len > 0 && w.first + w.len <= EX_LEN);
		for (uint64_t i = 0; i < w.len; i++)
			assert_int_equal(taken[w.first + i]++, 0);
	}
}
