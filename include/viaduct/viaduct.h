/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything of libviaduct. */
#ifndef VIADUCT_H
#define VIADUCT_H

#include <viaduct/adapter.h>
#include <viaduct/calgary.h>
#include <viaduct/device.h>
#include <viaduct/domain.h>
#include <viaduct/fake.h>
#include <viaduct/hal.h>
#include <viaduct/host.h>
#include <viaduct/papr.h>
#include <viaduct/policy.h>
#include <viaduct/remote.h>
#include <viaduct/pins.h>
#include <viaduct/space.h>
#include <viaduct/translate.h>
#include <viaduct/types.h>
#include <viaduct/window.h>

#endif
