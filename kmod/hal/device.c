// SPDX-License-Identifier: GPL-2.0-only
/*
 * The functions that the HAL answers for.
 *
 * The host says which guest ids they have (DEVICES); they come to the bus and
 * leave it as the operator permits and denies. What must never happen is that a
 * driver binds to one that has the kernel's ordinary DMA: it would give
 * guest-physical addresses to a device that takes them for host-physical ones.
 * So the set is asked for again at every BUS_NOTIFY_ADD_DEVICE, which comes
 * before any driver may bind, whoever has found the function; and a function in
 * the set gets our ops there, and again at BUS_NOTIFY_BIND_DRIVER.
 *
 * A function that leaves the bus may leave buffers behind that its driver frees
 * later. It keeps its ops and its state until the last one is freed: it is
 * "gone", and the reaper buries it.
 */
#include <linux/delay.h>
#include <linux/dma-map-ops.h>
#include <linux/slab.h>

#include "hal.h"

#define GONE_MS	 50    /* look again for leftovers */
#define GRACE_MS 10000 /* how long the HAL waits for them */

/* --- the set --------------------------------------------------------- */

static struct hal_member *find_member(struct hal *hal, u32 rid)
{
	u32 i;

	lockdep_assert_held(&hal->lock);
	for (i = 0; i < hal->nmembers; i++)
		if (hal->member[i].rid == rid)
			return &hal->member[i];
	return NULL;
}

/*
 * The table was cleared: every function was denied, and what those that we have
 * hold in its words is counted no more. They must be parted from the words
 * before the first function of a newer life can have something pinned, and the
 * host pins nothing for theirs (VD_HAL_F_LIVES).
 */
static void part_from_words(struct hal *hal, struct list_head *list)
{
	struct hal_dev *hd;

	list_for_each_entry(hd, list, link) {
		if (hd->parted || hd->pins_age == hal->pins_age)
			continue;
		WRITE_ONCE(hd->parted, true);
		hal_ledger_close(hd);
	}
}

/* After DEVICES: an age that is too new belongs to no life that we know. */
static void check_pins_age(struct hal *hal)
{
	u32 age;

	lockdep_assert_held(&hal->lock);
	if (!hal->lives || !hal->pins.word)
		return;
	age = readl(hal->regs + VD_HAL_REG_PINS_AGE);
	if (age == hal->pins_age)
		return;
	hal->pins_age = age;
	part_from_words(hal, &hal->devs);
	part_from_words(hal, &hal->gone);
	synchronize_rcu(); /* see pins.c */
}

static int ask(struct hal *hal)
{
	const struct vd_hal_seg *seg;
	struct hal_call c;
	u32 i, done, status;

	lockdep_assert_held(&hal->lock);
	if (!hal_call_open(&c, hal, NULL, VD_HAL_OP_DEVICES, 0))
		return -ENODEV;
	c.count = VD_HAL_NSEGS;
	status = hal_call_ring(&c, &done);
	if (status == VD_HAL_S_OK) {
		for (i = 0; i < done; i++) {
			seg = &c.slot->page->seg[i];
			hal->member[i].rid = le64_to_cpu(seg->addr);
			hal->member[i].permitted = le32_to_cpu(seg->prot);
			hal->member[i].life = le32_to_cpu(seg->len);
		}
		hal->nmembers = done;
	}
	hal_call_close(&c);
	return status == VD_HAL_S_OK ? 0 : -EIO;
}

static int refresh(struct hal *hal)
{
	int err = ask(hal);

	if (!err)
		check_pins_age(hal);
	return err;
}

/* Ask the host for the set. On error the old one stays. */
int hal_devices_refresh(struct hal *hal)
{
	int err;

	mutex_lock(&hal->lock);
	err = refresh(hal);
	mutex_unlock(&hal->lock);
	return err;
}

static struct hal_dev *find_dev(struct hal *hal, const struct pci_dev *pdev)
{
	struct hal_dev *hd;

	lockdep_assert_held(&hal->lock);
	list_for_each_entry(hd, &hal->devs, link)
		if (hd->pdev == pdev)
			return hd;
	return NULL;
}

static bool is_unguarded(struct hal *hal, u32 rid)
{
	struct pci_dev *pdev;
	bool bad;

	pdev = pci_get_domain_bus_and_slot(pci_domain_nr(hal->pdev->bus),
					   PCI_BUS_NUM(rid), rid & 0xff);
	bad = pdev && !find_dev(hal, pdev);
	if (bad)
		pci_err(pdev, "was on the bus before the HAL\n");
	pci_dev_put(pdev);
	return bad;
}

/*
 * Is a function of the set on the bus that we have not seen being added? Its
 * driver may be at work with addresses that mean other memory to the device.
 */
int hal_devices_check(struct hal *hal)
{
	int err = 0;
	u32 i;

	mutex_lock(&hal->lock);
	for (i = 0; i < hal->nmembers; i++)
		if (is_unguarded(hal, hal->member[i].rid))
			err = -EEXIST;
	mutex_unlock(&hal->lock);
	return err;
}

/* --- one function ---------------------------------------------------- */

static void attach(struct hal *hal, struct pci_dev *pdev, u32 life)
{
	struct hal_dev *hd;

	lockdep_assert_held(&hal->lock);
	/* There is no way to refuse: without ops it writes to the host. */
	hd = kzalloc(sizeof(*hd), GFP_KERNEL | __GFP_NOFAIL);
	hd->ops = hal_ops;
	hd->hal = hal_get(hal);
	hd->pdev = pci_dev_get(pdev);
	hd->rid = pci_dev_id(pdev);
	hd->life = life;
	hd->pins_age = hal->pins_age;
	hal_pool_join(hd);
	set_dma_ops(&pdev->dev, &hd->ops);
	list_add_tail(&hd->link, &hal->devs);
	kobject_init(&hd->kobj, &hal_dev_ktype);
	if (hal->functions)
		hd->shown = !kobject_add(&hd->kobj, hal->functions, "%s",
					 pci_name(pdev));
	pci_dbg(pdev, "guarded by the HAL\n");
}

static void hide(struct hal_dev *hd)
{
	if (hd->shown)
		kobject_del(&hd->kobj);
	hd->shown = false;
}

/* It has left the bus. */
static void detach(struct hal *hal, struct pci_dev *pdev)
{
	struct hal_dev *hd;

	mutex_lock(&hal->lock);
	hd = find_dev(hal, pdev);
	if (hd) {
		hide(hd);
		list_move_tail(&hd->link, &hal->gone);
		pci_dbg(pdev, "gone, %ld live\n", atomic_long_read(&hd->live));
	}
	mutex_unlock(&hal->lock);
	if (hd)
		mod_delayed_work(system_wq, &hal->pool.reap, 0);
}

/* See to it that a function of the set has our ops. */
static void protect(struct hal *hal, struct pci_dev *pdev, bool ask)
{
	struct hal_member *m;
	struct hal_dev *hd;

	mutex_lock(&hal->lock);
	if (ask && READ_ONCE(hal->hello) && refresh(hal))
		pci_err(hal->pdev, "no answer about %s\n", pci_name(pdev));
	m = find_member(hal, pci_dev_id(pdev));
	hd = find_dev(hal, pdev);
	if (hd)
		set_dma_ops(&pdev->dev, &hd->ops);
	else if (m)
		attach(hal, pdev, m->life);
	mutex_unlock(&hal->lock);
}

int hal_devices_notify(struct notifier_block *nb, unsigned long action,
		       void *data)
{
	struct hal *hal = container_of(nb, struct hal, bus_nb);
	struct pci_dev *pdev = to_pci_dev(data);

	if (pdev == hal->pdev ||
	    pci_domain_nr(pdev->bus) != pci_domain_nr(hal->pdev->bus))
		return NOTIFY_DONE;
	if (action == BUS_NOTIFY_ADD_DEVICE)
		protect(hal, pdev, true);
	else if (action == BUS_NOTIFY_BIND_DRIVER)
		protect(hal, pdev, false);
	else if (action == BUS_NOTIFY_REMOVED_DEVICE)
		detach(hal, pdev);
	return NOTIFY_OK;
}

/* --- sweeps over those on the bus ------------------------------------ */

typedef bool (*wanted_fn)(struct hal *hal, struct hal_dev *hd);

static bool is_any(struct hal *hal, struct hal_dev *hd)
{
	return true;
}

/* Denied, unplugged, or denied and permitted again since it was added. */
static bool is_lost(struct hal *hal, struct hal_dev *hd)
{
	struct hal_member *m = find_member(hal, hd->rid);

	return !m || !m->permitted || m->life != hd->life ||
	       !pci_device_is_present(hd->pdev);
}

/* The next wanted one that this sweep has not had; with a reference. */
static struct pci_dev *next_dev(struct hal *hal, u32 sweep, wanted_fn wanted)
{
	struct pci_dev *pdev = NULL;
	struct hal_dev *hd;

	mutex_lock(&hal->lock);
	list_for_each_entry(hd, &hal->devs, link) {
		if (hd->sweep == sweep || !wanted(hal, hd))
			continue;
		hd->sweep = sweep;
		pdev = pci_dev_get(hd->pdev);
		break;
	}
	mutex_unlock(&hal->lock);
	return pdev;
}

static u32 new_sweep(struct hal *hal)
{
	u32 sweep;

	mutex_lock(&hal->lock);
	sweep = ++hal->sweeps;
	mutex_unlock(&hal->lock);
	return sweep;
}

/* Take functions off the bus. Needs the kernel's rescan lock. */
static void drop(struct hal *hal, wanted_fn wanted)
{
	u32 sweep = new_sweep(hal);
	struct pci_dev *pdev;

	while ((pdev = next_dev(hal, sweep, wanted))) {
		/* Tell the driver not to wait for answers. */
		pdev->error_state = pci_channel_io_perm_failure;
		pci_stop_and_remove_bus_device(pdev);
		pci_dev_put(pdev);
	}
}

void hal_devices_drop_lost(struct hal *hal)
{
	drop(hal, is_lost);
}

/* Is it on the bus, in a life that has ended? */
static bool is_stale(struct hal *hal, const struct hal_member *m)
{
	struct hal_dev *hd;

	lockdep_assert_held(&hal->lock);
	list_for_each_entry(hd, &hal->devs, link)
		if (hd->rid == m->rid && hd->life != m->life)
			return true;
	return false;
}

static void admit(struct hal *hal, const struct hal_member *m)
{
	struct vd_hal_head *head;
	struct hal_call c;

	if (!hal_call_open(&c, hal, NULL, VD_HAL_OP_ADMIT, 0))
		return;
	head = &c.slot->page->head;
	head->device = cpu_to_le32(m->rid);
	head->life = cpu_to_le32(m->life);
	hal_call_add(&c, 0, 0, 0);
	hal_call_ring(&c, NULL); /* refused: an event comes, or has come */
	hal_call_close(&c);
}

/*
 * Those that were lost are off the bus, so no driver of an earlier life is at
 * work: let the functions come. Needs the kernel's rescan lock.
 */
void hal_devices_admit(struct hal *hal)
{
	u32 i;

	if (!hal->admits)
		return;
	mutex_lock(&hal->lock);
	for (i = 0; i < hal->nmembers; i++)
		if (hal->member[i].permitted && !is_stale(hal, &hal->member[i]))
			admit(hal, &hal->member[i]);
	mutex_unlock(&hal->lock);
}

void hal_devices_drop_all(struct hal *hal)
{
	drop(hal, is_any);
}

/* Part all functions from their drivers while the HAL still answers. */
void hal_devices_unbind(struct hal *hal)
{
	u32 sweep = new_sweep(hal);
	struct pci_dev *pdev;

	while ((pdev = next_dev(hal, sweep, is_any))) {
		device_release_driver(&pdev->dev);
		pci_dev_put(pdev);
	}
}

/* Out of sysfs: the HAL's own folder is about to go. */
void hal_devices_hide(struct hal *hal)
{
	struct hal_dev *hd;

	mutex_lock(&hal->lock);
	list_for_each_entry(hd, &hal->devs, link)
		hide(hd);
	kobject_put(hal->functions);
	hal->functions = NULL;
	mutex_unlock(&hal->lock);
}

/* --- the end of those that are gone ---------------------------------- */

static struct hal_dev *next_corpse(struct hal *hal, bool force)
{
	struct hal_dev *hd;

	lockdep_assert_held(&hal->lock);
	list_for_each_entry(hd, &hal->gone, link)
		if (force || !atomic_long_read(&hd->live))
			return hd;
	return NULL;
}

static void bury(struct hal *hal, struct hal_dev *hd)
{
	long live = atomic_long_read(&hd->live);
	int i;

	lockdep_assert_held(&hal->lock);
	if (live)
		pci_warn(hd->pdev, "%ld DMA mappings were never ended\n", live);
	list_del(&hd->link);
	set_dma_ops(&hd->pdev->dev, NULL);
	hal_pool_leave(hd);
	hal_ledger_close(hd);
	for (i = 0; i < HAL_NCOUNTERS; i++)
		hal_count(&hal->stats, i, atomic64_read(&hd->stats.n[i]));
	kobject_put(&hd->kobj);
}

static bool bury_all(struct hal *hal, bool force)
{
	struct hal_dev *hd;
	bool more;

	mutex_lock(&hal->lock);
	while ((hd = next_corpse(hal, force)))
		bury(hal, hd);
	more = !list_empty(&hal->gone);
	mutex_unlock(&hal->lock);
	return more;
}

/* Bury those with nothing left. Return: whether there are others. */
bool hal_devices_bury(struct hal *hal)
{
	return bury_all(hal, false);
}

/* The HAL ends: all functions are off the bus; wait for what is left. */
void hal_devices_finish(struct hal *hal)
{
	unsigned long end = jiffies + msecs_to_jiffies(GRACE_MS);

	while (bury_all(hal, false) && time_before(jiffies, end))
		msleep(GONE_MS);
	bury_all(hal, true);
}

/* The last reference to a function's state. */
void hal_dev_free(struct hal_dev *hd)
{
	pci_dev_put(hd->pdev);
	hal_put(hd->hal);
	kfree(hd);
}
