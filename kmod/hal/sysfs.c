// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters, one value per file, in two places below
 * /sys/bus/pci/drivers/viaduct_hal/<HAL function>/:
 *
 *   <counter>                       all functions, those that ended included
 *   functions/<function>/<counter>  one function since it came to the bus
 *
 * and pool_size, chunk_size, granule (bytes), status (as the device reads).
 */
#include <linux/io.h>
#include <linux/sysfs.h>

#include "hal.h"

/* --- one function ---------------------------------------------------- */

struct dev_attr {
	struct attribute attr;
	int which; /* counter, or HAL_NCOUNTERS + gauge */
};

static u64 read_one(struct hal_dev *hd, int which)
{
	u64 used, mapped;

	if (which < HAL_NCOUNTERS)
		return atomic64_read(&hd->stats.n[which]);
	if (which == HAL_NCOUNTERS + HAL_N_LIVE)
		return atomic_long_read(&hd->live);
	hal_pool_usage(hd, &used, &mapped);
	return which == HAL_NCOUNTERS + HAL_N_POOL_USED ? used : mapped;
}

static ssize_t dev_attr_show(struct kobject *kobj, struct attribute *attr,
			     char *buf)
{
	struct hal_dev *hd = container_of(kobj, struct hal_dev, kobj);
	struct dev_attr *a = container_of(attr, struct dev_attr, attr);

	return sysfs_emit(buf, "%llu\n", read_one(hd, a->which));
}

static const struct sysfs_ops dev_sysfs_ops = { .show = dev_attr_show };

/* clang-format off */
#define DEV_COUNTER(upper, lower)				\
	static struct dev_attr dev_##lower = {			\
		.attr = { .name = #lower, .mode = 0444 },	\
		.which = HAL_N_##upper,				\
	};
#define DEV_GAUGE(upper, lower)					\
	static struct dev_attr dev_##lower = {			\
		.attr = { .name = #lower, .mode = 0444 },	\
		.which = HAL_NCOUNTERS + HAL_N_##upper,		\
	};
#define DEV_REF(upper, lower) &dev_##lower.attr,

HAL_COUNTERS(DEV_COUNTER)
HAL_GAUGES(DEV_GAUGE)

static struct attribute *dev_attrs[] = {
	HAL_COUNTERS(DEV_REF)
	HAL_GAUGES(DEV_REF)
	NULL
};
/* clang-format on */
ATTRIBUTE_GROUPS(dev);

static void dev_release(struct kobject *kobj)
{
	hal_dev_free(container_of(kobj, struct hal_dev, kobj));
}

const struct kobj_type hal_dev_ktype = {
	.release = dev_release,
	.sysfs_ops = &dev_sysfs_ops,
	.default_groups = dev_groups,
};

/* --- all of them ----------------------------------------------------- */

static u64 read_all(struct hal *hal, int which)
{
	struct hal_dev *hd;
	u64 sum = 0;

	/* Functions share chunks. */
	if (which == HAL_NCOUNTERS + HAL_N_POOL_MAPPED)
		return hal_pool_pinned(hal);
	mutex_lock(&hal->lock);
	if (which < HAL_NCOUNTERS)
		sum = atomic64_read(&hal->stats.n[which]);
	list_for_each_entry(hd, &hal->devs, link)
		sum += read_one(hd, which);
	list_for_each_entry(hd, &hal->gone, link)
		sum += read_one(hd, which);
	mutex_unlock(&hal->lock);
	return sum;
}

static ssize_t total_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct dev_ext_attribute *a =
		container_of(attr, struct dev_ext_attribute, attr);

	return sysfs_emit(buf, "%llu\n",
			  read_all(dev_get_drvdata(dev), (long)a->var));
}

/* clang-format off */
#define HAL_COUNTER(upper, lower)					\
	static struct dev_ext_attribute hal_##lower = {			\
		.attr = __ATTR(lower, 0444, total_show, NULL),		\
		.var = (void *)HAL_N_##upper,				\
	};
#define HAL_GAUGE(upper, lower)						\
	static struct dev_ext_attribute hal_##lower = {			\
		.attr = __ATTR(lower, 0444, total_show, NULL),		\
		.var = (void *)((long)HAL_NCOUNTERS + HAL_N_##upper),	\
	};
#define HAL_REF(upper, lower) &hal_##lower.attr.attr,

HAL_COUNTERS(HAL_COUNTER)
HAL_GAUGES(HAL_GAUGE)
/* clang-format on */

static ssize_t pool_size_show(struct device *dev, struct device_attribute *attr,
			      char *buf)
{
	struct hal_pool *p = &((struct hal *)dev_get_drvdata(dev))->pool;

	return sysfs_emit(buf, "%llu\n", (u64)p->nchunks << p->shift);
}
static DEVICE_ATTR_RO(pool_size);

static ssize_t chunk_size_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	struct hal_pool *p = &((struct hal *)dev_get_drvdata(dev))->pool;

	return sysfs_emit(buf, "%llu\n", p->vaddr ? 1ull << p->shift : 0);
}
static DEVICE_ATTR_RO(chunk_size);

static ssize_t granule_show(struct device *dev, struct device_attribute *attr,
			    char *buf)
{
	struct hal *hal = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%llu\n", 1ull << hal->granule);
}
static DEVICE_ATTR_RO(granule);

static ssize_t status_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct hal *hal = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", readl(hal->regs + VD_HAL_REG_STATUS));
}
static DEVICE_ATTR_RO(status);

/* clang-format off */
static struct attribute *hal_attrs[] = {
	HAL_COUNTERS(HAL_REF)
	HAL_GAUGES(HAL_REF)
	&dev_attr_pool_size.attr,
	&dev_attr_chunk_size.attr,
	&dev_attr_granule.attr,
	&dev_attr_status.attr,
	NULL
};
/* clang-format on */

static const struct attribute_group hal_group = { .attrs = hal_attrs };

const struct attribute_group *hal_groups[] = { &hal_group, NULL };
