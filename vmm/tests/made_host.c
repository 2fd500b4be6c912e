/* SPDX-License-Identifier: BSD-2-Clause */
#include "made_host.h"
#include "unit.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND	 0x04
#define MASTER	 0x0004
#define INTX_OFF 0x0400

static struct made_host *of(const struct sysfs *s)
{
	const char *p = (const char *)s - offsetof(struct made_host, t.s);

	return (struct made_host *)(uintptr_t)p;
}

static bool driver_now(const struct made_host *h, char name[64])
{
	return sysfs_link_name(&h->t.s, MADE_DEVICE "/driver", name, 64) == 0;
}

static void override_now(const struct made_host *h, char name[64])
{
	if (sysfs_read(&h->t.s, MADE_DEVICE "/driver_override", name, 64) ||
	    !strcmp(name, "(null)"))
		name[0] = '\0';
}

static int open_config(const struct made_host *h)
{
	char full[SYSFS_PATH_LEN];

	assert_int_equal(
		sysfs_path(&h->t.s, MADE_DEVICE "/config", full, sizeof(full)),
		0);
	return open(full, O_RDWR);
}

unsigned int made_host_command(struct made_host *h)
{
	int fd = open_config(h);
	uint16_t v = 0xffff;

	assert_int_equal(pread(fd, &v, 2, COMMAND), 2);
	close(fd);
	return v;
}

void made_host_set_command(struct made_host *h, unsigned int command)
{
	uint16_t v = (uint16_t)command;
	int fd = open_config(h);

	assert_int_equal(pwrite(fd, &v, 2, COMMAND), 2);
	close(fd);
}

/* A driver enables decoding, and the kernel lets INTx through for it; whoever it
 * is but uio masters the bus as well. */
static int bind(struct made_host *h, const char *driver)
{
	char name[64], override[64], to[96];
	bool is_uio = !strcmp(driver, MADE_UIO);

	override_now(h, override);
	if (driver_now(h, name) ||
	    (override[0] && strcmp(override, driver) != 0))
		return -ENODEV;
	if (!override[0] && strcmp(driver, "nvme") != 0)
		return -ENODEV; /* the others take nothing by its ids */
	snprintf(to, sizeof(to), "../../drivers/%s", driver);
	tree_link(&h->t, MADE_DEVICE "/driver", to);
	made_host_set_command(h, (made_host_command(h) & ~INTX_OFF) |
					 (is_uio ? 3 : 7));
	if (is_uio)
		tree_file(&h->t, MADE_DEVICE "/uio/uio0/event", "0\n");
	return 0;
}

static void cut(struct made_host *h, const char *path)
{
	char full[SYSFS_PATH_LEN];

	assert_int_equal(sysfs_path(&h->t.s, path, full, sizeof(full)), 0);
	assert_int_equal(truncate(full, 0), 0);
}

static void end_uio(struct made_host *h)
{
	cut(h, MADE_DEVICE "/uio/uio0/event");
	tree_drop(&h->t, MADE_DEVICE "/uio");
}

static int unbind(struct made_host *h, const char *driver)
{
	char name[64];

	if (!driver_now(h, name) || strcmp(name, driver) != 0)
		return -ENODEV;
	tree_drop(&h->t, MADE_DEVICE "/driver");
	tree_file(&h->t, MADE_CONTROL, "on\n");
	if (!strcmp(driver, MADE_UIO))
		end_uio(h);
	made_host_set_command(h, made_host_command(h) & ~MASTER);
	return 0;
}

static int probe(struct made_host *h)
{
	char override[64];

	override_now(h, override);
	bind(h, override[0] ? override : "nvme");
	return 0;
}

static int carry_out(struct made_host *h, const char *path, const char *value)
{
	char driver[64], verb[16];

	if (sscanf(path, "bus/pci/drivers/%63[^/]/%15s", driver, verb) == 2)
		return !strcmp(verb, "bind") ? bind(h, driver) :
					       unbind(h, driver);
	if (!strcmp(path, "bus/pci/drivers_probe"))
		return probe(h);
	if (!strcmp(path, MADE_DEVICE "/driver_override")) {
		tree_file(&h->t, path, value[0] == '\n' ? "(null)\n" : value);
		return 0;
	}
	if (!strcmp(path, MADE_CONTROL)) {
		tree_file(&h->t, path, value);
		return 0;
	}
	if (!strcmp(path, MADE_DEVICE "/reset")) {
		if (h->deaf)
			return -ENOTTY;
		h->resets++;
		return 0;
	}
	return -EACCES;
}

static int store(const struct sysfs *s, const char *path, const char *value)
{
	struct made_host *h = of(s);
	unsigned int n = ++h->stores, pulled = h->pulled;

	if (n == h->at && h->event)
		h->event(h);
	if (h->pulled != pulled && strstr(path, MADE_BDF))
		return -ENODEV; /* a file of the one that was pulled */
	if (n == h->fail_at)
		return -EIO;
	if (!sysfs_exists(s, path))
		return -ENOENT;
	return carry_out(h, path, value);
}

int made_host_write(struct made_host *h, const char *path, const char *value)
{
	return carry_out(h, path, value);
}

void made_host_plug(struct made_host *h, const char *driver)
{
	static const uint8_t zero[8192];
	const struct tree_pci card = {
		.bdf = MADE_BDF,
		.vendor = 0x1b36,
		.device = 0x10,
		.class = 0x010802,
		.pin = 1,
		.resource = "0xfe000000 0xfe0000ff 0x40200\n"
			    "0xfe002000 0xfe003fff 0x40200\n"
			    "0xc000 0xc01f 0x40101\n"
			    "0x0 0x0 0x0\n0x0 0x0 0x0\n0x0 0x0 0x0\n",
	};
	uint8_t config[256] = { 0x36, 0x1b, 0x10, 0x00, [0x3d] = 1 };

	tree_pci(&h->t, &card);
	tree_bytes(&h->t, MADE_DEVICE "/resource0", zero, 4096);
	tree_bytes(&h->t, MADE_DEVICE "/resource1", zero, 8192);
	tree_bytes(&h->t, MADE_DEVICE "/resource2", zero, 32);
	tree_bytes(&h->t, MADE_DEVICE "/config", config, sizeof(config));
	tree_file(&h->t, MADE_DEVICE "/driver_override", "(null)\n");
	tree_file(&h->t, MADE_CONTROL, "auto\n");
	if (driver && strcmp(driver, "nvme") != 0)
		tree_file(&h->t, MADE_DEVICE "/driver_override", driver);
	if (driver)
		assert_int_equal(bind(h, driver), 0);
}

void made_host_pull(struct made_host *h)
{
	char from[SYSFS_PATH_LEN], to[SYSFS_PATH_LEN];

	/* The files end, the folder is there for nobody any more. */
	cut(h, MADE_DEVICE "/resource0");
	cut(h, MADE_DEVICE "/resource1");
	cut(h, MADE_DEVICE "/resource2");
	cut(h, MADE_DEVICE "/config");
	tree_drop(&h->t, MADE_DEVICE "/vendor");
	tree_drop(&h->t, MADE_DEVICE "/driver_override");
	tree_drop(&h->t, MADE_DEVICE "/reset");
	if (sysfs_exists(&h->t.s, MADE_DEVICE "/uio/uio0"))
		end_uio(h);
	if (sysfs_exists(&h->t.s, MADE_DEVICE "/driver"))
		tree_drop(&h->t, MADE_DEVICE "/driver");
	sysfs_path(&h->t.s, MADE_DEVICE, from, sizeof(from));
	snprintf(to, sizeof(to), "%s/pulled%u", h->t.dir, h->pulled++);
	assert_int_equal(rename(from, to), 0);
}

void made_host_make(struct made_host *h, const char *driver)
{
	char full[SYSFS_PATH_LEN];

	memset(h, 0, sizeof(*h));
	tree_make(&h->t);
	for (const char *const *d = (const char *const[]){ "nvme", "vfio-pci",
							   MADE_UIO, NULL };
	     *d; d++) {
		snprintf(full, sizeof(full), "bus/pci/drivers/%s/bind", *d);
		tree_file(&h->t, full, "");
		snprintf(full, sizeof(full), "bus/pci/drivers/%s/unbind", *d);
		tree_file(&h->t, full, "");
	}
	tree_file(&h->t, "bus/pci/drivers_probe", "");
	tree_file(&h->t, "/proc/sys/kernel/random/boot_id", "this-boot\n");
	tree_dir(&h->t, "/run");
	tree_dir(&h->t, "/dev");
	sysfs_path(&h->t.s, "/dev/uio0", full, sizeof(full));
	assert_int_equal(mkfifo(full, 0600), 0);
	made_host_plug(h, driver);
	h->t.s.store = store;
}

void made_host_remove(struct made_host *h)
{
	tree_end(&h->t);
}

void made_host_expect(struct made_host *h, const char *driver,
		      const char *override, unsigned int command)
{
	char name[64];

	if (!driver_now(h, name))
		name[0] = '\0';
	assert_string_equal(name, driver);
	override_now(h, name);
	assert_string_equal(name, override);
	assert_int_equal(made_host_command(h), command);
}

void made_host_expect_control(struct made_host *h, const char *control)
{
	char now[8];

	assert_int_equal(sysfs_read(&h->t.s, MADE_CONTROL, now, sizeof(now)),
			 0);
	assert_string_equal(now, control);
}

static int count(void *ctx, const char *name)
{
	(void)name;
	++*(unsigned int *)ctx;
	return 0;
}

unsigned int made_host_claims(struct made_host *h)
{
	unsigned int n = 0;

	sysfs_each(&h->t.s, "/run/viaduct/claims", count, &n);
	return n;
}
