/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#pragma once

/* Integer types, and what libbpf's headers expect. */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;

/* The names that libbpf's headers expect. */
typedef u8 __u8;
typedef u16 __u16;
typedef u32 __u32;
typedef u64 __u64;
typedef s32 __s32;
typedef s64 __s64;
typedef u16 __be16;
typedef u32 __be32;
typedef u16 __sum16;
typedef u32 __wsum;

typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

/* Bounds an index so that the verifier sees it: the compiler would remove a bound that it can prove. */
#define MASKED(index, mask)                                           \
	({                                                            \
		u64 masked_ = (index);                                \
		asm volatile("%0 &= %1" : "+r"(masked_) : "i"(mask)); \
		masked_;                                              \
	})
