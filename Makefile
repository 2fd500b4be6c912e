# SPDX-License-Identifier: BSD-2-Clause
# The two commands of the README, and what developers use beside them. Each
# target does its own set-up; meson does the building.

BUILD := build
export VIADUCT_BUILD := $(CURDIR)/$(BUILD)

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# Packages, by apt, once: a stamp per version of the list.
setup:
	@./scripts/setup

$(BUILD)/build.ninja: | setup
	meson setup $(BUILD) --buildtype=debugoptimized

check: all
	./scripts/check

demo: all
	./lab/demo

bench: all
	./scripts/bench

# Two guests that have more memory than the host, for SECONDS (two hours).
SECONDS := 7200
soak: all
	OVERCOMMIT_SECONDS=$(SECONDS) E2E_TIMEOUT=$$(($(SECONDS) + 600)) \
		./tests/e2e/run overcommit

lab: all
	./lab/host --shell

install: all
	meson install -C $(BUILD)

clean:
	rm -rf $(BUILD)

.PHONY: all setup check demo bench soak lab install clean
