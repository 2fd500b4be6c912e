// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for the edu device that asks the DMA API for what real drivers ask,
 * and has the device move data wherever the API said yes. A line in the log for
 * each step: "tour: STEP: good", or what is wrong.
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>

#define BUFFER 0x40000 /* in the device, 4 KiB */
#define NMAPS  1000

static void __iomem *regs;

static int move(u64 from, u64 to, bool to_memory)
{
	int i;

	writeq(from, regs + 0x80);
	writeq(to, regs + 0x88);
	writeq(PAGE_SIZE, regs + 0x90);
	writeq(1 | (to_memory ? 2 : 0), regs + 0x98);
	for (i = 0; i < 5000; i++) {
		if (!(readq(regs + 0x98) & 1))
			return 0;
		msleep(2);
	}
	return -ETIMEDOUT;
}

/* Through the device and back, at the end of coherent memory. */
static bool carries(u8 *p, dma_addr_t bus)
{
	memset(p, 0x5a, PAGE_SIZE);
	if (move(bus, BUFFER, false))
		return false;
	memset(p, 0, PAGE_SIZE);
	if (move(BUFFER, bus, true))
		return false;
	return p[0] == 0x5a && p[PAGE_SIZE - 1] == 0x5a;
}

static const char *coherent(struct device *dev, size_t len)
{
	const char *how = "good";
	dma_addr_t bus;
	u8 *p;

	p = dma_alloc_coherent(dev, len, &bus, GFP_KERNEL | __GFP_NOWARN);
	if (!p)
		return "no memory";
	if (bus & (roundup_pow_of_two(len) - 1))
		how = "not aligned";
	else if (!carries(p + len - PAGE_SIZE, bus + len - PAGE_SIZE))
		how = "wrong data";
	dma_free_coherent(dev, len, p, bus);
	return how;
}

static const char *streaming(struct device *dev)
{
	u8 *p = (u8 *)__get_free_page(GFP_KERNEL);
	const char *how = "no mapping";
	dma_addr_t bus;

	memset(p, 0xa5, PAGE_SIZE);
	bus = dma_map_single(dev, p, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, bus))
		goto out;
	how = move(bus, BUFFER, false) ? "no answer" : "good";
	dma_unmap_single(dev, bus, PAGE_SIZE, DMA_TO_DEVICE);
	memset(p, 0, PAGE_SIZE);
	bus = dma_map_single(dev, p, PAGE_SIZE, DMA_FROM_DEVICE);
	if (dma_mapping_error(dev, bus)) {
		how = "no mapping";
		goto out;
	}
	if (move(BUFFER, bus, true))
		how = "no answer";
	dma_unmap_single(dev, bus, PAGE_SIZE, DMA_FROM_DEVICE);
	if (p[0] != 0xa5 || p[PAGE_SIZE - 1] != 0xa5)
		how = "wrong data";
out:
	free_page((unsigned long)p);
	return how;
}

/* What dma_set_mask() accepts must work. */
static void mask(struct device *dev, int bits)
{
	if (dma_set_mask_and_coherent(dev, DMA_BIT_MASK(bits))) {
		pr_info("tour: mask %d: good (refused)\n", bits);
		return;
	}
	pr_info("tour: mask %d coherent: %s\n", bits, coherent(dev, PAGE_SIZE));
	pr_info("tour: mask %d streaming: %s\n", bits, streaming(dev));
}

/* Over a page's end; unmapped as @len. */
static void misfit(struct device *dev, u32 mapped, u32 len)
{
	dma_addr_t bus;
	int i, bad = 0;
	u8 *p;

	for (i = 0; i < NMAPS; i++) {
		p = kmalloc(2 * PAGE_SIZE, GFP_KERNEL);
		bus = dma_map_single(dev, p + PAGE_SIZE - 64, mapped, DMA_FROM_DEVICE);
		if (dma_mapping_error(dev, bus))
			bad++;
		else
			dma_unmap_single(dev, bus, len, DMA_FROM_DEVICE);
		kfree(p);
	}
	pr_info("tour: %u unmapped as %u: %s\n", mapped, len, bad ? "no mapping" : "good");
}

/* A list of four, of which two are unmapped. */
static void short_list(struct device *dev)
{
	struct scatterlist sg[4];
	int i, n, bad = 0;
	struct page *page[4];

	for (n = 0; n < NMAPS / 10; n++) {
		sg_init_table(sg, 4);
		for (i = 0; i < 4; i++) {
			page[i] = alloc_page(GFP_KERNEL);
			sg_set_page(&sg[i], page[i], PAGE_SIZE, 0);
		}
		if (dma_map_sg(dev, sg, 4, DMA_TO_DEVICE) == 4)
			dma_unmap_sg(dev, sg, 2, DMA_TO_DEVICE);
		else
			bad++;
		for (i = 0; i < 4; i++)
			__free_page(page[i]);
	}
	pr_info("tour: list of 4 unmapped as 2: %s\n", bad ? "no mapping" : "good");
}

static int tour_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	static const int bits[] = { 24, 26, 30, 32, 64 };
	struct device *dev = &pdev->dev;
	int i, err;

	err = pcim_enable_device(pdev);
	if (err)
		return err;
	pci_set_master(pdev);
	regs = pcim_iomap(pdev, 0, 0);
	if (!regs)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		mask(dev, bits[i]);
	pr_info("tour: coherent 3 MiB: %s\n", coherent(dev, 3 << 20));
	pr_info("tour: coherent 4 MiB: %s\n", coherent(dev, 4 << 20));
	misfit(dev, 1536, 42);
	misfit(dev, 42, 1536);
	short_list(dev);
	pr_info("tour: needs %d bits\n", fls64(dma_get_required_mask(dev)));
	pr_info("tour: over\n");
	return 0;
}

static const struct pci_device_id tour_ids[] = { { PCI_DEVICE(0x1234, 0x11e8) }, {} };

static struct pci_driver tour_driver = {
	.name = KBUILD_MODNAME,
	.id_table = tour_ids,
	.probe = tour_probe,
};
module_pci_driver(tour_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("the DMA API, tried on the edu device");
