/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * canary: take memory, fill it with a pattern, and see whether anybody else
 * writes to it.
 *
 *	canary MIB SECONDS
 *
 * Takes pages as soon as they are free, so that whoever still writes to a page
 * that was handed on is caught. Prints "checked BYTES" and "changed BYTES";
 * exit status 1 if any changed.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t pattern(uint64_t i)
{
	return (i + 1) * 0x9e3779b97f4a7c15ull;
}

int main(int argc, char **argv)
{
	uint64_t len, changed = 0, *p;

	if (argc != 3) {
		fprintf(stderr, "usage: canary MIB SECONDS\n");
		return 2;
	}
	len = strtoull(argv[1], NULL, 10) << 20;
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || mlock(p, len)) {
		perror("canary");
		return 2;
	}
	for (uint64_t i = 0; i < len / 8; i++)
		p[i] = pattern(i);
	sleep((unsigned int)atoi(argv[2]));
	for (uint64_t i = 0; i < len / 8; i++)
		changed += p[i] != pattern(i) ? 8 : 0;
	printf("checked %llu\nchanged %llu\n", (unsigned long long)len,
	       (unsigned long long)changed);
	return changed != 0;
}
