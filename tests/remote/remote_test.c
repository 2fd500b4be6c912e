/* SPDX-License-Identifier: BSD-2-Clause */
/* The remote device against a peer that does what it is told. */
#include "mem_nth.h"
#include "peer.h"
#include "test.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <viaduct/remote.h>

#define SOON 50 /* ms */
#define PAGE ((uint64_t)4096)

static struct vd_remote *meet(struct peer *p, unsigned int timeout_ms)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg), .timeout_ms = timeout_ms };
	struct vd_remote *r = NULL;

	peer_start(p);
	cfg.fd = p->ours;
	assert_int_equal(vd_remote_create(&cfg, &r), 0);
	return r;
}

static void part(struct vd_remote *r, struct peer *p)
{
	vd_remote_destroy(r);
	peer_stop(p);
}

static const struct peer_seen *seen(struct peer *p, int back)
{
	return &p->seen[(p->nseen - back) % PEER_LOG];
}

static uint32_t u32_at(const struct peer_seen *s, size_t at)
{
	uint32_t v;

	memcpy(&v, s->body + at, 4);
	return v;
}

static uint64_t u64_at(const struct peer_seen *s, size_t at)
{
	uint64_t v;

	memcpy(&v, s->body + at, 8);
	return v;
}

/* The device begins without memory: one page of nothing. */
static void handshake(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);

	(void)state;
	assert_int_equal(p.nseen, 5);
	assert_int_equal(p.seen[0].cmd, 3);
	assert_int_equal(p.seen[0].size, 12);
	assert_int_equal(p.seen[3].cmd, 0);
	assert_int_equal(p.seen[3].size, 192);
	assert_int_equal(p.seen[3].nfds, 1);
	assert_int_equal(u64_at(&p.seen[3], 0), UINT64_MAX - 4095);
	assert_int_equal(u64_at(&p.seen[3], 64), 4096);
	part(r, &p);
}

/* A mark that stays: the peer has been up for long. It is taken away. */
static void an_old_peer(void **state)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg) };
	struct vd_remote *r;
	struct peer p;

	(void)state;
	peer_start(&p);
	p.value = 0x1ba5;
	cfg.fd = p.ours;
	assert_int_equal(vd_remote_create(&cfg, &r), 0);
	assert_int_equal(seen(&p, 3)->cmd, 2);
	assert_int_equal(u32_at(seen(&p, 3), 0), u32_at(&p.seen[1], 0));
	assert_int_equal(u32_at(seen(&p, 3), 4), 0);
	part(r, &p);
}

struct create_row {
	enum peer_mood mood;
	int after;
	int err;
};

static const struct create_row create_rows[] = {
	{ PEER_MUTE, 0, -ETIMEDOUT }, { PEER_DIES, 0, -EPIPE },	    { PEER_GARBAGE, 0, -EPROTO },
	{ PEER_REFUSES, 0, -ENODEV }, { PEER_WIDE, 0, -EPROTO },    { PEER_SHORT, 0, -EPIPE },
	{ PEER_DIES, 1, -EPIPE },     { PEER_MUTE, 1, -ETIMEDOUT },
};

/* The descriptor stays the caller's when the handshake fails. */
static void handshake_fails(void **state)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg) };
	struct vd_remote *r = NULL;
	struct peer p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(create_rows); i++) {
		peer_start(&p);
		peer_turn(&p, create_rows[i].mood, create_rows[i].after);
		cfg.fd = p.ours;
		cfg.timeout_ms = create_rows[i].err == -ETIMEDOUT ? SOON : 5000;
		assert_int_equal(vd_remote_create(&cfg, &r), create_rows[i].err);
		assert_null(r);
		assert_int_equal(close(p.ours), 0);
		peer_stop(&p);
	}
	peer_start(&p);
	p.value = 0xffff; /* nobody is there */
	cfg.fd = p.ours;
	cfg.timeout_ms = 5000;
	assert_int_equal(vd_remote_create(&cfg, &r), -ENODEV);
	assert_int_equal(close(p.ours), 0);
	peer_stop(&p);
}

static void bad_cfg(void **state)
{
	struct vd_remote_cfg cfg = { .size = sizeof(cfg), .fd = -1 };
	struct vd_remote *r = NULL;

	(void)state;
	assert_int_equal(vd_remote_create(&cfg, &r), -EINVAL);
	cfg = (struct vd_remote_cfg){ .size = 1, .fd = 0 };
	assert_int_equal(vd_remote_create(&cfg, &r), -EINVAL);
	cfg = (struct vd_remote_cfg){ .size = sizeof(cfg), .fd = 0, .timeout_ms = UINT32_MAX };
	assert_int_equal(vd_remote_create(&cfg, &r), -EINVAL);
	cfg.timeout_ms = 0;
	mem_fail(1);
	assert_int_equal(vd_remote_create(&cfg, &r), -ENOMEM);
	mem_fail(0);
	assert_null(r);
	vd_remote_destroy(NULL);
}

static void accesses(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	uint32_t v;
	uint64_t v8;

	(void)state;
	p.value = 0xab;
	assert_int_equal(vd_remote_config_read(r, 0x3d, 1, &v), 0);
	assert_int_equal(v, 0xab);
	assert_int_equal(u32_at(seen(&p, 1), 0), 0x3d);
	assert_int_equal(u32_at(seen(&p, 1), 8), 1);
	assert_int_equal(vd_remote_config_write(r, 4, 2, 6), 0);
	assert_int_equal(seen(&p, 1)->cmd, 2);
	assert_int_equal(u32_at(seen(&p, 1), 4), 6);
	p.value = UINT64_MAX;
	assert_int_equal(vd_remote_bar_read(r, 0xe0000000, 8, &v8), 0);
	assert_true(v8 == UINT64_MAX);
	assert_int_equal(vd_remote_bar_write(r, 0xe0001000, 4, 7), 0);
	assert_int_equal(seen(&p, 1)->cmd, 4);
	assert_int_equal(seen(&p, 1)->size, 24);
	assert_int_equal(u64_at(seen(&p, 1), 0), 0xe0001000);
	assert_int_equal(u64_at(seen(&p, 1), 8), 7);
	assert_int_equal(u32_at(seen(&p, 1), 16), 4);
	assert_int_equal(seen(&p, 1)->body[20], 1);
	assert_int_equal(vd_remote_reset(r), 0);
	assert_int_equal(seen(&p, 1)->cmd, 7);
	assert_int_equal(seen(&p, 1)->size, 0);
	part(r, &p);
}

/* What is malformed is not sent at all. */
static void bad_accesses(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	int before = p.nseen;
	uint64_t v8;
	uint32_t v;

	(void)state;
	assert_int_equal(vd_remote_config_read(r, 0, 0, &v), -EINVAL);
	assert_int_equal(vd_remote_config_read(r, 0, 3, &v), -EINVAL);
	assert_int_equal(vd_remote_config_read(r, 0, 8, &v), -EINVAL);
	assert_int_equal(vd_remote_config_read(r, 2, 4, &v), -EINVAL);
	assert_int_equal(vd_remote_config_write(r, 4096, 4, 0), -EINVAL);
	assert_int_equal(vd_remote_bar_read(r, 1, 2, &v8), -EINVAL);
	assert_int_equal(vd_remote_bar_write(r, 0, 16, 0), -EINVAL);
	assert_int_equal(vd_remote_set_irq(r, -1, 0), -EINVAL);
	assert_int_equal(p.nseen, before);
	part(r, &p);
}

/* A refusal is an answer; the peer is not lost by it. */
static void refusals(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	uint64_t v8 = 42;
	uint32_t v = 42;

	(void)state;
	peer_turn(&p, PEER_REFUSES, 0);
	assert_int_equal(vd_remote_config_read(r, 0, 4, &v), -EREMOTEIO);
	assert_int_equal(vd_remote_config_write(r, 0, 4, 0), -EREMOTEIO);
	assert_int_equal(vd_remote_bar_read(r, 0, 4, &v8), -EREMOTEIO);
	assert_int_equal(vd_remote_bar_write(r, 0, 4, 0), -EREMOTEIO);
	assert_int_equal(v, 42);
	assert_int_equal(v8, 42);
	peer_turn(&p, PEER_GOOD, 0);
	assert_int_equal(vd_remote_config_read(r, 0, 4, &v), 0);
	part(r, &p);
}

/* A number that does not fit into what was asked for: lost, for good. */
static void wide_numbers(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	uint64_t v8 = 42;
	int before;

	(void)state;
	peer_turn(&p, PEER_WIDE, 0);
	assert_int_equal(vd_remote_bar_read(r, 0, 8, &v8), 0);
	v8 = 42;
	assert_int_equal(vd_remote_bar_read(r, 0, 4, &v8), -EPROTO);
	peer_turn(&p, PEER_GOOD, 0);
	before = p.nseen;
	assert_int_equal(vd_remote_reset(r), -EPROTO);
	assert_int_equal(vd_remote_set_memory(r, NULL, 0), -EPROTO);
	assert_int_equal(p.nseen, before);
	assert_int_equal(v8, 42);
	part(r, &p);

	r = meet(&p, 0);
	peer_turn(&p, PEER_WIDE, 0);
	assert_int_equal(vd_remote_bar_write(r, 0, 4, 0), -EPROTO);
	part(r, &p);

	r = meet(&p, 0);
	peer_turn(&p, PEER_REFUSES, 0); /* a reset is answered without a number */
	assert_int_equal(vd_remote_reset(r), -EPROTO);
	part(r, &p);
}

static int file_of(uint64_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	return fd;
}

static void memory(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	int fd = file_of(16 * PAGE);
	struct vd_remote_region m[VD_REMOTE_REGIONS + 1];
	const struct peer_seen *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		m[i] = (struct vd_remote_region){ fd, { (2 * i + 1) * PAGE }, PAGE, i * PAGE };
	assert_int_equal(vd_remote_set_memory(r, m, VD_REMOTE_REGIONS), 0);
	s = seen(&p, 2);
	assert_int_equal(s->cmd, 0);
	assert_int_equal(s->nfds, VD_REMOTE_REGIONS);
	for (size_t i = 0; i < VD_REMOTE_REGIONS; i++) {
		assert_int_equal(u64_at(s, 8 * i), (2 * i + 1) * PAGE);
		assert_int_equal(u64_at(s, 64 + 8 * i), PAGE);
		assert_int_equal(u64_at(s, 128 + 8 * i), i * PAGE);
	}
	assert_int_equal(seen(&p, 1)->cmd, 3); /* and then it was asked */
	assert_int_equal(vd_remote_set_memory(r, m, VD_REMOTE_REGIONS + 1), -ENOSPC);
	assert_int_equal(vd_remote_set_memory(r, m, 0), 0);
	assert_int_equal(seen(&p, 2)->nfds, 1);
	close(fd);
	part(r, &p);
}

struct region_row {
	uint64_t iova, len, off;
	int err;
};

static const struct region_row region_rows[] = {
	{ 0, 0, 0, -EINVAL },
	{ 1, PAGE, 0, -EINVAL },
	{ 0, PAGE + 1, 0, -EINVAL },
	{ 0, PAGE, 8, -EINVAL },
	{ 0, 17 * PAGE, 0, -EINVAL },
	{ 0, PAGE, 16 * PAGE, -EINVAL },
	{ 0, PAGE, (uint64_t)1 << 63, -EINVAL },
	{ UINT64_MAX - PAGE + 1, 2 * PAGE, 0, -EOVERFLOW },
	{ 0, 2 * PAGE, UINT64_MAX - PAGE + 1, -EOVERFLOW },
	{ UINT64_MAX - PAGE + 1, PAGE, 0, 0 },
	{ 0, 16 * PAGE, 0, 0 },
};

static void bad_memory(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	int fd = file_of(16 * PAGE), event = eventfd(0, 0), before = p.nseen, good = 0;
	struct vd_remote_region m[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(region_rows); i++) {
		const struct region_row *w = &region_rows[i];

		m[0] = (struct vd_remote_region){ fd, { w->iova }, w->len, w->off };
		assert_int_equal(vd_remote_set_memory(r, m, 1), w->err);
		good += w->err == 0;
		assert_int_equal(p.nseen, before + 2 * good);
	}
	m[1] = (struct vd_remote_region){ fd, { 15 * PAGE }, PAGE, 0 };
	assert_int_equal(vd_remote_set_memory(r, m, 2), -EEXIST);
	m[0].fd = event; /* has no length */
	assert_int_equal(vd_remote_set_memory(r, m, 1), -EINVAL);
	m[0].fd = -1;
	assert_int_equal(vd_remote_set_memory(r, m, 1), -EINVAL);
	close(event);
	close(fd);
	part(r, &p);
}

static void irq(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	int a = eventfd(0, EFD_CLOEXEC), b = eventfd(0, EFD_CLOEXEC);

	(void)state;
	assert_int_equal(vd_remote_set_irq(r, a, b), 0);
	assert_int_equal(seen(&p, 2)->cmd, 6);
	assert_int_equal(seen(&p, 2)->size, 0);
	assert_int_equal(seen(&p, 2)->nfds, 2);
	close(a);
	close(b);
	part(r, &p);
}

/* It dies when nobody looks: the next call says so, without waiting. */
static void death_between(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 60000);
	uint32_t v;

	(void)state;
	peer_turn(&p, PEER_DIES, 0);
	assert_int_equal(vd_remote_config_read(r, 0, 4, &v), -EPIPE);
	assert_int_equal(vd_remote_set_memory(r, NULL, 0), -EPIPE);
	part(r, &p);
}

static void *hammer(void *arg)
{
	uint32_t v = 0;

	for (int i = 0; i < 500; i++) {
		assert_int_equal(vd_remote_config_read(arg, 0, 2, &v), 0);
		assert_int_equal(v, 0x1b36);
	}
	return NULL;
}

static void threads(void **state)
{
	struct peer p;
	struct vd_remote *r = meet(&p, 0);
	pthread_t t;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, hammer, r), 0);
	hammer(r);
	pthread_join(t, NULL);
	part(r, &p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshake),   cmocka_unit_test(handshake_fails),
		cmocka_unit_test(an_old_peer), cmocka_unit_test(bad_cfg),
		cmocka_unit_test(accesses),    cmocka_unit_test(bad_accesses),
		cmocka_unit_test(refusals),    cmocka_unit_test(wide_numbers),
		cmocka_unit_test(memory),      cmocka_unit_test(bad_memory),
		cmocka_unit_test(irq),	       cmocka_unit_test(death_between),
		cmocka_unit_test(threads),
	};

	return run_all(tests);
}
