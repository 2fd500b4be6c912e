/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verify: write data that can be told apart from any other, or check it.
 *
 *	verify write FILE MIB [SEED]	fill FILE, then sync; MIB may be 0.25
 *	verify read  FILE MIB [SEED]	check it, past the page cache
 *	verify loop  FILE MIB SECONDS	write and check with new seeds until the
 *					time is over
 *
 * VERIFY_CHUNK in the environment is the length of a request in KiB (256). With
 * VERIFY_APART its buffer is of single pages, none next to another, so that a
 * request is a long list of short segments.
 *
 * Each 8-byte word is a hash of the seed and its offset, so a block that is
 * stale, torn, misplaced or foreign differs. Files are read and written with
 * O_DIRECT from buffers of many pages, half of them misaligned to pages by one
 * sector, so that single pages, long segments and scatter lists all occur.
 * Prints "written BYTES", "verified BYTES" (read back and compared) and "errors
 * N"; exit status 1 if N is not 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define MIB  (1024 * 1024.0)

#define PAGE 4096ull
#define MOST 256u /* pages of a request that are apart */

static uint64_t chunk = 256 * 1024;
static uint64_t stride = PAGE; /* from page to page of a buffer */

static uint64_t word(uint64_t seed, uint64_t off)
{
	uint64_t x = off / 8 + (seed << 40) + 0x9e3779b97f4a7c15ull;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

static void die(const char *what)
{
	fprintf(stderr, "verify: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int open_direct(const char *path, int flags)
{
	int fd = open(path, flags | O_DIRECT, 0600);

	if (fd < 0 && errno == EINVAL)
		fd = open(path, flags, 0600);
	if (fd < 0)
		die(path);
	return fd;
}

/* Buffers take turns: aligned, and (if longer than a page) one sector past. */
static uint8_t *buffer(uint8_t *room, uint64_t off)
{
	return chunk > PAGE && stride == PAGE && off / chunk % 2 ? room + 512 : room;
}

/* Byte @i of a buffer, and how long it is. */
static uint8_t *at(uint8_t *p, uint64_t i)
{
	return p + i / PAGE * stride + i % PAGE;
}

static uint64_t span(void)
{
	return chunk / PAGE * stride;
}

static void transfer(int fd, uint8_t *p, uint64_t off, bool out)
{
	struct iovec v[MOST] = { { p, chunk } };
	int n = 1;
	ssize_t went;

	if (stride > PAGE) {
		for (n = 0; n < (int)(chunk / PAGE); n++)
			v[n] = (struct iovec){ p + (uint64_t)n * stride, PAGE };
	}
	went = out ? pwritev(fd, v, n, (off_t)off) : preadv(fd, v, n, (off_t)off);
	if (went != (ssize_t)chunk)
		die(out ? "write" : "read");
}

static void fill(const char *path, uint64_t len, uint64_t seed, uint8_t *room)
{
	int fd = open_direct(path, O_WRONLY | O_CREAT);

	for (uint64_t off = 0; off < len; off += chunk) {
		uint8_t *p = buffer(room, off);

		for (uint64_t i = 0; i < chunk; i += 8) {
			uint64_t w = word(seed, off + i);

			memcpy(at(p, i), &w, 8);
		}
		transfer(fd, p, off, true);
	}
	if (fsync(fd))
		die("fsync");
	close(fd);
}

static uint64_t check(const char *path, uint64_t len, uint64_t seed, uint8_t *room)
{
	int fd = open_direct(path, O_RDONLY);
	uint64_t errors = 0;

	for (uint64_t off = 0; off < len; off += chunk) {
		uint8_t *p = buffer(room, off);

		memset(p, 0xa5, span());
		transfer(fd, p, off, false);
		for (uint64_t i = 0; i < chunk; i += 8) {
			uint64_t w = word(seed, off + i);

			if (memcmp(at(p, i), &w, 8) && errors++ < 4)
				fprintf(stderr, "verify: %s: wrong at %llu\n", path,
					(unsigned long long)(off + i));
		}
	}
	close(fd);
	return errors;
}

static int report(uint64_t written, uint64_t verified, uint64_t errors)
{
	printf("written %llu\nverified %llu\nerrors %llu\n", (unsigned long long)written,
	       (unsigned long long)verified, (unsigned long long)errors);
	return errors != 0;
}

static int loop(const char *path, uint64_t len, time_t seconds, uint8_t *room)
{
	uint64_t verified = 0, errors = 0, seed = 0;
	time_t end = time(NULL) + seconds;

	do {
		fill(path, len, ++seed, room);
		errors += check(path, len, seed, room);
		verified += len;
	} while (time(NULL) < end && !errors);
	return report(verified, verified, errors);
}

int main(int argc, char **argv)
{
	void *room;
	uint64_t len, last;

	if (argc < 4) {
		fprintf(stderr, "usage: verify write|read|loop FILE MIB "
				"[SEED|SECONDS]\n");
		return 2;
	}
	if (getenv("VERIFY_CHUNK"))
		chunk = strtoull(getenv("VERIFY_CHUNK"), NULL, 10) * 1024;
	if (getenv("VERIFY_APART") && chunk <= MOST * PAGE)
		stride = 2 * PAGE;
	if (posix_memalign(&room, PAGE, span() + PAGE))
		die("memory");
	len = (uint64_t)(strtod(argv[3], NULL) * MIB);
	last = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
	if (!strcmp(argv[1], "loop"))
		return loop(argv[2], len, (time_t)last, room);
	if (!strcmp(argv[1], "read"))
		return report(0, len, check(argv[2], len, last, room));
	fill(argv[2], len, last, room);
	return report(len, 0, 0);
}
