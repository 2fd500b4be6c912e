/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostile: a guest that says to the HAL device whatever it likes.
 *
 *	hostile SECONDS [SEED]
 *
 * Runs in the guest, in place of the HAL module: maps the registers, gives
 * slots, shakes hands, and then writes random registers, widths, slots at wild
 * addresses, requests with wild counts, lengths up to 2^62, others' device ids
 * and replays, while a second thread changes the slot pages under the host's
 * feet. Prints "requests N", "refused N" (answers other than OK) and "ok N".
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

#define DEVICE "/sys/bus/pci/devices/0000:00:02.0/"
#define SLOTS  2

static volatile uint8_t *regs;
static uint8_t *page[SLOTS];
static uint64_t page_gpa[SLOTS];
static atomic_bool over;

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

static uint64_t gpa_of(const void *p)
{
	uint64_t e = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &e, 8, (off_t)((uintptr_t)p / 4096 * 8)) != 8)
		die("pagemap");
	close(fd);
	return (e & ((1ull << 55) - 1)) * 4096;
}

static void open_device(void)
{
	int fd = open(DEVICE "enable", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("enable");
	close(fd);
	fd = open(DEVICE "resource0", O_RDWR | O_SYNC);
	regs = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (regs == MAP_FAILED)
		die("resource0");
	if (get(VD_HAL_REG_MAGIC) != VD_HAL_MAGIC)
		die("magic");
}

static void set_slot(unsigned int slot, uint64_t gpa)
{
	put(VD_HAL_REG_SLOT, slot);
	put(VD_HAL_REG_SLOT_LO, (uint32_t)gpa);
	put(VD_HAL_REG_SLOT_HI, (uint32_t)(gpa >> 32));
}

static void shake_hands(void)
{
	for (unsigned int i = 0; i < SLOTS; i++)
		set_slot(i, page_gpa[i]);
	put(VD_HAL_REG_WANTED, get(VD_HAL_REG_FEATURES) & ~VD_HAL_F_LIVES);
	put(VD_HAL_REG_STATUS, VD_HAL_STATUS_HELLO);
}

static uint64_t wild(uint64_t *s)
{
	uint64_t r = next(s);

	switch (r % 6) {
	case 0:
		return next(s);
	case 1:
		return next(s) >> 2; /* to 2^62 */
	case 2:
		return next(s) % (600u << 20); /* about the guest's memory */
	case 3:
		return page_gpa[r >> 8 & 1] + (r >> 16) % 8192;
	case 4:
		return ~0ull - next(s) % 8192;
	default:
		return next(s) % 16;
	}
}

static void fill(struct vd_hal_slot *p, uint64_t *s)
{
	uint64_t r = next(s);

	p->head.op = (uint32_t)(r % 8 ? 1 + r % 3 : next(s));
	p->head.device = r >> 8 & 3 ? 0x20 : (uint32_t)wild(s);
	p->head.count = (uint32_t)(r >> 10 & 7 ? 1 + (r >> 16) % 8 : wild(s));
	p->head.life = r >> 13 & 15 ? 0 : (uint32_t)wild(s);
	p->head.mask = r >> 17 & 1 ? ~0ull : wild(s);
	for (unsigned int i = 0; i < 8; i++) {
		p->seg[i].addr = wild(s);
		p->seg[i].len = (uint32_t)(r >> 20 & 3 ? next(s) % 65536 : wild(s));
		p->seg[i].prot = (uint32_t)(next(s) % 5);
	}
}

static void poke(uint64_t *s)
{
	uint64_t r = next(s);
	unsigned int off = (r >> 8) % 4096;

	switch (r % 5) {
	case 0:
		regs[off] = (uint8_t)r;
		break;
	case 1:
		*(volatile uint16_t *)(regs + (off & ~1u)) = (uint16_t)r;
		break;
	case 2:
		*(volatile uint64_t *)(regs + (off & ~7u)) = r;
		break;
	case 3:
		put(off & 0x7c, (uint32_t)wild(s));
		break;
	default:
		(void)get(off & ~3u);
		break;
	}
}

static void *scribble(void *arg)
{
	uint64_t s = *(uint64_t *)arg;

	while (!over) {
		uint64_t r = next(&s);

		((volatile uint32_t *)page[r & 1])[(r >> 8) % 64] = (uint32_t)wild(&s);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t s = 88172645463325252ull, other, n = 0, bad = 0, ok = 0;
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	pthread_t thread;

	if (argc > 2)
		s ^= strtoull(argv[2], NULL, 10) << 20;
	other = s * 3 + 1;
	for (int i = 0; i < SLOTS; i++) {
		page[i] = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (page[i] == MAP_FAILED || mlock(page[i], 4096))
			die("memory");
		memset(page[i], 1, 4096);
		page_gpa[i] = gpa_of(page[i]);
	}
	open_device();
	shake_hands();
	pthread_create(&thread, NULL, scribble, &other);
	while (time(NULL) < end) {
		unsigned int slot = n & 1;
		struct vd_hal_slot *p = (struct vd_hal_slot *)page[slot];

		fill(p, &s);
		put(VD_HAL_REG_DOORBELL, n % 50 ? slot : (uint32_t)wild(&s));
		if (p->head.status == VD_HAL_S_OK)
			ok++;
		else
			bad++;
		if (n % 7 == 0)
			poke(&s);
		if (n % 500 == 0)
			set_slot((unsigned int)(next(&s) % 3), wild(&s));
		if (n++ % 1000 == 999)
			shake_hands();
	}
	over = true;
	pthread_join(thread, NULL);
	put(VD_HAL_REG_STATUS, VD_HAL_STATUS_OFF);
	printf("requests %llu\nrefused %llu\nok %llu\n", (unsigned long long)n,
	       (unsigned long long)bad, (unsigned long long)ok);
	return 0;
}
