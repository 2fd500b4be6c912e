/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: a guest that is after the host.
 *
 *	hostile SECONDS [SEED]
 *
 * Runs in the guest, in place of the HAL module, and knows how to ask: most of its
 * requests are right, or right but for one thing, or come at the wrong moment, and
 * what the answers say is used for the next ones. A second thread, on another CPU,
 * stores into the words of the pages that a request names and, now and then, into
 * its slot's page, while the request runs; asks for something itself by a slot of
 * its own; and takes the HAL out of charge in the middle of it all.
 *
 * From time to time it asks for all that it can get: more pages than the budget
 * has, more mappings than there may be, counts that are full.
 *
 * It prints "requests N" and for each answer "answer STATUS N", as it has read
 * them; "unanswered N" are those that came while the HAL was not in charge.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>

#define DEVICE	 "/sys/bus/pci/devices/0000:00:02.0/"
#define MINE	 0u /* slot of the first thread, OTHERS of the second */
#define OTHERS	 1u
#define SLOTS	 2u
#define PAGE	 4096ull
#define PAGES	 2048u /* of our own: more than the budget of the test */
#define HOT	 16u
#define LIVE	 512u
#define NOT_YET	 0xffffffffu
#define STATUSES 16u

static volatile uint8_t *regs;
static uint64_t *word; /* the pin table */
static uint64_t nwords;
static struct vd_hal_slot *slot[SLOTS];
static uint64_t slot_gpa[SLOTS], gpa[PAGES];
static atomic_bool over;
static _Atomic uint32_t device = 0x20, incarnation;
static atomic_bool lives; /* requests have to name the incarnation */

/* What the second thread is to spoil. */
static _Atomic uint64_t hot[HOT];
static atomic_bool spoil_words, spoil_slot;
static atomic_uint charges; /* begun: what was mapped in earlier ones is gone */

struct live {
	uint64_t bus;
	uint32_t len;
};

static struct live live[LIVE];
static unsigned int nlive, life;
static uint64_t answers[STATUSES + 1], requests;

static uint64_t next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void put(unsigned int off, uint32_t v)
{
	*(volatile uint32_t *)(regs + off) = v;
}

static uint32_t get(unsigned int off)
{
	return *(volatile uint32_t *)(regs + off);
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* --- memory and device ---------------------------------------------------- */

static void find_pages(const void *p, unsigned int n, uint64_t *out)
{
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, out, n * 8, (off_t)((uintptr_t)p / PAGE * 8)) != (ssize_t)n * 8)
		die("pagemap");
	close(fd);
	for (unsigned int i = 0; i < n; i++)
		out[i] = (out[i] & ((1ull << 55) - 1)) * PAGE;
}

static void *take_pages(unsigned int n, uint64_t *where)
{
	void *p = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED || mlock(p, n * PAGE))
		die("memory");
	memset(p, 1, n * PAGE);
	find_pages(p, n, where);
	return p;
}

static void *map_bar(const char *name, size_t len)
{
	int fd = open(name, O_RDWR | O_SYNC);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (fd < 0 || p == MAP_FAILED)
		die(name);
	close(fd);
	return p;
}

static void open_device(void)
{
	int fd = open(DEVICE "enable", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("enable");
	close(fd);
	regs = map_bar(DEVICE "resource0", PAGE);
	if (get(VD_HAL_REG_MAGIC) != VD_HAL_MAGIC)
		die("magic");
	nwords = get(VD_HAL_REG_PINS_LEN);
	word = map_bar(DEVICE "resource2", (nwords * 8 + PAGE - 1) / PAGE * PAGE);
}

static void set_slot(unsigned int i, uint64_t where)
{
	put(VD_HAL_REG_SLOT, i);
	put(VD_HAL_REG_SLOT_LO, (uint32_t)where);
	put(VD_HAL_REG_SLOT_HI, (uint32_t)(where >> 32));
}

static void shake_hands(uint32_t wanted)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		set_slot(i, slot_gpa[i]);
	put(VD_HAL_REG_WANTED, wanted);
	put(VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
}

/* Which device there is, and which of its lives this is; by that slot. */
static void learn(unsigned int i)
{
	struct vd_hal_slot *p = slot[i];

	p->head = (struct vd_hal_head){ .op = VD_HAL_OP_DEVICES, .count = 8, .status = NOT_YET };
	put(VD_HAL_REG_DOORBELL, i);
	if (p->head.status == VD_HAL_S_OK && p->head.done > 0) {
		device = (uint32_t)p->seg[0].addr;
		incarnation = p->seg[0].len;
	}
}

/* Every other time without lives. */
static void come_into_charge(unsigned int i)
{
	uint32_t wanted = get(VD_HAL_REG_FEATURES);

	if (charges++ % 2)
		wanted &= ~(VD_HAL_F_LIVES | VD_HAL_F_ADMIT);
	shake_hands(wanted);
	lives = (wanted & VD_HAL_F_LIVES) != 0;
	learn(i);
}

static uint32_t life_to_name(void)
{
	return lives ? incarnation : 0;
}

static void leave_charge(void)
{
	put(VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
}

/* --- the other CPU --------------------------------------------------------- */

static uint64_t some_lie(uint64_t *s)
{
	uint64_t r = next(s);

	switch (r % 8) {
	case 0:
		return next(s);
	case 1:
		return VD_HAL_WORD_PINNED | 1;
	case 2: /* seldom, or all answers would be that it is busy */
		return VD_HAL_WORD_PINNED | (r & 0xf00 ? 0 : VD_HAL_WORD_MOST);
	case 3:
	case 4:
		return VD_HAL_WORD_PINNED;
	default:
		return 0; /* nobody holds it: let it go */
	}
}

static uint64_t *word_of(uint64_t where)
{
	return &word[where / PAGE % nwords];
}

/* A field of a request that is being read may be any other's. */
static void store_into_slot(uint64_t *s)
{
	volatile uint32_t *p = (volatile uint32_t *)slot[MINE];
	uint64_t r = next(s);

	p[r % 40] = r & 64 ? p[(r >> 8) % 40] : (uint32_t)(r >> 16);
}

static void ask_beside(uint64_t *s)
{
	struct vd_hal_slot *p = slot[OTHERS];

	p->head = (struct vd_hal_head){ .op = next(s) % 2 ? VD_HAL_OP_PIN : VD_HAL_OP_MAP,
					.device = device,
					.count = 2,
					.life = life_to_name(),
					.mask = ~0ull };
	for (unsigned int i = 0; i < 2; i++)
		p->seg[i] = (struct vd_hal_seg){ hot[next(s) % HOT], PAGE, VD_HAL_WRITE };
	put(VD_HAL_REG_DOORBELL, OTHERS);
}

static void *other_cpu(void *arg)
{
	uint64_t s = *(uint64_t *)arg;

	while (!over) {
		uint64_t r = next(&s);

		if (spoil_words && r % 4)
			__atomic_store_n(word_of(hot[r >> 8 & (HOT - 1)]), some_lie(&s),
					 __ATOMIC_RELAXED);
		if (spoil_slot)
			store_into_slot(&s);
		if (spoil_words && (r >> 32) % 20000 == 0)
			ask_beside(&s);
		if (spoil_words && (r >> 32) % 2000000 == 1) {
			leave_charge();
			come_into_charge(OTHERS);
		}
	}
	return NULL;
}

/* --- requests ---------------------------------------------------------------- */

/* The host's answer to what is in our slot. */
static uint32_t ask(void)
{
	volatile struct vd_hal_head *h = &slot[MINE]->head;
	uint32_t status;

	h->status = NOT_YET;
	put(VD_HAL_REG_DOORBELL, MINE);
	status = h->status;
	requests++;
	answers[status < STATUSES ? status : STATUSES]++;
	return status;
}

static uint64_t some_page(uint64_t *s)
{
	return gpa[next(s) % PAGES];
}

static void begin(uint32_t op, uint32_t count)
{
	bool maps = op == VD_HAL_OP_MAP || op == VD_HAL_OP_PIN;

	slot[MINE]->head =
		(struct vd_hal_head){ .op = op,
				      .device = op == VD_HAL_OP_DEVICES ? 0 : device,
				      .count = count,
				      .life = op == VD_HAL_OP_DEVICES ? 0 : life_to_name(),
				      .mask = maps ? ~0ull : 0 };
}

/* Segments in pages of ours, which the other CPU may know. */
static void fill(uint32_t op, uint32_t count, uint64_t *s)
{
	begin(op, count);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t r = next(s), at = some_page(s);
		uint32_t in = r % 4 ? 0 : (uint32_t)(r >> 8) % 4096;

		slot[MINE]->seg[i] =
			(struct vd_hal_seg){ at + in, 1 + (uint32_t)(r >> 24) % (4096 - in),
					     1 + (uint32_t)(r >> 40) % 3 };
		hot[i % HOT] = at;
	}
}

/* Right but for one thing. */
static void spoil(uint64_t *s)
{
	struct vd_hal_slot *p = slot[MINE];
	uint64_t r = next(s);
	struct vd_hal_seg *seg = &p->seg[(r >> 8) % (p->head.count % VD_HAL_NSEGS + 1)];

	switch (r % 14) {
	case 0:
		p->head.op = r & 256 ? 0 : 5 + (uint32_t)(r >> 16);
		break;
	case 1:
		p->head.device ^= 1u << (r >> 16) % 32;
		break;
	case 2:
		p->head.count = r & 256 ? 0 : VD_HAL_NSEGS + 1 + (uint32_t)(r >> 40);
		break;
	case 3: /* another life, or one where none is to be named */
		p->head.life ^= 1u << (r >> 16) % 32;
		break;
	case 4: /* below every page, or a bit too low; of an unmap, any */
		p->head.mask = (r & 256 ? 0xfff : 0x3fffff) + (r >> 32) % 2;
		break;
	case 5:
		seg->len = 0;
		break;
	case 6: /* more than the page, more than memory, around its end */
		seg->len = r & 256 ? 3 * 4096 : 0xffffffff - (uint32_t)(r >> 40) % 4096;
		break;
	case 7:
		seg->prot = r & 256 ? 0 : 4 | (uint32_t)(r >> 16);
		break;
	case 8:
		seg->addr = nwords * PAGE - (r & 256 ? 8 : 0);
		break;
	case 9:
		seg->addr = r & 256 ? ~0ull - (r >> 32) % 4096 : next(s) << 32;
		break;
	case 10:
		seg->addr += PAGE / 2; /* of an unmap: not what map said */
		break;
	case 11:
		p->seg[0] = p->seg[1];
		break;
	case 12: /* as often mapped as can be */
		__atomic_fetch_or(word_of(seg->addr), VD_HAL_WORD_MOST, __ATOMIC_RELAXED);
		break;
	default: /* its own slot, or the other's */
		seg->addr = slot_gpa[r >> 8 & 1];
		break;
	}
}

static void remember(void)
{
	const struct vd_hal_slot *p = slot[MINE];

	for (uint32_t i = 0; i < p->head.count && i < VD_HAL_NSEGS && nlive < LIVE; i++)
		live[nlive++] = (struct live){ p->seg[i].addr, p->seg[i].len };
}

static void try_map(uint64_t *s, uint32_t op)
{
	uint64_t r = next(s);

	fill(op, 1 + (uint32_t)(r >> 8) % (r & 1 ? 4 : 40), s);
	if (r & 2)
		spoil(s);
	spoil_slot = (r & 0x1c) == 0;
	if (ask() == VD_HAL_S_OK && op == VD_HAL_OP_MAP)
		remember();
	spoil_slot = false;
}

static void try_unmap(uint64_t *s)
{
	uint64_t r = next(s);
	uint32_t n = 1 + (uint32_t)r % 8;

	if (life != charges) { /* all of it is gone */
		life = charges;
		nlive = 0;
	}
	if (nlive < n)
		return;
	begin(VD_HAL_OP_UNMAP, n);
	for (uint32_t i = 0; i < n; i++) {
		struct live *l = &live[nlive - 1 - i];

		slot[MINE]->seg[i] = (struct vd_hal_seg){ l->bus, l->len, 0 };
	}
	if (r & 0x300)
		nlive -= n;
	else
		spoil(s);
	ask();
}

static void try_devices(uint64_t *s)
{
	uint64_t r = next(s);

	begin(VD_HAL_OP_DEVICES, 1 + (uint32_t)r % 8);
	if ((r & 0x300) == 0)
		spoil(s);
	ask();
	learn(MINE);
}

/* Pages that were pinned are let go, as a driver does that is done. */
static void let_go(uint64_t *s)
{
	for (unsigned int i = 0; i < 64; i++) {
		uint64_t *w = word_of(some_page(s)), v = __atomic_load_n(w, __ATOMIC_RELAXED);

		if (v & VD_HAL_WORD_COUNT)
			__atomic_compare_exchange_n(w, &v, v - 1, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_RELAXED);
	}
}

static uint64_t wild(uint64_t *s)
{
	uint64_t r = next(s);

	switch (r % 5) {
	case 0:
		return next(s);
	case 1:
		return next(s) % (600u << 20); /* about the guest's memory */
	case 2:
		return slot_gpa[r >> 8 & 1] + (r >> 16) % 8192;
	case 3:
		return ~0ull - next(s) % 8192;
	default:
		return next(s) % 16;
	}
}

static void poke(uint64_t *s)
{
	uint64_t r = next(s);
	unsigned int off = (r >> 8) % 4096;

	switch (r % 6) {
	case 0:
		regs[off] = (uint8_t)r;
		break;
	case 1:
		*(volatile uint16_t *)(regs + (off & ~1u)) = (uint16_t)r;
		break;
	case 2:
		*(volatile uint64_t *)(regs + (off & ~7u)) = r;
		break;
	case 3: /* but for STATUS, which has its own moment */
		if ((off & 0x7c) != VD_HAL_REG_STATUS)
			put(off & 0x7c, (uint32_t)wild(s));
		break;
	case 4:
		put(VD_HAL_REG_DOORBELL, SLOTS + (uint32_t)wild(s) % 4096);
		break;
	default:
		(void)get(off & ~3u);
		break;
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		set_slot(i, slot_gpa[i]);
}

/* A right request when it is not in charge, has no slot, has not accepted. */
static void wrong_moment(uint64_t *s)
{
	uint64_t r = next(s);

	fill(VD_HAL_OP_PIN, 4, s);
	if (r % 3 == 0) {
		leave_charge();
		ask();
		shake_hands(get(VD_HAL_REG_FEATURES) & ~VD_HAL_F_PINS);
		ask(); /* it has not accepted */
		leave_charge();
	} else if (r % 3 == 1) {
		set_slot(MINE, wild(s));
		ask();
	} else {
		leave_charge();
		shake_hands(~0u);
		ask();
	}
	come_into_charge(MINE);
}

/* What no luck makes one run on the bus; and until it is refused: pins of ever
 * more pages, mappings of few. */
static void be_greedy(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		begin(i % 2 ? VD_HAL_OP_PIN : VD_HAL_OP_MAP, 1);
		slot[MINE]->seg[0] = (struct vd_hal_seg){ gpa[i * 64], 16 * PAGE, VD_HAL_READ };
		ask();
	}
	for (unsigned int i = 0; i + 16 <= PAGES; i += 16) {
		begin(VD_HAL_OP_PIN, 16);
		for (unsigned int k = 0; k < 16; k++)
			slot[MINE]->seg[k] = (struct vd_hal_seg){ gpa[i + k], PAGE, VD_HAL_WRITE };
		ask();
	}
	leave_charge();
	come_into_charge(MINE);
	for (unsigned int i = 0; i < 64; i++) {
		begin(VD_HAL_OP_MAP, VD_HAL_NSEGS);
		for (unsigned int k = 0; k < VD_HAL_NSEGS; k++)
			slot[MINE]->seg[k] = (struct vd_hal_seg){ gpa[k % 4] + k, 8, VD_HAL_READ };
		if (ask() != VD_HAL_S_OK)
			break;
	}
	leave_charge();
	come_into_charge(MINE);
}

static void act(uint64_t *s)
{
	uint64_t r = next(s) % 64;

	if (r < 24)
		try_map(s, VD_HAL_OP_PIN);
	else if (r < 36)
		try_map(s, VD_HAL_OP_MAP);
	else if (r < 48)
		try_unmap(s);
	else if (r < 52)
		try_devices(s);
	else if (r < 60)
		let_go(s);
	else if (r < 63)
		poke(s);
	else if (next(s) % 8 == 0)
		wrong_moment(s);
	if (slot[MINE]->head.status == VD_HAL_S_DENIED && next(s) % 4 == 0)
		learn(MINE); /* it may be permitted again, and live anew */
}

static void report(void)
{
	printf("requests %llu\n", (unsigned long long)requests);
	for (unsigned int i = 0; i < STATUSES; i++) {
		if (answers[i])
			printf("answer %u %llu\n", i, (unsigned long long)answers[i]);
	}
	printf("unanswered %llu\n", (unsigned long long)answers[STATUSES]);
}

int main(int argc, char **argv)
{
	uint64_t s = 88172645463325252ull, other;
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	pthread_t thread;

	if (argc > 2)
		s ^= strtoull(argv[2], NULL, 10) << 20;
	other = s * 3 + 1;
	for (unsigned int i = 0; i < SLOTS; i++)
		slot[i] = take_pages(1, &slot_gpa[i]);
	take_pages(PAGES, gpa);
	open_device();
	come_into_charge(MINE);
	be_greedy();
	pthread_create(&thread, NULL, other_cpu, &other);
	spoil_words = true;
	while (time(NULL) < end)
		act(&s);
	over = true;
	pthread_join(thread, NULL);
	be_greedy();
	leave_charge();
	report();
	return 0;
}
