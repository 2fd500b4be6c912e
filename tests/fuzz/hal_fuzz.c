/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hostile guest: any bytes are a sequence of actions on the HAL device and on
 * the guest's memory, with an operator and a failing host now and then. Other
 * CPUs of the guest store into its words and its slots' pages while a call runs:
 * each at a moment that the input says, counted in the steps of the host's back
 * end, of the budget's share and of a device that comes to rest. After each
 * action the engine's books must balance. Crashes, hangs and leaks are the
 * sanitizers' to find.
 *
 * An action is one byte, its low four bits (see actions[], or, where the high
 * ones are all set, others[]), and what operands it takes from the input;
 * operands that are missing are 0.
 */
#include "fuzz.h"

#include <adversary.h>
#include <container.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/abi/hal.h>
#include <viaduct/viaduct.h>

#define PAGE	 VD_PAGE_SIZE
#define PAGES	 32u
#define GPA	 0x10000u
#define WORDS	 (GPA / PAGE + PAGES - 2) /* the last two have none */
#define MAPPINGS 300u			  /* of a device: more than a request holds */
#define DEVICES	 2u
#define SLOTS	 2u
#define ACTIONS	 200u /* of an input */
#define STORES	 8u   /* that wait for their moment */
#define LENDS	 ((uint64_t)24 * PAGE)

/* What another CPU stores, @in steps from now. */
struct store {
	unsigned int in; /* 0: nothing */
	uint32_t what;
	uint64_t value;
};

struct world {
	const uint8_t *in;
	size_t left;
	unsigned char *mem;
	uint64_t word[WORDS];
	struct vd_host *host;
	struct adversary adv;
	struct store store[STORES];
	unsigned int nstores;
	uint8_t at_rest; /* what is done while a device comes to rest */
	uint64_t most;	 /* that may be pinned */
	uint64_t cached;
	struct vd_domain *d;
	struct vd_hal *hal;
	bool shown;
	bool lives; /* the guest names them */
	int quiesce_says;
};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static uint64_t take(struct world *w, size_t n)
{
	uint64_t v = 0;

	n = n < w->left ? n : w->left;
	memcpy(&v, w->in, n);
	w->in += n;
	w->left -= n;
	return v;
}

static void do_store(struct world *w, const struct store *s)
{
	if (s->what % 4 == 0)
		memcpy(w->mem + s->what / 4 % (SLOTS * PAGE / 8) * 8, &s->value, 8);
	else if (s->what % 4 == 1) /* all that are not the slots' */
		for (size_t i = GPA / PAGE + SLOTS; i < WORDS; i++)
			w->word[i] = s->value;
	else
		w->word[GPA / PAGE + s->what / 4 % (WORDS - GPA / PAGE)] = s->value;
}

static void step(void *opaque, enum adversary_step at)
{
	struct world *w = opaque;

	(void)at;
	for (size_t i = 0; i < STORES; i++) {
		if (w->store[i].in && --w->store[i].in == 0)
			do_store(w, &w->store[i]);
	}
}

static void at_rest(struct world *w);

static int quiesce(void *opaque)
{
	struct world *w = opaque;

	step(w, AT_PIN);
	at_rest(w);
	step(w, AT_PINNED);
	return w->quiesce_says;
}

static void in_charge(void *opaque, bool yes)
{
	struct world *w = opaque;

	must(w->shown != yes);
	w->shown = yes;
	step(w, AT_PIN);
}

static void interrupt(void *opaque)
{
	struct world *w = opaque;

	must(w->shown);
}

/* Only what may be shown: the life that a permitted device has at this moment. */
static void admit(void *opaque, uint32_t guest_id, uint32_t life)
{
	struct world *w = opaque;
	struct vd_device_info info = { .size = sizeof(info) };
	struct vd_hal_stats hal = { .size = sizeof(hal) };

	vd_hal_stats(w->hal, &hal);
	must(w->shown && hal.admits);
	must(vd_device_info(w->d, guest_id, &info) == 0);
	must(info.state == VD_DEVICE_PERMITTED && info.incarnation == life);
	step(w, AT_PIN);
}

static void put(struct world *w, uint64_t reg, uint32_t value)
{
	vd_hal_write(w->hal, reg, 4, value);
}

static void any_write(struct world *w)
{
	uint64_t off = take(w, 2);
	unsigned int width = (unsigned int)take(w, 1);

	vd_hal_write(w->hal, off, width, take(w, 8));
}

static void any_read(struct world *w)
{
	uint64_t off = take(w, 2);

	vd_hal_read(w->hal, off, (unsigned int)take(w, 1));
}

static void write_register(struct world *w)
{
	uint64_t reg = take(w, 1) % 0x12 * 4;

	put(w, reg, (uint32_t)take(w, 4));
}

static void hello(struct world *w)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		put(w, VD_HAL_REG_SLOT, i);
		put(w, VD_HAL_REG_SLOT_LO, GPA + i * (uint32_t)PAGE);
		put(w, VD_HAL_REG_SLOT_HI, 0);
	}
	uint8_t wants = (uint8_t)take(w, 1);

	w->lives = wants & 0x80;
	if (wants % 4)
		put(w, VD_HAL_REG_WANTED,
		    VD_HAL_F_PINS | (w->lives ? VD_HAL_F_LIVES : 0) |
			    (wants & 0x40 ? VD_HAL_F_ADMIT : 0));
	put(w, VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
}

static int give(void *opaque, void *hva, uint64_t len)
{
	struct world *w = opaque;
	size_t first = (size_t)((unsigned char *)hva - w->mem) / PAGE;

	for (size_t i = first; i < first + len / PAGE; i++)
		must(vd_fake_pins(w->host, i) == 0);
	return 0;
}

static void discard(struct world *w)
{
	struct vd_discard how = { .size = sizeof(how), .give = give, .opaque = w };
	uint64_t page = take(w, 1) % PAGES, n = 1 + take(w, 1) % (PAGES - page);

	must(vd_domain_discard(w->d, (vd_gpa){ GPA + page * PAGE }, n * PAGE, &how) == 0);
	must(how.given + how.pinned == n * PAGE);
}

/* The guest writes what it likes; the host lets go what it can. */
static void words(struct world *w)
{
	uint64_t what = take(w, 1), *word = &w->word[take(w, 1) % WORDS];

	if (what % 8 < 3)
		*word = take(w, 8);
	else if (what % 8 == 3)
		*word -= 1;
	else if (what % 8 == 4)
		vd_domain_age(w->d, what);
	else if (what % 8 == 5)
		vd_domain_reclaim(w->d, take(w, 2) * 256);
	else if (what % 8 == 6)
		discard(w);
	else
		vd_domain_set_around(w->d, (unsigned int)what >> 3);
}

static void scribble(struct world *w)
{
	size_t at = take(w, 2) % (SLOTS * PAGE - 256);
	size_t n = take(w, 1);

	for (size_t i = 0; i < n; i++)
		w->mem[at + i] = (unsigned char)take(w, 1);
}

static void ring(struct world *w)
{
	put(w, VD_HAL_REG_DOORBELL, (uint32_t)take(w, 1) % (SLOTS + 1));
}

/* A request that is nearly right, so that the engine is reached. */
static void request(struct world *w)
{
	struct vd_hal_slot *p = (struct vd_hal_slot *)(void *)w->mem;
	uint32_t count = (uint32_t)take(w, 1);
	uint32_t op = (uint32_t)take(w, 1);

	p->head.op = op < 0xe0 ? op % 5 : VD_HAL_OP_ADMIT;
	p->head.device = (uint32_t)take(w, 1) % (DEVICES + 1);
	p->head.count = count;
	p->head.life = w->lives && p->head.op != VD_HAL_OP_DEVICES ? 1 + op / 5 % 8 : 0;
	bool maps = p->head.op == VD_HAL_OP_MAP || p->head.op == VD_HAL_OP_PIN;

	p->head.mask = maps ? UINT64_MAX >> take(w, 1) % 64 : 0;
	for (uint32_t i = 0; i < count && i < VD_HAL_NSEGS; i++) {
		uint64_t base = maps ? GPA : VD_FAKE_BASE;
		uint64_t v = take(w, 4);

		p->seg[i].addr = base + v % (PAGES * PAGE);
		p->seg[i].len = (uint32_t)(v >> 17) % 9000 + 1;
		p->seg[i].prot = maps ? 1 + (uint32_t)(v >> 30) % 3 : 0;
		if (op >= 0xe8) /* and some that are right */
			p->seg[i] = (struct vd_hal_seg){ 0 };
	}
	put(w, VD_HAL_REG_DOORBELL, 0);
}

/* Unmap what the last MAP's answer says. */
static void unmap_answer(struct world *w)
{
	struct vd_hal_slot *p = (struct vd_hal_slot *)(void *)w->mem;

	p->head.op = VD_HAL_OP_UNMAP;
	p->head.mask = 0;
	for (uint32_t i = 0; i < p->head.count && i < VD_HAL_NSEGS; i++)
		p->seg[i].prot = 0;
	put(w, VD_HAL_REG_DOORBELL, 0);
}

static void fail_host(struct world *w)
{
	static const int errs[] = { -ENOMEM, -EFAULT, -ENOSPC, -EIO };

	vd_fake_fail(w->host, (unsigned int)take(w, 1) % 4, errs[take(w, 1) % 4]);
}

static void move_page(struct world *w)
{
	size_t page = take(w, 1) % PAGES;

	if (vd_fake_pins(w->host, page) == 0)
		vd_fake_place(w->host, page, (vd_hpa){ VD_FAKE_BASE + take(w, 1) % PAGES * PAGE });
}

static void operate(struct world *w)
{
	uint32_t dev = 1 + (uint32_t)take(w, 1) % DEVICES;
	uint64_t what = take(w, 1);

	w->quiesce_says = what & 0x80 ? -EIO : 0;
	if (what % 4 == 0)
		vd_device_deny(w->d, dev);
	else if (what % 4 == 1)
		vd_device_permit(w->d, dev);
	else if (what % 4 == 2)
		vd_device_revoke(w->d, dev);
	else
		vd_hal_notify(w->hal, VD_HAL_EV_BUS);
}

static void set_budget(struct world *w)
{
	vd_domain_set_budget(w->d, take(w, 1) * 1024);
}

/* The next stores of another CPU, some of them what a word may well say. */
static void arm(struct world *w)
{
	static const uint64_t lies[] = { 0,
					 UINT64_MAX,
					 VD_HAL_WORD_COUNT,
					 VD_HAL_WORD_MOST,
					 VD_HAL_WORD_PINNED,
					 VD_HAL_WORD_PINNED | VD_HAL_WORD_USED,
					 VD_HAL_WORD_PINNED | 1 };
	unsigned int how = (unsigned int)take(w, 1);
	struct store *s = &w->store[w->nstores++ % STORES];

	s->in = 1 + how % 16;
	s->what = (uint32_t)take(w, 2);
	s->value = how & 0x80 ? take(w, 8) : lies[how / 16 % ARRAY_LEN(lies)];
}

/* Many segments of some pages each, and most things right: of few bytes. */
static void wide_request(struct world *w)
{
	struct vd_hal_slot *p = (struct vd_hal_slot *)(void *)w->mem;
	uint32_t how = (uint32_t)take(w, 1), x = (uint32_t)take(w, 2);

	memset(&p->head, 0, sizeof(p->head));
	p->head.op = how % 4 ? VD_HAL_OP_PIN : VD_HAL_OP_MAP;
	p->head.device = 1 + how / 4 % DEVICES;
	p->head.count = 1 + x % 40;
	p->head.mask = UINT64_MAX;
	for (uint32_t i = 0; i < p->head.count; i++) {
		uint64_t page;

		x = x * 1103515245u + 12345u;
		page = SLOTS + (x >> 16) % (PAGES - SLOTS - 2);
		p->seg[i].addr = GPA + page * PAGE + (x >> 8) % 64;
		p->seg[i].len = 1 + (x >> 4) % (uint32_t)(how & 0x40 ? 3 * PAGE : PAGE - 64);
		p->seg[i].prot = VD_HAL_WRITE;
	}
	put(w, VD_HAL_REG_DOORBELL, how >> 7); /* or the other slot, as it is */
}

static void lend(struct world *w)
{
	w->adv.lends = take(w, 1) % 33 * PAGE;
}

/* What others do while a device comes to rest: no lock is held then. */
static void set_at_rest(struct world *w)
{
	w->at_rest = (uint8_t)take(w, 1);
}

static void at_rest(struct world *w)
{
	uint8_t what = w->at_rest;

	w->at_rest = 0; /* once */
	if (what & 1)
		wide_request(w);
	if (what & 2)
		words(w);
	if (what & 4)
		vd_domain_age(w->d, 1);
	if (what & 8)
		vd_domain_drop_pins(w->d);
	if (what & 16)
		vd_device_permit(w->d, 1 + what % 2);
	if (what & 32)
		set_budget(w);
}

static void off(struct world *w);

static void hello_and_off(struct world *w)
{
	off(w);
	hello(w);
}

static void reset(struct world *w)
{
	w->quiesce_says = take(w, 1) & 1 ? -EIO : 0;
	vd_hal_reset(w->hal);
}

static void off(struct world *w)
{
	put(w, VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
}

static void look_up(struct world *w)
{
	vd_iova iova = { VD_FAKE_BASE + take(w, 3) % (PAGES * PAGE) };
	uint32_t dev = 1 + (uint32_t)take(w, 1) % DEVICES;
	struct vd_fault fault = { .size = sizeof(fault) };
	vd_gpa gpa;
	vd_iova back;

	/* X3 */
	if (vd_device_translate(w->d, dev, iova, VD_READ, &gpa) == 0)
		must(vd_device_reverse(w->d, dev, gpa, &back) == 0);
	vd_domain_next_fault(w->d, &fault);
}

static void (*const actions[16])(struct world *) = {
	request, request, unmap_answer, hello,	   any_write, any_read,	  write_register, scribble,
	ring,	 words,	  fail_host,	move_page, operate,   set_budget, reset,	  look_up,
};

static void (*const others[16])(struct world *) = {
	arm,	       arm,	     arm,	   arm,		 lend,	       set_at_rest,
	hello_and_off, wide_request, wide_request, wide_request, wide_request, words,
	arm,	       arm,	     wide_request, wide_request,
};

static void act(struct world *w)
{
	uint8_t what = (uint8_t)take(w, 1);

	(what >= 0xf0 ? others : actions)[what % 16](w);
}

static bool is_any_stuck(struct world *w)
{
	struct vd_device_info i = { .size = sizeof(i) };

	for (uint64_t next = 0; vd_device_next(w->d, next, &i) == 0;
	     next = (uint64_t)i.guest_id + 1) {
		if (i.state == VD_DEVICE_STUCK)
			return true;
	}
	return false;
}

/* Each pin of a page has a record: of the table, or of a mapping. */
static void check_records(struct world *w)
{
	uint64_t cached = 0;

	for (size_t i = 0; i < PAGES; i++) {
		struct vd_why why = { .size = sizeof(why), .cached = false };
		int err = vd_domain_why_pinned(w->d, (vd_gpa){ GPA + i * PAGE }, &why);
		uint64_t pins = vd_fake_pins(w->host, i);

		must((err == 0) == (pins > 0));
		must(pins == why.mappings + why.cached || is_any_stuck(w));
		cached += why.cached;
	}
	must(cached * PAGE == w->cached);
}

/* A budget that is lowered ends no mapping; none is made above it. */
static void check_budget(struct world *w, const struct vd_domain_stats *st)
{
	if (w->most > st->pinned)
		w->most = st->pinned;
	if (w->most < st->budget)
		w->most = st->budget;
	must(st->pinned <= w->most);
	must(st->lent == w->adv.lent);
}

static void check(struct world *w)
{
	struct vd_domain_stats st = { .size = sizeof(st) };
	struct vd_hal_stats hal = { .size = sizeof(hal) };
	struct vd_pins_stats pins = { .size = sizeof(pins) };

	vd_domain_stats(w->d, &st);
	vd_hal_stats(w->hal, &hal);
	vd_domain_pins_stats(w->d, &pins);
	must(pins.cached <= st.pinned && pins.held <= pins.cached);
	must(st.pinned == vd_fake_pinned(w->host) * PAGE);
	w->cached = st.cached;
	check_records(w);
	check_budget(w, &st);
	must(st.nmappings <= DEVICES * MAPPINGS);
	must(st.maps - st.unmaps == st.nmappings);
	must(hal.in_charge == w->shown);
	/* Not in charge: nothing is mapped, but by a device that is stuck. */
	if (!hal.in_charge)
		must((st.nmappings == 0 && st.cached == 0) || is_any_stuck(w));
}

static void make(struct world *w)
{
	static const struct vd_device_ops dev_ops = { sizeof(dev_ops), quiesce };
	static const struct vd_hal_ops hal_ops = { sizeof(hal_ops), in_charge, interrupt, admit };
	const struct vd_domain_cfg domain = { .size = sizeof(domain),
					      .granule_shift = 12,
					      .max_devices = DEVICES,
					      .max_mappings = MAPPINGS };
	struct vd_hal_cfg hal = { .size = sizeof(hal),
				  .ops = &hal_ops,
				  .opaque = w,
				  .granule_shift = 12,
				  .nslots = SLOTS,
				  .npins = WORDS };

	w->mem = aligned_alloc(PAGE, PAGES * PAGE);
	must(w->mem != NULL);
	memset(w->mem, 0, PAGES * PAGE);
	must(vd_host_fake_create(w->mem, PAGES, &w->host) == 0);
	adversary_make(&w->adv, w->host, step, w);
	w->adv.lends = LENDS;
	w->most = UINT64_MAX;
	must(vd_domain_create(&w->adv.host, &domain, &w->d) == 0);
	must(vd_domain_add_memory(w->d, (vd_gpa){ GPA }, w->mem, PAGES * PAGE) == 0);
	must(vd_domain_share_pins(w->d, w->word, WORDS) == 0);
	if (w->left % 2)
		must(vd_domain_share_budget(w->d, &adversary_share, &w->adv) == 0);
	for (uint32_t i = 1; i <= DEVICES; i++) {
		const struct vd_device_cfg dev = { sizeof(dev), i, i, &dev_ops, w };

		must(vd_device_attach(w->d, &dev) == 0);
	}
	hal.domain = w->d;
	must(vd_hal_create(&hal, &w->hal) == 0);
}

static void unmake(struct world *w)
{
	w->quiesce_says = 0;
	memset(w->store, 0, sizeof(w->store));
	w->at_rest = 0;
	off(w);
	must(vd_fake_pinned(w->host) == 0);
	vd_hal_destroy(w->hal);
	vd_domain_destroy(w->d);
	must(w->adv.lent == 0);
	vd_host_destroy(w->host);
	free(w->mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct world w = { .in = data, .left = len };

	make(&w);
	for (unsigned int i = 0; w.left && i < ACTIONS; i++) {
		act(&w);
		check(&w);
	}
	unmake(&w);
	return 0;
}
