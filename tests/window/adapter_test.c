/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine_fixture.h"
#include "mem_nth.h"
#include <pthread.h>
#include <sched.h>

static void refuses(void **state)
{
	const struct vd_adapter_cfg rows[] = {
		{ .size = 1 },
		{ .size = sizeof(rows[0]), .nregs = 65 },
		{ .size = sizeof(rows[0]), .flags = 2 },
		{ .size = sizeof(rows[0]), .max_devices = 1025 },
		{ .size = sizeof(rows[0]), .max_readers = 1025 },
	};
	struct vd_adapter *a;

	(void)state;
	assert_int_equal(vd_adapter_create(NULL, &a), -EINVAL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(vd_adapter_create(&rows[i], &a), -EINVAL);
}

/* What a device model needs at least: five calls, and then its two lines. */
static void the_simple_thing(void **state)
{
	static unsigned char mem[4 * PAGE] __attribute__((aligned(4096)));
	const struct vd_span span = { { 0 }, mem, sizeof(mem) };
	const struct vd_owner_cfg guest = { .size = sizeof(guest),
					    .id = 1,
					    .provider = VD_NO_OWNER,
					    .memory = &span,
					    .nmemory = 1 };
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg), .owner = &guest };
	const struct vd_window_cfg w = { .size = sizeof(w), .id = 1, .owner = 1, .len = 4 };
	const struct vd_window_range all = {
		.size = sizeof(all), .owner = 1, .window = 1, .len = sizeof(mem), .prot = RW
	};
	unsigned char text[6];
	struct vd_adapter *a;
	struct vd_reader *r;

	(void)state;
	assert_int_equal(vd_adapter_create(&cfg, &a), 0);
	assert_int_equal(vd_adapter_attach(a, 9, 1), 0);
	assert_int_equal(vd_window_create(a, &w), 0);
	assert_int_equal(vd_window_map(a, &all), 0);
	assert_int_equal(vd_reader_create(a, 9, &r), 0);

	assert_int_equal(vd_reader_write(r, (vd_iova){ PAGE - 2 }, "hello", 6), 0);
	assert_int_equal(vd_reader_read(r, (vd_iova){ PAGE - 2 }, text, 6), 0);
	assert_string_equal(text, "hello");
	assert_string_equal(mem + PAGE - 2, "hello");
	vd_reader_destroy(r);
	vd_adapter_destroy(a);
}

/* It comes whole or not at all. */
static void the_first_owner(void **state)
{
	struct vd_owner_cfg o = { .size = sizeof(o), .id = 1, .provider = 2 };
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg), .owner = &o };
	struct vd_adapter *a = NULL;

	(void)state;
	assert_int_equal(vd_adapter_create(&cfg, &a), -ENOENT); /* no such provider */
	o.size = 0;
	assert_int_equal(vd_adapter_create(&cfg, &a), -EINVAL);
	o.size = sizeof(o);
	o.provider = VD_NO_OWNER;
	assert_null(a);
	for (unsigned int n = 1; !a; n++) {
		mem_fail(n);
		assert_true(vd_adapter_create(&cfg, &a) == 0 || !a);
		mem_fail(0);
	}
	assert_int_equal(vd_owner_add(a, &o), -EEXIST);
	vd_adapter_destroy(a);
}

/* Nobody has DMA in flight and nobody wants to know: changes go through. */
static void without_callbacks(void **state)
{
	static const struct vd_adapter_ops neither = { .size = sizeof(neither), .drain = NULL };
	struct vd_adapter_cfg cfg = { .size = sizeof(cfg) };
	const struct vd_owner_cfg o = { .size = sizeof(o), .id = 1, .provider = VD_NO_OWNER };
	const struct vd_table_cfg t = { .size = sizeof(t), .page_shift = 12, .nentries = 8 };
	struct vd_window_cfg w = { .size = sizeof(w), .id = 5, .owner = 1, .len = 8 };
	const struct vd_split s = { sizeof(s), 5, 6, 1, VD_LIVE_REFUSE, 4 };
	const struct vd_merge m = { sizeof(m), 5, 6, 1, VD_LIVE_REFUSE };
	struct vd_adapter *a;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(vd_adapter_create(&cfg, &a), 0);
		assert_int_equal(vd_owner_add(a, &o), 0);
		assert_int_equal(vd_adapter_attach(a, 9, 1), 0);
		assert_int_equal(vd_table_create(a, &t, &w.table), 0);
		assert_int_equal(vd_window_create(a, &w), 0);
		assert_int_equal(vd_window_split(a, &s), 0);
		assert_int_equal(vd_window_merge(a, &m), 0);
		assert_int_equal(vd_adapter_deny(a, 9), 0);
		vd_adapter_destroy(a);
		cfg.ops = &neither;
	}
}

static void without_memory(void **state)
{
	const struct vd_adapter_cfg cfg = { .size = sizeof(cfg) };
	size_t live = mem_live();
	struct vd_adapter *a;
	int err;

	(void)state;
	for (unsigned int nth = 1;; nth++) {
		mem_fail(nth);
		err = vd_adapter_create(&cfg, &a);
		mem_fail(0);
		if (!err)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mem_live(), live);
	}
	vd_adapter_destroy(a);
	assert_int_equal(mem_live(), live);
	vd_adapter_destroy(NULL);
}

/* Attach, and a reader: whichever allocation fails, nothing is left. */
static void attach_without_memory(void **state)
{
	struct ex *x = *state;
	size_t live = mem_live();
	struct vd_reader *r;

	mem_fail(1);
	assert_int_equal(vd_adapter_attach(x->a, 5, EX_P1), -ENOMEM);
	assert_int_equal(vd_adapter_attach(x->a, 5, EX_P1), 0);
	mem_fail(1);
	assert_int_equal(vd_reader_create(x->a, 5, &r), -ENOMEM);
	assert_int_equal(vd_adapter_detach(x->a, 5), 0);
	assert_int_equal(mem_live(), live);
}

static void devices(void **state)
{
	struct ex *x = *state;

	assert_int_equal(vd_adapter_attach(x->a, VD_EVERY_DEVICE, EX_P1), -EINVAL);
	assert_int_equal(vd_adapter_attach(x->a, 5, EX_C), -EINVAL);
	assert_int_equal(vd_adapter_attach(x->a, 5, 99), -ENOENT);
	assert_int_equal(vd_adapter_attach(x->a, EX_D1, EX_P2), -EEXIST);
	for (uint32_t i = 2; i < 64; i++)
		assert_int_equal(vd_adapter_attach(x->a, i, EX_P1), 0);
	assert_int_equal(vd_adapter_attach(x->a, 500, EX_P1), -ENOSPC);
	assert_int_equal(vd_adapter_detach(x->a, 500), -ENODEV);
	assert_int_equal(vd_adapter_detach(x->a, EX_D1), -EBUSY);
	assert_int_equal(vd_adapter_detach(x->a, 3), 0);
	assert_int_equal(x->drained.device, 3);
	x->drain_says = -1;
	assert_int_equal(vd_adapter_detach(x->a, 4), -EIO);
	x->drain_says = 0;
	assert_int_equal(vd_adapter_detach(x->a, 4), 0);
}

/* T3.3 of this back end: no access after deny, and a fault for each. */
static void deny_and_permit(void **state)
{
	struct ex *x = *state;
	struct vd_fault f = { .size = sizeof(f) };
	unsigned char *hva;

	assert_int_equal(ex_map(x, EX_P1, EX_W, 0, 1), 0);
	assert_int_equal(vd_adapter_deny(x->a, EX_D1), 0);
	assert_int_equal(x->drained.device, EX_D1);
	assert_int_equal(x->found_at_drain, -EPERM);
	ex_fault(x);
	assert_int_equal(ex_access(x->r1, EX_BUS, VD_WRITE, &hva), -EPERM);
	f = ex_fault(x);
	assert_int_equal(f.guest_id, EX_D1);
	assert_int_equal(f.iova.v, EX_BUS);
	assert_int_equal(f.prot, VD_WRITE);
	assert_int_equal(f.reason, VD_FAULT_DENIED);
	assert_int_equal(ex_pinned(&x->p1), 1); /* the window is not the device's */
	assert_int_equal(vd_adapter_permit(x->a, EX_D1), 0);
	assert_int_equal(ex_access(x->r1, EX_BUS, VD_WRITE, &hva), 0);
	assert_int_equal(vd_adapter_deny(x->a, 99), -ENODEV);
	assert_int_equal(vd_adapter_permit(x->a, 99), -ENODEV);
	x->drain_says = -1;
	assert_int_equal(vd_adapter_deny(x->a, EX_D1), -EIO);
	assert_int_equal(ex_access(x->r1, EX_BUS, VD_WRITE, &hva), -EPERM);
}

static void *deny(void *arg)
{
	struct ex *x = arg;

	assert_int_equal(vd_adapter_deny(x->a, EX_D2), 0);
	return NULL;
}

/* Who is inside may finish; the device is asked to come to rest after that. */
static void deny_waits_for_readers(void **state)
{
	struct ex *x = *state;
	struct vd_target t;
	pthread_t thread;

	vd_reader_enter(x->r2);
	assert_int_equal(pthread_create(&thread, NULL, deny, x), 0);
	for (int i = 0; i < 1000; i++) {
		sched_yield();
		assert_int_equal(__atomic_load_n(&x->ndrains, __ATOMIC_RELAXED), 0);
	}
	vd_reader_exit(x->r2);
	pthread_join(thread, NULL);
	assert_int_equal(x->ndrains, 1);
	assert_int_equal(vd_translate_once(x->r2, ex_bus(0), VD_READ, &t), -EPERM);
}

/* Of a provider whose devices do not come to rest, the pins stay for ever. */
static void destroy_keeps_pins_of_the_restless(void **state)
{
	struct ex x;

	(void)state;
	ex_make(&x, 0, VD_FORMAT_NATIVE);
	ex_window(&x);
	assert_int_equal(ex_map(&x, EX_P1, EX_W, 0, 1), 0);
	vd_reader_destroy(x.r1);
	vd_reader_destroy(x.r2);
	x.r1 = NULL;
	x.drain_says = -1;
	vd_adapter_destroy(x.a);
	assert_int_equal(vd_fake_pins(x.p1.host, 1), 1);
	vd_domain_destroy(x.p1.d);
	vd_host_destroy(x.p1.host);
	vd_domain_destroy(x.p2.d);
	vd_host_destroy(x.p2.host);
	vd_domain_destroy(x.c.d);
	vd_host_destroy(x.c.host);
	free(x.p1.mem);
	free(x.p2.mem);
	free(x.c.mem);
}

static void counts(void **state)
{
	struct ex *x = *state;
	struct vd_adapter_stats s = { .size = sizeof(s) };

	assert_int_equal(ex_map(x, EX_P1, EX_W, 0, 1), 0);
	assert_int_equal(ex_map(x, EX_P2, EX_W, 0, 1), -EPERM);
	vd_adapter_stats(x->a, &s);
	assert_int_equal(s.nwindows, 1);
	assert_int_equal(s.nregs, 8);
	assert_int_equal(s.ndevices, 2);
	assert_int_equal(s.nowners, 3);
	assert_int_equal(s.table_bytes, EX_LEN * 8);
	assert_int_equal(s.puts, 1);
	assert_int_equal(s.refused, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(the_simple_thing),
		cmocka_unit_test(the_first_owner),
		cmocka_unit_test(without_callbacks),
		cmocka_unit_test(without_memory),
		ex_test(attach_without_memory),
		ex_test(devices),
		ex_test(deny_and_permit),
		ex_test(deny_waits_for_readers),
		cmocka_unit_test(destroy_keeps_pins_of_the_restless),
		ex_test(counts),
	};

	return run_all(tests);
}
