/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The recorder shows calls only in part. They are completed by these rules, so
 * that what a line leaves out is never what it is compared by:
 *
 *  list (H_PUT_TCE_INDIRECT)
 *	The line has the last entry and its index. Linux fills a list from one
 *	stretch of memory, so an entry names the page after that of the entry
 *	before it; the list is written to guest memory, where the line says.
 *	Translations in the recording show whether that is right.
 *  stuff (H_STUFF_TCE)
 *	The recorder prints the bus address when it is done, which is the one
 *	after the last entry: the call began as many pages before. If the call
 *	failed it is the address that was refused, and the call begins there.
 *  xlate
 *	The address is counted from the window's begin, and the answer is that
 *	of the whole I/O page.
 *
 * Guest memory reaches as far as the highest page that the recording names.
 */
#include "replay.h"
#include "replay_learn.h"
#include "replay_world.h"
#include "trace.h"
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* No I/O page of this machine is longer. */
#define LONGEST_PAGE ((uint64_t)16 << 20)

struct replay {
	struct world world;
	struct learn learn[WORLD_BRIDGES];
	struct replay_counts *n;
	FILE *err;
	const char *name;
	uint64_t line;
};

static void mismatch(struct replay *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void mismatch(struct replay *r, const char *fmt, ...)
{
	va_list ap;

	r->n->mismatches++;
	fprintf(r->err, "%s:%" PRIu64 ": ", r->name, r->line);
	va_start(ap, fmt);
	vfprintf(r->err, fmt, ap);
	va_end(ap);
	fputc('\n', r->err);
}

static void compare(struct replay *r, const char *what, uint64_t ours,
		    uint64_t theirs)
{
	if (ours != theirs)
		mismatch(r, "%s is %#" PRIx64 ", recorded %#" PRIx64, what,
			 ours, theirs);
}

/* Make a call; only its status is compared. */
static void call(struct replay *r, struct vd_papr_hcall *h, int64_t recorded)
{
	vd_papr_hcall(r->world.papr, WORLD_PARTITION, h);
	if (h->status != recorded)
		mismatch(r, "status is %" PRId64 ", recorded %" PRId64,
			 h->status, recorded);
}

static void replay_put(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_hcall h = {
		.token = VD_H_PUT_TCE,
		.arg = { l->liobn, l->ioba, l->tce },
	};

	call(r, &h, l->ret);
}

static void replay_get(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_hcall h = {
		.token = VD_H_GET_TCE,
		.arg = { l->liobn, l->ioba },
	};

	call(r, &h, l->ret);
	if (h.status == VD_H_SUCCESS)
		compare(r, "entry", h.out[0], l->tce);
}

/* The page size of a window, by its LIOBN. */
static unsigned int page_shift(struct replay *r, uint64_t liobn)
{
	struct vd_window_info info = { .size = sizeof(info) };

	if (!world_reader(&r->world, liobn, &info))
		return VD_PAGE_SHIFT;
	return info.page_shift;
}

static void replay_stuff(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_hcall h = {
		.token = VD_H_STUFF_TCE,
		.arg = { l->liobn, l->ioba, l->tce, l->count },
	};

	if (l->ret == VD_H_SUCCESS)
		h.arg[1] -= l->count << page_shift(r, l->liobn);
	call(r, &h, l->ret);
}

static bool write_list(struct replay *r, const struct trace_line *l)
{
	uint64_t step = (uint64_t)1 << page_shift(r, l->liobn), be;
	uint64_t len = r->world.ram_len;

	if (l->count > VD_TCE_LIST_MAX || l->list > len ||
	    len - l->list < VD_PAGE_SIZE)
		return false;
	for (uint64_t i = 0; i < l->count; i++) {
		be = htobe64(l->tce - (l->count - 1 - i) * step);
		memcpy(r->world.ram + l->list + i * 8, &be, sizeof(be));
	}
	return true;
}

static void replay_list(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_hcall h = {
		.token = VD_H_PUT_TCE_INDIRECT,
		.arg = { l->liobn, l->ioba, l->list, l->count },
	};

	if (!write_list(r, l))
		mismatch(r, "a list of %" PRIu64 " entries at %#" PRIx64,
			 l->count, l->list);
	call(r, &h, l->ret);
}

/* False: it did not succeed, which no recording shows. */
static bool rtas(struct replay *r, struct vd_papr_rtas *a)
{
	vd_papr_rtas(r->world.papr, WORLD_PARTITION, a);
	if (a->out[0] == VD_RTAS_SUCCESS)
		return true;
	mismatch(r, "status is %" PRId32 ", recorded 0", (int32_t)a->out[0]);
	return false;
}

static struct vd_papr_rtas name_pe(const struct trace_line *l,
				   enum vd_papr_ddw call)
{
	return (struct vd_papr_rtas){
		.call = call,
		.nin = 3,
		.in = { (uint32_t)l->addr, (uint32_t)(l->buid >> 32),
			(uint32_t)l->buid },
	};
}

static void replay_query(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_rtas a = name_pe(l, VD_DDW_QUERY);

	a.nout = 5;
	if (!rtas(r, &a))
		return;
	compare(r, "windows available", a.out[1], l->windows);
	compare(r, "max window size", a.out[2], l->tces);
	compare(r, "page sizes", a.out[3], l->mask);
}

/* -1 (no shift of that value): it is no power of two. */
static uint32_t log2_of(uint64_t v)
{
	uint32_t shift = 0;

	while (shift < 63 && (uint64_t)1 << shift < v)
		shift++;
	return (uint64_t)1 << shift == v ? shift : UINT32_MAX;
}

static void replay_create(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_rtas a = name_pe(l, VD_DDW_CREATE);

	a.nin = 5;
	a.nout = 4;
	a.in[3] = log2_of(l->page_size);
	a.in[4] = log2_of(l->window_size);
	if (!rtas(r, &a))
		return;
	compare(r, "liobn", a.out[1], l->liobn);
	compare(r, "start addr", (uint64_t)a.out[2] << 32 | a.out[3], l->ioba);
}

static void replay_remove(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_rtas a = {
		.call = VD_DDW_REMOVE,
		.nin = 1,
		.nout = 1,
		.in = { (uint32_t)l->liobn },
	};

	rtas(r, &a);
}

static void replay_reset(struct replay *r, const struct trace_line *l)
{
	struct vd_papr_rtas a = name_pe(l, VD_DDW_RESET);

	a.nout = 1;
	rtas(r, &a);
}

static void replay_table(struct replay *r, const struct trace_line *l)
{
	int err = world_table(&r->world, l->liobn);

	if (err)
		mismatch(r, "no window %#" PRIx64 ": %s", l->liobn,
			 strerror(-err));
}

/* The rights that are recorded are there, and no others. */
static void replay_xlate(struct replay *r, const struct trace_line *l)
{
	struct vd_window_info w = { .size = sizeof(w) };
	struct vd_reader *reader = world_reader(&r->world, l->liobn, &w);
	struct vd_target t;
	uint64_t prot = 0;
	vd_iova bus;

	if (!reader) {
		mismatch(r, "no window %#" PRIx64, l->liobn);
		return;
	}
	bus.v = w.bus.v + l->ioba;
	for (unsigned int p = VD_READ; p <= VD_WRITE; p++) {
		if (vd_translate_once(reader, bus, p, &t) == 0)
			prot |= p;
	}
	compare(r, "perm", prot, l->prot);
	if (!prot || prot != l->prot)
		return;
	compare(r, "address", t.gpa.v - (l->ioba & l->mask), l->gpa);
	compare(r, "mask", (l->ioba & l->mask) + t.len - 1, l->mask);
}

struct replayer {
	void (*run)(struct replay *r, const struct trace_line *l);
	bool is_call;
};

static const struct replayer replayers[TRACE_KINDS] = {
	[TRACE_TABLE] = { replay_table, false },
	[TRACE_PUT] = { replay_put, true },
	[TRACE_GET] = { replay_get, true },
	[TRACE_STUFF] = { replay_stuff, true },
	[TRACE_LIST] = { replay_list, true },
	[TRACE_QUERY] = { replay_query, true },
	[TRACE_CREATE] = { replay_create, true },
	[TRACE_REMOVE] = { replay_remove, true },
	[TRACE_RESET] = { replay_reset, true },
	[TRACE_XLATE] = { replay_xlate, false },
};

static void replay_line(struct replay *r, const char *text)
{
	struct trace_line l;
	const struct replayer *how;

	if (trace_parse(text, &l)) {
		mismatch(r, "the line is not whole");
		return;
	}
	how = &replayers[l.kind];
	if (!how->run)
		return;
	r->n->calls += how->is_call;
	r->n->translations += l.kind == TRACE_XLATE;
	how->run(r, &l);
}

/* Before the replay: settings, and how far guest memory reaches. */
static uint64_t look_at(struct replay *r, const char *text)
{
	struct trace_line l;
	uint64_t end = 0, last;

	if (trace_parse(text, &l))
		return 0;
	learn_line(r->learn, &l);
	if ((l.tce & VD_TCE_PROT) != 0)
		end = (l.tce | (LONGEST_PAGE - 1)) + 1;
	last = l.list | (LONGEST_PAGE - 1);
	if (l.kind == TRACE_LIST && last + 1 > end)
		end = last + 1;
	/* What is beyond fails when the line is replayed, and is named then. */
	return end <= WORLD_MEMORY_MAX ? end : 0;
}

/*
 * Each line from the begin of @in, to replay_line(), or to look_at() if @end is
 * there. What has no newline has been cut.
 */
static int each_line(FILE *in, struct replay *r, uint64_t *end)
{
	char *text = NULL;
	size_t room = 0;
	uint64_t e;
	ssize_t n;
	int err;

	rewind(in);
	errno = 0;
	for (r->line = 1; (n = getline(&text, &room, in)) > 0; r->line++) {
		if (text[n - 1] != '\n') {
			r->n->cut = r->line;
			break;
		}
		e = end ? look_at(r, text) : 0;
		if (!end)
			replay_line(r, text);
		else if (e > *end)
			*end = e;
	}
	err = ferror(in) ? (errno ? -errno : -EIO) : 0;
	free(text);
	return err;
}

int replay_papr(FILE *in, const char *name, FILE *err,
		struct replay_counts *out)
{
	struct replay r = { .n = out, .err = err, .name = name };
	uint64_t ram_len = LONGEST_PAGE;
	int status;

	*out = (struct replay_counts){ 0 };
	status = each_line(in, &r, &ram_len);
	for (size_t i = 0; i < WORLD_BRIDGES; i++)
		r.world.pe[i] = learn_pe(&r.learn[i]);
	if (!status)
		status = world_make(&r.world, ram_len);
	if (status)
		return status;
	status = each_line(in, &r, NULL);
	world_end(&r.world);
	return status ? status : (out->calls ? 0 : -EINVAL);
}
