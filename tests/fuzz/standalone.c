/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fuzz target as a plain program, for compilers without libFuzzer: runs every
 * file of a corpus, then mutations of them, a fixed number, always the same.
 *
 * Usage: TARGET corpus-folder mutations
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_FILES 256
#define MOST_BYTES 4096

struct input {
	size_t len;
	uint8_t data[MOST_BYTES];
};

static struct input corpus[MOST_FILES];
static size_t ninputs;

static void read_input(const char *folder, const char *name)
{
	struct input *in = &corpus[ninputs];
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "rb");
	if (!f)
		return;
	in->len = fread(in->data, 1, MOST_BYTES, f);
	ninputs += in->len > 0;
	fclose(f);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_corpus(const char *folder)
{
	struct dirent **entry;
	int n = scandir(folder, &entry, NULL, by_name);

	for (int i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.' && ninputs < MOST_FILES)
			read_input(folder, entry[i]->d_name);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

/* One of the corpus with some bytes changed, a piece of another at its end. */
static void mutate(struct input *out)
{
	const struct input *a = &corpus[(size_t)random() % ninputs];
	const struct input *b = &corpus[(size_t)random() % ninputs];
	size_t from = (size_t)random() % b->len, n = b->len - from;
	long changes = random() % 16;

	*out = *a;
	if (n > MOST_BYTES - out->len)
		n = MOST_BYTES - out->len;
	memcpy(out->data + out->len, b->data + from, n);
	out->len += n;
	while (changes--)
		out->data[(size_t)random() % out->len] = (uint8_t)random();
}

int main(int argc, char **argv)
{
	static struct input in;
	long n = argc > 2 ? strtol(argv[2], NULL, 0) : 1000;

	read_corpus(argc > 1 ? argv[1] : ".");
	if (ninputs == 0) {
		fprintf(stderr, "no corpus\n");
		return 1;
	}
	for (size_t i = 0; i < ninputs; i++)
		LLVMFuzzerTestOneInput(corpus[i].data, corpus[i].len);
	srandom(1);
	for (long i = 0; i < n; i++) {
		mutate(&in);
		LLVMFuzzerTestOneInput(in.data, in.len);
	}
	printf("%zu inputs, %ld mutations\n", ninputs, n);
	return 0;
}
