// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the edu device that lets its INTx line stay up: it is called, says
 * that it has served the device, and has not. How often is it called? Then it
 * acknowledges, and from there on serves each interrupt as it comes.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/pci.h>

#define IRQ_RAISE 0x60
#define IRQ_ACK	  0x64
#define STUCK_MS  5000
#define NSERVED	  50

static void __iomem *regs;
static atomic_t ncalls;
static bool serves;

static irqreturn_t on_irq(int irq, void *data)
{
	atomic_inc(&ncalls);
	if (READ_ONCE(serves))
		writel(1, regs + IRQ_ACK);
	return IRQ_HANDLED;
}

static void stay_stuck(void)
{
	u64 t0 = ktime_get_ns();

	writel(1, regs + IRQ_RAISE);
	msleep(STUCK_MS);
	pr_info("stuck: ms %llu\n", (ktime_get_ns() - t0) / NSEC_PER_MSEC);
	pr_info("stuck: calls %d\n", atomic_read(&ncalls));
	WRITE_ONCE(serves, true);
	writel(1, regs + IRQ_ACK);
	msleep(500);
}

static void serve(void)
{
	int i, ms, seen, lost = 0;

	for (i = 0; i < NSERVED; i++) {
		seen = atomic_read(&ncalls);
		writel(1, regs + IRQ_RAISE);
		for (ms = 0; atomic_read(&ncalls) == seen && ms < 5000; ms++)
			usleep_range(1000, 1100);
		lost += atomic_read(&ncalls) == seen;
	}
	seen = atomic_read(&ncalls);
	msleep(500);
	pr_info("stuck: lost %d\n", lost);
	pr_info("stuck: more %d\n", atomic_read(&ncalls) - seen);
}

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int err = pcim_enable_device(pdev);

	if (!err)
		err = pcim_iomap_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (err)
		return err;
	regs = pcim_iomap_table(pdev)[0];
	err = request_irq(pdev->irq, on_irq, IRQF_SHARED, KBUILD_MODNAME, pdev);
	if (err)
		return err;
	stay_stuck();
	serve();
	free_irq(pdev->irq, pdev);
	pr_info("stuck: over\n");
	return 0;
}

static const struct pci_device_id ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };
static struct pci_driver stuck_driver = {
	.name = KBUILD_MODNAME,
	.id_table = ids,
	.probe = probe,
};
module_pci_driver(stuck_driver);
MODULE_LICENSE("GPL");
