/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The few kernel types that the programs read, declared by hand and by subject. Only names matter: the loader finds each
 * field's offset in the running kernel's BTF.
 */
#include <wirespan/kernel/types.h>
#include <wirespan/kernel/constants.h>
#include <wirespan/kernel/socket.h>
#include <wirespan/kernel/task.h>
#include <wirespan/kernel/device.h>
#include <wirespan/kernel/uring.h>
#include <wirespan/kernel/iter.h>
