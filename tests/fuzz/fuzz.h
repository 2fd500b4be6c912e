/* SPDX-License-Identifier: BSD-2-Clause */
/* What a fuzz target provides and a driver (libFuzzer, standalone.c) calls. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
