/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G5, G10, G11: what changes of entries and of windows cost. Addresses are not
 * allocated here but by the guest, so G11's last sentence has no row.
 *
 * With an argument, that part alone: memory, map, list or split.
 */
#include "contest.h"
#include "window.h"

#include <string.h>

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} part[] = {
		{ "memory", window_memory },
		{ "map", window_map },
		{ "list", window_list },
		{ "split", window_split },
	};
	int found = 0;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		if (argc > 1 && strcmp(argv[1], part[i].name) != 0)
			continue;
		part[i].run();
		found = 1;
	}
	bench_must(found, "no such part");
	return 0;
}
