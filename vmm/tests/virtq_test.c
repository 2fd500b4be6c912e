/* SPDX-License-Identifier: BSD-2-Clause */
/* Queues as honest and as hostile drivers make them. */
#include "unit.h"
#include "virtq.h"
#include "vm.h"
#include <errno.h>
#include <linux/virtio_ring.h>

#define SIZE 8u
#define RAM  0x10000u
#define AT   0x1000u /* of the rings */
#define DATA 0x4000u

static struct {
	struct vm vm;
	struct virtq q;
	struct vring ring;
	uint8_t ram[RAM] __attribute__((aligned(4096)));
} f;

static uint64_t gpa_of(const void *p)
{
	return (uint64_t)((const uint8_t *)p - f.ram);
}

static int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.vm.ram = f.ram;
	f.vm.ram_len = RAM;
	f.vm.ram_high = 4ull << 30;
	virtq_init(&f.q, &f.vm);
	vring_init(&f.ring, SIZE, f.ram + AT, 16);
	f.q.size = SIZE;
	f.q.desc = gpa_of(f.ring.desc);
	f.q.avail = gpa_of(f.ring.avail);
	f.q.used = gpa_of(f.ring.used);
	assert_int_equal(virtq_enable(&f.q), 0);
	return 0;
}

static void put(uint16_t i, uint64_t addr, uint32_t len, uint16_t flags,
		uint16_t next)
{
	f.ring.desc[i] = (struct vring_desc){ addr, len, flags, next };
}

static void offer(uint16_t head)
{
	f.ring.avail->ring[f.ring.avail->idx % SIZE] = head;
	f.ring.avail->idx++;
}

static void enable_checks(void **state)
{
	static const struct {
		uint16_t size;
		uint64_t desc, avail, used;
	} bad[] = {
		{ 0, 0x1000, 0x2000, 0x3000 },
		{ 3, 0x1000, 0x2000, 0x3000 },
		{ 256, 0x1000, 0x2000, 0x3000 },
		{ 8, 0x1008, 0x2000, 0x3000 },
		{ 8, 0x1000, 0x2001, 0x3000 },
		{ 8, 0x1000, 0x2000, 0x3002 },
		{ 8, RAM - 64, 0x2000, 0x3000 },
		{ 8, 0x1000, RAM - 4, 0x3000 },
		{ 8, 0x1000, 0x2000, RAM },
		{ 8, UINT64_MAX - 15, 0x2000, 0x3000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		virtq_init(&f.q, &f.vm);
		f.q.size = bad[i].size;
		f.q.desc = bad[i].desc;
		f.q.avail = bad[i].avail;
		f.q.used = bad[i].used;
		assert_int_equal(virtq_enable(&f.q), -EINVAL);
		assert_false(f.q.enabled);
	}
}

static void chains_in_order(void **state)
{
	struct virtq_chain c;
	uint8_t copy[16] = { 0 };

	(void)state;
	assert_int_equal(virtq_pop(&f.q, &c), 0);
	memcpy(f.ram + DATA, "abcdefgh", 8);
	put(5, DATA, 3, VRING_DESC_F_NEXT, 2);
	put(2, DATA + 4, 4, VRING_DESC_F_NEXT, 7);
	put(7, DATA + 100, 50, VRING_DESC_F_WRITE, 0);
	offer(5);
	put(0, DATA, 1, 0, 0);
	offer(0);
	assert_int_equal(virtq_pop(&f.q, &c), 1);
	assert_int_equal(c.head, 5);
	assert_int_equal(c.n, 3);
	assert_int_equal(c.nread, 2);
	assert_int_equal(c.seg[2].gpa, DATA + 100);
	assert_int_equal(c.seg[2].len, 50);
	assert_int_equal(virtq_read(&f.q, &c, 0, copy, sizeof(copy)), 7);
	assert_memory_equal(copy, "abcefgh", 7);
	assert_int_equal(virtq_read(&f.q, &c, 2, copy, 3), 3);
	assert_memory_equal(copy, "cef", 3);
	assert_int_equal(virtq_read(&f.q, &c, 7, copy, 3), 0);
	virtq_push(&f.q, 5, 50);
	assert_int_equal(virtq_pop(&f.q, &c), 1);
	assert_int_equal(c.head, 0);
	virtq_push(&f.q, 0, 0);
	assert_int_equal(virtq_pop(&f.q, &c), 0);
	assert_int_equal(f.ring.used->idx, 2);
	assert_int_equal(f.ring.used->ring[0].id, 5);
	assert_int_equal(f.ring.used->ring[0].len, 50);
	assert_int_equal(f.ring.used->ring[1].id, 0);
}

/* Around the 16 bits of the indexes, with a queue of 8. */
static void indexes_wrap(void **state)
{
	struct virtq_chain c;

	(void)state;
	put(3, DATA, 1, 0, 0);
	for (unsigned int i = 0; i < 70000; i++) {
		offer(3);
		assert_int_equal(virtq_pop(&f.q, &c), 1);
		virtq_push(&f.q, c.head, i);
		assert_int_equal(f.ring.used->idx, (uint16_t)(i + 1));
		assert_int_equal(f.ring.used->ring[i % SIZE].len, i);
	}
}

static void hostile_chains(void **state)
{
	struct virtq_chain c;

	(void)state;
	offer(SIZE); /* no such descriptor */
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
	put(1, DATA, 1, VRING_DESC_F_NEXT, 1); /* bites its tail */
	offer(1);
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
	put(1, DATA, 1, VRING_DESC_F_NEXT, 0xffff);
	offer(1);
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
	put(1, DATA, 16, VRING_DESC_F_INDIRECT, 0); /* not offered */
	offer(1);
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
	put(1, DATA, 1, VRING_DESC_F_WRITE | VRING_DESC_F_NEXT, 2);
	put(2, DATA, 1, 0, 0); /* to read after to write */
	offer(1);
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
	f.ring.avail->idx =
		(uint16_t)(f.q.next_avail + SIZE + 1); /* more than there are */
	assert_int_equal(virtq_pop(&f.q, &c), -EINVAL);
}

static void the_longest_chain(void **state)
{
	struct virtq_chain c;

	(void)state;
	for (uint16_t i = 0; i < SIZE; i++)
		put(i, DATA + i, 1, i + 1 < (int)SIZE ? VRING_DESC_F_NEXT : 0,
		    i + 1);
	offer(0);
	assert_int_equal(virtq_pop(&f.q, &c), 1);
	assert_int_equal(c.n, SIZE);
}

static void reads_only_ram(void **state)
{
	static const uint64_t at[] = { RAM - 4, RAM, UINT64_MAX - 3, 3ull << 30,
				       4ull << 30 };
	struct virtq_chain c;
	uint8_t copy[64];

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		put(1, at[i], 0xffffffff, 0, 0);
		offer(1);
		assert_int_equal(virtq_pop(&f.q, &c), 1);
		assert_int_equal(virtq_read(&f.q, &c, 0, copy, sizeof(copy)),
				 0);
		assert_int_equal(virtq_read(&f.q, &c, 4, copy, sizeof(copy)),
				 0);
	}
}

static void interrupts_as_wanted(void **state)
{
	(void)state;
	assert_true(virtq_wants_interrupt(&f.q));
	f.ring.avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	assert_false(virtq_wants_interrupt(&f.q));
}

#define test(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(enable_checks),	    test(chains_in_order),
		test(indexes_wrap),	    test(hostile_chains),
		test(the_longest_chain),    test(reads_only_ram),
		test(interrupts_as_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
