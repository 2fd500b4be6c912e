// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of the HAL function: handshake, events, end.
 *
 * probe() shakes hands; all that touches the bus (rescan, removal) is work on
 * one ordered queue, because probe() and remove() may be called with the
 * kernel's rescan lock held as well as without, and nobody can tell. So:
 *
 *   bus_work    DEVICES; take lost functions off the bus; ADMIT; rescan. Once after
 *               the handshake, then at each event. Module load waits for it.
 *   leave_work  queued by remove(), which has already parted the functions
 *               from their drivers and turned the HAL off: takes the functions
 *               off the bus and ends what they left. A HAL that comes back (a
 *               new bind) has its bus_work queued behind it.
 *
 * At a shutdown the assigned functions go first: devices are shut down in the
 * reverse order of their addition, and the functions are added by the HAL's
 * rescan. After them it is the HAL's turn, and OFF ends what they left running.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/kexec.h>
#include <linux/module.h>
#include <linux/panic_notifier.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include "hal.h"

static struct workqueue_struct *hal_wq;

static u32 hal_read(struct hal *hal, u32 reg)
{
	return readl(hal->regs + reg);
}

static void hal_off(struct hal *hal)
{
	WRITE_ONCE(hal->hello, false);
	writel(VD_HAL_STATUS_OFF, hal->regs + VD_HAL_REG_STATUS);
}

static void hal_release(struct kref *ref)
{
	struct hal *hal = container_of(ref, struct hal, ref);

	hal_pool_fini(hal);
	hal_pins_fini(hal);
	hal_ledger_fini(hal);
	pci_dev_put(hal->pdev);
	kfree(hal->slot);
	kfree(hal);
}

void hal_put(struct hal *hal)
{
	kref_put(&hal->ref, hal_release);
}

/* --- work ------------------------------------------------------------ */

static struct pci_bus *root_of(struct pci_bus *bus)
{
	while (bus->parent)
		bus = bus->parent;
	return bus;
}

static void update_bus(struct hal *hal)
{
	int err = hal_devices_refresh(hal);

	if (!err && !hal->checked) {
		err = hal_devices_check(hal);
		hal->checked = !err;
	}
	if (err) {
		hal_off(hal);
		hal_calls_stop(hal);
		pci_err(hal->pdev, "turned off: %s\n",
			err == -EEXIST ? "functions came before the HAL" :
					 "no answer from the device");
		return;
	}
	hal_devices_drop_lost(hal);
	hal_devices_admit(hal);
	pci_rescan_bus(root_of(hal->pdev->bus));
}

static void bus_work(struct work_struct *work)
{
	struct hal *hal = container_of(work, struct hal, bus_work);

	pci_lock_rescan_remove();
	if (!READ_ONCE(hal->leaving) && READ_ONCE(hal->hello))
		update_bus(hal);
	pci_unlock_rescan_remove();
	hal_put(hal);
}

static void leave_work(struct work_struct *work)
{
	struct hal *hal = container_of(work, struct hal, leave_work);

	pci_lock_rescan_remove();
	hal_devices_drop_all(hal);
	pci_unlock_rescan_remove();
	bus_unregister_notifier(&pci_bus_type, &hal->bus_nb);
	hal_devices_finish(hal);
	cancel_delayed_work_sync(&hal->pool.reap);
	hal_put(hal);
}

static void queue_bus_work(struct hal *hal)
{
	hal_get(hal);
	if (!queue_work(hal_wq, &hal->bus_work))
		hal_put(hal); /* queued already; never the last */
}

static irqreturn_t hal_irq(int irq, void *data)
{
	struct hal *hal = data;
	u32 events = hal_read(hal, VD_HAL_REG_EVENTS);

	if (!events || events == U32_MAX)
		return IRQ_NONE;
	if (events & VD_HAL_EV_BUS)
		queue_bus_work(hal);
	return IRQ_HANDLED;
}

/*
 * A crashed guest must not leave devices running: nobody handles what they
 * write. A crash kernel that boots before the notifiers run finds them on the
 * bus without a HAL, see README.md.
 */
static int hal_panic(struct notifier_block *nb, unsigned long action,
		     void *data)
{
	hal_off(container_of(nb, struct hal, panic_nb));
	return NOTIFY_DONE;
}

/* --- probe ----------------------------------------------------------- */

static struct hal *hal_create(struct pci_dev *pdev)
{
	struct hal *hal = kzalloc(sizeof(*hal), GFP_KERNEL);

	if (!hal)
		return NULL;
	kref_init(&hal->ref);
	mutex_init(&hal->lock);
	xa_init_flags(&hal->pins.page_at, XA_FLAGS_LOCK_IRQ);
	INIT_LIST_HEAD(&hal->devs);
	INIT_LIST_HEAD(&hal->gone);
	INIT_WORK(&hal->bus_work, bus_work);
	INIT_WORK(&hal->leave_work, leave_work);
	hal->bus_nb.notifier_call = hal_devices_notify;
	hal->panic_nb.notifier_call = hal_panic;
	hal->pdev = pci_dev_get(pdev);
	return hal;
}

static int map_registers(struct hal *hal)
{
	struct pci_dev *pdev = hal->pdev;
	int err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	if (pci_resource_len(pdev, 0) < VD_HAL_BAR_LEN)
		return -ENODEV;
	err = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (err)
		return err;
	hal->regs = pcim_iomap_table(pdev)[0];
	return 0;
}

static int identify(struct hal *hal)
{
	u32 magic = hal_read(hal, VD_HAL_REG_MAGIC);
	u32 version = hal_read(hal, VD_HAL_REG_VERSION);
	u32 offered, wanted;

	if (magic != VD_HAL_MAGIC || version >> 16 != VD_HAL_VERSION_MAJOR) {
		pci_err(hal->pdev, "magic %#x, version %u.%u: not known\n",
			magic, version >> 16, version & 0xffff);
		return -ENODEV;
	}
	hal->granule = hal_read(hal, VD_HAL_REG_GRANULE);
	if (hal->granule < PAGE_SHIFT || hal->granule > 40) {
		pci_err(hal->pdev, "granule of 2^%u bytes\n", hal->granule);
		return -ENODEV;
	}
	/* A kernel before us, that has crashed, may have left it on. */
	hal_off(hal);
	offered = hal_read(hal, VD_HAL_REG_FEATURES);
	wanted = offered & (VD_HAL_F_POOL | VD_HAL_F_SPILL | VD_HAL_F_LIVES);
	if (wanted & VD_HAL_F_LIVES)
		wanted |= offered & VD_HAL_F_ADMIT;
	if ((offered & VD_HAL_F_PINS) && hal_pins_init(hal))
		wanted |= VD_HAL_F_PINS;
	hal->lives = wanted & VD_HAL_F_LIVES;
	hal->admits = wanted & VD_HAL_F_ADMIT;
	hal->spills = wanted & VD_HAL_F_SPILL;
	writel(wanted, hal->regs + VD_HAL_REG_WANTED);
	return 0;
}

static int hal_setup(struct hal *hal)
{
	int err;

	err = map_registers(hal);
	if (err)
		return err;
	err = identify(hal);
	if (!err)
		err = hal_ledger_init(hal);
	if (err)
		return err;
	err = hal_pool_init(hal);
	if (err)
		return dev_err_probe(&hal->pdev->dev, err, "bad pool\n");
	err = hal_calls_start(hal);
	if (err)
		hal_calls_stop(hal);
	return err;
}

static int start_irq(struct hal *hal)
{
	int err;

	pci_set_master(hal->pdev); /* for the MSI */
	err = pci_alloc_irq_vectors(hal->pdev, 1, 1, PCI_IRQ_MSI);
	if (err < 0)
		return err;
	err = pci_request_irq(hal->pdev, 0, hal_irq, NULL, hal, KBUILD_MODNAME);
	if (err)
		pci_free_irq_vectors(hal->pdev);
	return err;
}

static void stop_irq(struct hal *hal)
{
	pci_free_irq(hal->pdev, 0, hal);
	pci_free_irq_vectors(hal->pdev);
}

/* Where the host has what is contiguous; known once it has shaken hands. */
static void read_places(struct hal *hal)
{
	u32 i;

	if ((hal_read(hal, VD_HAL_REG_VERSION) & 0xffff) < 2)
		return;
	hal->bus_bits = clamp(hal_read(hal, VD_HAL_REG_BUS_BITS), 12u, 64u);
	for (i = 0; hal->pool.vaddr && i < ARRAY_SIZE(hal->pool.below); i++)
		hal->pool.below[i] = hal_read(hal, VD_HAL_REG_POOL_BELOW(i));
}

/* The notifier is in place before the first function can appear. */
static int shake_hands(struct hal *hal)
{
	int err;

	err = bus_register_notifier(&pci_bus_type, &hal->bus_nb);
	if (err)
		return err;
	writel(VD_HAL_STATUS_HELLO, hal->regs + VD_HAL_REG_STATUS);
	if (hal_read(hal, VD_HAL_REG_STATUS) != VD_HAL_STATUS_HELLO) {
		pci_err(hal->pdev, "the host refused the handshake\n");
		bus_unregister_notifier(&pci_bus_type, &hal->bus_nb);
		return -EIO;
	}
	read_places(hal);
	WRITE_ONCE(hal->hello, true);
	return 0;
}

static int hal_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct hal *hal = hal_create(pdev);
	int err;

	if (!hal)
		return -ENOMEM;
	err = hal_setup(hal);
	if (err)
		goto err_put;
	err = start_irq(hal);
	if (err)
		goto err_stop;
	hal->functions = kobject_create_and_add("functions", &pdev->dev.kobj);
	pci_set_drvdata(pdev, hal);
	err = shake_hands(hal);
	if (err)
		goto err_irq;

	/* Nothing below can fail. */
	atomic_notifier_chain_register(&panic_notifier_list, &hal->panic_nb);
	if (IS_ENABLED(CONFIG_KEXEC_CORE) && kexec_crash_loaded())
		pci_warn(pdev,
			 "a crash kernel needs crash_kexec_post_notifiers=1\n");
	queue_bus_work(hal);
	return 0;

err_irq:
	kobject_put(hal->functions);
	stop_irq(hal);
err_stop:
	hal_calls_stop(hal);
err_put:
	hal_put(hal);
	return err;
}

static void hal_remove(struct pci_dev *pdev)
{
	struct hal *hal = pci_get_drvdata(pdev);

	WRITE_ONCE(hal->leaving, true);
	stop_irq(hal);
	hal_devices_unbind(hal);
	atomic_notifier_chain_unregister(&panic_notifier_list, &hal->panic_nb);
	hal_off(hal);
	synchronize_rcu(); /* see pins.c */
	hal_calls_stop(hal);
	hal_devices_hide(hal);
	queue_work(hal_wq, &hal->leave_work);
}

static void hal_shutdown(struct pci_dev *pdev)
{
	struct hal *hal = pci_get_drvdata(pdev);

	WRITE_ONCE(hal->leaving, true);
	hal_off(hal);
}

/* Mappings live in the host, which does not sleep with us. */
static int hal_prepare(struct device *dev)
{
	dev_err(dev, "a guest with assigned devices cannot sleep\n");
	return -EBUSY;
}

static const struct dev_pm_ops hal_pm_ops = { .prepare = hal_prepare };

static const struct pci_device_id hal_ids[] = {
	{ PCI_DEVICE(VD_HAL_PCI_VENDOR, VD_HAL_PCI_DEVICE) }, {}
};
MODULE_DEVICE_TABLE(pci, hal_ids);

static struct pci_driver hal_driver = {
	.name = KBUILD_MODNAME,
	.id_table = hal_ids,
	.probe = hal_probe,
	.remove = hal_remove,
	.shutdown = hal_shutdown,
	.dev_groups = hal_groups,
	.driver.pm = &hal_pm_ops,
};

static int __init hal_init(void)
{
	int err;

	hal_wq = alloc_ordered_workqueue(KBUILD_MODNAME, 0);
	if (!hal_wq)
		return -ENOMEM;
	err = pci_register_driver(&hal_driver);
	if (err) {
		destroy_workqueue(hal_wq);
		return err;
	}
	/* Whoever loads us wants the functions: an initramfs, a script. */
	flush_workqueue(hal_wq);
	return 0;
}

static void __exit hal_exit(void)
{
	pci_unregister_driver(&hal_driver);
	destroy_workqueue(hal_wq);
}

module_init(hal_init);
module_exit(hal_exit);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The Viaduct developers");
MODULE_DESCRIPTION(
	"Viaduct HAL: DMA of assigned devices on hosts without an IOMMU");
#ifdef VIADUCT_VERSION
MODULE_VERSION(VIADUCT_VERSION);
#endif
