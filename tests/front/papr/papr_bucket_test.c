/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bit bucket: what a device writes to a redirected entry that has ended is
 * dropped, what it reads is a fault, until the server does something about it.
 */
#include "papr_fixture.h"

#include <errno.h>

#define AT 100u /* entry of the server's table */

/* The client's entries 0 to 7 name its pages 20 to 27; 2 to 4 are redirected. */
static void connect(struct pf *f)
{
	assert_int_equal(vd_papr_connect(f->p, CLIENT_UNIT), 0);
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, i * PAGE,
					 pf_tce(20 + i, RW)),
				 0);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 2 * PAGE, PE_LIOBN, AT * PAGE, 3),
		0);
}

static int setup(void **state)
{
	struct pf *f;

	pf_setup(state);
	f = *state;
	connect(f);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET), 0);
	return 0;
}

static int64_t client_puts(struct pf *f, uint64_t i, uint64_t tce)
{
	return pf_call(f, CLIENT, VD_H_PUT_TCE, CLIENT_LIOBN, i * PAGE, tce);
}

/* The device writes a byte where @bus leads. */
static int device_writes(struct pf *f, uint64_t bus, unsigned char byte)
{
	struct vd_target t;
	int err;

	vd_reader_enter(f->r);
	err = vd_translate(f->r, (vd_iova){ bus }, VD_WRITE, &t);
	if (!err)
		*t.hva = byte;
	vd_reader_exit(f->r);
	return err;
}

static void test_writes_are_dropped(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, 0), 0);
	assert_int_equal(device_writes(f, (AT + 1) * PAGE + 5, 0x77), 0);
	for (size_t i = 0; i < PF_PAGES * PAGE; i++) {
		assert_int_not_equal(f->mem[CLIENT][i], 0x77);
		assert_int_not_equal(f->mem[SERVER][i], 0x77);
	}
	assert_int_equal(f->mem[BUCKET][5], 0x77);
	/* Its neighbours are the copies that they were. */
	assert_int_equal(pf_page(f, AT * PAGE, RW, NULL), 22);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, RW, NULL), 24);
}

static void test_reads_are_faults(void **state)
{
	struct pf *f = *state;
	struct vd_fault fault = { .size = sizeof(fault) };
	struct vd_target t;

	assert_int_equal(client_puts(f, 3, pf_tce(40, RW)), 0);
	assert_int_equal(vd_translate_once(f->r, (vd_iova){ (AT + 1) * PAGE }, VD_READ, &t),
			 -EACCES);
	assert_int_equal(vd_adapter_next_fault(f->a, &fault), 0);
	assert_int_equal(fault.guest_id, PE_DEVICE);
	assert_int_equal(fault.iova.v, (AT + 1) * PAGE);
	assert_int_equal(fault.reason, VD_FAULT_DIRECTION);
	/* A write is none. */
	assert_int_equal(device_writes(f, (AT + 1) * PAGE, 1), 0);
	assert_int_equal(vd_adapter_next_fault(f->a, &fault), -ENOENT);
}

/* Whatever the client does next is nothing to the server's entry. */
static void test_lasts(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, pf_tce(40, RW)), 0);
	assert_true(pf_is_bucket(f, (AT + 1) * PAGE));
	assert_int_equal(client_puts(f, 3, pf_tce(23, RW)), 0); /* what it was */
	assert_true(pf_is_bucket(f, (AT + 1) * PAGE));
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, 0, 8), 0);
	assert_int_equal(vd_papr_disconnect(f->p, SERVER_UNIT), 0);
	assert_int_equal(vd_papr_connect(f->p, SERVER_UNIT), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, VD_LIOBN_BIT_BUCKET),
			 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(pf_is_bucket(f, (AT + i) * PAGE));
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

/* Each of the ways in which a server gets rid of it. */
static void test_server_ends_it(void **state)
{
	struct pf *f = *state;
	const uint64_t list[] = { pf_tce(5, VD_READ) };

	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 2 * PAGE, 0, 3), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 2 * PAGE, PE_LIOBN,
				 AT * PAGE, 1, 0),
			 0);
	assert_int_equal(pf_page(f, AT * PAGE, VD_WRITE, NULL), -ENOENT);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, (AT + 1) * PAGE, pf_tce(6, RW)),
			 0);
	assert_int_equal(f->h.out[0], PAGE);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), 6);
	pf_list(f, SERVER, list, 1);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_PUT_TCE_INDIRECT, PE_LIOBN, (AT + 2) * PAGE, PF_GPA, 1), 0);
	assert_int_equal(f->h.out[0], PAGE);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, VD_READ, NULL), 5);
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, VD_WRITE, NULL), -EACCES);
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, AT * PAGE, 0, 3), 0);
	assert_int_equal(f->h.out[0], 0 - 2 * (uint64_t)PAGE);
}

/* The back pointer is gone: the client's next page may go anywhere, also there. */
static void test_redirected_again(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, pf_tce(40, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 3 * PAGE, PE_LIOBN,
				 (AT + 1) * PAGE, 1),
			 0);
	assert_int_equal(pf_page(f, (AT + 1) * PAGE, RW, NULL), 40);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 3 * PAGE, PE_LIOBN,
				 (AT + 1) * PAGE, 1),
			 VD_H_IN_USE);
	assert_int_equal(client_puts(f, 2, pf_tce(41, RW)), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, PARTNER_LIOBN, 2 * PAGE, PE_LIOBN,
				 (AT + 9) * PAGE, 1),
			 0);
	assert_true(pf_is_bucket(f, AT * PAGE));
}

/* To its owner it is a page that is somebody's, to be written. */
static void test_get(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, 0), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, PE_LIOBN, (AT + 1) * PAGE), VD_H_PARTIAL);
	assert_int_equal(f->h.out[0], VD_TCE_RPN | VD_TCE_WRITE);
	assert_int_equal(pf_call(f, CLIENT, VD_H_GET_TCE, CLIENT_LIOBN, 3 * PAGE), 0);
	assert_int_equal(f->h.out[0], 0);
}

/* It is in nobody's count of mapped bytes, and pinned once, whatever happens. */
static void test_counts(void **state)
{
	struct pf *f = *state;

	assert_int_equal(pf_pinned(f, BUCKET), 1);
	vd_domain_set_budget(f->d[CLIENT], 8 * PAGE);
	vd_domain_set_budget(f->d[SERVER], PAGE);
	assert_int_equal(client_puts(f, 2, 0), 0);
	assert_int_equal(f->h.out[0], 0 - (uint64_t)PAGE);
	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 0, pf_tce(27, RW), 8), 0);
	assert_int_equal(f->h.out[0], 0 - 6 * (uint64_t)PAGE);
	assert_int_equal(pf_pinned(f, CLIENT), 1);
	assert_int_equal(pf_pinned(f, SERVER), 0);
	assert_int_equal(pf_pinned(f, BUCKET), 1);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_MPP, 0), 0);
	assert_int_equal(f->h.out[1], 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(pf_is_bucket(f, (AT + i) * PAGE));
	assert_int_equal(pf_call(f, SERVER, VD_H_STUFF_TCE, PE_LIOBN, AT * PAGE, 0, 3), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_pinned(f, BUCKET), 1);
}

/* It is pinned before it is needed, so the host cannot be in the way. */
static void test_host_cannot(void **state)
{
	struct pf *f = *state;

	for (uint64_t i = 2; i < 5; i++) {
		vd_fake_fail(f->host[BUCKET], 1, -ENOMEM);
		assert_int_equal(client_puts(f, i, 0), 0);
		assert_true(pf_is_bucket(f, (AT - 2 + i) * PAGE));
	}
}

/* To the server it is a valid entry: it has to be removed first. */
static void test_is_valid(void **state)
{
	struct pf *f = *state;
	uint64_t cookie;

	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 2 * PAGE, 0, 3), 0);
	assert_int_equal(pf_ddw(f, VD_DDW_REMOVE, (uint32_t[]){ PE_LIOBN }, NULL),
			 VD_RTAS_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GRANT_LOGICAL, VD_GRANT_DMA_PANE, PE_LIOBN,
				 AT * PAGE, 3 * PAGE, SERVER_UNIT),
			 0);
	cookie = f->h.out[0];
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), VD_H_RESOURCE);
	assert_int_equal(pf_call(f, SERVER, VD_H_REMOVE_RTCE, PARTNER_LIOBN, 2 * PAGE, PE_LIOBN,
				 AT * PAGE, 3, 0),
			 0);
	assert_int_equal(pf_call(f, CLIENT, VD_H_ACCEPT_LOGICAL, cookie), 0);
}

/* A client that reboots is not held off, whatever the server allows. */
static void test_client_reboots(void **state)
{
	struct pf *f = *state;

	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, VD_LIOBN_BIT_BUCKET, 0), 0);
	assert_int_equal(client_puts(f, 3, 0), VD_H_RESOURCE);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_true(pf_is_bucket(f, (AT + i) * PAGE));
	assert_int_equal(pf_pinned(f, CLIENT), 0);
}

static void test_server_reboots(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, 0), 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(pf_page(f, (AT + i) * PAGE, VD_WRITE, NULL), -ENOENT);
	assert_int_equal(pf_pinned(f, BUCKET), 1);
	assert_int_equal(pf_pinned(f, CLIENT), 7);
}

/* The platform goes, a window that it had adopted stays, and leads there. */
static void test_platform_ends(void **state)
{
	struct pf *f = *state;

	assert_int_equal(client_puts(f, 3, 0), 0);
	pf_split(f, PE_LIOBN, AT + 1, SECOND, PE_OWNER);
	assert_int_equal(vd_papr_adopt(f->p, SERVER, f->a, SECOND), 0);
	vd_papr_destroy(f->p);
	f->p = NULL;
	assert_true(pf_is_bucket(f, (AT + 1) * PAGE));
	assert_int_equal(pf_pinned(f, BUCKET), 1);
	assert_int_equal(vd_window_destroy(f->a, SECOND, VD_LIVE_REVOKE), 0);
	assert_int_equal(pf_pinned(f, BUCKET), 0);
}

/* An administrator's split takes copies along: they end there. */
static void test_split_takes_them_along(void **state)
{
	struct pf *f = *state;
	const struct vd_merge m = { sizeof(m), PE_LIOBN, SECOND, PE_OWNER, VD_LIVE_REFUSE };

	pf_split(f, PE_LIOBN, AT + 1, SECOND, PE_OWNER);
	assert_int_equal(client_puts(f, 3, 0), 0);
	assert_true(pf_is_bucket(f, (AT + 1) * PAGE));
	assert_int_equal(pf_page(f, (AT + 2) * PAGE, RW, NULL), 24);
	assert_int_equal(client_puts(f, 2, 0), 0);
	assert_true(pf_is_bucket(f, AT * PAGE));
	assert_int_equal(vd_window_merge(f->a, &m), 0);
	assert_int_equal(client_puts(f, 4, 0), 0);
	assert_true(pf_is_bucket(f, (AT + 2) * PAGE));
	assert_int_equal(pf_pinned(f, CLIENT), 5);
}

/* What one device has written no device reads, and no guest can name the page. */
static void test_one_way(void **state)
{
	struct pf *f = *state;
	const uint64_t bucket = (uint64_t)(VD_PAPR_MAX_PARTITIONS + 1) << 56;

	assert_int_equal(pf_call(f, CLIENT, VD_H_STUFF_TCE, CLIENT_LIOBN, 2 * PAGE, 0, 3), 0);
	assert_int_equal(device_writes(f, AT * PAGE, 0x5a), 0);
	for (uint64_t i = 0; i < PE_ENTRIES; i++) {
		struct vd_target t;

		assert_true(vd_translate_once(f->r, (vd_iova){ i * PAGE }, VD_READ, &t) != 0);
	}
	for (uint64_t prot = 1; prot <= RW; prot++) {
		assert_int_equal(
			pf_call(f, SERVER, VD_H_PUT_TCE, PE_LIOBN, AT * PAGE, bucket | prot),
			VD_H_PARAMETER);
		assert_int_equal(client_puts(f, 0, bucket | prot), VD_H_PARAMETER);
	}
	assert_true(pf_is_bucket(f, AT * PAGE));
}

/* A platform without a bucket: the attribute cannot be had. */
static void test_without(void **state)
{
	struct pf leaky, *f = &leaky;

	(void)state;
	pf_make_leaky(f);
	pf_furnish(f);
	connect(f);
	assert_int_equal(
		pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, 0, VD_LIOBN_BIT_BUCKET),
		VD_H_CONSTRAINED);
	assert_int_equal(f->h.nout, 1);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_LIOBN_ATTRIBUTES, PE_LIOBN, UINT64_MAX, 2), 0);
	assert_int_equal(f->h.out[0], 0);
	assert_int_equal(client_puts(f, 3, 0), VD_H_RESOURCE);
	assert_int_equal(vd_papr_reset(f->p, CLIENT), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(pf_page(f, (AT + i) * PAGE, VD_WRITE, NULL), -ENOENT);
	pf_unmake(f);
}

/* A bucket that is none, or that cannot be pinned, is found out at once. */
static void test_refused(void **state)
{
	struct pf *f = *state;
	struct vd_papr_cfg cfg = { .size = sizeof(cfg) };
	struct vd_papr *p = NULL;

	cfg.bucket = f->d[CLIENT]; /* nothing at address 0 */
	assert_int_equal(vd_papr_create(&cfg, &p), -EINVAL);
	vd_papr_destroy(f->p);
	f->p = NULL;
	cfg.bucket = f->d[BUCKET];
	vd_fake_fail(f->host[BUCKET], 1, -ENOSPC);
	assert_int_equal(vd_papr_create(&cfg, &p), -ENOSPC);
	assert_null(p);
	assert_int_equal(pf_pinned(f, BUCKET), 0);
	assert_int_equal(vd_papr_create(&cfg, &p), 0);
	assert_int_equal(pf_pinned(f, BUCKET), 1);
	vd_papr_destroy(p);
}

/* However many partitions there are, the memory of none is where the bucket is. */
static void test_last_partition(void **state)
{
	struct pf *f = *state;
	struct vd_papr_partition part = { .size = sizeof(part), .domain = f->d[CLIENT] };
	struct vd_papr_vio server = pf_vio(SERVER), client = pf_vio(CLIENT);

	for (part.id = 1000; part.id < 1000 + VD_PAPR_MAX_PARTITIONS - 2; part.id++)
		assert_int_equal(vd_papr_add_partition(f->p, &part), 0);
	server.unit = client.partner = 0x50;
	client.unit = server.partner = 0x51;
	server.liobn = 0x11000000;
	server.partner_liobn = 0x31000000;
	client.liobn = 0x12000000;
	client.partition = part.id - 1;
	assert_int_equal(vd_papr_add_vio(f->p, &server), 0);
	assert_int_equal(vd_papr_add_vio(f->p, &client), 0);
	assert_int_equal(vd_papr_connect(f->p, 0x50), 0);
	assert_int_equal(pf_call(f, client.partition, VD_H_PUT_TCE, client.liobn, 0, pf_tce(9, RW)),
			 0);
	assert_int_equal(vd_papr_reset(f->p, SERVER), 0);
	assert_int_equal(vd_papr_connect(f->p, 0x50), 0);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_RTCE, server.partner_liobn, 0, PE_LIOBN, 0, 1),
			 0);
	assert_int_equal(pf_page(f, 0, RW, NULL), 9);
	assert_true(pf_is_of(f, CLIENT, 0));
	assert_int_equal(vd_papr_reset(f->p, client.partition), 0);
	assert_true(pf_is_bucket(f, 0));
}

/* Its LIOBN is nobody else's. */
static void test_liobn(void **state)
{
	struct pf *f = *state;
	struct vd_papr_vio vio = pf_vio(SERVER);

	vio.unit = 0x50;
	vio.partner = 0x51;
	vio.liobn = UINT32_MAX;
	vio.partner_liobn = 0;
	assert_int_equal(vd_papr_add_vio(f->p, &vio), -EEXIST);
	assert_int_equal(pf_call(f, SERVER, VD_H_PUT_TCE, UINT32_MAX, 0, 0), VD_H_PARAMETER);
	assert_int_equal(pf_call(f, SERVER, VD_H_GET_TCE, UINT32_MAX, 0), VD_H_PARAMETER);
}

#define bucket_test(t) cmocka_unit_test_setup_teardown(t, setup, pf_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		bucket_test(test_writes_are_dropped),
		bucket_test(test_reads_are_faults),
		bucket_test(test_lasts),
		bucket_test(test_server_ends_it),
		bucket_test(test_redirected_again),
		bucket_test(test_get),
		bucket_test(test_counts),
		bucket_test(test_host_cannot),
		bucket_test(test_is_valid),
		bucket_test(test_client_reboots),
		bucket_test(test_server_reboots),
		bucket_test(test_platform_ends),
		bucket_test(test_split_takes_them_along),
		bucket_test(test_one_way),
		cmocka_unit_test(test_without),
		bucket_test(test_refused),
		bucket_test(test_liobn),
		bucket_test(test_last_partition),
	};

	return run_all(tests);
}
