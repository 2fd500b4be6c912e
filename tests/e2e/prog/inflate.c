/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflate: a guest that gives to the balloon pages which a device is writing.
 *
 *	inflate DISK ROUNDS
 *
 * Runs in the guest in place of the balloon's driver. Each round reads a block
 * of DISK into a page without caches and, while that read is in flight, says
 * that the page may be discarded. A host that believed it would let the device
 * write into a page that is the guest's no more: the block would not arrive.
 *
 * First the control: a page that no device has is really taken. Prints
 * "idle_taken 1", "inflight N" (rounds whose read outlasted the balloon's
 * answer) and "wrong N" (blocks that did not arrive).
 */
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define DEVICE "/sys/bus/pci/devices/0000:00:01.0/"
#define PAGE   4096u
#define SIZE   8u
#define BAR    0x4000u

static int config;
static volatile uint8_t *bar;
static uint32_t common, notify;
static struct vring ring;
static uint32_t *list; /* of page numbers, behind the ring */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint32_t config_get(unsigned int off, unsigned int width)
{
	uint32_t v = 0;

	if (pread(config, &v, width, off) != (ssize_t)width)
		die("config");
	return v;
}

static uint64_t gpa_of(const void *p)
{
	uint64_t e = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0 || pread(fd, &e, 8, (off_t)((uintptr_t)p / PAGE * 8)) != 8)
		die("pagemap");
	close(fd);
	return (e & ((1ull << 55) - 1)) * PAGE + (uintptr_t)p % PAGE;
}

static void put8(uint32_t off, uint8_t v)
{
	bar[off] = v;
}

static void put16(uint32_t off, uint16_t v)
{
	*(volatile uint16_t *)(bar + off) = v;
}

static void put64(uint32_t off, uint64_t v)
{
	*(volatile uint32_t *)(bar + off) = (uint32_t)v;
	*(volatile uint32_t *)(bar + off + 4) = (uint32_t)(v >> 32);
}

static void *page_of_memory(void)
{
	void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mlock(p, PAGE))
		die("memory");
	memset(p, 0, PAGE);
	return p;
}

static void find_structures(void)
{
	for (uint32_t cap = config_get(0x34, 1); cap; cap = config_get(cap + 1, 1)) {
		uint32_t type = config_get(cap + VIRTIO_PCI_CAP_CFG_TYPE, 1);

		if (type == VIRTIO_PCI_CAP_COMMON_CFG)
			common = config_get(cap + VIRTIO_PCI_CAP_OFFSET, 4);
		else if (type == VIRTIO_PCI_CAP_NOTIFY_CFG)
			notify = config_get(cap + VIRTIO_PCI_CAP_OFFSET, 4);
	}
}

static void open_device(void)
{
	uint16_t command;
	int fd = open(DEVICE "enable", O_WRONLY);

	if (fd < 0 || write(fd, "1", 1) != 1)
		die("enable");
	close(fd);
	config = open(DEVICE "config", O_RDWR);
	command = (uint16_t)(config_get(4, 2) | 4);
	if (pwrite(config, &command, 2, 4) != 2)
		die("bus mastering");
	find_structures();
	fd = open(DEVICE "resource0", O_RDWR | O_SYNC);
	bar = mmap(NULL, BAR, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		die("resource0");
}

static void start_device(void)
{
	uint8_t *p = page_of_memory();
	unsigned int status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	vring_init(&ring, SIZE, p, 64);
	list = (uint32_t *)(p + PAGE / 2);
	put8(common + VIRTIO_PCI_COMMON_STATUS, 0);
	while (bar[common + VIRTIO_PCI_COMMON_STATUS])
		;
	put8(common + VIRTIO_PCI_COMMON_STATUS, (uint8_t)status);
	*(volatile uint32_t *)(bar + common + VIRTIO_PCI_COMMON_GFSELECT) = 1;
	*(volatile uint32_t *)(bar + common + VIRTIO_PCI_COMMON_GF) = 1; /* VERSION_1 */
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	put8(common + VIRTIO_PCI_COMMON_STATUS, (uint8_t)status);
	put16(common + VIRTIO_PCI_COMMON_Q_SELECT, 0);
	put16(common + VIRTIO_PCI_COMMON_Q_SIZE, SIZE);
	put64(common + VIRTIO_PCI_COMMON_Q_DESCLO, gpa_of(ring.desc));
	put64(common + VIRTIO_PCI_COMMON_Q_AVAILLO, gpa_of(ring.avail));
	put64(common + VIRTIO_PCI_COMMON_Q_USEDLO, gpa_of(ring.used));
	put16(common + VIRTIO_PCI_COMMON_Q_ENABLE, 1);
	status |= VIRTIO_CONFIG_S_DRIVER_OK;
	put8(common + VIRTIO_PCI_COMMON_STATUS, (uint8_t)status);
}

/* Say that the page at @p may go, and wait for the answer. */
static void inflate(const void *p)
{
	volatile struct vring_used *used = ring.used;
	uint16_t before = used->idx;

	list[0] = (uint32_t)(gpa_of(p) / PAGE);
	ring.desc[0] = (struct vring_desc){ gpa_of(list), 4, 0, 0 };
	ring.avail->ring[ring.avail->idx % SIZE] = 0;
	__atomic_store_n(&ring.avail->idx, (uint16_t)(ring.avail->idx + 1), __ATOMIC_SEQ_CST);
	put16(notify, 0);
	while (used->idx == before)
		usleep(200);
}

static struct {
	int fd;
	uint8_t *page;
	off_t at;
	_Atomic bool done;
} flight;

static void *read_block(void *arg)
{
	(void)arg;
	if (pread(flight.fd, flight.page, PAGE, flight.at) != PAGE)
		die("read");
	atomic_store(&flight.done, true);
	return NULL;
}

static void write_blocks(int rounds)
{
	for (int i = 0; i < rounds; i++) {
		memset(flight.page, i + 1, PAGE);
		if (pwrite(flight.fd, flight.page, PAGE, (off_t)i * PAGE) != PAGE)
			die("write");
	}
}

/* Did the answer come while the read was in flight? *wrong: is the block? */
static bool fly(int round, bool *wrong)
{
	pthread_t t;
	bool inflight;

	memset(flight.page, 0xee, PAGE);
	flight.at = (off_t)round * PAGE;
	atomic_store(&flight.done, false);
	if (pthread_create(&t, NULL, read_block, NULL))
		die("thread");
	usleep(30000);
	inflate(flight.page);
	inflight = !atomic_load(&flight.done);
	pthread_join(t, NULL);
	*wrong = false;
	for (unsigned int i = 0; i < PAGE; i++)
		*wrong |= flight.page[i] != (uint8_t)(round + 1);
	return inflight;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 8, inflight = 0, wrongs = 0;
	uint8_t *idle = page_of_memory();

	flight.fd = argc > 1 ? open(argv[1], O_RDWR | O_DIRECT) : -1;
	if (flight.fd < 0)
		die("disk");
	flight.page = page_of_memory();
	open_device();
	start_device();
	write_blocks(rounds);
	memset(idle, 0x77, PAGE);
	inflate(idle);
	printf("idle_taken %d\n", idle[100] == 0);
	for (int i = 0; i < rounds; i++) {
		bool wrong, flew = fly(i, &wrong);

		/* One that landed before the balloon's answer proves nothing. */
		inflight += flew;
		wrongs += flew && wrong;
	}
	printf("inflight %d\nwrong %d\n", inflight, wrongs);
	return 0;
}
