/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin table under load: CPUs of a guest that map and unmap by their words,
 * with devices that map strictly beside them, while others age, reclaim,
 * discard, change the budget, and take the devices away under it all.
 *
 * The rival is naive: it counts for itself who maps what, and its pages move
 * whenever they are not pinned, so a bus address from before is a wrong one.
 * After every step of every thread:
 *   X1	 what the thread has mapped is pinned and is where it was told
 *	 what is discarded is pinned by nobody and mapped by nobody
 *	 no more is pinned than the budget
 * With one thread all books are compared after every step as well.
 *
 * A request names up to LIST pages, some of them twice; the host refuses one now
 * and then for want of room.
 *
 * Usage: pins THREADS STEPS SEED [lies|weak|control]
 *
 * With "weak" words are also cleared whatever their count, as an eviction
 * would that forgot to compare: that has to be noticed.
 *
 * With "lies" one more thread scribbles over the words all the time. Then the
 * guest has no promise; what is asserted is the host's own: no page is pinned
 * twice by the table, nothing of it stays at the end, it comes to an end. It
 * scribbles inside our calls of the host as well: in the middle of a request, of
 * an eviction, of a drop.
 *
 * "control" is that with requests that protect their pages by the words alone
 * (no_busy.c): that has to be noticed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>
#include <viaduct/viaduct.h>

#define HAL_WORD	    uint64_t
#define HAL_WORD_READ(word) __atomic_load_n(word, __ATOMIC_RELAXED)
#define HAL_WORD_SWAP(word, old, new) \
	__atomic_compare_exchange_n(word, old, new, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#include <pinword.h>

#define PAGE	VD_PAGE_SIZE
#define PAGES	1536u /* three blocks */
#define FIRST	32u   /* guest pages below it do not exist */
#define BASE	((char *)0x40000000)
#define LIVE	48u
#define BUDGET	((uint64_t)700)
#define THREADS 8u
#define LIST	12u

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "pins: %s\n", what);
	abort();
}

/* --- a host whose pages move --------------------------------------------- */

struct page {
	_Atomic uint64_t pins, where; /* where: bus page */
	_Atomic uint64_t mapped;      /* by the rival's books */
};

struct world {
	struct vd_host host; /* first */
	struct page page[PAGES];
	_Atomic uint64_t moves;
	uint64_t word[FIRST + PAGES];
	struct vd_domain *d;
	pthread_rwlock_t charge; /* read: the guest runs; write: it is off */
	uint64_t life;		 /* incarnation, under charge */
	_Atomic bool stop;
	bool lies, weak;
	unsigned int seed; /* of what happens inside, under the domain's lock */
	unsigned int nthreads;
	unsigned long steps;
};

static size_t index_of(const struct vd_pin *pin)
{
	return (size_t)((char *)pin->hva - BASE) / PAGE;
}

static uint64_t some_lie(unsigned int *seed)
{
	uint64_t v = (uint64_t)rand_r(seed) << 34 ^ (uint64_t)rand_r(seed);

	switch (rand_r(seed) % 4) {
	case 0:
		return v;
	case 1:
		return v & 0x3fffff;
	default: /* let it go */
		return rand_r(seed) % 2 ? VD_HAL_WORD_PINNED : 0;
	}
}

/* Another CPU stores: into some words, or into all that are popular. */
static void happens_inside(struct world *w)
{
	bool all = rand_r(&w->seed) % 4 == 0;

	for (uint32_t i = 0; w->lies && i < (all ? 40 : 8); i++) {
		uint32_t page = all ? i : (uint32_t)rand_r(&w->seed) % PAGES;

		__atomic_store_n(&w->word[FIRST + page], some_lie(&w->seed), __ATOMIC_RELAXED);
	}
}

static int host_pin(struct vd_host *h, struct vd_pin *pin, size_t npins)
{
	struct world *w = (struct world *)h;

	happens_inside(w);
	if (rand_r(&w->seed) % 64 == 0)
		return rand_r(&w->seed) % 2 ? -ENOSPC : -ENOMEM;
	for (size_t i = 0; i < npins; i++) {
		for (size_t k = 0; k < pin[i].npages; k++) {
			struct page *p = &w->page[index_of(&pin[i]) + k];

			if (p->pins == 0) /* it may be anywhere by now */
				p->where = (1 << 20) + ++w->moves;
			p->pins++;
			pin[i].page[k].v = p->where * PAGE;
		}
		pin[i].handle = index_of(&pin[i]) + 1;
	}
	happens_inside(w);
	return 0;
}

static void host_unpin(struct vd_host *h, const struct vd_pin *pin, size_t npins)
{
	struct world *w = (struct world *)h;

	happens_inside(w);
	for (size_t i = 0; i < npins; i++) {
		must(pin[i].handle == index_of(&pin[i]) + 1, "another pin's handle");
		for (size_t k = 0; k < pin[i].npages; k++)
			must(w->page[index_of(&pin[i]) + k].pins-- > 0, "unpinned twice");
	}
	happens_inside(w);
}

static void host_destroy(struct vd_host *h)
{
	(void)h;
}

static const struct vd_host_ops host_ops = {
	.size = sizeof(host_ops),
	.name = "moving",
	.pin = host_pin,
	.unpin = host_unpin,
	.destroy = host_destroy,
};

/* --- a CPU of the guest -------------------------------------------------- */

struct live {
	uint32_t page;
	bool strict;
	uint64_t bus, len, life;
};

struct cpu {
	struct world *w;
	unsigned int seed;
	struct live live[LIVE];
	size_t n;
	unsigned long hits, asked, strict, refused, lists;
};

static uint32_t any(struct cpu *c, uint32_t n)
{
	return (uint32_t)rand_r(&c->seed) % n;
}

/* X1: it is pinned and there. */
static void check_live(struct cpu *c, const struct live *l)
{
	const struct page *p = &c->w->page[l->page];

	if (c->w->lies)
		return;
	must(p->pins > 0, "X1: mapped and not pinned");
	must(p->where * PAGE == l->bus / PAGE * PAGE, "X1: mapped and elsewhere");
}

static void remember(struct cpu *c, uint32_t page, uint64_t bus, bool strict)
{
	struct live *l = &c->live[c->n++];

	*l = (struct live){
		.page = page, .strict = strict, .bus = bus, .len = PAGE, .life = c->w->life
	};
	c->w->page[page].mapped++;
	check_live(c, l);
}

static struct vd_seg seg_of(uint32_t page)
{
	return (struct vd_seg){ .gpa = { (FIRST + page) * PAGE }, .len = PAGE, .prot = VD_WRITE };
}

static bool is_refusal(int err)
{
	return err == -EDQUOT || err == -EPERM || err == -EBUSY || err == -ENODEV ||
	       err == -ENOSPC || err == -ENOMEM;
}

static void ask(struct cpu *c, uint32_t page, bool strict)
{
	uint32_t dev = 1 + any(c, 2);
	struct vd_seg seg = seg_of(page);
	int err = strict ? vd_device_map(c->w->d, 1, &seg, 1, UINT64_MAX) :
			   vd_device_pin(c->w->d, dev, &seg, 1, UINT64_MAX);

	must(err == 0 || is_refusal(err), "an error that means something else");
	c->refused += err != 0;
	if (!err)
		remember(c, page, seg.iova.v, strict);
}

/* Many pages at once, near each other or anywhere, some twice. */
static void ask_list(struct cpu *c)
{
	uint32_t n = 2 + any(c, LIST - 1), near = any(c, PAGES - 64), page[LIST];
	bool far = any(c, 3) == 0;
	struct vd_seg seg[LIST];
	int err;

	if (c->n + n > LIVE)
		return;
	for (uint32_t i = 0; i < n; i++) {
		page[i] = far ? any(c, PAGES) : any(c, 2) ? near + any(c, 64) : any(c, 40);
		seg[i] = seg_of(page[i]);
	}
	err = vd_device_pin(c->w->d, 1 + any(c, 2), seg, n, UINT64_MAX);
	must(err == 0 || is_refusal(err), "an error that means something else");
	c->refused += err != 0;
	c->lists += err == 0;
	for (uint32_t i = 0; !err && i < n; i++)
		remember(c, page[i], seg[i].iova.v, false);
}

static void do_map(struct cpu *c)
{
	uint32_t page = any(c, any(c, 3) ? 40 : PAGES); /* some are popular */
	unsigned long long bus;

	if (c->n == LIVE)
		return;
	if (any(c, 10) == 0) {
		c->strict++;
		ask(c, page, true);
	} else if (any(c, 16) == 0) {
		ask_list(c);
	} else if (hal_word_map(&c->w->word[FIRST + page], &bus)) {
		c->hits++;
		remember(c, page, bus, false);
	} else {
		c->asked++;
		ask(c, page, false);
	}
}

static void end_map(struct cpu *c, struct live *l)
{
	bool ok;

	check_live(c, l);
	c->w->page[l->page].mapped--;
	if (l->strict)
		ok = vd_device_unmap(c->w->d, 1, (vd_iova){ l->bus }, l->len) == 0;
	else
		ok = hal_word_unmap(&c->w->word[FIRST + l->page], l->bus / PAGE * PAGE);
	must(ok || c->w->lies, "its own mapping is not there");
	*l = c->live[--c->n];
}

/* What an earlier life has left is gone: the counts with it. */
static void forget_old(struct cpu *c)
{
	for (size_t i = c->n; i > 0; i--)
		if (c->live[i - 1].life != c->w->life)
			c->live[i - 1] = c->live[--c->n];
}

static void guest_step(struct cpu *c)
{
	pthread_rwlock_rdlock(&c->w->charge);
	forget_old(c);
	if (any(c, 100) < 52)
		do_map(c);
	else if (c->n)
		end_map(c, &c->live[any(c, (uint32_t)c->n)]);
	for (size_t i = 0; i < c->n; i++)
		check_live(c, &c->live[i]);
	pthread_rwlock_unlock(&c->w->charge);
}

/* --- the host's side ----------------------------------------------------- */

static int give(void *opaque, void *hva, uint64_t len)
{
	struct world *w = opaque;
	size_t first = (size_t)((char *)hva - BASE) / PAGE;

	for (size_t i = first; i < first + len / PAGE; i++) {
		must(w->page[i].pins == 0, "discarded and pinned");
		must(w->lies || w->page[i].mapped == 0, "discarded and mapped");
	}
	return 0;
}

static void do_discard(struct cpu *c)
{
	struct vd_discard how = { .size = sizeof(how), .give = give, .opaque = c->w };
	uint32_t page = any(c, PAGES), n = 1 + any(c, 64);

	if (n > PAGES - page)
		n = PAGES - page;
	must(vd_domain_discard(c->w->d, (vd_gpa){ (FIRST + page) * PAGE }, n * PAGE, &how) == 0,
	     "discard");
	must(how.given + how.pinned == n * PAGE, "discarded more or less");
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

/* As front/hal ends a charge; the guest is off and begins anew. */
static void do_off(struct world *w)
{
	struct vd_domain_stats st = { .size = sizeof(st) };

	pthread_rwlock_wrlock(&w->charge);
	for (size_t i = 0; i < PAGES; i++)
		w->page[i].mapped = 0;
	for (uint32_t id = 1; id <= 2; id++)
		while (vd_device_revoke(w->d, id) != 0)
			; /* another thread denies it */
	while (vd_domain_drop_pins(w->d) != 0)
		;
	vd_domain_stats(w->d, &st);
	must(st.pinned == 0 && st.cached == 0, "something stays pinned");
	for (size_t i = 0; i < PAGES; i++) {
		must(w->page[i].pins == 0, "a pin is left");
		must(w->lies || w->word[FIRST + i] == 0, "a count is left");
	}
	w->life++;
	pthread_rwlock_unlock(&w->charge);
}

static void host_step(struct cpu *c)
{
	struct vd_domain *d = c->w->d;
	struct vd_why why = { .size = sizeof(why) };

	switch (any(c, 12)) {
	case 0:
	case 1:
		vd_domain_age(d, c->w->moves);
		break;
	case 2:
	case 3:
		vd_domain_reclaim(d, any(c, 100) * PAGE);
		break;
	case 4:
		/* Device 2 comes and goes; the pins stay for device 1. */
		if (any(c, 2))
			vd_device_deny(d, 2);
		else
			vd_device_permit(d, 2);
		break;
	case 5:
		vd_domain_set_around(d, any(c, 4));
		break;
	case 6:
		vd_domain_why_pinned(d, (vd_gpa){ (FIRST + any(c, PAGES)) * PAGE }, &why);
		break;
	case 7:
		if (any(c, 20) == 0)
			do_off(c->w);
		break;
	default:
		do_discard(c);
	}
}

static void check_totals(struct world *w)
{
	struct vd_domain_stats st = { .size = sizeof(st) };

	vd_domain_stats(w->d, &st);
	must(st.pinned <= BUDGET * PAGE, "more pinned than the budget");
	must(st.cached <= st.pinned, "more cached than pinned");
}

/* One thread: nothing moves while we look. */
static void check_all(struct cpu *c)
{
	static uint64_t counts[PAGES], strict[PAGES];
	struct world *w = c->w;
	struct vd_pins_stats ps = { .size = sizeof(ps) };
	uint64_t cached = 0, held = 0;

	memset(counts, 0, sizeof(counts));
	memset(strict, 0, sizeof(strict));
	for (size_t i = 0; i < c->n; i++)
		if (c->live[i].life == w->life)
			(c->live[i].strict ? strict : counts)[c->live[i].page]++;
	for (size_t i = 0; i < PAGES; i++) {
		uint64_t word = w->word[FIRST + i];
		bool pinned = (word & VD_HAL_WORD_PINNED) != 0;

		must((word & VD_HAL_WORD_COUNT) == counts[i], "a count is wrong");
		must(w->page[i].pins == strict[i] + pinned, "pins are wrong");
		must(!pinned || word >> VD_HAL_WORD_PAGE_SHIFT == w->page[i].where,
		     "a word says another place");
		must(pinned || word == 0, "a word says something");
		cached += pinned;
		held += counts[i] != 0;
	}
	vd_domain_pins_stats(w->d, &ps);
	must(ps.cached == cached * PAGE && ps.held == held * PAGE, "the statistics are wrong");
	must(ps.pinned == ps.cached / PAGE + ps.aged + ps.reclaimed + ps.dropped,
	     "pages came or went uncounted");
}

/* --- threads ------------------------------------------------------------- */

/* What evict is without its compare. */
static void evict_weakly(struct cpu *c)
{
	__atomic_store_n(&c->w->word[FIRST + any(c, 40)], 0, __ATOMIC_SEQ_CST);
	vd_domain_reclaim(c->w->d, UINT64_MAX);
}

static void *run_guest(void *arg)
{
	struct cpu *c = arg;

	for (unsigned long i = 0; i < c->w->steps; i++) {
		guest_step(c);
		check_totals(c->w);
	}
	return NULL;
}

static void *run_host(void *arg)
{
	struct cpu *c = arg;

	while (!c->w->stop) {
		host_step(c);
		check_totals(c->w);
		if (c->w->weak)
			evict_weakly(c);
	}
	return NULL;
}

static void *run_liar(void *arg)
{
	struct cpu *c = arg;

	while (!c->w->stop) {
		__atomic_store_n(&c->w->word[any(c, FIRST + PAGES)], some_lie(&c->seed),
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void run_alone(struct cpu *c)
{
	for (unsigned long i = 0; i < c->w->steps; i++) {
		if (any(c, 8))
			guest_step(c);
		else
			host_step(c);
		check_totals(c->w);
		check_all(c);
	}
}

static void run_together(struct world *w, struct cpu *cpu)
{
	pthread_t t[THREADS + 3];
	unsigned int n = w->nthreads, extra = w->lies ? 3 : 2;

	for (unsigned int i = 0; i < n + extra; i++) {
		void *(*run)(void *) = i < n ? run_guest : i < n + 2 ? run_host : run_liar;

		must(pthread_create(&t[i], NULL, run, &cpu[i]) == 0, "thread");
	}
	for (unsigned int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	w->stop = true;
	for (unsigned int i = n; i < n + extra; i++)
		pthread_join(t[i], NULL);
}

static void make(struct world *w)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12,
					   .budget = BUDGET * PAGE };
	static const struct vd_device_ops ops = { sizeof(ops), quiesce };

	w->host.ops = &host_ops;
	pthread_rwlock_init(&w->charge, NULL);
	must(vd_domain_create(&w->host, &cfg, &w->d) == 0, "domain");
	must(vd_domain_add_memory(w->d, (vd_gpa){ FIRST * PAGE }, BASE, PAGES * PAGE) == 0,
	     "memory");
	must(vd_domain_share_pins(w->d, w->word, FIRST + PAGES) == 0, "table");
	for (uint32_t id = 1; id <= 2; id++) {
		const struct vd_device_cfg dev = { sizeof(dev), id, id, &ops, NULL };

		must(vd_device_attach(w->d, &dev) == 0, "device");
	}
}

static void report(struct world *w, const struct cpu *cpu)
{
	struct cpu sum = { .hits = 0 };
	struct vd_pins_stats ps = { .size = sizeof(ps) };

	for (unsigned int i = 0; i < w->nthreads; i++) {
		sum.hits += cpu[i].hits;
		sum.asked += cpu[i].asked;
		sum.strict += cpu[i].strict;
		sum.lists += cpu[i].lists;
		sum.refused += cpu[i].refused;
	}
	vd_domain_pins_stats(w->d, &ps);
	printf("%lu hits, %lu asked, %lu lists, %lu strict, %lu refused; %lu pages pinned, %lu "
	       "aged, "
	       "%lu reclaimed, %lu dropped; off %lu times\n",
	       sum.hits, sum.asked, sum.lists, sum.strict, sum.refused, (unsigned long)ps.pinned,
	       (unsigned long)ps.aged, (unsigned long)ps.reclaimed, (unsigned long)ps.dropped,
	       (unsigned long)w->life);
	must(sum.lists && ps.reclaimed, "nothing made room");
	must(w->lies || (sum.hits && sum.refused && ps.aged && ps.reclaimed && ps.dropped),
	     "something was never tried");
}

static int run(struct world *w, unsigned int seed)
{
	static struct cpu cpu[THREADS + 3];

	for (unsigned int i = 0; i < THREADS + 3; i++)
		cpu[i] = (struct cpu){ .w = w, .seed = i + 1 + seed };
	make(w);
	if (w->nthreads == 1 && !w->lies)
		run_alone(cpu);
	else
		run_together(w, cpu);
	do_off(w);
	report(w, cpu);
	vd_domain_destroy(w->d);
	return 0;
}

/* In a child, which must not come to its end. */
static int run_weakly(struct world *w, unsigned int seed)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		run(w, seed);
		_exit(0);
	}
	must(child > 0 && waitpid(child, &status, 0) == child, "child");
	must(WIFSIGNALED(status) || WEXITSTATUS(status) != 0, "what is weak went unnoticed");
	printf("what is weak was noticed\n");
	return 0;
}

int main(int argc, char **argv)
{
	static struct world w;
	bool control;
	unsigned int seed = argc > 3 ? (unsigned int)atoi(argv[3]) : 0;

	w.nthreads = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 1;
	w.steps = argc > 2 ? strtoul(argv[2], NULL, 0) : 20000;
	control = argc > 4 && !strcmp(argv[4], "control");
	w.lies = control || (argc > 4 && !strcmp(argv[4], "lies"));
	w.weak = argc > 4 && !strcmp(argv[4], "weak");
	w.seed = seed;
	must(w.nthreads >= 1 && w.nthreads <= THREADS, "1 to 8 threads");
	return w.weak || control ? run_weakly(&w, seed) : run(&w, seed);
}
