/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The guest's half of the pin table's protocol: one word, one transition. The
 * layout and the host's half are in viaduct/abi/hal.h.
 *
 *	hal_word_map	 guest_map: a page that is pinned is mapped once more
 *	hal_word_unmap	 guest_unmap: once less
 *
 * Each is one compare-and-swap, tried again if another CPU was faster. The
 * includer brings HAL_WORD_SWAP(word, &old, new): true if the word was old and
 * is new; else old is what it is. That way the module, the tests and the
 * benchmarks run the same lines. Words are little endian, as are all machines
 * that this runs on.
 */
#ifndef HAL_PINWORD_H
#define HAL_PINWORD_H

/* Where the page is, if PINNED. */
static inline unsigned long long hal_word_bus(unsigned long long w)
{
	return w >> VD_HAL_WORD_PAGE_SHIFT << 12;
}

/*
 * True: the page is mapped once more, and at *bus. False: the host must be
 * asked, and *bus is untouched.
 */
static inline _Bool hal_word_map(HAL_WORD *word, unsigned long long *bus)
{
	HAL_WORD w = HAL_WORD_READ(word);

	do {
		if (!(w & VD_HAL_WORD_PINNED) ||
		    (w & VD_HAL_WORD_COUNT) >= VD_HAL_WORD_MOST)
			return 0;
	} while (!HAL_WORD_SWAP(word, &w, (w | VD_HAL_WORD_USED) + 1));
	*bus = hal_word_bus(w);
	return 1;
}

/*
 * True: the page at @bus is mapped once less. False: the host has ended all
 * mappings of it since, and nothing has changed.
 */
static inline _Bool hal_word_unmap(HAL_WORD *word, unsigned long long bus)
{
	HAL_WORD w = HAL_WORD_READ(word);

	do {
		if (!(w & VD_HAL_WORD_PINNED) || !(w & VD_HAL_WORD_COUNT) ||
		    hal_word_bus(w) != bus)
			return 0;
	} while (!HAL_WORD_SWAP(word, &w, w - 1));
	return 1;
}

#endif
