/* SPDX-License-Identifier: BSD-2-Clause */
#include "stream.h"
#include "contest.h"

#define OPS	   ((size_t)1 << 18)
#define SLOW_OPS   ((size_t)1 << 12) /* for trees of ranges */
#define LOAD_WORDS 2048u	     /* 16 KiB */

volatile uint64_t stream_sink;

static vd_iova bus_of(const struct field *f, uint64_t page)
{
	(void)f; /* all have pages of 4 KiB */
	return (vd_iova){ WORLD_BUS + page * PAGE };
}

static double per_op(double from, size_t n, int err, uint64_t sum)
{
	double ns = bench_now_ns() - from;

	bench_must(!err, "a look-up failed");
	stream_sink = sum;
	return ns / (double)n;
}

double stream_engine(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	struct vd_target t;
	uint64_t sum = 0;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i += WORLD_BURST) {
		vd_reader_enter(f->r);
		for (size_t k = i; k < i + WORLD_BURST; k++) {
			err |= vd_translate(f->r, bus_of(f, page[k]), VD_READ,
					    &t);
			sum += (uintptr_t)t.hva;
		}
		vd_reader_exit(f->r);
	}
	return per_op(a, OPS, err, sum);
}

double stream_engine_long(void *opaque)
{
	double ns = 0;

	for (int i = 0; i < 4; i++)
		ns += stream_engine(opaque) / 4;
	return ns;
}

double stream_engine_dependent(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	uint64_t zero = f->zero, sum = 0;
	struct vd_target t;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i += WORLD_BURST) {
		vd_reader_enter(f->r);
		for (size_t k = i; k < i + WORLD_BURST; k++) {
			err |= vd_translate(f->r,
					    bus_of(f, page[k] + (sum & zero)),
					    VD_READ, &t);
			sum = (uintptr_t)t.hva;
		}
		vd_reader_exit(f->r);
	}
	return per_op(a, OPS, err, sum);
}

double stream_pages(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	void *hva[WORLD_BURST];
	vd_iova bus[WORLD_BURST];
	uint64_t sum = 0;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i += WORLD_BURST) {
		for (size_t k = 0; k < WORLD_BURST; k++)
			bus[k] = bus_of(f, page[i + k]);
		vd_reader_enter(f->r);
		err |= vd_translate_pages(f->r, bus, WORLD_BURST, VD_READ, hva);
		for (size_t k = 0; k < WORLD_BURST; k++)
			sum += (uintptr_t)hva[k];
		vd_reader_exit(f->r);
	}
	return per_op(a, OPS, err, sum);
}

double stream_once(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	struct vd_target t;
	uint64_t sum = 0;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i++) {
		err |= vd_translate_once(f->r, bus_of(f, page[i]), VD_READ, &t);
		sum += (uintptr_t)t.hva;
	}
	return per_op(a, OPS, err, sum);
}

double stream_once_dependent(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	uint64_t zero = f->zero, sum = 0;
	struct vd_target t;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i++) {
		err |= vd_translate_once(
			f->r, bus_of(f, page[i] + (sum & zero)), VD_READ, &t);
		sum = (uintptr_t)t.hva;
	}
	return per_op(a, OPS, err, sum);
}

double stream_repeat(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	const uint64_t bus = bus_of(f, f->n / 2).v;
	struct vd_target t;
	uint64_t sum = 0;
	int err = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i += WORLD_BURST) {
		vd_reader_enter(f->r);
		for (size_t k = i; k < i + WORLD_BURST; k++) {
			err |= vd_translate(f->r,
					    (vd_iova){ bus + page[k] % PAGE },
					    VD_READ, &t);
			sum += (uintptr_t)t.hva;
		}
		vd_reader_exit(f->r);
	}
	return per_op(a, OPS, err, sum);
}

double stream_radix(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	uint64_t sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i++)
		sum += radix_get(f->x, page[i]);
	return per_op(a, OPS, 0, sum);
}

double stream_radix_dependent(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, OPS);
	uint64_t zero = f->zero, sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < OPS; i++)
		sum = radix_get(f->x, page[i] + (sum & zero));
	return per_op(a, OPS, 0, sum);
}

double stream_ranges(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, SLOW_OPS);
	uint64_t sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < SLOW_OPS; i++)
		sum += ranges_get(f->g, (uint64_t)page[i] * PAGE, VD_READ);
	return per_op(a, SLOW_OPS, 0, sum);
}

double stream_ranges_dependent(void *opaque)
{
	struct field *f = opaque;
	const uint32_t *page = field_next(f, SLOW_OPS);
	uint64_t zero = f->zero, sum = 0;
	double a = bench_now_ns();

	for (size_t i = 0; i < SLOW_OPS; i++)
		sum = ranges_get(f->g, (page[i] + (sum & zero)) * PAGE,
				 VD_READ);
	return per_op(a, SLOW_OPS, 0, sum);
}

double stream_load(void *unused)
{
	static uint64_t next[LOAD_WORDS];
	volatile uint64_t *const at = next;
	uint64_t i = 0;
	double a;

	(void)unused;
	for (uint64_t k = 0; k < LOAD_WORDS; k++) /* one cycle through all */
		next[k] = (k * 1229 + 617) % LOAD_WORDS;
	a = bench_now_ns();
	for (size_t k = 0; k < OPS; k++)
		i = at[i];
	return per_op(a, OPS, 0, i);
}

double stream_fence(void *unused)
{
	static uint64_t word;
	double a = bench_now_ns();

	(void)unused;
	for (size_t k = 0; k < OPS; k++) {
		__atomic_store_n(&word, k, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return per_op(a, OPS, 0, word);
}
