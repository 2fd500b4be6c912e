/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest's driver that starts a virtio function without accepting
 * VIRTIO_F_ACCESS_PLATFORM, past all of Linux: it maps the BAR and writes.
 *
 *	bypass BAR-FILE OFFSET HOW
 *
 * HOW: "bit" accepts what is offered but for the bit; "late" writes DRIVER_OK
 * without FEATURES_OK; "queue" enables a queue of its own before either;
 * "good" accepts the bit. Prints "status N", the device's status afterwards:
 * 255 from a function that is gone.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

static volatile uint8_t *regs;

static void put32(unsigned int reg, uint32_t v)
{
	*(volatile uint32_t *)(regs + reg) = v;
}

static void put16(unsigned int reg, uint16_t v)
{
	*(volatile uint16_t *)(regs + reg) = v;
}

static uint32_t get32(unsigned int reg)
{
	return *(volatile uint32_t *)(regs + reg);
}

static void accept_word(uint32_t word, uint32_t but)
{
	put32(0, word);
	put32(8, word);
	put32(12, get32(4) & ~but);
}

static void drive(const char *how)
{
	regs[20] = 0;
	regs[20] = 1;
	regs[20] = 3;
	if (!strcmp(how, "queue")) {
		put16(22, 0);
		put32(32, 0x100000);
		put16(28, 1);
		return;
	}
	accept_word(0, 0);
	accept_word(1, strcmp(how, "bit") ? 0 : 2);
	if (strcmp(how, "late"))
		regs[20] = 11;
	regs[20] = strcmp(how, "late") ? 15 : 7;
}

int main(int argc, char **argv)
{
	int fd = argc == 4 ? open(argv[1], O_RDWR | O_SYNC) : -1;
	unsigned long off;
	void *map;

	if (fd < 0) {
		perror("bypass");
		return 1;
	}
	off = strtoul(argv[2], NULL, 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(off / PAGE * PAGE));
	if (map == MAP_FAILED) {
		perror("bypass: mmap");
		return 1;
	}
	regs = (uint8_t *)map + off % PAGE;
	drive(argv[3]);
	printf("status %u\n", regs[20]);
	return 0;
}
