/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile client of the window commands: any bytes are lines. Whatever they
 * did, the windows of the table do not overlap and cover it wholly, and a loan
 * lies within its lender.
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

static int drain(void *opaque, const struct vd_drain *what)
{
	int *calls = opaque;

	(void)what;
	return ++*calls % 7 == 0 ? -1 : 0; /* now and then not at rest */
}

static void tried(void *opaque, const struct vd_policy_record *r)
{
	vd_policy_record(opaque, r);
}

static size_t records(void *opaque, struct vd_policy_record *out, size_t max)
{
	return vd_policy_records(opaque, out, max);
}

static void add_owner(struct vd_adapter *a, uint32_t id, uint32_t provider)
{
	static unsigned char memory[LEN * 4096] __attribute__((aligned(4096)));
	struct vd_span span = { .hva = memory, .len = sizeof(memory) };
	struct vd_owner_cfg cfg = {
		.size = sizeof(cfg), .id = id, .provider = provider, .memory = &span, .nmemory = 1
	};

	must(vd_owner_add(a, &cfg) == 0);
}

static void make_window(struct vd_adapter *a)
{
	struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = LEN };
	struct vd_window_cfg w = {
		.size = sizeof(w), .id = 10, .owner = 1, .bus = { BUS }, .len = LEN
	};
	struct vd_window_range r = { .owner = 1,
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
	struct vd_window_info lender;

	must(vd_window_query(a, w->lender, &lender) == 0);
	must(w->first >= lender.first && w->first + w->len <= lender.first + lender.len);
	must(w->bus.v - lender.bus.v == (w->first - lender.first) * PAGE);
}

/* X2: what is no loan covers each entry once. */
static void check(struct vd_adapter *a)
{
	uint8_t covered[LEN] = { 0 };
	struct vd_window_info w;

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

static void answer(struct control_windows *w, const char *line, size_t len)
{
	struct control_table t = control_windows_table(w);
	char *text = control_answer(&t, line, len);

	must(text && strchr(text, '\n') == text + strlen(text) - 1);
	free(text);
	check(w->adapter);
}

static void serve(struct control_windows *w, const char *line, size_t len)
{
	const char *end;
	size_t n;

	for (; len; line += n, len -= n) {
		end = memchr(line, '\n', len);
		n = end ? (size_t)(end - line) + 1 : len;
		answer(w, line, n - (end != NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct vd_adapter_ops ops = { .drain = drain };
	static const struct control_windows_ops wops = { tried, records };
	int calls = 0;
	struct vd_adapter_cfg a = {
		.size = sizeof(a), .nregs = NREGS, .ops = &ops, .opaque = &calls
	};
	struct vd_policy_cfg p = { .size = sizeof(p), .samples = 1, .high = 1, .min_len = 1 };
	struct control_windows w = { .ops = &wops, .first_id = 11 };
	struct vd_policy *policy;

	must(vd_adapter_create(&a, &w.adapter) == 0);
	must(vd_policy_create(&p, &policy) == 0);
	w.opaque = policy;
	for (uint32_t id = 1; id <= 3; id++)
		add_owner(w.adapter, id, id == 3 ? 2 : VD_NO_OWNER);
	make_window(w.adapter);
	must(vd_adapter_attach(w.adapter, 1, 1) == 0);
	serve(&w, (const char *)data, len);
	calls = 0;
	vd_adapter_destroy(w.adapter);
	vd_policy_destroy(policy);
	return 0;
}
