/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of an assigned function, on a host of files and with a real keeper:
 * every order of charge, permit, deny, reset, loss. After each event it is shown
 * exactly if the HAL is in charge, it is permitted and it is there; what is lost
 * is nobody's; and at the end the host finds what there was.
 */
#include "made_life.h"
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
		life_uio_says(l, 1);
		assert_true(life_until(is_dead, l));
	}
	/* Whoever has seen it; hidden, nobody does until somebody looks. */
	assert_true(assign_is_lost(l->a));
	m->dead = true;
}

static void happen(struct life *l, enum event e, struct model *m)
{
	switch (e) {
	case CHARGE:
		assign_charge(l->a, true, false);
		m->charge = true;
		break;
	case OFF:
		assign_charge(l->a, false, false);
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
	struct vd_device_info info = { .size = sizeof(info) };

	if (shown)
		life_drive(l);
	assert_int_equal(life_read(l, 0), shown ? 0x00101b36u : ONES);
	assert_int_equal(life_slots(l), shown ? 1 : 0);
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

		life_begin(&l);
		assert_int_equal(life_create(&l), 0);
		if (i < EVENTS * EVENTS)
			happen(&l, CHARGE, &m);
		check(&l, &m);
		for (unsigned int j = 0; j < 2; j++) {
			happen(&l, e[j], &m);
			check(&l, &m);
		}
		life_finish(&l, 0);
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
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	assert_int_equal(l.changes, 0); /* it came by itself */
	assert_int_equal(assign_deny(l.a), 0);
	assert_int_equal(l.changes, 1);
	assert_int_equal(assign_permit(l.a), 0);
	assert_int_equal(l.changes, 2);
	made_host_pull(&l.h);
	for (int i = 0; i < 3; i++)
		assert_true(assign_is_lost(l.a));
	life_uio_says(&l, 1);
	usleep(20000);
	assert_int_equal(l.changes, 3);
	life_end(&l);
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
	struct vd_device_info info = { .size = sizeof(info) };
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	life_drive(&l);
	in_reset = &l;
	l.h.at = l.h.stores + 1; /* the write to "reset" */
	l.h.event = pull_in_reset;
	assign_charge(l.a, false, false);
	assert_int_equal(vd_device_revoke(l.domain, assign_guest_id(l.a)), 0);
	pthread_join(loser, NULL);
	assert_true(life_until(is_dead, &l));
	assert_int_equal(vd_device_info(l.domain, assign_guest_id(l.a), &info),
			 -ENODEV);
	life_end(&l);
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
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	in_reset = &l;
	l.h.at = l.h.stores + 1;
	l.h.event = deny_in_reset;
	assert_int_equal(vd_device_revoke(l.domain, assign_guest_id(l.a)), 0);
	pthread_join(loser, NULL);
	assert_int_equal(denied, 0);
	assign_charge(l.a, true, false);
	check(&l, &m);
	life_end(&l);
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
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	life_drive(&l);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, touch, &l), 0);
	usleep(10000);
	made_host_pull(&l.h);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	/* Whoever was first may still be at it, the interrupt's thread too. */
	assert_true(life_until(is_dead, &l));
	assert_true(life_until(has_changed, &l));
	assert_int_equal(l.changes, 1);
	life_end(&l);
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
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	dma.assigned[dma.nassigned++] = l.a;
	assign_charge(l.a, true, false);
	life_drive(&l);
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
	life_end(&l);
}

static bool is_stuck(struct life *l)
{
	struct vd_device_info info = { .size = sizeof(info) };

	return vd_device_info(l->domain, assign_guest_id(l->a), &info) == 0 &&
	       info.state == VD_DEVICE_STUCK;
}

/*
 * It does not stop its DMA: the domain keeps it, may call it, and it lives on
 * until the domain is gone; the keeper tries until it is quiet.
 */
static void test_not_quiet(void **state)
{
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	l.h.deaf = true; /* for the VMM; the keeper's host hears */
	unbind(&l);
	life_uio_says(&l, 1);
	assert_true(life_until(is_stuck, &l));
	assert_int_equal(assign_permit(l.a), -ENODEV);
	assert_int_equal(assign_deny(l.a), -ENODEV);
	life_finish(&l, -EIO);
	assert_int_equal(keeper_finish(&l.keeper), 0);
	made_host_expect(&l.h, "nvme", "", 7);
	made_host_remove(&l.h);
}

/* What is in the slot at the end is another's. */
static void test_swapped(void **state)
{
	struct life l;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, false);
	made_host_pull(&l.h);
	made_host_plug(&l.h, "nvme");
	made_host_set_command(&l.h, 0x0547);
	assert_true(assign_is_lost(l.a));
	for (int i = 0; i < 2000 && made_host_claims(&l.h); i++)
		usleep(1000);
	/* While the machine lives: another may have it. */
	assert_int_equal(made_host_claims(&l.h), 0);
	assign_charge(l.a, false, false);
	made_host_expect(&l.h, "nvme", "", 0x0547);
	life_finish(&l, 0);
	assert_int_equal(keeper_finish(&l.keeper), 0);
	made_host_expect(&l.h, "nvme", "", 0x0547);
	made_host_remove(&l.h);
}

static uint32_t life_of(struct life *l)
{
	struct vd_device_info info = { .size = sizeof(info) };

	assert_int_equal(
		vd_device_info(l->domain, assign_guest_id(l->a), &info), 0);
	return info.incarnation;
}

static bool is_shown(struct life *l)
{
	return life_read(l, 0) != ONES;
}

/*
 * A HAL that admits lives: after a deny and a permit the function is not there,
 * whoever of the life before writes to it, until the new life is admitted.
 */
static void test_admitted(void **state)
{
	struct life l;
	uint32_t was;

	(void)state;
	life_begin(&l);
	assert_int_equal(life_create(&l), 0);
	assign_charge(l.a, true, true);
	assert_false(is_shown(&l));
	was = life_of(&l);
	assign_admit(l.a, was + 1);
	assert_false(is_shown(&l));
	assign_admit(l.a, was);
	assert_true(is_shown(&l));
	life_drive(&l);
	assert_int_equal(made_host_command(&l.h), 7);

	assert_int_equal(assign_deny(l.a), 0);
	assert_int_equal(assign_permit(l.a), 0);
	life_drive(&l); /* as the old driver does that resets its device */
	assert_false(is_shown(&l));
	assert_int_equal(life_slots(&l), 0);
	assert_int_equal(region_read(&l.vm.mmio, BAR0, 4), ONES);
	assert_int_equal(made_host_command(&l.h), 3 | INTX_OFF);
	assign_admit(l.a, was); /* late */
	assert_false(is_shown(&l));
	assign_admit(l.a, life_of(&l));
	assert_true(is_shown(&l));
	assert_int_equal(made_host_command(&l.h), 3 | INTX_OFF);
	life_drive(&l);
	assert_int_equal(made_host_command(&l.h), 7);

	/* Denied, it is not shown by an admission; nor without the HAL. */
	assert_int_equal(assign_deny(l.a), 0);
	assign_admit(l.a, life_of(&l));
	assert_false(is_shown(&l));
	assign_charge(l.a, false, false);
	assert_int_equal(assign_permit(l.a), 0);
	assign_admit(l.a, life_of(&l));
	assert_false(is_shown(&l));
	/* A HAL that knows nothing of it. */
	assign_charge(l.a, true, false);
	assert_true(is_shown(&l));
	life_end(&l);
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
		struct vd_device_info none = { .size = sizeof(none) };
		const struct failure *f = &failures[i];

		life_begin(&l);
		l.vm.vm_fd = f->vm_fd;
		if (f->drop)
			tree_drop(&l.h.t, f->drop);
		assert_int_equal(life_create(&l), f->err);
		assert_non_null(strstr(l.why, f->says));
		assert_int_equal(vd_device_next(l.domain, 0, &none), -ENOENT);
		life_finish(&l, 0);
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
	life_begin(&l);
	for (unsigned int slot = 4; slot < 32; slot++)
		l.bus.func[slot << 3] = &l.bus.bridge;
	assert_int_equal(life_create(&l), -ENOSPC);
	assert_non_null(strstr(l.why, "no slot left"));
	for (unsigned int slot = 4; slot < 32; slot++)
		l.bus.func[slot << 3] = NULL;
	life_end(&l);
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
		cmocka_unit_test(test_admitted),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_start_without_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
