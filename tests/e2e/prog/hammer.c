/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hammer: load from and store to BARs of a function until they are gone.
 *
 *	hammer NAME FILE OFFSET
 *
 * FILE is a resource file of sysfs. Loads 32 bits at OFFSET, which must not be
 * all ones there, and stores back what it read, without a pause, until it reads
 * ones; then goes on for a second and prints "ones NAME N", or "mixed NAME" if
 * anything but ones came. The guest's kernel may take the mapping away at any
 * moment of that: "gone NAME".
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static const char *name;

static void on_bus_error(int sig)
{
	(void)sig;
	if (write(1, "gone ", 5) > 0 && write(1, name, strlen(name)) > 0 && write(1, "\n", 1) > 0)
		_exit(0);
	_exit(1);
}

static void look_on(volatile uint32_t *reg)
{
	time_t until = time(NULL) + 2;
	unsigned long n = 0;

	while (time(NULL) < until) {
		if (*reg != UINT32_MAX) {
			printf("mixed %s\n", name);
			exit(1);
		}
		*reg = 0;
		n++;
	}
	printf("ones %s %lu\n", name, n);
}

int main(int argc, char **argv)
{
	uint32_t value;
	uint8_t *map;
	size_t off;
	int fd;

	if (argc != 4)
		return 2;
	name = argv[1];
	off = strtoul(argv[3], NULL, 0);
	fd = open(argv[2], O_RDWR | O_SYNC);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		perror("hammer");
		return 1;
	}
	signal(SIGBUS, on_bus_error);
	printf("hammering %s\n", name);
	fflush(stdout);
	do {
		value = *(volatile uint32_t *)(map + off);
		if (value != UINT32_MAX)
			*(volatile uint32_t *)(map + off) = value;
	} while (value != UINT32_MAX);
	look_on((volatile uint32_t *)(map + off));
	return 0;
}
