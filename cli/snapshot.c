/* SPDX-License-Identifier: BSD-2-Clause */
#include "snapshot.h"
#include "exit.h"
#include <stdint.h>
#include <string.h>

int snapshot_take(struct ctl_client *c, json_t **out, char *why, size_t len)
{
	static const char *const part[] = { "status", "counters", "balloon",
					    "budget", "pressure" };
	json_t *all = json_object(), *answer;
	int status;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		status = ctl_ask(c, part[i], NULL, &answer, why, len);
		if (status == CLI_UNREACHABLE || (status && i == 0)) {
			json_decref(all);
			return status;
		}
		json_object_set_new(all, part[i],
				    status ? json_null() : answer);
	}
	*out = all;
	return CLI_OK;
}

json_t *snapshot_find(const json_t *snapshot, const char *path)
{
	json_t *at = (json_t *)(uintptr_t)snapshot; /* only read */
	char key[64];

	while (at && *path) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = json_object_get(at, key);
		path += n + (path[n] == '.');
	}
	return at;
}
