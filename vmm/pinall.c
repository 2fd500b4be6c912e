/* SPDX-License-Identifier: BSD-2-Clause */
#include "pinall.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <viaduct/types.h>

/* One pin is one registered buffer, which may be so long. */
#define RUN ((uint64_t)VD_PIN_MAX_PAGES * VD_PAGE_SIZE)

uint64_t pinall_available(const char *text)
{
	const char *line = strstr(text, "MemAvailable:");
	unsigned long long kib = 0;

	if (!line || sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
		return 0;
	return kib << 10;
}

static uint64_t available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char text[4096];
	size_t n;

	if (!f)
		return 0;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return pinall_available(text);
}

static int check_room(uint64_t len, char *why, size_t whylen)
{
	uint64_t room = available();

	if (len <= room)
		return 0;
	snprintf(why, whylen,
		 "--pin all needs all %llu MiB of guest memory at once, and "
		 "this host has %llu MiB available; --pin io_uring pins only "
		 "what is in flight",
		 (unsigned long long)len >> 20, (unsigned long long)room >> 20);
	return -ENOMEM;
}

/* Run by run, so that one array for addresses, which nobody needs, is enough. */
static int pin_runs(struct pinall *p, uint8_t *ram, uint64_t len)
{
	vd_hpa *page = calloc(VD_PIN_MAX_PAGES, sizeof(*page));
	int err = page ? 0 : -ENOMEM;

	for (uint64_t off = 0; off < len && !err; off += RUN) {
		struct vd_pin *pin = &p->pin[p->npins];
		uint64_t n = len - off < RUN ? len - off : RUN;

		*pin = (struct vd_pin){ .hva = ram + off,
					.npages = n / VD_PAGE_SIZE,
					.page = page };
		err = p->host->ops->pin(p->host, pin, 1);
		if (!err)
			p->npins++;
	}
	free(page);
	return err;
}

int pinall_create(struct pinall *p, struct vd_host *host, uint8_t *ram,
		  uint64_t len, char *why, size_t whylen)
{
	int err = check_room(len, why, whylen);

	memset(p, 0, sizeof(*p));
	if (err)
		return err;
	p->pin = calloc(len / RUN + 1, sizeof(*p->pin));
	if (!p->pin) {
		snprintf(why, whylen, "out of memory");
		return -ENOMEM;
	}
	p->host = host;
	err = pin_runs(p, ram, len);
	if (!err)
		return 0;
	snprintf(why, whylen, "cannot pin all of guest memory: %s",
		 strerror(-err));
	pinall_destroy(p);
	return err;
}

void pinall_destroy(struct pinall *p)
{
	if (p->host)
		p->host->ops->unpin(p->host, p->pin, p->npins);
	free(p->pin);
	memset(p, 0, sizeof(*p));
}
