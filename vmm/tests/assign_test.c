/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of an assigned function, on a host of files and with a real keeper:
 * every order of charge, permit, deny, reset, loss. After each event it is shown
 * exactly if the HAL is in charge, it is permitted and it is there; what is lost
 * is nobody's; and at the end the host finds what there was.
 */
#include "assign.h"
#include "dma.h"
#include "keeper.h"
#include "made_host.h"
#include "unit.h"
#include "vm.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <viaduct/fake.h>

#define RAM_PAGES 16
#define BAR0	  0xc0000000u
#define BAR1	  0xc0002000u
#define BAR2	  0x2000u
#define COMMAND	  0x04
#define MASTER	  0x0004u
#define INTX_OFF  0x0400u
#define ONES	  UINT32_MAX

struct life {
	struct made_host h;
	struct vm vm;
	struct pci_bus bus;
	struct keeper keeper;
	struct vd_host *host;
	struct vd_domain *domain;
	struct assign *a;
	_Atomic unsigned int changes;
	char why[256];
};

static uint8_t ram[RAM_PAGES * 4096] __attribute__((aligned(4096)));

static void on_changed(void *opaque)
{
	struct life *l = opaque;

	l->changes++;
}

static int create(struct life *l)
{
	const struct assign_cfg cfg = {
		.sys = &l->h.t.s,
		.vm = &l->vm,
		.bus = &l->bus,
		.domain = l->domain,
		.keeper = &l->keeper,
		.bdf = MADE_BDF,
		.changed = on_changed,
		.opaque = l,
	};

	return assign_create(&cfg, &l->a, l->why, sizeof(l->why));
}

static void begin(struct life *l)
{
	const struct vd_domain_cfg cfg = { .size = sizeof(cfg),
					   .granule_shift = 12 };

	memset(l, 0, sizeof(*l));
	made_host_make(&l->h, "nvme");
	region_map_init(&l->vm.pio);
	region_map_init(&l->vm.mmio);
	assert_int_equal(pci_bus_init(&l->bus, &l->vm), 0);
	assert_int_equal(keeper_start(&l->keeper, &l->h.t.s), 0);
	assert_int_equal(vd_host_fake_create(ram, RAM_PAGES, &l->host), 0);
	assert_int_equal(vd_domain_create(l->host, &cfg, &l->domain), 0);
	assert_int_equal(vd_domain_add_memory(l->domain, (vd_gpa){ 0 }, ram,
					      sizeof(ram)),
			 0);
}

static void finish(struct life *l, int stopped)
{
	if (l->a)
		assert_int_equal(assign_stop(l->a), stopped);
	vd_domain_destroy(l->domain);
	if (l->a)
		assign_free(l->a);
	vd_host_destroy(l->host);
	pci_bus_fini(&l->bus);
	region_map_fini(&l->vm.pio);
	region_map_fini(&l->vm.mmio);
}

static void end(struct life *l)
{
	finish(l, 0);
	assert_int_equal(keeper_finish(&l->keeper), 0);
	assert_int_equal(made_host_claims(&l->h), 0);
	made_host_remove(&l->h);
}

static uint64_t ecam(struct life *l, unsigned int off)
{
	return VM_ECAM + ((uint64_t)assign_guest_id(l->a) << 12) + off;
}

static uint32_t cfg_read(struct life *l, unsigned int off)
{
	return (uint32_t)region_read(&l->vm.mmio, ecam(l, off), 4);
}

static void cfg_write(struct life *l, unsigned int off, uint32_t value)
{
	region_write(&l->vm.mmio, ecam(l, off), 4, value);
}

/* What a guest's driver does first. */
static void drive(struct life *l)
{
	cfg_write(l, 0x10, BAR0);
	cfg_write(l, 0x14, BAR1);
	cfg_write(l, 0x18, BAR2);
	cfg_write(l, COMMAND, 7);
}

static unsigned int live_slots(const struct life *l)
{
	unsigned int n = 0;

	for (int i = 0; i < VM_SLOTS; i++)
		n += l->vm.slot[i].len != 0;
	return n;
}

static void uio_says(struct life *l, size_t len)
{
	char full[SYSFS_PATH_LEN];
	const uint32_t n = 1;
	int fd;

	sysfs_path(&l->h.t.s, "/dev/uio0", full, sizeof(full));
	fd = open(full, O_RDWR);
	assert_int_equal(write(fd, &n, len), len);
	close(fd);
}

static void uio_fires(struct life *l)
{
	made_host_set_command(&l->h, made_host_command(&l->h) | INTX_OFF);
	uio_says(l, 4);
}

static bool until(bool (*is)(struct life *l), struct life *l)
{
	for (int i = 0; i < 2000 && !is(l); i++)
		usleep(1000);
	return is(l);
}

static bool is_dead(struct life *l)
{
	bool dead;

	pthread_mutex_lock(&l->a->lock);
	dead = l->a->dead && !l->a->attached;
	pthread_mutex_unlock(&l->a->lock);
	return dead;
}

static bool has_changed(struct life *l)
{
	return l->changes > 0;
}

enum event {
	CHARGE,
	OFF, /* the HAL goes, or the guest is reset */
	PERMIT,
	DENY,
	TOUCH,	/* pulled; a trapped access finds out */
	FAULT,	/* pulled; a vCPU's fault finds out */
	PORT,	/* pulled; an access to a port finds out, or a vCPU after it */
	UIO,	/* pulled; uio says so */
	UNBIND, /* unbound by somebody; uio says so */
	OTHER,	/* given to another driver by somebody; uio says so */
	EVENTS,
};

struct model {
	bool charge, denied, dead;
	const char *driver; /* at the end */
};

static void unbind(struct life *l)
{
	made_host_write(&l->h, "bus/pci/drivers/" MADE_UIO "/unbind", MADE_BDF);
}

static void pull(struct life *l, const struct model *m)
{
	if (!m->dead)
		made_host_pull(&l->h);
}

static void lose(struct life *l, enum event e, struct model *m)
{
	uint64_t seen;

	if (e == UNBIND || e == OTHER) {
		if (m->dead)
			return;
		if (e == OTHER)
			made_host_write(&l->h, MADE_DEVICE "/driver_override",
					"vfio-pci");
		unbind(l);
		if (e == OTHER)
			made_host_write(&l->h, "bus/pci/drivers_probe",
					MADE_BDF);
		m->driver = e == OTHER ? "vfio-pci" : "nvme";
	} else {
		pull(l, m);
		m->driver = m->dead ? m->driver : NULL;
	}
	if (e == TOUCH) {
		seen = region_read(&l->vm.mmio, BAR0 + 8, 4);
		assert_true(seen == ONES);
		region_write(&l->vm.mmio, BAR0 + 8, 4, 1);
	} else if (e == PORT) {
		seen = region_read(&l->vm.pio, BAR2, 4);
		assert_true(seen == ONES);
	} else if (e != FAULT && !m->dead) {
		uio_says(l, 1);
		assert_true(until(is_dead, l));
	}
	/* Whoever has seen it; hidden, nobody does until somebody looks. */
	assert_true(assign_is_lost(l->a));
	m->dead = true;
}

static void happen(struct life *l, enum event e, struct model *m)
{
	switch (e) {
	case CHARGE:
		assign_charge(l->a, true);
		m->charge = true;
		break;
	case OFF:
		assign_charge(l->a, false);
		assert_int_equal(
			vd_device_revoke(l->domain, assign_guest_id(l->a)),
			m->dead ? -ENODEV : 0);
		m->charge = false;
		break;
	case PERMIT:
		assert_int_equal(assign_permit(l->a), m->dead ? -ENODEV : 0);
		m->denied = false;
		break;
	case DENY:
		assert_int_equal(assign_deny(l->a), m->dead ? -ENODEV : 0);
		m->denied = true;
		break;
	default:
		lose(l, e, m);
	}
}

static void check(struct life *l, const struct model *m)
{
	bool shown = m->charge && !m->denied && !m->dead;
	struct vd_device_info info;

	if (shown)
		drive(l);
	assert_int_equal(cfg_read(l, 0), shown ? 0x00101b36u : ONES);
	assert_int_equal(live_slots(l), shown ? 1 : 0);
	assert_int_equal(region_read(&l->vm.mmio, BAR0, 4), shown ? 0 : ONES);
	assert_int_equal(region_read(&l->vm.mmio, BAR1, 4), shown ? 0 : ONES);
	assert_int_equal(
		vd_device_info(l->domain, assign_guest_id(l->a), &info),
		m->dead ? -ENODEV : 0);
	if (!m->dead)
		assert_int_equal(info.state, m->denied ? VD_DEVICE_DENIED :
							 VD_DEVICE_PERMITTED);
	if (!m->driver) /* pulled: nobody's register is ours to look at */
		return;
	if (!m->dead) /* open for a driver, and for nobody else */
		assert_int_equal(made_host_command(&l->h) & INTX_OFF,
				 shown ? 0 : INTX_OFF);
	if (strcmp(m->driver, "vfio-pci") != 0)
		assert_int_equal(made_host_command(&l->h) & MASTER,
				 shown ? MASTER : 0);
	else
		assert_int_equal(made_host_command(&l->h) & MASTER, MASTER);
}

/* Each two events in each order, before and after the HAL has come. */
static void test_every_order(void **state)
{
	struct life l;

	(void)state;
	for (unsigned int i = 0; i < 2 * EVENTS * EVENTS; i++) {
		const enum event e[] = { i / EVENTS % EVENTS, i % EVENTS };
		struct model m = { .driver = "nvme" };

		begin(&l);
		assert_int_equal(create(&l), 0);
		if (i < EVENTS * EVENTS)
			happen(&l, CHARGE, &m);
		check(&l, &m);
		for (unsigned int j = 0; j < 2; j++) {
			happen(&l, e[j], &m);
			check(&l, &m);
		}
		finish(&l, 0);
		assert_int_equal(keeper_finish(&l.keeper), 0);
		if (m.driver)
			made_host_expect(&l.h, m.driver,
					 m.driver[0] == 'v' ? "vfio-pci" : "",
					 7);
		assert_int_equal(made_host_claims(&l.h), 0);
		made_host_remove(&l.h);
	}
}

/* The guest is told of every change, and of a loss once. */
static void test_guest_is_told(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	assert_int_equal(l.changes, 0); /* it came by itself */
	assert_int_equal(assign_deny(l.a), 0);
	assert_int_equal(l.changes, 1);
	assert_int_equal(assign_permit(l.a), 0);
	assert_int_equal(l.changes, 2);
	made_host_pull(&l.h);
	for (int i = 0; i < 3; i++)
		assert_true(assign_is_lost(l.a));
	uio_says(&l, 1);
	usleep(20000);
	assert_int_equal(l.changes, 3);
	end(&l);
}

static struct life *in_reset;
static pthread_t loser;

static void *lose_it(void *arg)
{
	struct life *l = arg;

	made_host_pull(&l->h);
	assert_true(assign_is_lost(l->a));
	return NULL;
}

/* In the middle of a reset of the guest the card goes. */
static void pull_in_reset(struct made_host *h)
{
	(void)h;
	assert_int_equal(pthread_create(&loser, NULL, lose_it, in_reset), 0);
	usleep(30000); /* the domain has refused it by then, or it waits */
}

static void test_pulled_under_reset(void **state)
{
	struct vd_device_info info;
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	drive(&l);
	in_reset = &l;
	l.h.at = l.h.stores + 1; /* the write to "reset" */
	l.h.event = pull_in_reset;
	assign_charge(l.a, false);
	assert_int_equal(vd_device_revoke(l.domain, assign_guest_id(l.a)), 0);
	pthread_join(loser, NULL);
	assert_true(until(is_dead, &l));
	assert_int_equal(vd_device_info(l.domain, assign_guest_id(l.a), &info),
			 -ENODEV);
	end(&l);
}

static int denied;

static void *deny_it(void *arg)
{
	struct life *l = arg;

	denied = assign_deny(l->a);
	return NULL;
}

static void deny_in_reset(struct made_host *h)
{
	(void)h;
	assert_int_equal(pthread_create(&loser, NULL, deny_it, in_reset), 0);
	usleep(30000);
}

/* An operator's word during a reset is not lost and not refused. */
static void test_denied_under_reset(void **state)
{
	struct model m = { .charge = true, .denied = true, .driver = "nvme" };
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	in_reset = &l;
	l.h.at = l.h.stores + 1;
	l.h.event = deny_in_reset;
	assert_int_equal(vd_device_revoke(l.domain, assign_guest_id(l.a)), 0);
	pthread_join(loser, NULL);
	assert_int_equal(denied, 0);
	assign_charge(l.a, true);
	check(&l, &m);
	end(&l);
}

static void *touch(void *arg)
{
	struct life *l = arg;

	do {
		for (unsigned int off = 0; off < 256; off += 4) {
			region_read(&l->vm.mmio, BAR0 + off, 4);
			region_write(&l->vm.mmio, BAR0 + off, 4, 0);
		}
	} while (!assign_is_lost(l->a));
	return NULL;
}

/* Several vCPUs are in it when it goes: each finds it lost, one takes it away. */
static void test_pulled_under_vcpus(void **state)
{
	pthread_t t[4];
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	drive(&l);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, touch, &l), 0);
	usleep(10000);
	made_host_pull(&l.h);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* Whoever was first may still be at it, the interrupt's thread too. */
	assert_true(until(is_dead, &l));
	assert_true(until(has_changed, &l));
	assert_int_equal(l.changes, 1);
	end(&l);
}

#define NFAULTS 4

struct faulty {
	struct life *l;
	struct dma *dma;
	unsigned int met;
	bool retried, reached, again;
};

static bool is_direct(const struct vm *vm, uint64_t gpa)
{
	for (int i = 0; i < VM_SLOTS; i++)
		if (vm->slot[i].len && vm->slot[i].gpa == gpa)
			return true;
	return false;
}

static void *meet(void *arg)
{
	struct faulty *f = arg;

	f->retried = dma_fault(f->dma, &f->met);
	f->reached = is_direct(&f->l->vm, BAR1);
	f->again = dma_fault(f->dma, &f->met);
	return NULL;
}

/*
 * KVM finds nothing behind a slot, under several vCPUs: each tries its access
 * again, once, and none before the slot is gone. A fault of anything else is not
 * tried again, before and after.
 */
static void test_faults(void **state)
{
	struct faulty f[NFAULTS];
	struct dma dma = { 0 };
	pthread_t t[NFAULTS];
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	dma.assigned[dma.nassigned++] = l.a;
	assign_charge(l.a, true);
	drive(&l);
	f[0] = (struct faulty){ .l = &l, .dma = &dma };
	meet(&f[0]);
	assert_true(!f[0].retried && f[0].reached && !f[0].again);
	made_host_pull(&l.h);
	for (int i = 0; i < NFAULTS; i++) {
		f[i] = (struct faulty){ .l = &l, .dma = &dma };
		assert_int_equal(pthread_create(&t[i], NULL, meet, &f[i]), 0);
	}
	for (int i = 0; i < NFAULTS; i++) {
		pthread_join(t[i], NULL);
		assert_true(f[i].retried && !f[i].reached && !f[i].again);
	}
	assert_int_equal(region_read(&l.vm.mmio, BAR1, 4), ONES);
	assert_int_equal(l.changes, 1);
	end(&l);
}

/*
 * It does not stop its DMA: the domain keeps it, may call it, and it lives on
 * until the domain is gone; the keeper tries until it is quiet.
 */
static void test_not_quiet(void **state)
{
	struct vd_device_info info;
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	l.h.deaf = true; /* for the VMM; the keeper's host hears */
	unbind(&l);
	uio_says(&l, 1);
	usleep(50000);
	assert_int_equal(vd_device_info(l.domain, assign_guest_id(l.a), &info),
			 0);
	assert_int_equal(info.state, VD_DEVICE_STUCK);
	assert_int_equal(assign_permit(l.a), -ENODEV);
	assert_int_equal(assign_deny(l.a), -ENODEV);
	finish(&l, -EIO);
	assert_int_equal(keeper_finish(&l.keeper), 0);
	made_host_expect(&l.h, "nvme", "", 7);
	made_host_remove(&l.h);
}

/* What is in the slot at the end is another's. */
static void test_swapped(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	made_host_pull(&l.h);
	made_host_plug(&l.h, "nvme");
	made_host_set_command(&l.h, 0x0547);
	assert_true(assign_is_lost(l.a));
	for (int i = 0; i < 2000 && made_host_claims(&l.h); i++)
		usleep(1000);
	/* While the machine lives: another may have it. */
	assert_int_equal(made_host_claims(&l.h), 0);
	assign_charge(l.a, false);
	made_host_expect(&l.h, "nvme", "", 0x0547);
	finish(&l, 0);
	assert_int_equal(keeper_finish(&l.keeper), 0);
	made_host_expect(&l.h, "nvme", "", 0x0547);
	made_host_remove(&l.h);
}

static bool has_fired(struct life *l)
{
	return l->a->intx.count > 0;
}

static bool is_open(struct life *l)
{
	return !(made_host_command(&l->h) & INTX_OFF);
}

static void guest_ends(struct life *l)
{
	const uint64_t one = 1;

	assert_int_equal(write(l->a->intx.resample, &one, sizeof(one)),
			 sizeof(one));
}

static void test_interrupt(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	assert_false(is_open(&l)); /* nobody drives it */
	cfg_write(&l, COMMAND, 4);
	assert_false(is_open(&l));
	drive(&l);
	assert_true(is_open(&l));
	uio_fires(&l);
	assert_true(until(has_fired, &l));
	assert_int_equal(l.a->intx.count, 1);
	assert_false(is_open(&l));
	guest_ends(&l);
	assert_true(until(is_open, &l));
	cfg_write(&l, COMMAND, 0x407); /* the guest mutes it */
	assert_false(is_open(&l));
	uio_fires(&l);
	guest_ends(&l);
	usleep(20000);
	assert_int_equal(l.a->intx.count, 1);
	assert_false(is_open(&l));
	cfg_write(&l, COMMAND, 7);
	assert_true(is_open(&l));
	end(&l);
}

/* A deny shuts it at once, whatever the old driver says, until the next one. */
static void test_interrupt_denied(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	drive(&l);
	uio_fires(&l);
	assert_true(until(has_fired, &l));
	assert_int_equal(assign_deny(l.a), 0);
	guest_ends(&l); /* of the time before */
	uio_fires(&l);
	usleep(20000);
	assert_false(is_open(&l));
	assert_int_equal(assign_permit(l.a), 0);
	guest_ends(&l);
	usleep(20000);
	assert_false(is_open(&l));
	assert_int_equal(l.a->intx.count, 1);
	drive(&l);
	assert_true(is_open(&l));
	end(&l);
}

static void set_status(struct life *l, uint8_t status)
{
	char full[SYSFS_PATH_LEN];
	int fd;

	sysfs_path(&l->h.t.s, MADE_DEVICE "/config", full, sizeof(full));
	fd = open(full, O_RDWR);
	assert_int_equal(pwrite(fd, &status, 1, 6), 1);
	close(fd);
}

/* One round of a line: it fires, the guest ends it. How long till it is open? */
static uint64_t round_ns(struct life *l)
{
	const uint64_t before = l->a->intx.count;
	struct timespec t0, t1;

	uio_fires(l);
	for (int i = 0; i < 20000 && l->a->intx.count == before; i++)
		usleep(100);
	assert_int_equal(l->a->intx.count, before + 1);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	guest_ends(l);
	for (int i = 0; i < 20000 && !is_open(l); i++)
		usleep(100);
	assert_true(is_open(l));
	clock_gettime(CLOCK_MONOTONIC, &t1);
	return (uint64_t)(t1.tv_sec - t0.tv_sec) * 1000000000u +
	       (uint64_t)t1.tv_nsec - (uint64_t)t0.tv_nsec;
}

/*
 * A line that stays up whatever the driver does is let through as it comes for
 * a while, then no more often than the brake says; one that falls once is free.
 * Only lower bounds are asked for: no busy machine fails it.
 */
static void test_stuck_interrupt(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	assert_int_equal(create(&l), 0);
	assign_charge(l.a, true);
	drive(&l);
	set_status(&l, 0x08);
	for (unsigned int i = 0; i < ASSIGN_INTX_FREE + 8; i++)
		round_ns(&l);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(round_ns(&l) >= ASSIGN_INTX_PAUSE_NS);
	/* Hidden under the brake: it stays shut. */
	uio_fires(&l);
	usleep(20000);
	guest_ends(&l);
	assert_int_equal(assign_deny(l.a), 0);
	usleep(2 * ASSIGN_INTX_PAUSE_NS / 1000);
	assert_false(is_open(&l));
	assert_int_equal(assign_permit(l.a), 0);
	drive(&l);
	set_status(&l, 0);
	round_ns(&l);
	assert_int_equal(l.a->intx.unserved, 0);
	end(&l);
}

/* Each step of the start that can fail leaves nothing, and says what it was. */
static const struct failure {
	const char *drop, *says;
	int vm_fd, err;
} failures[] = {
	{ MADE_DEVICE "/resource0", "cannot map the BARs", 0, -ENOENT },
	{ "/dev/uio0", "cannot connect the interrupt", 0, -ENOENT },
	{ NULL, "cannot connect the interrupt", -EBADF, -EBADF },
	{ MADE_DEVICE "/config", "cannot read the config space", 0, -ENOENT },
	{ MADE_DEVICE "/reset", "cannot be reset on its own", 0, -ENOTSUP },
};

static void test_start_fails(void **state)
{
	struct life l;

	(void)state;
	for (unsigned int i = 0; i < sizeof(failures) / sizeof(failures[0]);
	     i++) {
		const struct failure *f = &failures[i];

		begin(&l);
		l.vm.vm_fd = f->vm_fd;
		if (f->drop)
			tree_drop(&l.h.t, f->drop);
		assert_int_equal(create(&l), f->err);
		assert_non_null(strstr(l.why, f->says));
		assert_int_equal(vd_device_list(l.domain, NULL, 0), 0);
		finish(&l, 0);
		assert_int_equal(keeper_finish(&l.keeper), 0);
		if (!f->drop || !strstr(f->drop, "config"))
			made_host_expect(&l.h, "nvme", "", 7);
		assert_int_equal(made_host_claims(&l.h), 0);
		made_host_remove(&l.h);
	}
}

static void test_start_without_slot(void **state)
{
	struct life l;

	(void)state;
	begin(&l);
	for (unsigned int slot = 4; slot < 32; slot++)
		l.bus.func[slot << 3] = &l.bus.bridge;
	assert_int_equal(create(&l), -ENOSPC);
	assert_non_null(strstr(l.why, "no slot left"));
	for (unsigned int slot = 4; slot < 32; slot++)
		l.bus.func[slot << 3] = NULL;
	end(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_order),
		cmocka_unit_test(test_guest_is_told),
		cmocka_unit_test(test_pulled_under_reset),
		cmocka_unit_test(test_denied_under_reset),
		cmocka_unit_test(test_pulled_under_vcpus),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_not_quiet),
		cmocka_unit_test(test_swapped),
		cmocka_unit_test(test_interrupt),
		cmocka_unit_test(test_interrupt_denied),
		cmocka_unit_test(test_stuck_interrupt),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_start_without_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
