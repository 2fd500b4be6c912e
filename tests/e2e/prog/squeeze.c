/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * squeeze: page another process's memory out, again and again, and compact the
 * host's memory meanwhile.
 *
 *	squeeze PID MIN_MIB SECONDS [PAUSE_MS]
 *
 * Works on each private anonymous mapping of at least MIN_MIB MiB (a VMM's
 * guest RAM), in pieces, so that it interferes at every moment, and rests for
 * PAUSE_MS (0) after each round. Ends with the process or after SECONDS. Prints "rounds N" and "swapped_peak BYTES".
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PIECE (8ull << 20)

static void compact(void)
{
	int fd = open("/proc/sys/vm/compact_memory", O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		perror("squeeze: compact_memory");
	close(fd);
}

static int page_out(int pidfd, uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PIECE) {
		uint64_t len = end - at < PIECE ? end - at : PIECE;
		struct iovec v = { (void *)(uintptr_t)at, len };

		if (syscall(SYS_process_madvise, pidfd, &v, 1ul, MADV_PAGEOUT, 0u) < 0 &&
		    errno == ESRCH)
			return -1;
	}
	return 0;
}

static int one_round(int pid, int pidfd, uint64_t least)
{
	char path[64], line[512], perms[8];
	uint64_t start, end, inode;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %*s %*s %" SCNu64, &start, &end,
			   perms, &inode) != 4)
			continue;
		if (inode || perms[3] != 'p' || end - start < least)
			continue;
		n++;
		if (page_out(pidfd, start, end))
			n = -1;
		if (n < 0)
			break;
	}
	fclose(f);
	return n;
}

static uint64_t swapped(int pid)
{
	char path[64], line[256];
	uint64_t kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmSwap: %" SCNu64, &kib) == 1)
			break;
	fclose(f);
	return kib * 1024;
}

int main(int argc, char **argv)
{
	uint64_t rounds = 0, peak = 0, now, least;
	useconds_t pause_us;
	int pid, pidfd;
	time_t end;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: squeeze PID MIN_MIB SECONDS [PAUSE_MS]\n");
		return 2;
	}
	pid = atoi(argv[1]);
	least = strtoull(argv[2], NULL, 10) << 20;
	end = time(NULL) + atoi(argv[3]);
	pause_us = argc > 4 ? (useconds_t)atoi(argv[4]) * 1000 : 0;
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		perror("squeeze: no such process");
		return 1;
	}
	while (time(NULL) < end && one_round(pid, pidfd, least) > 0) {
		now = swapped(pid);
		peak = now > peak ? now : peak;
		if (rounds++ % 32 == 0)
			compact();
		usleep(pause_us);
	}
	printf("rounds %" PRIu64 "\nswapped_peak %" PRIu64 "\n", rounds, peak);
	return 0;
}
