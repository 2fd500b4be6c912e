# SPDX-License-Identifier: BSD-2-Clause
# The two commands of the README, and what developers use beside them. Each
# target does its own set-up; meson does the building.

BUILD := build
export VIADUCT_BUILD := $(CURDIR)/$(BUILD)

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

# Packages, by apt: what building needs, and the rest for what tests.
setup:
	@./scripts/setup build

setup-test:
	@./scripts/setup test

# In lib, where Debian's loader and pkg-config look: meson asks dpkg-dev for the
# folder, and without it takes lib64, where neither does.
$(BUILD)/build.ninja: | setup
	meson setup $(BUILD) --buildtype=debugoptimized -Dtests=disabled --libdir=lib

# The same build folder, with what tests and measures.
tests: setup-test $(BUILD)/.tests
	ninja -C $(BUILD)

$(BUILD)/.tests: | $(BUILD)/build.ninja setup-test
	meson configure $(BUILD) -Dtests=enabled
	@touch $@

check: tests
	./scripts/check

demo: tests
	./lab/demo

bench: tests
	./scripts/bench

# Two guests that have more memory than the host, for SECONDS (two hours).
SECONDS := 7200
soak: tests
	OVERCOMMIT_SECONDS=$(SECONDS) E2E_TIMEOUT=$$(($(SECONDS) + 1200)) \
		./tests/e2e/run overcommit

lab: tests
	./lab/host --shell

install: all
	meson install -C $(BUILD)
	[ -n "$(DESTDIR)" ] || /sbin/ldconfig

clean:
	rm -rf $(BUILD)

.PHONY: all setup setup-test tests check demo bench soak lab install clean
