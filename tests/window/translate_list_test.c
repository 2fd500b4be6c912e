/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"

#define MAX 8u

static int list(struct vd_reader *r, const struct vd_sg *sg, size_t n, struct vd_sglist *l)
{
	static struct iovec iov[MAX];
	int err;

	*l = (struct vd_sglist){ .sg = sg, .n = n, .iov = iov, .max = MAX, .niov = 99 };
	vd_reader_enter(r);
	err = vd_translate_list(r, l, VD_WRITE);
	vd_reader_exit(r);
	return err;
}

static void is_piece(const struct vd_sglist *l, size_t i, const unsigned char *at, uint64_t len)
{
	assert_true(i < l->niov);
	assert_ptr_equal(l->iov[i].iov_base, at);
	assert_int_equal(l->iov[i].iov_len, len);
}

static void merges_neighbours(void **state)
{
	struct ex *x = *state;
	struct vd_sg sg[] = { { { EX_BUS + 100 }, 6 * PAGE - 200 },
			      { { 0 }, 0 },
			      { { EX_BUS }, 8 } };
	const uint64_t pages[] = { 10, 11, 12, 30, 31, 9 };
	struct vd_sglist l;

	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(ex_map(x, EX_P1, EX_W, i, pages[i]), 0);
	assert_int_equal(list(x->r1, sg, 3, &l), 0);
	assert_int_equal(l.niov, 4);
	is_piece(&l, 0, x->p1.mem + 10 * PAGE + 100, 3 * PAGE - 100);
	is_piece(&l, 1, x->p1.mem + 30 * PAGE, 2 * PAGE);
	is_piece(&l, 2, x->p1.mem + 9 * PAGE, PAGE - 100);
	is_piece(&l, 3, x->p1.mem + 10 * PAGE, 8);
	/* Elements that follow each other in memory are one piece. */
	sg[0] = (struct vd_sg){ { EX_BUS + 5 * PAGE }, PAGE };
	sg[1] = (struct vd_sg){ { EX_BUS }, PAGE + 1 };
	assert_int_equal(list(x->r1, sg, 2, &l), 0);
	assert_int_equal(l.niov, 1);
	is_piece(&l, 0, x->p1.mem + 9 * PAGE, 2 * PAGE + 1);
}

static void list_refuses(void **state)
{
	struct ex *x = *state;
	struct vd_sg sg[MAX + 1];
	struct vd_sglist l;
	struct vd_fault f = { .size = sizeof(f) };

	for (uint64_t i = 0; i < 20; i++)
		assert_int_equal(ex_map(x, EX_P1, EX_W, i, 40 - 2 * i), 0);
	sg[0] = (struct vd_sg){ { EX_BUS }, (MAX + 1) * PAGE };
	assert_int_equal(list(x->r1, sg, 1, &l), -ENOSPC);
	assert_int_equal(l.niov, 0);
	sg[0].len = MAX * PAGE;
	assert_int_equal(list(x->r1, sg, 1, &l), 0);
	sg[0] = (struct vd_sg){ { EX_BUS + 18 * PAGE }, 3 * PAGE };
	assert_int_equal(list(x->r1, sg, 1, &l), -ENOENT);
	f = ex_fault(x);
	assert_int_equal(f.iova.v, EX_BUS + 20 * PAGE);
	assert_int_equal(f.prot, VD_WRITE);
	sg[0] = (struct vd_sg){ { UINT64_MAX }, 2 };
	assert_int_equal(list(x->r1, sg, 1, &l), -EOVERFLOW);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 1, ex_entry(38, VD_READ)), 0);
	sg[0] = (struct vd_sg){ { EX_BUS }, 2 * PAGE };
	assert_int_equal(list(x->r1, sg, 1, &l), -EACCES);
	sg[0] = (struct vd_sg){ { EX_BUS + (EX_LEN - 1) * PAGE }, 2 * PAGE };
	assert_int_equal(ex_map(x, EX_P1, EX_W, EX_LEN - 1, 1), 0);
	assert_int_equal(list(x->r1, sg, 1, &l), -ERANGE);
	vd_reader_enter(x->r1);
	assert_int_equal(vd_translate_list(x->r1, &l, 0), -EINVAL);
	vd_reader_exit(x->r1);
}

/* A list over a loan: two owners' memory in one answer. */
static void list_over_a_loan(void **state)
{
	struct ex *x = *state;
	struct vd_loan loan = { sizeof(loan), EX_W, 50, EX_C, RW, VD_LIVE_REFUSE, 2, 1 };
	struct vd_sg sg = { { EX_BUS }, 4 * PAGE };
	struct vd_sglist l;

	assert_int_equal(vd_window_lend(x->a, &loan), 0);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(ex_map(x, i == 2 ? EX_C : EX_P1, i == 2 ? 50 : EX_W, i, 20 + i),
				 0);
	assert_int_equal(list(x->r1, &sg, 1, &l), 0);
	assert_int_equal(l.niov, 3);
	is_piece(&l, 0, x->p1.mem + 20 * PAGE, 2 * PAGE);
	is_piece(&l, 1, x->c.mem + 22 * PAGE, PAGE);
	is_piece(&l, 2, x->p1.mem + 23 * PAGE, PAGE);
}

#define SGS    150u
#define PIECES 700u
#define LISTS  3000u

static uint64_t dice(uint64_t *seed, uint64_t n)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (*seed >> 33) % n;
}

/* What a list must say: page by page, each asked for alone. */
static int list_naively(struct vd_reader *r, struct vd_sglist *l)
{
	l->niov = 0;
	for (size_t i = 0; i < l->n; i++) {
		uint64_t len = l->sg[i].len, bus = l->sg[i].bus.v;

		if (len && len - 1 > UINT64_MAX - bus)
			return -EOVERFLOW;
		while (len) {
			struct iovec *last = l->niov ? &l->iov[l->niov - 1] : NULL;
			struct vd_target t;
			int err = vd_translate(r, (vd_iova){ bus }, VD_WRITE, &t);

			if (err)
				return err;
			if (t.len > len)
				t.len = len;
			bus += t.len;
			len -= t.len;
			if (last && (unsigned char *)last->iov_base + last->iov_len == t.hva)
				last->iov_len += t.len;
			else if (l->niov == l->max)
				return -ENOSPC;
			else
				l->iov[l->niov++] = (struct iovec){ t.hva, t.len };
		}
	}
	return 0;
}

/* Most of it is fine; a list that is long meets something that is not. */
static void fill_for_lists(struct ex *x, uint64_t *seed)
{
	struct vd_loan loan = { sizeof(loan), EX_W, 50, EX_C, RW, VD_LIVE_REFUSE, 100, 7 };
	uint64_t page = 0;

	assert_int_equal(vd_window_lend(x->a, &loan), 0);
	for (uint64_t i = 0; i < EX_LEN; i++) {
		int lent = i >= 100 && i < 107;

		page = dice(seed, 4) ? (page + 1) % EX_PAGES : dice(seed, EX_PAGES);
		assert_int_equal(ex_map(x, lent ? EX_C : EX_P1, lent ? 50 : EX_W, i, page), 0);
	}
	assert_int_equal(ex_put(x, EX_P1, EX_W, 600, (vd_entry){ 0 }), 0);
	assert_int_equal(ex_put(x, EX_P1, EX_W, 900, ex_entry(3, VD_READ)), 0);
}

static void make_list(struct vd_sg *sg, struct vd_sglist *l, uint64_t *seed)
{
	l->n = dice(seed, SGS + 1);
	l->max = dice(seed, 8) ? PIECES : dice(seed, 20);
	for (size_t i = 0; i < l->n; i++) {
		uint64_t kind = dice(seed, 8);

		sg[i].bus.v = EX_BUS + dice(seed, (EX_LEN - 5) * PAGE);
		sg[i].len = dice(seed, kind == 0 ? 1 : kind < 5 ? 2000 : 5 * PAGE);
		if (dice(seed, 2000) == 0)
			sg[i].bus.v = dice(seed, 2) ? UINT64_MAX - 5 : EX_BUS + EX_LEN * PAGE - 9;
	}
}

/* However a list is cut, it says what its pages say by themselves. */
static void lists_as_their_pages(enum vd_format format)
{
	static struct iovec ours[PIECES], theirs[PIECES];
	uint64_t seed = 7 + (uint64_t)format;
	size_t fine = 0, refused = 0;
	struct vd_sg sg[SGS];
	struct ex x;

	ex_make(&x, 0, format);
	ex_window(&x);
	fill_for_lists(&x, &seed);
	for (unsigned int n = 0; n < LISTS; n++) {
		struct vd_sglist l = { .sg = sg, .iov = ours }, m;
		int err;

		make_list(sg, &l, &seed);
		m = l;
		m.iov = theirs;
		vd_reader_enter(x.r1);
		err = vd_translate_list(x.r1, &l, VD_WRITE);
		assert_int_equal(err, list_naively(x.r1, &m));
		vd_reader_exit(x.r1);
		assert_int_equal(l.niov, err ? 0 : m.niov);
		assert_memory_equal(ours, theirs, l.niov * sizeof(*ours));
		fine += !err;
		refused += err != 0;
	}
	assert_true(fine > LISTS / 10 && refused > LISTS / 10);
	ex_unmake(&x);
}

static void lists_are_their_pages(void **state)
{
	(void)state;
	lists_as_their_pages(VD_FORMAT_NATIVE);
	lists_as_their_pages(VD_FORMAT_TCE);
	lists_as_their_pages(VD_FORMAT_IOTSB);
}

/* Memory in more than one span: no piece goes over the end of one. */
static void many_spans(void **state)
{
	struct ex *x = *state;
	unsigned char *more = aligned_alloc(PAGE, 4 * PAGE);
	const struct vd_span spans[] = { { { 0 }, more, 2 * PAGE },
					 { { 2 * PAGE }, x->p2.mem, 2 * PAGE },
					 { { 4 * PAGE }, more + 2 * PAGE, 2 * PAGE } };
	const struct vd_owner_cfg o = {
		.size = sizeof(o), .id = 60, .provider = EX_P1, .memory = spans, .nmemory = 3
	};
	struct vd_split s = { sizeof(s), EX_W, 61, 60, VD_LIVE_REFUSE, 512 };
	struct vd_window_range r = { sizeof(r), 60, 61, RW, ex_bus(512), { 0 }, 6 * PAGE };
	struct vd_sg sg = { ex_bus(512), 6 * PAGE };
	struct vd_sglist l;

	assert_non_null(more);
	assert_int_equal(vd_owner_add(x->a, &o), 0);
	assert_int_equal(vd_window_split(x->a, &s), 0);
	assert_int_equal(vd_window_map(x->a, &r), 0);
	assert_int_equal(list(x->r1, &sg, 1, &l), 0);
	assert_int_equal(l.niov, 3);
	is_piece(&l, 0, more, 2 * PAGE);
	is_piece(&l, 1, x->p2.mem, 2 * PAGE);
	is_piece(&l, 2, more + 2 * PAGE, 2 * PAGE);
	free(more);
}

/* Addresses by themselves, some of them refused: as each asked for alone. */
static void pages_are_as_alone(void **state)
{
	struct ex *x = *state;
	void *hva[SGS];
	vd_iova bus[SGS];
	uint64_t seed = 3;
	size_t fine = 0;

	fill_for_lists(x, &seed);
	for (unsigned int times = 0; times < LISTS; times++) {
		size_t n = dice(&seed, SGS), k = 0;
		struct vd_target t;
		int err = 0, is;

		for (size_t i = 0; i < n; i++)
			bus[i].v = EX_BUS + dice(&seed, (EX_LEN + 1) * PAGE);
		memset(hva, 0, sizeof(hva));
		vd_reader_enter(x->r1);
		is = vd_translate_pages(x->r1, bus, n, VD_WRITE, hva);
		for (; k < n && !err; k++) {
			err = vd_translate(x->r1, bus[k], VD_WRITE, &t);
			assert_ptr_equal(hva[k], err ? NULL : t.hva);
		}
		vd_reader_exit(x->r1);
		assert_int_equal(is, err);
		while (k < n)
			assert_null(hva[k++]);
		fine += !err;
	}
	assert_true(fine > LISTS / 10 && fine < LISTS);
	vd_reader_enter(x->r1);
	assert_int_equal(vd_translate_pages(x->r1, bus, 1, 0, hva), -EINVAL);
	vd_reader_exit(x->r1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ex_test(merges_neighbours), ex_test(list_refuses),
		ex_test(list_over_a_loan),  cmocka_unit_test(lists_are_their_pages),
		ex_test(many_spans),	    ex_test(pages_are_as_alone),
	};

	return run_all(tests);
}
