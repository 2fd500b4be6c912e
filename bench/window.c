/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * G5, G10, G11, G20: what changes of entries and of windows cost, and the addresses
 * for them.
 *
 * With an argument, that part alone: memory, map, list, split or space.
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
		{ "memory", window_memory }, { "map", window_map },
		{ "list", window_list },     { "split", window_split },
		{ "space", window_space },
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
