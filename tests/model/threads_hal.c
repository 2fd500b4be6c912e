/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with several CPUs, each with its slot, mapping and unmapping, by requests
 * and by the pin table, while one says HELLO and OFF and the operator denies,
 * permits, ages and resets, for the race detector as well; and one more stores what
 * it likes into the words all the time. The budget is so small that requests make
 * room. After OFF nothing may be mapped or pinned, whatever was under way.
 *
 * Usage: threads-hal [rounds]
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <viaduct/abi/hal.h>
#include <viaduct/viaduct.h>

#define PAGE  VD_PAGE_SIZE
#define CPUS  3u
#define PAGES 64u /* the first CPUS are the slots' */
#define DEV   8u
#define MOST  40u /* pages that may be pinned */

struct world {
	unsigned char *mem;
	struct vd_host *host;
	struct vd_domain *d;
	struct vd_hal *hal;
	uint64_t word[PAGES];
	/* A reset in the middle of hello() would give one slot another's page. */
	pthread_mutex_t greeting;
	atomic_bool stop;
	atomic_bool shown;
	unsigned long rounds;
};

struct cpu {
	struct world *w;
	uint32_t slot;
	unsigned int seed;
	unsigned long ok, refused;
};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "threads-hal: %s\n", what);
		abort();
	}
}

static int quiesce(void *opaque)
{
	(void)opaque;
	return 0;
}

static void in_charge(void *opaque, bool yes)
{
	struct world *w = opaque;

	must(w->shown != yes, "charge came twice");
	w->shown = yes;
}

static void interrupt(void *opaque)
{
	(void)opaque;
}

/* True: OK. */
static bool request(struct cpu *c, uint32_t op, uint32_t n, const struct vd_hal_seg *seg)
{
	struct vd_hal_slot *p = (struct vd_hal_slot *)(void *)(c->w->mem + c->slot * PAGE);

	memset(&p->head, 0, sizeof(p->head));
	p->head.op = op;
	p->head.device = DEV;
	p->head.count = n;
	p->head.mask = op == VD_HAL_OP_UNMAP ? 0 : UINT64_MAX;
	p->head.status = UINT32_MAX;
	if (seg)
		memcpy(p->seg, seg, n * sizeof(*seg));
	vd_hal_write(c->w->hal, VD_HAL_REG_DOORBELL, 4, c->slot);
	if (p->head.status == VD_HAL_S_OK)
		c->ok++;
	else
		c->refused++, sched_yield();
	for (uint32_t i = 0; i < n; i++)
		p->seg[i].prot = 0;
	return p->head.status == VD_HAL_S_OK;
}

/* Less one, if there is one. */
static void let_go(struct cpu *c, uint64_t page)
{
	uint64_t *at = &c->w->word[page], v = __atomic_load_n(at, __ATOMIC_RELAXED);

	if (v & VD_HAL_WORD_COUNT)
		__atomic_compare_exchange_n(at, &v, v - 1, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
}

static void *lie(void *arg)
{
	struct world *w = arg;
	unsigned int seed = 77;

	while (!w->stop) {
		uint64_t v = (uint64_t)rand_r(&seed) << 34 ^ (uint64_t)rand_r(&seed);

		__atomic_store_n(&w->word[(uint32_t)rand_r(&seed) % PAGES],
				 v % 3 ? v & (VD_HAL_WORD_PINNED | 1) : v, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *run_cpu(void *arg)
{
	struct cpu *c = arg;

	while (c->ok < c->w->rounds) {
		uint32_t n = 1 + (uint32_t)rand_r(&c->seed) % 16;
		struct vd_hal_seg seg[16];

		for (uint32_t i = 0; i < n; i++)
			seg[i] = (struct vd_hal_seg){
				(CPUS + (uint32_t)rand_r(&c->seed) % (PAGES - CPUS)) * PAGE, 4096, 3
			};
		if (rand_r(&c->seed) % 2) {
			request(c, VD_HAL_OP_MAP, n, seg);
			request(c, VD_HAL_OP_UNMAP, n, NULL); /* what the answer says */
		} else if (request(c, VD_HAL_OP_PIN, n, seg)) {
			for (uint32_t i = 0; i < n; i++)
				let_go(c, seg[i].addr / PAGE);
		}
	}
	return NULL;
}

static void hello(struct world *w)
{
	pthread_mutex_lock(&w->greeting);
	for (uint32_t i = 0; i < CPUS; i++) {
		vd_hal_write(w->hal, VD_HAL_REG_SLOT, 4, i);
		vd_hal_write(w->hal, VD_HAL_REG_SLOT_LO, 4, i * PAGE);
		vd_hal_write(w->hal, VD_HAL_REG_SLOT_HI, 4, 0);
	}
	vd_hal_write(w->hal, VD_HAL_REG_WANTED, 4, VD_HAL_F_PINS);
	vd_hal_write(w->hal, VD_HAL_REG_STATUS, 4, VD_HAL_STATUS_HELLO);
	pthread_mutex_unlock(&w->greeting);
}

/* What the operator is denying just now owes its pins, but not for long. */
static void check_off(struct world *w)
{
	struct vd_domain_stats st = { .size = sizeof(st) };

	for (int i = 0; i < 100000; i++) {
		vd_domain_stats(w->d, &st);
		if (st.pinned == 0)
			break;
		sched_yield();
	}
	must(st.nmappings == 0 && st.pinned == 0, "mapped after OFF");
}

static void *come_and_go(void *arg)
{
	struct world *w = arg;

	while (!w->stop) {
		vd_hal_write(w->hal, VD_HAL_REG_STATUS, 4, VD_HAL_STATUS_OFF);
		check_off(w);
		hello(w);
		vd_hal_notify(w->hal, VD_HAL_EV_BUS);
		for (int i = 0; i < 20; i++)
			vd_hal_read(w->hal, VD_HAL_REG_EVENTS, 4);
		usleep(200);
	}
	return NULL;
}

static void *operate(void *arg)
{
	struct world *w = arg;
	struct vd_domain_stats domain = { .size = sizeof(domain) };
	struct vd_hal_stats st = { .size = sizeof(st) };
	unsigned int n = 0;

	while (!w->stop) {
		vd_device_deny(w->d, DEV);
		vd_hal_stats(w->hal, &st);
		vd_device_permit(w->d, DEV);
		vd_domain_age(w->d, 1);
		vd_domain_reclaim(w->d, 4 * PAGE);
		vd_domain_stats(w->d, &domain);
		must(domain.pinned <= MOST * PAGE, "over the budget");
		if (++n % 16 == 0) {
			pthread_mutex_lock(&w->greeting);
			vd_hal_reset(w->hal); /* HELLO comes by and by */
			pthread_mutex_unlock(&w->greeting);
		}
		usleep(50);
	}
	return NULL;
}

static void make(struct world *w)
{
	static const struct vd_device_ops dev_ops = { sizeof(dev_ops), quiesce };
	static const struct vd_hal_ops hal_ops = { sizeof(hal_ops), in_charge, interrupt, NULL };
	const struct vd_domain_cfg domain = { .size = sizeof(domain),
					      .granule_shift = 12,
					      .budget = MOST * PAGE };
	const struct vd_device_cfg dev = { sizeof(dev), DEV, 1, &dev_ops, NULL };
	struct vd_hal_cfg hal = { .size = sizeof(hal),
				  .ops = &hal_ops,
				  .opaque = w,
				  .granule_shift = 12,
				  .nslots = CPUS,
				  .npins = PAGES };

	w->mem = aligned_alloc(PAGE, PAGES * PAGE);
	must(w->mem != NULL, "memory");
	memset(w->mem, 0, PAGES * PAGE);
	must(vd_host_fake_create(w->mem, PAGES, &w->host) == 0, "host");
	must(vd_domain_create(w->host, &domain, &w->d) == 0, "domain");
	must(vd_domain_add_memory(w->d, (vd_gpa){ 0 }, w->mem, PAGES * PAGE) == 0, "memory");
	must(vd_domain_share_pins(w->d, w->word, PAGES) == 0, "table");
	must(vd_device_attach(w->d, &dev) == 0, "device");
	hal.domain = w->d;
	must(vd_hal_create(&hal, &w->hal) == 0, "hal");
}

int main(int argc, char **argv)
{
	struct world w = { .rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 50000,
			   .greeting = PTHREAD_MUTEX_INITIALIZER };
	struct cpu cpu[CPUS];
	pthread_t thread[CPUS + 3];
	unsigned long ok = 0, refused = 0;

	make(&w);
	hello(&w);
	for (uint32_t i = 0; i < CPUS; i++) {
		cpu[i] = (struct cpu){ .w = &w, .slot = i, .seed = i + 1 };
		must(pthread_create(&thread[i], NULL, run_cpu, &cpu[i]) == 0, "thread");
	}
	must(pthread_create(&thread[CPUS], NULL, come_and_go, &w) == 0, "thread");
	must(pthread_create(&thread[CPUS + 1], NULL, operate, &w) == 0, "thread");
	must(pthread_create(&thread[CPUS + 2], NULL, lie, &w) == 0, "thread");
	for (uint32_t i = 0; i < CPUS; i++) {
		pthread_join(thread[i], NULL);
		ok += cpu[i].ok;
		refused += cpu[i].refused;
	}
	w.stop = true;
	for (uint32_t i = CPUS; i < CPUS + 3; i++)
		pthread_join(thread[i], NULL);
	must(vd_hal_reset(w.hal) == 0, "reset");
	must(vd_fake_pinned(w.host) == 0, "leftovers");
	vd_hal_destroy(w.hal);
	vd_domain_destroy(w.d);
	vd_host_destroy(w.host);
	free(w.mem);
	printf("%lu requests of %u CPUs done, %lu refused\n", ok, CPUS, refused);
	return 0;
}
