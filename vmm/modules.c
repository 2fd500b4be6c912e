/* SPDX-License-Identifier: BSD-2-Clause */
#include "modules.h"
#include <stdio.h>
#include <string.h>

struct wanted {
	const char *name;
	size_t len;
};

static char plain(char c)
{
	return c == '-' ? '_' : c;
}

/* "kernel/drivers/uio/uio_pci_generic.ko.xz: kernel/drivers/uio/uio.ko" */
static int match(void *ctx, char *line)
{
	const struct wanted *w = ctx;
	char *file, *end = strchr(line, ':');

	if (end)
		*end = '\0';
	file = strrchr(line, '/');
	file = file ? file + 1 : line;
	for (size_t i = 0; i < w->len; i++)
		if (plain(file[i]) != plain(w->name[i]))
			return 0;
	return strncmp(file + w->len, ".ko", 3) == 0;
}

static bool is_listed(const struct sysfs *s, const char *list, const char *name)
{
	struct wanted w = { name, strlen(name) };
	char release[128], path[256];

	if (sysfs_read(s, "/proc/sys/kernel/osrelease", release,
		       sizeof(release)))
		return false;
	snprintf(path, sizeof(path), "/lib/modules/%s/%s", release, list);
	return sysfs_lines(s, path, match, &w) == 1;
}

enum module_state module_state(const struct sysfs *s, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "module/%s", name);
	for (char *p = path; *p; p++)
		*p = plain(*p);
	if (sysfs_exists(s, path) || is_listed(s, "modules.builtin", name))
		return MODULE_LOADED;
	return is_listed(s, "modules.dep", name) ? MODULE_AVAILABLE :
						   MODULE_ABSENT;
}
