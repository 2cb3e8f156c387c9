/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/*
 * The kernel types that the programs read, declared by subject. Only the names matter: the loader takes each field's
 * offset from the running kernel's BTF (CO-RE).
 */
#include <wirespan/kernel/types.h>
#include <wirespan/kernel/constants.h>
#include <wirespan/kernel/socket.h>
#include <wirespan/kernel/task.h>
#include <wirespan/kernel/device.h>
#include <wirespan/kernel/uring.h>
#include <wirespan/kernel/iter.h>
